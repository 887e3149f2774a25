"""From scores to peaks: summits that stand out from what lies between them, each with its share of the bins around it.

A tile yields the bins that score at least ``extend``, with what every output says there. Bins that touch are a
stretch; a stretch has as many peaks as it has summits between which scores fall by the prominence and rise by it again
(the peaks of topological persistence), and is cut at the lowest bin between two. All that is held while bins arrive in
genome order is one unfinished peak a channel, so where a genome was cut cannot be seen in its peaks.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..card import ModelCard
from ..inference.stitch import NO_SCORE
from ..reading.tiles import Bins
from .intervals import RUN, Thresholds, fill, in_genome_order

_PLACE = [("contig", "i4"), ("channel", "i2"), ("start", "i8"), ("end", "i8")]
_BIN_FIELDS = ("contig", "channel", "start", "end", "score")


def bin_dtype(outputs: int) -> np.dtype:
    """A bin [start, end) of a channel: its score, and those of all outputs on its strand, in ten-thousandths."""
    return np.dtype([*_PLACE, ("score", "i4"), *((f"output_{number}", "i4") for number in range(outputs))])


def peak_dtype(outputs: int) -> np.dtype:
    """A peak: a `RUN` (``peak`` is its height; ``total`` over ``scored`` too), the bin of its summit, how far it rises
    above the higher of the lowest bins beside it, what the outputs say at the summit, and the bin where the output that
    says so puts its start. Scores in ten-thousandths."""
    more = [("summit", "i8"), ("summit_end", "i8"), ("prominence", "i4"), ("thick_start", "i8"), ("thick_end", "i8")]
    return np.dtype([*RUN.descr, *more, *((f"output_{number}", "i4") for number in range(outputs))])


def is_bins(fields: tuple[str, ...]) -> bool:
    """Whether these are the fields of a `bin_dtype`."""
    return fields[:5] == _BIN_FIELDS


def find_bins(scores: np.ndarray, bins: Bins, lowest: int, output: int, channel: int) -> np.ndarray:
    """Bins whose ``output`` scores at least ``lowest``, by contig and start; cut short where their interval ends.

    scores: int32 (outputs, bins) ten-thousandths.
    """
    dtype = bin_dtype(len(scores))
    chosen = fill(CHOSEN, lambda out: _find_bins(scores[output], *bins, lowest, out))
    found = np.empty(len(chosen), dtype)
    for field in ("contig", "start", "end"):
        found[field] = chosen[field]
    found["channel"], found["score"] = channel, scores[output][chosen["bin"]]
    for number in range(len(scores)):
        found[f"output_{number}"] = scores[number][chosen["bin"]]
    return found


CHOSEN = np.dtype([("contig", "i4"), ("start", "i8"), ("end", "i8"), ("bin", "i8")])
"""A bin [start, end) of a contig and its number in a tile's scores."""


@njit(nogil=True, cache=True)
def _find_bins(scores, intervals, firsts, offsets, size, lowest, out):
    count = 0
    for number in range(len(intervals)):
        contig, start, end = intervals[number].contig, intervals[number].start, intervals[number].end
        first, offset = firsts[number], offsets[number]
        for i in range((start - first) // size, -(-(end - first) // size)):
            score = scores[offset + i]
            if score == NO_SCORE or score < lowest:
                continue
            if count < len(out):
                out[count].contig, out[count].bin = contig, offset + i
                out[count].start, out[count].end = max(start, first + i * size), min(end, first + (i + 1) * size)
            count += 1
    return count


def reduce_bins(bins: np.ndarray, thresholds: Thresholds, start: tuple[int, int], end: tuple[int, int]) -> np.ndarray:
    """Those bins of a piece from ``start`` to ``end`` (contig, position) that later stages need: of stretches that hold
    a bin for a call or touch an edge of the piece. In genome order."""
    if not len(bins):
        return bins
    order = np.lexsort([bins["start"], bins["channel"], bins["contig"]])
    rows = bins[order]
    first = np.flatnonzero(np.concatenate(([True], ~_touch(rows))))
    last = np.append(first[1:], len(rows)) - 1
    high = np.maximum.reduceat(rows["score"], first) >= thresholds.call
    at_start = (rows["contig"][first] == start[0]) & (rows["start"][first] <= start[1])
    at_end = (rows["contig"][last] == end[0]) & (rows["end"][last] >= end[1])
    kept = np.repeat(high | at_start | at_end, last - first + 1)
    return in_genome_order(rows[kept])


def _touch(rows: np.ndarray) -> np.ndarray:
    """bool (rows - 1,): whether each row goes on where the one before ends."""
    before, after = rows[:-1], rows[1:]
    same = (before["contig"] == after["contig"]) & (before["channel"] == after["channel"])
    return same & (before["end"] == after["start"])


class PeakCaller:
    """Turns bins that arrive tile by tile, in genome order, into peaks in genome order.

    Called as `intervals.Caller`.
    """

    def __init__(self, thresholds: Thresholds, card: ModelCard):
        names, start = card.output.names, card.calling.start_output
        self.thresholds, self.outputs = thresholds, len(names)
        self.start_output = None if start is None else names.index(start)
        self._open: dict[int, _Stretch] = {}
        self._waiting: list[np.void] = []

    def add(self, bins: np.ndarray, contig: int, position: int) -> np.ndarray:
        order = np.lexsort([bins["start"], bins["channel"], bins["contig"]])
        rows = bins[order]
        for part in np.split(rows, np.flatnonzero(~_touch(rows)) + 1) if len(rows) else []:
            channel = int(part["channel"][0])
            stretch = self._open.get(channel)
            if stretch is None or not stretch.goes_on(part):
                self._close(channel)
                self._open[channel] = stretch = _Stretch(self)
            self._waiting += stretch.add(part)
        for channel in [one for one, stretch in self._open.items() if stretch.place < (contig, position)]:
            self._close(channel)
        return self._settled()

    def finish(self) -> np.ndarray:
        for channel in list(self._open):
            self._close(channel)
        return self._settled()

    def _close(self, channel: int) -> None:
        stretch = self._open.pop(channel, None)
        if stretch is not None:
            self._waiting += stretch.finish()

    def _settled(self) -> np.ndarray:
        """Peaks that no open stretch can come before."""
        dtype = peak_dtype(self.outputs)
        found = in_genome_order(np.array(self._waiting, dtype)) if self._waiting else np.empty(0, dtype)
        if not self._open:
            self._waiting = []
            return found
        earliest = min(stretch.first for stretch in self._open.values())
        settled = (found["contig"] < earliest[0]) | ((found["contig"] == earliest[0]) & (found["start"] < earliest[1]))
        self._waiting = list(found[~settled])
        return found[settled]


class _Stretch:
    """The bins of one channel that touch, as far as they have come: those of the unfinished peak.

    The summit is the highest bin so far; once scores have fallen by the prominence below it, the lowest bin after it is
    kept, and once they have risen by the prominence above that, the peak is cut there. The first of equals counts.
    """

    def __init__(self, caller: PeakCaller):
        self.caller = caller
        self._rows = np.empty(0, bin_dtype(caller.outputs))
        self._before = caller.thresholds.extend

    @property
    def first(self) -> tuple[int, int]:
        """Contig and start of the unfinished peak."""
        return int(self._rows["contig"][0]), int(self._rows["start"][0])

    @property
    def place(self) -> tuple[int, int]:
        """Contig and position where the stretch ends so far."""
        return int(self._rows["contig"][-1]), int(self._rows["end"][-1])

    def goes_on(self, rows: np.ndarray) -> bool:
        return self.place == (int(rows["contig"][0]), int(rows["start"][0]))

    def add(self, rows: np.ndarray) -> list[np.void]:
        """Peaks that the next bins complete."""
        self._rows = np.concatenate([self._rows, rows])
        cuts = _cuts(self._rows["score"], self.caller.thresholds.prominence)
        peaks = []
        for part, following in zip(np.split(self._rows, cuts)[:-1], cuts.tolist(), strict=True):
            after = int(self._rows["score"][following])
            peaks += self._peak(part, after)
            self._before = after
        self._rows = self._rows[cuts[-1] :] if len(cuts) else self._rows
        return peaks

    def finish(self) -> list[np.void]:
        return self._peak(self._rows, self.caller.thresholds.extend)

    def _peak(self, rows: np.ndarray, after: int) -> list[np.void]:
        """The peak of these bins, between low bins that score ``_before`` and ``after``; none if it is no call."""
        thresholds = self.caller.thresholds
        top = int(rows["score"].argmax())
        height, start, end = int(rows["score"][top]), int(rows["start"][0]), int(rows["end"][-1])
        prominence = height - max(self._before, after)
        if height < thresholds.call or end - start < thresholds.min_length or prominence < thresholds.prominence:
            return []
        thick = top
        if self.caller.start_output is not None:
            thick = int(rows[f"output_{self.caller.start_output}"].argmax())
        peak = np.zeros(1, peak_dtype(self.caller.outputs))[0]
        peak["contig"], peak["channel"], peak["start"], peak["end"] = rows["contig"][0], rows["channel"][0], start, end
        peak["total"], peak["scored"], peak["peak"], peak["prominence"] = height, 1, height, prominence
        peak["summit"], peak["summit_end"] = rows["start"][top], rows["end"][top]
        peak["thick_start"], peak["thick_end"] = rows["start"][thick], rows["end"][thick]
        for number in range(self.caller.outputs):
            peak[f"output_{number}"] = rows[f"output_{number}"][top]
        return [peak]


@njit(nogil=True, cache=True)
def _cuts(scores, prominence):
    """Where a stretch that begins with an unfinished peak is cut: at the lowest bins between peaks, ascending."""
    cuts = [0]
    high, low, place, falling = scores[0], scores[0], 0, False
    for i in range(1, scores.shape[0]):
        score = scores[i]
        if not falling:
            if score > high:
                high = score
            elif high - score >= prominence:
                falling, low, place = True, score, i
        elif score < low:
            low, place = score, i
        elif score - low >= prominence:
            cuts.append(place)
            falling, high = False, score
    return np.array(cuts[1:], dtype=np.int64)
