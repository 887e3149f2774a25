"""The line from one tile to its runs or levels: read, encode, infer, stitch, call. No output is written here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .calling.channels import STRANDS, Channel, channels_of
from .calling.intervals import RUN, find_runs
from .calling.levels import LEVEL, find_levels
from .encoding.nucleotides import reverse_complement
from .inference.session import Model
from .inference.stitch import NO_SCORE, bin_edges, fixed_scores, stitch, unscored_bins
from .reading.genome import Genome
from .reading.tiles import Interval, Tile, Windows, windows_of

UNKNOWN = np.uint8(4)


class Interrupted(Exception):
    """The scan was told to stop while a tile was being worked on."""


@dataclass(frozen=True)
class TileResult:
    """What a tile yields: a RUN or LEVEL array in genome order, and counts for the summary."""

    tile: Tile
    found: np.ndarray
    windows: int
    skipped: int


TileFunction = Callable[[Tile, threading.Event], TileResult]
"""From a tile to its result; the event says that the result is no longer wanted."""


def tile_runs(model: Model, genome: Genome, lowest: int) -> TileFunction:
    """A function from a tile to its runs of scores that reach ``lowest`` (ten-thousandths)."""
    channels = channels_of(model.card)

    def found(scores: dict[bool, np.ndarray], edges: np.ndarray, interval: Interval) -> list[np.ndarray]:
        return [
            find_runs(scores[channel.backward][:, channel.output], edges, lowest, interval.contig, number)
            for number, channel in enumerate(channels)
        ]

    return lambda tile, stop: _scan(model, genome, tile, found, RUN, stop)


def tile_levels(model: Model, genome: Genome, channel: Channel) -> TileFunction:
    """A function from a tile to the levels of one channel's raw score."""

    def found(scores: dict[bool, np.ndarray], edges: np.ndarray, interval: Interval) -> list[np.ndarray]:
        return [find_levels(scores[channel.backward][:, channel.output], edges, interval.contig)]

    return lambda tile, stop: _scan(model, genome, tile, found, LEVEL, stop)


def _scan(
    model: Model,
    genome: Genome,
    tile: Tile,
    found: Callable[[dict[bool, np.ndarray], np.ndarray, Interval], list[np.ndarray]],
    dtype: np.dtype,
    stop: threading.Event,
) -> TileResult:
    lengths = [int(genome.lengths[interval.contig]) for interval in tile.intervals]
    plans = [windows_of(model.card, length, one) for length, one in zip(lengths, tile.intervals, strict=True)]
    sequences = [_read(genome, one, plan, model.card.step) for one, plan in zip(tile.intervals, plans, strict=True)]
    chosen = [_worth_scoring(model, *both) for both in zip(sequences, plans, strict=True)]
    outputs = {
        backward: _infer(model, sequences, plans, chosen, backward, stop) for _, backward in STRANDS[model.card.strand]
    }
    pieces, windows, skipped = [], 0, 0
    for number, (interval, plan) in enumerate(zip(tile.intervals, plans, strict=True)):
        wanted = chosen[number]
        windows, skipped = windows + int(wanted.sum()), skipped + int((~wanted).sum())
        scores = {
            backward: _scores(model, raw[number], plan, wanted, backward, sequences[number], lengths[number])
            for backward, raw in outputs.items()
        }
        bins = len(next(iter(scores.values())))
        pieces.extend(found(scores, bin_edges(plan.first, bins, model.card.output.bin, interval), interval))
    return TileResult(tile, np.concatenate(pieces) if pieces else np.empty(0, dtype), windows, skipped)


@dataclass(frozen=True)
class _Sequence:
    """Codes of all that an interval's windows read; ``first`` is the contig position of the first code."""

    codes: np.ndarray
    first: int

    def cut(self, start: int, end: int) -> np.ndarray:
        return self.codes[start - self.first : end - self.first]


def _read(genome: Genome, interval: Interval, plan: Windows, step: int) -> _Sequence:
    """Read once what the windows overlap in; beyond the contig's ends there is N."""
    length = int(genome.lengths[interval.contig])
    last_bin = -(-interval.end // step) * step
    first = min(int(plan.starts[0]), plan.first)
    end = max(int(plan.starts[-1]) + plan.size, last_bin)
    codes = np.full(end - first, UNKNOWN, dtype=np.uint8)
    inside = max(first, 0), min(end, length)
    codes[inside[0] - first : inside[1] - first] = genome.codes(interval.contig, *inside)
    return _Sequence(codes, first)


def _worth_scoring(model: Model, sequence: _Sequence, plan: Windows) -> np.ndarray:
    """bool (windows,): those whose scored part (per-bin models) or whole (per-window models) is known enough."""
    card = model.card
    if sequence.codes.max() < UNKNOWN:
        return np.ones(len(plan.starts), dtype=bool)
    unknown = np.concatenate(([0], np.cumsum(sequence.codes > 3)))
    if plan.bins is None:
        margin = plan.crop * card.output.bin
        begin, size, most = plan.starts + margin, plan.size - 2 * margin, plan.size - 2 * margin - 1
    else:
        begin, size, most = plan.starts, plan.size, min(int(card.max_unknown * plan.size), plan.size - 1)
    at = begin - sequence.first
    return unknown[at + size] - unknown[at] <= most


def _infer(
    model: Model,
    sequences: list[_Sequence],
    plans: list[Windows],
    chosen: list[np.ndarray],
    backward: bool,
    stop: threading.Event,
) -> list[np.ndarray]:
    """Raw outputs of the chosen windows of every interval, in batches of fixed shapes that cross contig borders."""
    queues: dict[int, list[tuple[int, int, int]]] = {}
    for number, (plan, wanted) in enumerate(zip(plans, chosen, strict=True)):
        queue = queues.setdefault(plan.size, [])
        for row, start in enumerate(plan.starts[wanted].tolist()):
            queue.append((number, row, start))
    results: list[list[np.ndarray]] = [[] for _ in plans]
    for size, queue in queues.items():
        rows = model.rows(size)
        codes = np.empty((rows, size), dtype=np.uint8)
        tensor = np.zeros((rows, *model.encoder.window_shape(size)), dtype=model.encoder.dtype)
        for begin in range(0, len(queue), rows):
            if stop.is_set():
                raise Interrupted
            batch = queue[begin : begin + rows]
            for row, (number, _, start) in enumerate(batch):
                codes[row] = sequences[number].cut(start, start + size)
            filled = codes[: len(batch)]
            model.encoder.encode(reverse_complement(filled) if backward else filled, tensor)
            if begin == 0 and len(batch) < rows:
                tensor[len(batch) :] = tensor[0]  # never rows of zeros, which no window of bases may give
            for (number, _, _), output in zip(batch, model.run(tensor), strict=False):
                results[number].append(output)
    return results


def _scores(
    model: Model,
    outputs: list[np.ndarray],
    plan: Windows,
    wanted: np.ndarray,
    backward: bool,
    sequence: _Sequence,
    length: int,
) -> np.ndarray:
    """Fixed-point scores int32 (bins, outputs) of an interval's bins, NO_SCORE where nothing may be called."""
    card = model.card
    names = len(card.output.names)
    shape = (names,) if plan.bins is not None else (plan.size // card.output.bin, names)
    fixed = np.full((len(plan.starts), *shape), NO_SCORE, dtype=np.int32)
    if outputs:
        fixed[wanted] = fixed_scores(np.stack(outputs), card.output.activation)
    scores = stitch(fixed, plan, backward)
    last = min(plan.first + len(scores) * card.output.bin, length)
    scores[unscored_bins(sequence.cut(plan.first, last), card, len(scores))] = NO_SCORE
    return scores
