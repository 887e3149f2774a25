"""Rates: what they count, and how threads end (all, soon, with the error of the one that failed)."""

import threading
import time
from types import SimpleNamespace

import pytest

from genoscan.scanner.throughput import rate as rates
from genoscan.scanner.throughput.rate import BURN_IN, best_rate, rate


def test_a_rate_counts_the_calls_of_all_threads(monkeypatch):
    clock = threading.local()

    def now():
        return getattr(clock, "seconds", 0.0)

    def work(_):
        clock.seconds = now() + 0.25

    monkeypatch.setattr(rates, "time", SimpleNamespace(perf_counter=now))
    assert rate(work, 2, 10.0) == 8.0


def test_every_thread_burns_in_and_counts_only_what_follows():
    lock, seen = threading.Lock(), []

    def work(number):
        time.sleep(0.002)  # long enough that no thread is done before the others start
        with lock:
            seen.append((threading.get_ident(), number))

    assert rate(work, 3, 0.0) > 0
    assert len({thread for thread, _ in seen}) == 3
    # two calls of burn-in and, with no time at all, exactly one that counts, in each thread
    assert sorted(number for _, number in seen) == sorted([*range(BURN_IN)] * 3 + [0, 1, 2])


def test_the_best_round_counts(monkeypatch):
    given, asked = [3.0, 5.0, 4.0], []
    monkeypatch.setattr(rates, "rate", lambda *arguments: asked.append(arguments[2]) or given.pop(0))
    assert best_rate(print, 1, 6.0) == 5.0
    assert asked == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("good_calls", [0, 10])
def test_an_error_is_raised_and_nothing_hangs(good_calls):
    calls = []

    def work(_):
        calls.append(1)
        if len(calls) > good_calls:
            raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        rate(work, 4, 0.05)


def test_an_error_in_one_thread_ends_the_others():
    def work(_):
        if threading.current_thread().name.endswith("_1"):
            raise ValueError("one thread failed")
        time.sleep(0.001)

    started = time.monotonic()
    with pytest.raises(ValueError, match="one thread failed"):
        rate(work, 2, 60.0)
    assert time.monotonic() - started < 10


def test_an_interrupted_measurement_does_not_run_to_its_end(monkeypatch):
    def interrupted(_):
        time.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(rates, "as_completed", interrupted)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        rate(lambda _: time.sleep(0.001), 2, 60.0)
    assert time.monotonic() - started < 10
