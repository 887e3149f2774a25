"""Bytes that may be long in coming, or many: whoever waits for them can be told to stop."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..errors import Interrupted

_LOOK_MILLISECONDS = 200


def until(stop: threading.Event, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces; raises Interrupted before the next one once ``stop`` is set."""
    for piece in pieces:
        if stop.is_set():
            raise Interrupted
        yield piece


def open_pipe(path: Path) -> BinaryIO:
    """Open a named pipe or a device to read, without waiting until somebody writes to it."""
    # Elsewhere than on Linux a pipe without a writer would be taken for one that has ended.
    waits_not = os.O_NONBLOCK if sys.platform == "linux" else 0
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | waits_not))


def arriving(file: BinaryIO, size: int, stop: threading.Event) -> Iterator[bytes]:
    """Pieces of at most ``size`` bytes of a pipe, a device or standard input, as they come.

    Raises Interrupted soon after ``stop`` is set, also while nothing comes.
    """
    try:
        descriptor = file.fileno()
    except OSError:  # an object that stands in for a file
        descriptor = None
    if descriptor is None or not hasattr(select, "poll"):
        yield from until(stop, iter(partial(file.read, size), b""))
        return
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    while not stop.is_set():
        if not ready.poll(_LOOK_MILLISECONDS):
            continue
        try:
            piece = os.read(descriptor, size)
        except BlockingIOError:
            continue
        if not piece:
            return
        yield piece
    raise Interrupted
