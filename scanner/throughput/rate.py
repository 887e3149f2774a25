"""Calls a second of some work, by threads side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

BURN_IN = 2
Result = TypeVar("Result")


def best_rate(work: Callable[[int], object], threads: int, seconds: float, rounds: int = 3) -> float:
    """The best of some rounds, which together take about ``seconds``: it steps over other processes' noise."""
    return max(rate(work, threads, seconds / rounds) for _ in range(rounds))


def rate(work: Callable[[int], object], threads: int, seconds: float) -> float:
    """Calls of ``work`` a second, by ``threads`` threads side by side; each is told the number of its call.

    Each thread first makes calls that do not count: buffers on a device belong to a thread, and the first run of a
    shape chooses kernels. The clock starts when all are ready. The error of one thread ends the others and is raised.
    """
    start = threading.Barrier(threads)

    def repeat(thread: int, stop: threading.Event) -> float:
        try:
            for number in range(BURN_IN):
                work(number)
            start.wait()
        except threading.BrokenBarrierError:
            return 0.0  # the thread that failed says why
        except BaseException:
            start.abort()  # or the others would wait for ever
            raise
        started, done = time.perf_counter(), 0
        while done == 0 or (time.perf_counter() - started < seconds and not stop.is_set()):
            work(thread + done * threads)
            done += 1
        return done / (time.perf_counter() - started)

    return sum(_side_by_side(repeat, threads))


def _side_by_side(work: Callable[[int, threading.Event], Result], threads: int) -> list[Result]:
    """``work(thread, stop)`` on every thread; the event is set when one fails, or with Ctrl-C."""
    stop = threading.Event()
    with ThreadPoolExecutor(threads) as pool:
        working = [pool.submit(work, thread, stop) for thread in range(threads)]
        try:
            return [one.result() for one in as_completed(working)]
        finally:
            stop.set()
