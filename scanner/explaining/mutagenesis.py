"""In-silico mutagenesis: what a model would say if a single base were another.

Every base around a call is replaced by each of the other three, and the very window that scored the call in the scan is
scored again, with the same batches on the same session. Zeiler and Fergus 2014 (https://arxiv.org/abs/1311.2901) hid
parts of images so; Zhou and Troyanskaya 2015 (https://doi.org/10.1038/nmeth.3547) replaced bases.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np

from ..calling.channels import channels_of
from ..card import ModelCard
from ..encoding.nucleotides import reverse_complement
from ..inference.activation import activate
from ..inference.batching import batches
from ..inference.session import Model
from ..inference.stitch import NO_SCORE
from ..pipeline import tile_bins
from ..reading.genome import Genome
from ..reading.sequence import UNKNOWN, gather, read_tile
from ..reading.tiles import INTERVAL, Tile, windows_of
from .places import Place

_LOWEST = int(NO_SCORE) + 1
_OTHERS = 3


class Summit(NamedTuple):
    """The bin [start, end) of a place where an output (its number) is highest, and the middle of the bin in which the
    model says that what was called starts: without such an output, of this bin. height: the score, ten-thousandths."""

    place: Place
    output: int
    start: int
    end: int
    origin: int
    height: int


class Explanation(NamedTuple):
    """What a model says of a summit, and what it would if a base were another.

    All arrays run along the strand that the model reads. positions: int64 (bases,) on the contig. codes: uint8
    (bases,), as they are read on that strand. reference: the score as it is. scores: float64 (bases, 4), that with A,
    C, G or T in the base's place; NaN where the base is unknown.
    """

    summit: Summit
    positions: np.ndarray
    codes: np.ndarray
    reference: float
    scores: np.ndarray

    @property
    def offsets(self) -> np.ndarray:
        """int64 (bases,): bases behind the origin on the strand that is read; negative before it."""
        return (self.positions - self.summit.origin) * (-1 if self.summit.place.strand == "-" else 1)

    @property
    def importance(self) -> np.ndarray:
        """float64 (bases,): how much of the score is lost, on average over the other three bases; 0 where unknown."""
        return np.where(self.codes < UNKNOWN, _OTHERS**-1 * (4 * self.reference - self.scores.sum(axis=1)), 0.0)


def find_summit(model: Model, genome: Genome, place: Place, output: int) -> Summit | None:
    """Where the ``output`` (its number) is highest in a place, in bins as the scan has them; of equals the first. None
    where the place has no score, as in unknown bases."""
    tile, card = _tile(genome, place.contig, place.start, place.end), model.card
    found = tile_bins(model, tile, read_tile(genome, tile, [card]), _LOWEST, threading.Event()).found
    channel = next(number for number, one in enumerate(channels_of(card)) if one.strand == place.strand)
    bins = found[found["channel"] == channel]
    if not len(bins):
        return None
    best = bins[bins[f"output_{output}"].argmax()]
    begins = best
    if card.calling.start_output is not None:
        begins = bins[bins[f"output_{card.output.names.index(card.calling.start_output)}"].argmax()]
    start, end = int(best["start"]), int(best["end"])
    return Summit(place, output, start, end, int(begins["start"] + begins["end"]) // 2, int(best[f"output_{output}"]))


def explain_summit(model: Model, genome: Genome, summit: Summit, flank: int) -> Explanation:
    """Scores of all single substitutions at most ``flank`` bases from a summit, as far as the model looks from there.

    Of a per-bin model that is `card.context` on either side of the bin, of others the window.
    """
    card, place = model.card, summit.place
    tile = _tile(genome, place.contig, summit.start, summit.start + 1)
    windows, sequence = windows_of(card, tile), read_tile(genome, tile, [card])
    size, first = int(windows.sizes[0]), int(windows.starts[0])
    window = np.empty((1, size), dtype=np.uint8)
    gather(sequence, windows, np.zeros(1, dtype=np.int64), window)
    backward = place.strand == "-"
    codes = reverse_complement(window)[0] if backward else window[0]
    reach = min(flank, card.context) if card.task == "segmentation" else flank
    length = int(genome.lengths[place.contig])
    left = max(0, first, summit.start - reach) - first
    right = min(length, first + size, summit.end + reach) - first
    places = np.arange(size - right, size - left) if backward else np.arange(left, right)
    bin_ = _bin_in_window(card, summit.start - first, size, backward)
    reference, scores = _substituted(model, codes, places, bin_, summit.output)
    positions = first + (size - 1 - places if backward else places)
    return Explanation(summit, positions, codes[places], reference, scores)


def _tile(genome: Genome, contig: int, start: int, end: int) -> Tile:
    return Tile(0, np.array([(contig, start, end)], dtype=INTERVAL), genome.lengths[[contig]])


def _bin_in_window(card: ModelCard, base: int, size: int, backward: bool) -> int | None:
    """The number of the bin that holds a base of the window, as the outputs count; None for per-window models."""
    if card.task != "segmentation":
        return None
    number = base // card.output.bin
    return size // card.output.bin - 1 - number if backward else number


def _substituted(
    model: Model, codes: np.ndarray, places: np.ndarray, bin_: int | None, output: int
) -> tuple[float, np.ndarray]:
    """The window's score, and those with each base at ``places`` replaced: float64 (places, 4)."""
    known = np.flatnonzero(codes[places] < UNKNOWN)
    count = 1 + _OTHERS * len(known)  # the first is the window as it is
    found = np.full(count, np.nan)

    def substitutions(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of these variants, which of the known bases is replaced, and by what."""
        which, shift = np.divmod(numbers - 1, _OTHERS)
        return known[which], (codes[places[known[which]]] + shift + 1) % 4

    def fill(chosen: np.ndarray, out: np.ndarray) -> None:
        out[:] = codes
        rows = np.flatnonzero(chosen > 0)
        replaced, by = substitutions(chosen[rows])
        out[rows, places[replaced]] = by

    for chosen, tensor in batches(model.encoder, np.arange(count), len(codes), model.rows(len(codes)), fill):
        if tensor is None:
            continue
        scores = activate(model.run(tensor)[: len(chosen)], model.card.output.activation)
        found[chosen] = scores[:, output] if bin_ is None else scores[:, bin_, output]
    table = np.full((len(places), 4), np.nan)
    table[known, codes[places[known]]] = found[0]
    replaced, by = substitutions(np.arange(1, count))
    table[replaced, by] = found[1:]
    return float(found[0]), table
