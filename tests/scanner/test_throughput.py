"""How the benchmark ends its threads (all, soon, with the error of the one that failed), and which batch it picks."""

import threading
import time
from types import SimpleNamespace

import pytest
import toys

from genoscan.scanner import throughput
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.inference.session import open_model


def test_a_rate_counts_the_calls_of_all_threads(monkeypatch):
    clock = threading.local()

    def now():
        return getattr(clock, "seconds", 0.0)

    def work(_):
        clock.seconds = now() + 0.25

    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=now))
    assert throughput._rate(work, 2, 10.0) == 8.0


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


@pytest.mark.parametrize(
    ("batches_a_second", "fits", "best", "tried"),
    [
        # windows a second: 800, 1600, 2400, 2400, 1280: the last is slower, and of the two fastest the smaller is taken
        ({8: 100, 16: 100, 32: 75, 64: 37.5, 128: 10}, 4096, 32, [8, 16, 32, 64, 128]),
        # 16 is 98 % as fast as 32, which is near enough
        ({8: 50, 16: 98, 32: 50, 64: 10}, 4096, 16, [8, 16, 32, 64]),
        # memory ends while larger batches are still faster
        ({8: 100, 16: 100, 32: 100}, 32, 32, [8, 16, 32]),
        # the second is slower, but two sizes alone do not end the search
        ({8: 100, 16: 20, 32: 100, 64: 5}, 4096, 32, [8, 16, 32, 64]),
    ],
)
def test_the_best_batch(monkeypatch, tmp_path, batches_a_second, fits, best, tried):
    model, ran = toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4)), []

    def open_with(size):
        if size > fits:
            raise GenoscanError("out of memory")
        return open_model(model, "cpu", size)

    def rate(work, *_):
        work(0)  # the model runs a batch of this size
        ran.append(throughput.FEWEST_WINDOWS * 2 ** len(ran))
        return batches_a_second[ran[-1]]

    monkeypatch.setattr(throughput, "_rate", rate)
    assert throughput.best_batch_size(open_with, 0.1) == (
        best,
        {size: batches_a_second[size] * size for size in tried},
    )


def test_a_device_that_holds_no_batch_at_all():
    def open_with(_):
        raise GenoscanError("out of memory")

    with pytest.raises(GenoscanError, match="out of memory"):
        throughput.best_batch_size(open_with, 0.1)
