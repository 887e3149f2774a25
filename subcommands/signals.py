"""Signals that end a command unwind its stack, so that what it was writing is tidied away."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AGAIN_SECONDS = 0.05


class Ended(BaseException):
    """The process was asked to end by this signal."""

    def __init__(self, number: int):
        self.number = number


class _CtrlC(KeyboardInterrupt):
    """Ctrl-C. Where KeyboardInterrupt itself has passed through exec(), which many imports call, Python ends by the
    signal and not with our exit code although it was caught."""


def _interrupt(*_: object) -> None:
    raise _CtrlC


@contextmanager
def signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that partial files and temporary folders go.

    Where Python has to drop the exception (a signal came during a destructor, or a callback of the compiler) the signal
    is sent again a moment later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    def end(number: int, _: object) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)  # asked once is enough; let the cleaning finish
        raise Ended(number)

    ctrl_c = signal.getsignal(signal.SIGINT)
    if ctrl_c is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)

    def listen() -> None:
        for number in numbers:
            if before[number] is not signal.SIG_IGN:  # nohup
                signal.signal(number, end)

    def dropped(unraisable, /) -> None:
        error = unraisable.exc_value
        if not isinstance(error, Ended | KeyboardInterrupt):
            hook_before(unraisable)
            return
        listen()
        number = error.number if isinstance(error, Ended) else signal.SIGINT
        threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number)).start()

    hook_before, sys.unraisablehook = sys.unraisablehook, dropped
    listen()
    try:
        yield
    finally:
        sys.unraisablehook = hook_before
        signal.signal(signal.SIGINT, ctrl_c)
        for number in numbers:
            signal.signal(number, before[number])
