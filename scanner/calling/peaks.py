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

    Called as `intervals.Caller`. Held are the bins of the unfinished peak of each channel, and peaks that wait for such
    a one to keep the order.
    """

    def __init__(self, thresholds: Thresholds, card: ModelCard):
        names, start = card.output.names, card.calling.start_output
        self.thresholds = thresholds
        self._start_field = "score" if start is None else f"output_{names.index(start)}"
        self._open = np.empty(0, bin_dtype(len(names)))
        self._before = np.empty(0, dtype=np.int64)
        self._waiting = np.empty(0, peak_dtype(len(names)))

    def add(self, bins: np.ndarray, contig: int, position: int) -> np.ndarray:
        rows, befores, firsts = self._stretches(bins)
        last = np.append(firsts, len(rows))[1:] - 1
        contigs, ends = rows["contig"][last], rows["end"][last]
        return self._found(rows, befores, firsts, (contigs > contig) | ((contigs == contig) & (ends >= position)))

    def finish(self) -> np.ndarray:
        rows, befores, firsts = self._stretches(self._open[:0])
        return self._found(rows, befores, firsts, np.zeros(len(firsts), dtype=bool))

    def _stretches(self, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The held bins and the next ones by stretch; how low it is before each stretch; where each begins."""
        rows = np.concatenate([self._open, bins])
        befores = np.concatenate([self._before, np.full(len(bins), self.thresholds.extend)])
        order = np.lexsort([rows["start"], rows["channel"], rows["contig"]])
        rows = rows[order]
        firsts = np.flatnonzero(np.concatenate(([True], ~_touch(rows)))) if len(rows) else np.empty(0, dtype=np.int64)
        return rows, befores[order][firsts], firsts

    def _found(self, rows: np.ndarray, befores: np.ndarray, firsts: np.ndarray, unfinished: np.ndarray) -> np.ndarray:
        """Peaks that nothing to come can change or precede. The last peak of ``unfinished`` stretches is held."""
        starts = np.append(firsts, len(rows))
        scores, told, lowest = rows["score"], rows[self._start_field], self.thresholds.extend
        rise = self.thresholds.prominence
        parts = fill(_PART, lambda out: _find_parts(scores, told, starts, befores, unfinished, lowest, rise, out))
        held = parts[parts["held"]]
        sizes = held["end"] - held["first"]
        self._before = np.repeat(held["before"], sizes)
        self._open = rows[np.repeat(held["end"] - np.cumsum(sizes), sizes) + np.arange(sizes.sum())]
        found = in_genome_order(np.concatenate([self._waiting, self._peaks(rows, parts[~parts["held"]])]))
        settled = np.ones(len(found), dtype=bool)
        if len(self._open):
            first = in_genome_order(self._open)[0]
            same = found["contig"] == first["contig"]
            settled = (found["contig"] < first["contig"]) | (same & (found["start"] < first["start"]))
        self._waiting = found[~settled]
        return found[settled]

    def _peaks(self, rows: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """The `peak_dtype` rows of those parts of stretches that are calls."""
        peaks = np.zeros(len(parts), self._waiting.dtype)
        first, top, thick = rows[parts["first"]], rows[parts["top"]], rows[parts["thick"]]
        peaks["contig"], peaks["channel"], peaks["start"] = first["contig"], first["channel"], first["start"]
        peaks["end"] = rows["end"][parts["end"] - 1]
        peaks["total"] = peaks["peak"] = top["score"]
        peaks["scored"] = 1
        peaks["prominence"] = top["score"] - np.maximum(parts["before"], parts["after"])
        peaks["summit"], peaks["summit_end"] = top["start"], top["end"]
        peaks["thick_start"], peaks["thick_end"] = thick["start"], thick["end"]
        for field in rows.dtype.names[len(_BIN_FIELDS) :]:
            peaks[field] = top[field]
        thresholds = self.thresholds
        is_call = (peaks["peak"] >= thresholds.call) & (peaks["prominence"] >= thresholds.prominence)
        return peaks[is_call & (peaks["end"] - peaks["start"] >= thresholds.min_length)]


_PART = np.dtype([*((name, "i8") for name in ("first", "end", "top", "thick", "before", "after")), ("held", "?")])
"""A part of a stretch, rows [first, end) of its bins: the row of its summit, and of where it starts; how low it is
beside it; whether it may go on."""


@njit(nogil=True, cache=True)
def _find_parts(scores, told, starts, befores, unfinished, lowest, rise, out):
    """Cut stretches at the lowest bins between peaks; the number of parts.

    The summit is the highest bin so far; once scores have fallen by ``rise`` below it, the lowest bin after it is
    kept, and once they have risen by as much above that, the stretch is cut there. The first of equals counts. What
    begins at such a cut is cut on as if all that is before it were there.
    """
    count = 0
    for stretch in range(len(befores)):
        first, end, before = starts[stretch], starts[stretch + 1], befores[stretch]
        high = low = scores[first]
        place, falling = first, False
        for i in range(first + 1, end):
            score = scores[i]
            if not falling:
                if score > high:
                    high = score
                elif high - score >= rise:
                    falling, low, place = True, score, i
            elif score < low:
                low, place = score, i
            elif score - low >= rise:
                _put_part(scores, told, first, place, before, low, False, out, count)
                count += 1
                first, before, falling, high = place, np.int64(low), False, score
        _put_part(scores, told, first, end, before, lowest, unfinished[stretch], out, count)
        count += 1
    return count


@njit(nogil=True, cache=True)
def _put_part(scores, told, first, end, before, after, held, out, place):
    if place < len(out):
        part = out[place]
        part.first, part.end, part.before, part.after, part.held = first, end, before, after, held
        top = thick = first
        for i in range(first + 1, end):
            top = i if scores[i] > scores[top] else top
            thick = i if told[i] > told[thick] else thick
        part.top, part.thick = top, thick
