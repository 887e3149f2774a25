"""Calls as BED lines.

Format: hts-specs BED v1. Six standard columns (chrom, start, end, name, score, strand), 0-based half-open, an integer
score of 0-1000, one tab between columns, no track lines; one header line that starts with '#'. Columns that a kind
of call adds follow the strand, named in the header.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numba import njit

from ..calling.annotations import Annotator, columns_of
from ..calling.channels import Channel
from ..calling.repeats import Annotation
from ..inference.stitch import SCORE_UNIT
from .digits import MOST_DIGITS, put_bytes, put_decimal, put_integer
from .output import Write, open_output
from .target import Target

BED_LETTERS = (string.ascii_letters + string.digits + "_").encode()
LONGEST_BED_NAME = 255
"""What BED v1 allows in the name of a contig, and how many of it."""
COLUMNS = ("chrom", "start", "end", "name", "score", "strand")


@contextmanager
def write_bed(target: Target) -> Iterator[Write]:
    """A `Writer`: the lines as they are, under a header."""
    with open_output(target.path, target.folder, target.stale) as write_bytes:
        write_bytes(bed_header([column.name for column in columns_of(target.card)]))
        yield write_bytes


def bed_header(more: Sequence[str] = ()) -> bytes:
    """The header line; ``more``: names of the columns after the strand."""
    return ("#" + "\t".join((*COLUMNS, *more)) + "\n").encode()


def bed_scores(calls: np.ndarray, score_range: tuple[float, float]) -> np.ndarray:
    """int64 (calls,): the mean score over each call's scored bases, ``score_range`` spread over 0-1000, rounded."""
    low, high = (round(bound * SCORE_UNIT) for bound in score_range)
    # Integers throughout, so that the rounding is the same on every machine.
    above = calls["total"] - calls["scored"] * low
    width = calls["scored"] * (high - low)
    return np.clip((2000 * above + width) // (2 * width), 0, 1000)


def bed_lines(
    calls: np.ndarray, names: Sequence[str], channels: Sequence[Channel], score_range: tuple[float, float]
) -> bytes:
    """BED lines of a RUN array of calls, in its order."""
    return _lines(calls, slice(None), calls, calls["channel"], names, channels, (), score_range, _NOTHING)


def annotated_lines(
    calls: np.ndarray,
    annotation: Annotation,
    annotator: Annotator,
    names: Sequence[str],
    channels: Sequence[Channel],
    score_range: tuple[float, float],
) -> bytes:
    """BED lines of the segments of a RUN array of calls: its score is the call's, its name that of the satellite that
    it is or else the channel's."""
    segments = annotation.segments
    labels = np.where(
        segments["name"] < 0, calls["channel"][segments["call"]], len(channels) + segments["name"].astype(np.int64)
    )
    numbers = annotator.kind.numbers
    values = np.empty((len(segments), len(numbers)), dtype=np.int64)
    for column, number in enumerate(numbers):
        values[:, column] = segments[number.field]
    more = _More(
        values,
        np.array([number.decimals for number in numbers], dtype=np.int64),
        annotation.letters,
        np.ascontiguousarray(segments["unit_start"]),
        np.ascontiguousarray(segments["unit_end"]),
    )
    satellites = annotator.satellites.names
    return _lines(calls, segments["call"], segments, labels, names, channels, satellites, score_range, more)


class _Texts(NamedTuple):
    """Texts one after the other in UTF-8: text i is letters[bounds[i]:bounds[i + 1]]."""

    letters: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Texts:
        encoded = [text.encode() for text in texts]
        letters = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(letters, np.cumsum([0, *map(len, encoded)], dtype=np.int64))

    @property
    def longest(self) -> int:
        return int(np.diff(self.bounds).max(initial=0))


class _More(NamedTuple):
    """What follows the strand: int64 (lines, columns) in units of 10 ** -decimals[column], and one text,
    letters[starts[line]:ends[line]], unless there are no columns at all."""

    values: np.ndarray
    decimals: np.ndarray
    letters: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    @property
    def width(self) -> int:
        """Characters that the numbers of a line take at most: digits, a point and a zero before it, a tab."""
        largest = self.values.max(axis=0, initial=0).tolist()
        return sum(len(str(one)) + 3 for one in largest) + int(self.decimals.sum())


_NOTHING = _More(
    np.empty((0, 0), dtype=np.int64), np.empty(0, np.int64), np.empty(0, np.uint8), *(np.empty(0, np.int64),) * 2
)


def _lines(
    calls: np.ndarray,
    owners: np.ndarray | slice,
    places: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    channels: Sequence[Channel],
    satellites: Sequence[str],
    score_range: tuple[float, float],
    more: _More,
) -> bytes:
    """Line i is places[i] ('start', 'end') of call owners[i] (a slice: of all in their order); its name is labels[i]
    among channels and satellites."""
    contigs, which = np.unique(calls["contig"], return_inverse=True)
    chroms = _Texts.of([names[contig] for contig in contigs.tolist()])
    titles = _Texts.of([*(one.name for one in channels), *satellites])
    strands = _Texts.of([one.strand for one in channels])
    longest = chroms.longest + titles.longest + strands.longest
    width = longest + 3 * MOST_DIGITS + 7 + more.width
    out = np.empty(len(places) * width + int((more.ends - more.starts).sum()), dtype=np.uint8)
    columns = (
        which.astype(np.int64, copy=False)[owners],
        np.ascontiguousarray(labels, dtype=np.int64),
        np.ascontiguousarray(calls["channel"][owners]),
        np.ascontiguousarray(places["start"]),
        np.ascontiguousarray(places["end"]),
        bed_scores(calls, score_range)[owners],
    )
    return out[: _put_lines(chroms, titles, strands, columns, more, out)].tobytes()


@njit(nogil=True, cache=True)
def _put_lines(chroms, titles, strands, columns, more, out):
    # Taken apart here: to take an array out of a tuple in the loop would count its references for every line.
    chrom_letters, chrom_bounds = chroms
    title_letters, title_bounds = titles
    strand_letters, strand_bounds = strands
    which, labels, channels, starts, ends, scores = columns
    values, decimals, letters, unit_starts, unit_ends = more
    at = 0
    for i in range(starts.shape[0]):
        chrom, title, strand = which[i], labels[i], channels[i]
        at = put_bytes(out, at, chrom_letters, chrom_bounds[chrom], chrom_bounds[chrom + 1])
        out[at] = 9  # tab
        at = put_integer(out, at + 1, starts[i])
        out[at] = 9
        at = put_integer(out, at + 1, ends[i])
        out[at] = 9
        at = put_bytes(out, at + 1, title_letters, title_bounds[title], title_bounds[title + 1])
        out[at] = 9
        at = put_integer(out, at + 1, scores[i])
        out[at] = 9
        at = put_bytes(out, at + 1, strand_letters, strand_bounds[strand], strand_bounds[strand + 1])
        for column in range(decimals.shape[0]):
            out[at] = 9
            at = put_decimal(out, at + 1, values[i, column], decimals[column])
        if decimals.shape[0]:
            out[at] = 9
            at = put_bytes(out, at + 1, letters, unit_starts[i], unit_ends[i])
        out[at] = 10
        at += 1
    return at
