"""How the benchmark's threads end: all of them, soon, and with the error of the one that failed."""

import threading
import time

import pytest

from genoscan.scanner import throughput


def test_a_rate_counts_the_calls_of_all_threads():
    assert 100 < throughput._rate(lambda _: time.sleep(0.01), 2, 0.2) < 201


def test_an_error_in_one_thread_ends_the_others():
    def work(_):
        if threading.current_thread().name.endswith("_1"):
            raise ValueError("one thread failed")
        time.sleep(0.001)

    started = time.monotonic()
    with pytest.raises(ValueError, match="one thread failed"):
        throughput._rate(work, 2, 60.0)
    assert time.monotonic() - started < 10


def test_an_interrupted_measurement_does_not_run_to_its_end(monkeypatch):
    def interrupted(_):
        time.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(throughput, "as_completed", interrupted)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        throughput._rate(lambda _: time.sleep(0.001), 2, 60.0)
    assert time.monotonic() - started < 10
