"""The line from one tile to its runs or levels: read, encode, infer, stitch, call. No output is written here.

A tile is read once (`read_tile`) and then scanned by one model after the other. All of a tile's windows lie in flat
arrays and share batches, whatever contigs they come from: what is done for each contig is done in compiled loops.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .calling.channels import STRANDS, channels_of
from .calling.intervals import RUN, find_runs, in_genome_order
from .calling.levels import LEVEL, find_levels, merge_levels
from .calling.peaks import bin_dtype, find_bins
from .card import ModelCard
from .encoding.nucleotides import reverse_complement
from .errors import Interrupted
from .inference.batching import batches
from .inference.session import Model
from .inference.stitch import NO_SCORE, clear_unknown, fixed_scores, stitch
from .reading.sequence import TileSequence, gather, unknown_bases
from .reading.tiles import Bins, Tile, Windows, windows_of


class Found(NamedTuple):
    """What a model finds in a tile.

    found: RUN array, or one of bins (`peaks.bin_dtype`), in genome order; or LEVEL array, by channel.
    windows, skipped: how many the model has read, and how many it was spared as they hold too many N, or more tokens
        than it can read. One that scores bases on both sides of a cut counts in the tile before the cut, so that sums
        do not depend on the tiles.
    """

    found: np.ndarray
    windows: int
    skipped: int


def tile_runs(model: Model, tile: Tile, sequence: TileSequence, lowest: int, stop: threading.Event) -> Found:
    """The tile's runs of scores that reach ``lowest`` (ten-thousandths); raises Interrupted once ``stop`` is set."""
    channels = channels_of(model.card)

    def found(scores: np.ndarray, backward: bool, bins: Bins) -> list[np.ndarray]:
        return [
            find_runs(scores[channel.output], bins, lowest, number)
            for number, channel in enumerate(channels)
            if channel.backward == backward
        ]

    result = _scan(model, tile, sequence, found, RUN, stop, lowest)
    return result if len(channels) == 1 else result._replace(found=in_genome_order(result.found))


def tile_bins(model: Model, tile: Tile, sequence: TileSequence, lowest: int, stop: threading.Event) -> Found:
    """The tile's bins that score at least ``lowest`` (ten-thousandths); raises Interrupted once ``stop`` is set."""
    channels = channels_of(model.card)

    def found(scores: np.ndarray, backward: bool, bins: Bins) -> list[np.ndarray]:
        return [
            find_bins(scores, bins, lowest, channel.output, number)
            for number, channel in enumerate(channels)
            if channel.backward == backward
        ]

    result = _scan(model, tile, sequence, found, bin_dtype(len(model.card.output.names)), stop)
    return result._replace(found=in_genome_order(result.found))


def tile_levels(model: Model, tile: Tile, sequence: TileSequence, stop: threading.Event) -> Found:
    """The tile's levels of the raw score of each channel; raises Interrupted once ``stop`` is set."""
    channels = channels_of(model.card)

    def found(scores: np.ndarray, backward: bool, bins: Bins) -> list[np.ndarray]:
        return [
            find_levels(scores[channel.output], bins, number)
            for number, channel in enumerate(channels)
            if channel.backward == backward
        ]

    result = _scan(model, tile, sequence, found, LEVEL, stop)
    return result._replace(found=merge_levels(result.found))


def _scan(
    model: Model,
    tile: Tile,
    sequence: TileSequence,
    found: Callable[[np.ndarray, bool, Bins], list[np.ndarray]],
    dtype: np.dtype,
    stop: threading.Event,
    lowest: int = 0,
) -> Found:
    windows = windows_of(model.card, tile)
    wanted = _worth_scoring(model.card, windows, sequence)
    pieces = [np.empty(0, dtype)]
    read = wanted.copy()
    if wanted.any():
        for _, backward in STRANDS[model.card.strand]:
            scores, unread = _scores(model, sequence, windows, wanted, backward, stop, lowest)
            read[unread] = False
            clear_unknown(scores, windows.bins, sequence, tile.lengths, model.card.max_unknown)
            pieces.extend(found(scores, backward, windows.bins))
    counted = read[~windows.repeated]
    return Found(np.concatenate(pieces), int(counted.sum()), int((~counted).sum()))


def _worth_scoring(card: ModelCard, windows: Windows, sequence: TileSequence) -> np.ndarray:
    """bool (windows,): those whose scored part (per-bin models) or whole (per-window models) is known enough."""
    sizes = windows.sizes
    if card.task == "segmentation":
        scored = np.diff(windows.borders) * card.output.bin
        return unknown_bases(sequence, windows, (sizes - scored) // 2) < scored
    most = np.minimum((card.max_unknown * sizes).astype(np.int64), sizes - 1)
    return unknown_bases(sequence, windows, np.zeros_like(sizes)) <= most


def _scores(
    model: Model,
    sequence: TileSequence,
    windows: Windows,
    wanted: np.ndarray,
    backward: bool,
    stop: threading.Event,
    lowest: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Fixed-point scores int32 (outputs, bins) of the tile's bins, NO_SCORE where no wanted window scores, and the
    numbers of wanted windows that have too many tokens for the model. Scores below ``lowest`` need not be right.

    Windows of one size share batches of one fixed shape.
    """
    output = model.card.output
    scores = np.full((len(output.names), windows.borders[-1]), NO_SCORE, dtype=np.int32)
    unread = [np.empty(0, dtype=np.int64)]

    def fill(chosen: np.ndarray, codes: np.ndarray) -> None:
        gather(sequence, windows, chosen, codes)
        if backward:
            codes[:] = reverse_complement(codes)

    for size in np.unique(windows.sizes[wanted]).tolist():
        queue = np.flatnonzero(wanted & (windows.sizes == size))
        for chosen, tensor in batches(model.encoder, queue, size, model.rows(size), fill):
            if stop.is_set():
                raise Interrupted
            if tensor is None:
                unread.append(chosen)
                continue
            outputs = model.run(tensor)[: len(chosen)]
            stitch(fixed_scores(outputs, output.activation, lowest), windows, chosen, backward, scores)
    return scores, np.concatenate(unread)
