"""How fast each stage and the whole scan are: what `genoscan bench` measures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np

from .encoding.encoder import rows_by_length
from .encoding.nucleotides import reverse_complement
from .errors import GenoscanError
from .inference.devices import available_threads
from .inference.session import Model
from .options import ScanOptions
from .reading.genome import Genome
from .schedule import Job, prepare
from .tracks import Collector, settled_chunks
from .workers import ThreadWorkers

BURN_IN = 2
FEWEST_WINDOWS, MOST_WINDOWS = 8, 4096
_NEARLY = 0.97

Result = TypeVar("Result")


@dataclass(frozen=True)
class Throughput:
    """Speeds in Mb of scored sequence a second; shares are of the bound they are named after.

    session: the bare ONNX Runtime session on batches made beforehand, as many runs side by side as there are threads.
    encoding: reading nothing, encoding alone, on the same threads.
    slowest_stage: the smaller of the two: what a pipeline could reach whose stages have processors of their own.
    shared_bound: what it can reach where both stages share the same CPU cores: 1 / (1/session + 1/encoding); on a
        GPU, the slowest stage.
    """

    model: str
    device: str
    threads: int
    batch_size: int
    bases: int
    session: float
    encoding: float
    scan: float
    slowest_stage: float
    shared_bound: float

    @property
    def share_of_slowest(self) -> float:
        return self.scan / self.slowest_stage

    @property
    def share_of_bound(self) -> float:
        return self.scan / self.shared_bound

    def to_dict(self) -> dict:
        return {**asdict(self), "share_of_slowest": self.share_of_slowest, "share_of_bound": self.share_of_bound}


def measure(model: Model, genome: Genome, threads: int | None, seconds: float, rounds: int = 3) -> Throughput:
    """Measure all three on the same threads; each is the best of ``rounds`` to step over other processes' noise.

    The whole scan is that of every contig to its calls: reading, encoding, inference, stitching, calling, annotation.
    """
    threads = threads or available_threads()
    batches = _batches(model, genome)
    tensors = [_tensors(model, codes) for codes in batches]
    passes = 2 if model.card.strand == "both" else 1
    per_batch = model.batch_size * model.card.step / passes
    shortest = seconds / rounds

    def encode_one(number: int) -> None:
        codes = batches[number % len(batches)]
        model.encoder.encode(reverse_complement(codes) if passes == 2 else codes, _scratch(model))

    def run_one(number: int) -> None:
        for tensor in tensors[number % len(tensors)]:
            model.run(tensor)

    session = max(_rate(run_one, threads, shortest) for _ in range(rounds)) * per_batch / 1e6
    encoding = max(_rate(encode_one, threads, shortest) for _ in range(rounds)) * per_batch / 1e6
    whole = max(_scan_rate(model, genome, threads) for _ in range(rounds))
    bases = int(genome.lengths.sum())
    slowest = min(session, encoding)
    shared = slowest if model.device != "cpu" else 1 / (1 / session + 1 / encoding)
    size = model.batch_size
    return Throughput(model.card.name, model.device, threads, size, bases, session, encoding, whole, slowest, shared)


def best_batch_size(
    open_with: Callable[[int], Model], seconds: float, most: int = MOST_WINDOWS
) -> tuple[int, dict[int, float]]:
    """The smallest batch that is nearly the fastest, and windows a second by batch size, for a device whose speed
    depends on it. ``open_with``: opens the model for batches of that many windows.

    Sizes double from 8 on until one is slower, or the device's memory ends (`GenoscanError` of the first one is
    raised).
    """
    speeds: dict[int, float] = {}
    size = FEWEST_WINDOWS
    while size <= most:
        try:
            model = open_with(size)
            tensor = _random_tensor(model)
            speeds[size] = _rate(lambda _: model.run(tensor), 2, seconds) * size  # noqa: B023
        except GenoscanError:
            if not speeds:
                raise
            break
        if len(speeds) > 2 and speeds[size] < max(speeds.values()) * _NEARLY:
            break
        size *= 2
    fastest = max(speeds.values())
    return next(one for one, speed in speeds.items() if speed >= _NEARLY * fastest), speeds


def _random_tensor(model: Model) -> np.ndarray:
    window = model.card.window
    codes = np.random.default_rng(0).integers(0, 4, window).astype(np.uint8)
    (tensor,) = _tensors(model, np.repeat(codes[None], model.batch_size, axis=0))
    return tensor


def _scan_rate(model: Model, genome: Genome, threads: int) -> float:
    """Mb a second of a scan of all contigs to its calls."""
    workers = ThreadWorkers([model], threads)
    started = time.perf_counter()
    opened = prepare(Job(genome.source, genome.source, (0,)), genome, workers, ScanOptions())
    for _ in settled_chunks(opened, workers, Collector(opened, 0)):
        pass
    return opened.bases / 1e6 / (time.perf_counter() - started)


def _batches(model: Model, genome: Genome, most: int = 8) -> list[np.ndarray]:
    """Code batches from the longest contig, spread along it."""
    contig = int(np.argmax(genome.lengths))
    length, window = int(genome.lengths[contig]), model.card.window
    places = np.linspace(0, max(0, length - window), most * model.batch_size).astype(np.int64)
    codes = np.full((len(places), window), 4, dtype=np.uint8)
    for row, start in enumerate(places.tolist()):
        piece = genome.codes(contig, start, min(length, start + window))
        codes[row, : len(piece)] = piece
    return list(codes.reshape(most, model.batch_size, window))


_local = threading.local()


def _scratch(model: Model) -> np.ndarray:
    shape = (model.batch_size, *model.encoder.window_shape(model.card.window))
    if getattr(_local, "shape", None) != shape:
        _local.shape, _local.tensor = shape, np.empty(shape, dtype=model.encoder.dtype)
    return _local.tensor


def _tensors(model: Model, codes: np.ndarray) -> list[np.ndarray]:
    """The input of a batch of windows; where windows differ in length, one tensor for each length."""
    tensor = np.empty((len(codes), *model.encoder.window_shape(codes.shape[1])), dtype=model.encoder.dtype)
    model.encoder.encode(codes, tensor)
    return [rows for _, rows in rows_by_length(model.encoder, tensor)]


def _rate(work: Callable[[int], None], threads: int, seconds: float) -> float:
    """Calls of ``work`` a second, by ``threads`` threads side by side; each burns in first, then all start together."""
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
