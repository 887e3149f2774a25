"""Sections of the GPU benchmark about a scan: its stages on the CPU, the whole, and whether tracks stay the same."""

from __future__ import annotations

import threading
import time

import numpy as np
from gpu_bench import Bench, tensor_of
from gpu_machine import gpu_memory_mb
from gpu_measure import ROUNDS, Json

from genoscan.scanner.encoding.encoder import encoder
from genoscan.scanner.inference.devices import available_threads
from genoscan.scanner.inference.session import Model, open_model
from genoscan.scanner.options import ScanOptions
from genoscan.scanner.reading.genome import Genome, open_genome
from genoscan.scanner.schedule import Job, prepare
from genoscan.scanner.throughput.rate import best_rate, rate
from genoscan.scanner.throughput.stages import first_regions
from genoscan.scanner.tracks import Collector, Counts, lines_of, settled_chunks
from genoscan.scanner.workers import ThreadWorkers


def encoding(bench: Bench) -> Json:
    """Encoding alone on all CPU threads."""
    encode, codes = encoder(bench.card), bench.codes(bench.rows, 0)
    shape = (len(codes), *encode.window_shape(bench.card.window))
    own = threading.local()

    def work(_: int) -> None:
        if not hasattr(own, "tensor"):
            own.tensor = np.zeros(shape, dtype=encode.dtype)
        encode.encode(codes, own.tensor)

    calls = best_rate(work, bench.threads, bench.seconds / 5, ROUNDS)
    return {"mb_per_second": calls * len(codes) * bench.card.step / 1e6, "threads": bench.threads}


def reading(bench: Bench) -> Json:
    """Reading the genome alone on all CPU threads, in pieces of a tile."""
    with open_genome(bench.genome) as genome:
        length = int(genome.lengths[0])
        piece = min(length, 2**18)
        places = range(0, length - piece + 1, piece)
        calls = best_rate(
            lambda number: genome.codes(0, places[number % len(places)], places[number % len(places)] + piece),
            bench.threads,
            bench.seconds / 8,
            ROUNDS,
        )
    return {"mb_per_second": calls * piece / 1e6}


def timed_scan(
    model: Model, genome: Genome, regions: tuple[str, ...], options: ScanOptions, threads: int | None = None
) -> tuple[bytes, Counts]:
    """The track's lines, and counts with the seconds that it took."""
    workers = ThreadWorkers([model], threads or available_threads())
    opened = prepare(Job(genome.source, genome.source, (0,), regions), genome, workers, options)
    collector, lines_from = Collector(opened, 0), lines_of(opened, 0)
    chunks = settled_chunks(opened, workers, collector)
    lines = [lines_from(chunk) for chunk in chunks]
    counts = collector.counts
    counts.seconds = time.perf_counter() - counts.started
    return b"".join(lines), counts


def scan_speed(bench: Bench, rows: int | None, threads: int, seconds: float) -> Json:
    model = open_model(bench.path, bench.device, rows)
    with open_genome(bench.genome) as genome:
        regions = first_regions(genome, max(int(bench.slowest * 1e6 * seconds), model.batch_size * model.card.step))
        counts = [timed_scan(model, genome, regions, ScanOptions(), threads)[1] for _ in range(ROUNDS)]
    best = min(counts, key=lambda one: one.seconds)
    speed = best.bases / 1e6 / best.seconds
    return {
        "mb_per_second": speed,
        "share_of_slowest_stage": speed / bench.slowest,
        "batch_size": model.batch_size,
        "threads": threads,
        "bases": best.bases,
        "calls": best.calls,
        "seconds": best.seconds,
        "gpu_memory_mb": gpu_memory_mb(),
    }


def scan(bench: Bench) -> Json:
    """The whole scan through genoscan's own pipeline, calls and BED lines included, at the chosen batch size."""
    return scan_speed(bench, bench.rows, bench.threads, bench.seconds / ROUNDS)


def scan_by_default(bench: Bench) -> Json:
    """The whole scan as `genoscan scan` does it when nothing but the device is said."""
    return scan_speed(bench, None, bench.threads, bench.seconds / 2 / ROUNDS)


def tracks(bench: Bench) -> Json:
    """The same bytes from two tile sizes and from two scans; calls that differ from the fp32 graph's on the CPU."""
    model, cpu = open_model(bench.path, bench.device, bench.rows), open_model(bench.reference, "cpu", 2)
    tensor = tensor_of(bench.card, bench.codes(2, 0))
    cpu_speed = rate(lambda _: cpu.run(tensor), bench.threads, bench.seconds / 10) * 2 * bench.card.step
    tile = bench.rows * bench.card.step
    with open_genome(bench.genome) as genome:
        bases = int(min(cpu_speed, bench.slowest * 1e6) * bench.seconds / 2)
        regions = first_regions(genome, max(4 * tile, bases))
        first, counts = timed_scan(model, genome, regions, ScanOptions(tile_size=tile))
        again, _ = timed_scan(model, genome, regions, ScanOptions(tile_size=tile), 2)
        tiled, _ = timed_scan(model, genome, regions, ScanOptions(tile_size=3 * tile))
        expected, _ = timed_scan(cpu, genome, regions, ScanOptions())
    return {
        "bases": counts.bases,
        "calls": counts.calls,
        "same_bytes_with_other_tiles": first == tiled,
        "same_bytes_again": first == again,
        **compared_tracks(expected, first),
    }


def compared_tracks(expected: bytes, got: bytes) -> Json:
    """How many calls of two tracks (BED lines) have no equal in the other, by place and by place and score."""
    lines = [[line.split(b"\t") for line in one.splitlines()] for one in (expected, got)]
    placed = [{(*one[:4], one[5]) for one in side} for side in lines]
    scored = [{tuple(one) for one in side} for side in lines]
    return {
        "calls_on_cpu": len(lines[0]),
        "calls_placed_differently": len(placed[0] ^ placed[1]),
        "calls_scored_differently": len(scored[0] ^ scored[1]) - len(placed[0] ^ placed[1]),
    }
