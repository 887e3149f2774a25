"""Functions are compiled when they are first called after an installation: whoever waits for it is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .messages import say

_PATIENCE = 1.0
"""Seconds of compiling before a word is said of it."""


@contextmanager
def compiling_told(quiet: bool) -> Iterator[None]:
    """Say once, where standard error is a terminal, that functions are compiled, if that takes long. Logs get nothing:
    what they hold must not depend on what ran before."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from numba.core import event

    class Told(event.Listener):
        began: float | None = None
        said = False

        def on_start(self, _):
            self.began = self.began or time.monotonic()
            if not self.said and time.monotonic() - self.began > _PATIENCE:
                self.said = True
                say("compiles functions, once after an installation; this takes up to a minute")

        def on_end(self, _):
            pass

    with event.install_listener("numba:compile", Told()):
        yield
