"""What is said of a call beside its interval and score, from the bases of the whole call: one kind an entry of `KINDS`.

An annotation splits each call into segments, which become the lines of a track, and says the same things of each. It
is a pure function of a call's bases, so that whoever has the whole call may make it: the worker that ran a piece for
calls that no other piece can change, the driver for those that several pieces have put together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from ..card import ModelCard
from ..errors import Interrupted
from ..reading.sequence import Reader
from ..reading.tiles import INTERVAL
from . import repeats, tissues
from .columns import Column
from .peak_columns import peak_columns
from .repeats import Annotation
from .satellites import Satellites


class Number(NamedTuple):
    """Where the numbers of a column are: a field of the segments that counts in units of 10 ** -``decimals``."""

    field: str
    decimals: int = 0


class Kind(NamedTuple):
    """A kind of annotation.

    segment: dtype of its segments, with at least the fields 'call', 'start', 'end', 'name', 'unit_start', 'unit_end'
        of `repeats.SEGMENT`.
    columns: what follows the strand; the last is a text, the unit of each segment.
    numbers: those of the other columns.
    annotate: as `repeats.annotate`.
    """

    segment: np.dtype
    columns: tuple[Column, ...]
    numbers: tuple[Number, ...]
    annotate: Callable[[Callable[[int, int], np.ndarray], np.ndarray, np.ndarray, Satellites, int, float], Annotation]


KINDS = {
    "tandem-repeat": Kind(
        repeats.SEGMENT,
        repeats.COLUMNS,
        (
            Number("period"),
            Number("copies", 1),
            Number("consensus_size"),
            Number("match"),
            Number("indel"),
            Number("purity"),
            Number("a"),
            Number("c"),
            Number("g"),
            Number("t"),
            Number("entropy", 2),
        ),
        repeats.annotate,
    )
}
"""By the name that a card gives in ``calling.annotation``."""


def columns_of(card: ModelCard) -> tuple[Column, ...]:
    """The columns that the model's calls have after the strand."""
    if card.task == "read-classification":
        return tissues.COLUMNS
    if card.calling.prominence is not None:
        return peak_columns(card)
    return KINDS[card.calling.annotation].columns if card.calling.annotation is not None else ()


class Chunk(NamedTuple):
    """Calls in genome order: a RUN array (levels: a LEVEL array, by channel), and what is said of them, if anything."""

    calls: np.ndarray
    annotation: Annotation | None = None

    def intervals(self) -> np.ndarray:
        """An array with 'contig', 'start' and 'end' of the lines of a track: one a segment, or one a call."""
        if self.annotation is None:
            return self.calls
        segments = self.annotation.segments
        lines = np.empty(len(segments), dtype=INTERVAL)
        lines["contig"] = self.calls["contig"][segments["call"]]
        lines["start"], lines["end"] = segments["start"], segments["end"]
        return lines


@dataclass(frozen=True)
class Annotator:
    """Says of calls what there is to say: a kind of annotation, the satellites that it knows, how long in bases what it
    tells must be, and how sure its borders. Picklable."""

    name: str
    satellites: Satellites
    min_length: int = 1
    confidence: float = 0.8

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def annotate(self, calls: np.ndarray, genome: Reader, stop: threading.Event | None = None) -> Annotation:
        """The annotation of a RUN array of whole calls of one channel, in genome order; 'call' is the index in it.

        Raises `Interrupted` soon after ``stop`` is set.
        """
        parts = []
        borders = np.flatnonzero(np.diff(calls["contig"])) + 1
        for some in np.split(np.arange(len(calls)), borders) if len(calls) else []:
            contig, starts, ends = int(calls["contig"][some[0]]), calls["start"][some], calls["end"][some]

            def read(start: int, end: int, contig: int = contig) -> np.ndarray:
                if stop is not None and stop.is_set():
                    raise Interrupted
                return genome.codes(contig, start, end)

            settings = self.satellites, self.min_length, self.confidence
            parts.append((self.kind.annotate(read, starts, ends, *settings), some))
        return self.joined(parts)

    def joined(self, parts: Sequence[tuple[Annotation, np.ndarray]]) -> Annotation:
        """Annotations as one. Each comes with the numbers of its calls, int64: call i becomes number numbers[i]."""
        found, letters, size = [np.empty(0, self.kind.segment)], [np.empty(0, np.uint8)], 0
        for annotation, numbers in parts:
            segments = annotation.segments.copy()
            segments["call"] = numbers[segments["call"]]
            segments["unit_start"] += size
            segments["unit_end"] += size
            size += len(annotation.letters)
            found.append(segments)
            letters.append(annotation.letters)
        segments = np.concatenate(found)
        if (np.diff(segments["call"]) < 0).any():
            segments = segments[np.argsort(segments["call"], kind="stable")]
        return Annotation(segments, np.concatenate(letters))

    def completed(self, calls: np.ndarray, found: np.ndarray, part: Annotation | None, genome: Reader) -> Annotation:
        """The annotation of ``calls``, of which ``part`` holds those that are in ``found`` as they are.

        calls, found: RUN arrays of one channel, in genome order. part: of some of ``found``; all of these must be among
        the calls. The others are annotated here.
        """
        missing = np.ones(len(calls), dtype=bool)
        parts = []
        if part is not None:
            known = np.unique(part.segments["call"])
            numbers = np.full(len(found), -1, dtype=np.int64)
            numbers[known] = _places(found[known], calls)
            missing[numbers[known]] = False
            parts.append((part, numbers))
        others = np.flatnonzero(missing)
        parts.append((self.annotate(calls[others], genome), others))
        return self.joined(parts)


@njit(nogil=True, cache=True)
def _places(some, calls):
    """int64 (some,): where each of some calls is among all of them, both in genome order."""
    places, at = np.empty(len(some), dtype=np.int64), 0
    for i in range(len(some)):
        while at < len(calls) and (calls[at].contig != some[i].contig or calls[at].start != some[i].start):
            at += 1
        if at == len(calls):
            raise ValueError("a call that was annotated has changed")
        places[i] = at
    return places
