"""How the GPU benchmark measures: calls a second by several threads, and work whose failure is a result too."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

BURN_IN, ROUNDS = 2, 2
Json = dict


def rate(work: Callable[[int], object], threads: int, seconds: float) -> float:
    """Calls of ``work`` a second by ``threads`` threads side by side.

    Each thread first makes calls that do not count: buffers on a device belong to a thread, and the first run of a
    shape chooses kernels. The clock starts when all are ready.
    """
    ready = threading.Barrier(threads + 1)

    def repeat(number: int) -> int:
        try:
            for _ in range(BURN_IN):
                work(number)
        except BaseException:
            ready.abort()
            raise
        ready.wait()
        deadline, done = time.perf_counter() + seconds, 0
        while done == 0 or time.perf_counter() < deadline:
            work(number + done * threads)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(repeat, number) for number in range(threads)]
        with contextlib.suppress(threading.BrokenBarrierError):
            ready.wait()
        started = time.perf_counter()
    problems = [one.exception() for one in running if one.exception()]
    for problem in sorted(problems, key=lambda one: isinstance(one, threading.BrokenBarrierError)):
        raise problem
    return sum(one.result() for one in running) / (time.perf_counter() - started)


def best_rate(work: Callable[[int], object], threads: int, seconds: float) -> float:
    """The best of some rounds, which together take about ``seconds``."""
    return max(rate(work, threads, seconds / ROUNDS) for _ in range(ROUNDS))


def one_line(error: BaseException) -> str:
    """An exception as one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]


def attempt(work: Callable[[], Json]) -> Json:
    """What ``work`` gives, or its error as one line: whatever fails, the rest is still worth its time."""
    try:
        return work()
    except Exception as error:
        return {"error": one_line(error)}
