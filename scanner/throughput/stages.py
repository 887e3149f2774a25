"""How fast a setting is: its stages alone and the whole scan, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..card import ModelCard
from ..catalogue import find_model
from ..encoding.encoder import rows_by_length
from ..encoding.kmers_methylation import METHYLATED, UNMETHYLATED
from ..encoding.nucleotides import reverse_complement
from ..errors import GenoscanError, UsageError
from ..inference.devices import cuda_device_count
from ..inference.session import Model, open_model, read_model
from ..options import ScanOptions
from ..read_likelihoods import window_log_likelihoods
from ..reading.genome import Genome, open_genome
from ..reading.sequence import UNKNOWN
from ..schedule import Job, prepare
from ..staffing import Staff, hire
from ..tracks import Collector, settled_chunks
from ..workers import Workers
from .machine import used_gpu_memory
from .matrix_rate import matrix_rate
from .memory import peak_memory_of_all
from .multiply_accumulates import INTEGER, window_multiply_accumulates
from .rate import best_rate, rate

FEWEST_WINDOWS, MOST_WINDOWS = 8, 4096
HUMAN_GENOME = 3.1e9
"""Bases."""
ROUNDS = 3
_NEARLY = 0.97
_MATRIX_SECONDS = 0.6
_COUNTED_WINDOWS = 4
_METHYLATION_STEP = 7
_LOOK = 2**20
_MOST_BATCHES, _MOST_BASES = 8, 2**23


@dataclass(frozen=True)
class Setting:
    """What can be set about a scan. ``model``: as --model takes it; device: 'cpu', 'cuda' or 'tensorrt'; threads: of
    each worker; batch_size None: the device's default for the model."""

    model: str
    device: str
    workers: int
    threads: int
    batch_size: int | None


@dataclass(frozen=True)
class Throughput:
    """How fast a setting is. Speeds are windows a second, a window of a strand counted once for each strand.

    name, version, precision, sha256: of the model that ran, which on a GPU may be a variant of the one that was named.
    mb_per_window: Mb of a genome that a window stands for, both strands done; None for models of reads, whose windows
        are reads and whose whole scan is that of reads in memory to likelihoods.
    session: the bare ONNX Runtime session on batches made beforehand. encoding: encoding alone. scan: all of it, from
        the genome to calls. Each on the threads of all workers; the session, on a GPU, in one process a GPU.
    bound: what a scan can reach: on a GPU the slower of session and encoding; on a CPU, whose cores they share,
        1 / (1 / session + 1 / encoding).
    multiply_accumulates: a window's, by precision; None where they cannot be counted.
    matrix_rates: multiply-accumulates a second of a large matrix product on the device, by precision.
    share_of_matrix_rate: the time that a window's multiply-accumulates take at those rates, over the time that a window
        of the scan takes.
    memory_mb: peak resident memory of the processes of the scan. gpu_memory_mib: what it took on the GPU where that
        was most.
    """

    name: str
    version: str
    precision: str
    sha256: str
    batch_size: int
    mb_per_window: float | None
    session: float
    encoding: float
    scan: float
    bound: float
    multiply_accumulates: dict[str, float] | None
    matrix_rates: dict[str, float | None]
    share_of_matrix_rate: float | None
    memory_mb: float
    gpu_memory_mib: float | None

    @property
    def share_of_session(self) -> float:
        return self.scan / self.session

    @property
    def share_of_bound(self) -> float:
        return self.scan / self.bound

    @property
    def human_genome_seconds(self) -> float | None:
        """For 3.1 Gb; of both strands where the model scores each."""
        return None if self.mb_per_window is None else HUMAN_GENOME / 1e6 / (self.scan * self.mb_per_window)


def measure(setting: Setting, genome: str, seconds: float) -> Throughput:
    """Measure a setting; each stage takes about ``seconds``, and is the best of `ROUNDS` rounds.

    The scan comes first, so that its peak memory is that of a scan. Raises `GenoscanError` for what cannot run.
    """
    path, staff = str(find_model(setting.model)), Staff(setting.workers, threads=setting.threads)
    file = read_model(path, setting.device, setting.batch_size)
    threads = setting.workers * setting.threads
    reads = file.card.task == "read-classification"
    if reads and setting.workers > 1:
        raise UsageError(f"model {file.card.name} classifies reads, which one worker does")
    before = used_gpu_memory()
    with open_genome(genome, warn=lambda _: None) as reading:
        batches = _batches(file.card, file.batch_size, reading)
        with hire([path], setting.device, setting.batch_size, staff, lambda _: None) as workers:
            scan = (
                _reads_rate(workers.models[0], batches, threads, seconds)
                if reads
                else _windows_per_mb(file.card) * _scan_rate(workers, reading, seconds)
            )
            memory, used = peak_memory_of_all(), used_gpu_memory()
            opened = workers.models[0] if setting.workers == 1 else None
    model = opened or open_model(path, setting.device, setting.batch_size)
    gpus = 1 if setting.device == "cpu" else max(1, min(setting.workers, cuda_device_count()))
    session = gpus * model.batch_size * _session_rate(model, batches, threads, seconds)
    encoding = model.batch_size * _encoding_rate(model, batches, threads, seconds)
    bound = min(session, encoding) if setting.device != "cpu" else 1 / (1 / session + 1 / encoding)
    products = _by_precision(window_multiply_accumulates(file, batches[0][:_COUNTED_WINDOWS]), file.card, model.device)
    rates = {one: matrix_rate(setting.device, one, threads, _MATRIX_SECONDS) for one in products or ()}
    rates = {precision: speed and gpus * speed for precision, speed in rates.items()}
    return Throughput(
        name=file.card.name,
        version=file.card.version,
        precision=file.card.provenance.precision,
        sha256=file.sha256,
        batch_size=file.batch_size,
        mb_per_window=None if reads else 1 / _windows_per_mb(file.card),
        session=session,
        encoding=encoding,
        scan=scan,
        bound=bound,
        multiply_accumulates=products,
        matrix_rates=rates,
        share_of_matrix_rate=_share_of_matrix_rate(products, rates, scan),
        memory_mb=round(memory / 1e6, 1),
        gpu_memory_mib=_most_taken(before, used),
    )


def best_batch_size(model: str, device: str, seconds: float) -> tuple[int, dict[int, float]]:
    """The smallest batch that is nearly the fastest, and windows a second of the bare session by batch size, for a
    device whose speed depends on it.

    Sizes double from 8 on until one is slower, or the device's memory ends (`GenoscanError` of the first one is
    raised). A model that is made for one size has that one.
    """
    path = find_model(model)
    fixed = read_model(path, device).fixed_batch
    speeds: dict[int, float] = {}
    size = fixed or FEWEST_WINDOWS
    while size <= (fixed or MOST_WINDOWS):
        try:
            speeds[size] = _speed_of_batch(open_model(path, device, size), seconds)
        except GenoscanError:
            if not speeds:
                raise
            break
        if len(speeds) > 2 and speeds[size] < max(speeds.values()) * _NEARLY:
            break
        size *= 2
    fastest = max(speeds.values())
    return next(one for one, speed in speeds.items() if speed >= _NEARLY * fastest), speeds


def _speed_of_batch(model: Model, seconds: float) -> float:
    """Windows a second, of copies of one random window."""
    codes = np.random.default_rng(0).integers(0, 4, model.card.window).astype(np.uint8)
    (tensor,) = _tensors(model, np.repeat(codes[None], model.batch_size, axis=0))
    return rate(lambda _: model.run(tensor), 2, seconds) * model.batch_size


def _windows_per_mb(card: ModelCard) -> float:
    return (2 if card.strand == "both" else 1) * 1e6 / card.step


def _batches(card: ModelCard, rows: int, genome: Genome) -> list[np.ndarray]:
    """Code batches uint8 (rows, window) from the longest contig, spread along it; for models of reads with marks of
    methylation on every seventh base, where that is a C."""
    contig = int(np.argmax(genome.lengths))
    length, window = int(genome.lengths[contig]), card.window
    most = max(2, min(_MOST_BATCHES, _MOST_BASES // (rows * window)))
    places = np.linspace(0, max(0, length - window), most * rows).astype(np.int64)
    codes = np.full((len(places), window), 4, dtype=np.uint8)
    for row, start in enumerate(places.tolist()):
        piece = genome.codes(contig, start, min(length, start + window))
        codes[row, : len(piece)] = piece
    if card.task == "read-classification":
        marked = codes[:, ::_METHYLATION_STEP]
        marks = np.where(np.arange(len(codes)) % 2, METHYLATED, UNMETHYLATED)[:, None]
        marked += np.where(marked == 1, marks, 0).astype(np.uint8)
    return list(codes.reshape(most, rows, window))


def _tensors(model: Model, codes: np.ndarray) -> list[np.ndarray]:
    """The input of a batch of windows; where windows differ in length, one tensor for each length."""
    tensor = np.empty((len(codes), *model.encoder.window_shape(codes.shape[1])), dtype=model.encoder.dtype)
    model.encoder.encode(codes, tensor)
    return [rows for _, rows in rows_by_length(model.encoder, tensor)]


def _session_rate(model: Model, batches: Sequence[np.ndarray], threads: int, seconds: float) -> float:
    """Batches a second of the bare session, as many runs side by side as there are threads."""
    tensors = [_tensors(model, codes) for codes in batches]

    def run_one(number: int) -> None:
        for tensor in tensors[number % len(tensors)]:
            model.run(tensor)

    return best_rate(run_one, threads, seconds, ROUNDS)


def _encoding_rate(model: Model, batches: Sequence[np.ndarray], threads: int, seconds: float) -> float:
    """Batches a second of encoding alone; reverse complements where the model reads both strands."""
    local = threading.local()
    shape = (model.batch_size, *model.encoder.window_shape(model.card.window))

    def encode_one(number: int) -> None:
        if not hasattr(local, "tensor"):
            local.tensor = np.empty(shape, dtype=model.encoder.dtype)
        codes = batches[number % len(batches)]
        model.encoder.encode(reverse_complement(codes) if model.card.strand == "both" else codes, local.tensor)

    return best_rate(encode_one, threads, seconds, ROUNDS)


def _reads_rate(model: Model, batches: Sequence[np.ndarray], threads: int, seconds: float) -> float:
    """Windows a second of reads in memory to their likelihoods."""
    codes = np.concatenate([*batches] * threads)
    return best_rate(lambda _: window_log_likelihoods(model, codes, threads), 1, seconds, ROUNDS) * len(codes)


def _scan_rate(workers: Workers, genome: Genome, seconds: float) -> float:
    """Mb a second of a scan to calls: of so much of the genome's beginning that a round takes its share of the seconds,
    but at least two batches for everybody who works. A scan that does not count comes first: functions are compiled
    then, and workers wake up."""
    (model,) = workers.models
    unit = model.batch_size * model.card.step
    total, bases, share = int(genome.lengths.sum()), 2 * workers.slots * unit, seconds / ROUNDS
    _timed_scan(workers, genome, first_regions(genome, bases, unit))
    while True:
        regions = first_regions(genome, bases, unit)
        scanned, took = _timed_scan(workers, genome, regions)
        if bases >= total or took > share / 2:
            break
        bases *= max(2, min(16, int(share / took)))
    started, best = time.perf_counter(), took
    while time.perf_counter() - started < seconds - took:
        best = min(best, _timed_scan(workers, genome, regions)[1])
    return scanned / 1e6 / best


def first_regions(genome: Genome, bases: int, unit: int = 1) -> tuple[str, ...]:
    """The genome's first ``bases`` bases, as `--regions` takes them, without the unknown bases that contigs begin with:
    those are skipped, which would look like speed.

    In long contigs they begin at a multiple of ``unit``: where tiles are cut, so that none is smaller than the others.
    """
    found, left = [], bases
    for contig, (name, length) in enumerate(zip(genome.names, genome.lengths.tolist(), strict=True)):
        if left <= 0:
            break
        known = _first_known(genome, contig, length)
        aligned = -(-known // unit) * unit
        start = aligned if aligned + unit <= length else known
        if start < length:
            end = min(length, start + left)
            found.append(f"{name}:{start + 1}-{end}")
            left -= end - start
    return tuple(found)


def _first_known(genome: Genome, contig: int, length: int) -> int:
    """0-based place of a contig's first known base; its length where there is none."""
    for start in range(0, length, _LOOK):
        known = genome.codes(contig, start, min(length, start + _LOOK)) < UNKNOWN
        if known.any():
            return start + int(known.argmax())
    return length


def _timed_scan(workers: Workers, genome: Genome, regions: tuple[str, ...]) -> tuple[int, float]:
    """Bases and seconds of a scan to calls; the track is not written."""
    started = time.perf_counter()
    opened = prepare(Job(genome.source, genome.source, (0,), regions), genome, workers, ScanOptions())
    for _ in settled_chunks(opened, workers, Collector(opened, 0)):
        pass
    return opened.bases, time.perf_counter() - started


def _by_precision(found: dict[str, float] | None, card: ModelCard, device: str) -> dict[str, float] | None:
    """Multiply-accumulates by the precision that a device computes them in: half precision is a GPU's."""
    floats = "fp16" if card.provenance.precision == "fp16" and device != "cpu" else "fp32"
    return found and {"int8" if numbers == INTEGER else floats: number for numbers, number in found.items()}


def _share_of_matrix_rate(
    products: dict[str, float] | None, rates: dict[str, float | None], windows_per_second: float
) -> float | None:
    if not products or None in rates.values():
        return None
    return windows_per_second * sum(number / rates[precision] for precision, number in products.items())


def _most_taken(before: Sequence[float], after: Sequence[float]) -> float | None:
    return max((now - then for then, now in zip(before, after, strict=False)), default=None)
