"""Work in a process of its own: what it does to memory and devices ends with it, and so does a crash."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

from ..errors import GenoscanError, one_line

Result = TypeVar("Result")
_LONGEST = 300
_GRACE = 30.0
"""Seconds that a process may take to clear up after its answer."""


def apart(work: Callable[..., Result], *arguments, limit: float) -> Result:
    """What ``work`` returns in a new process (no fork: CUDA does not survive one); work, arguments and result are
    pickled.

    Raises `GenoscanError`: the one that the work raised, or one line on any other error, on how the process ended, or
    that it took longer than ``limit`` seconds.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    try:
        if not ours.poll(limit):
            raise GenoscanError(f"stopped after {limit:.0f} s")
        answer = ours.recv()
        process.join(_GRACE)
    except EOFError:
        process.join()
        raise GenoscanError(_end(process.exitcode)) from None
    finally:
        process.terminate()
        process.join(5)
        if process.exitcode is None:
            process.kill()
            process.join()
        ours.close()
    if isinstance(answer, GenoscanError):
        raise answer
    return answer


def _answer(pipe: Connection, work: Callable, arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; whoever started this process ends it
    try:
        answer = work(*arguments)
    except GenoscanError as error:
        answer = error
    except Exception as error:
        answer = GenoscanError(one_line(f"{type(error).__name__}: {' '.join(str(error).split())}")[:_LONGEST])
    pipe.send(answer)


def _end(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"its process ended with exit code {code}"
