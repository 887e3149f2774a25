"""Calls as BED lines.

Format: hts-specs BED v1. Six standard columns (chrom, start, end, name, score, strand), 0-based half-open, an integer
score of 0-1000, one tab between columns, no track lines; one header line that starts with '#'. Columns that a kind
of call adds follow the strand, named in the header.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from ..calling.channels import Channel
from ..inference.stitch import SCORE_UNIT
from .digits import MOST_DIGITS, put_bytes, put_integer

COLUMNS = ("chrom", "start", "end", "name", "score", "strand")


def bed_header() -> bytes:
    return ("#" + "\t".join(COLUMNS) + "\n").encode()


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
    contigs, which = np.unique(calls["contig"], return_inverse=True)
    chroms = _Texts.of([names[contig] for contig in contigs.tolist()])
    labels, strands = _Texts.of([one.name for one in channels]), _Texts.of([one.strand for one in channels])
    longest = sum(int(np.diff(one.bounds).max(initial=0)) for one in (chroms, labels, strands))
    out = np.empty(len(calls) * (longest + 3 * MOST_DIGITS + 6), dtype=np.uint8)
    columns = (np.ascontiguousarray(calls[field]) for field in ("channel", "start", "end"))
    scores = bed_scores(calls, score_range)
    return out[: _put_lines(*chroms, which.astype(np.int64), *labels, *strands, *columns, scores, out)].tobytes()


class _Texts(NamedTuple):
    """Texts one after the other in UTF-8: text i is letters[bounds[i]:bounds[i + 1]]."""

    letters: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Texts:
        encoded = [text.encode() for text in texts]
        letters = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(letters, np.cumsum([0, *map(len, encoded)], dtype=np.int64))


@njit(nogil=True, cache=True)
def _put_lines(
    chroms, chrom_bounds, which, labels, label_bounds, strands, strand_bounds, channels, starts, ends, scores, out
):
    at = 0
    for i in range(starts.shape[0]):
        at = put_bytes(out, at, chroms, chrom_bounds[which[i]], chrom_bounds[which[i] + 1])
        out[at] = 9  # tab
        at = put_integer(out, at + 1, starts[i])
        out[at] = 9
        at = put_integer(out, at + 1, ends[i])
        out[at] = 9
        channel = channels[i]
        at = put_bytes(out, at + 1, labels, label_bounds[channel], label_bounds[channel + 1])
        out[at] = 9
        at = put_integer(out, at + 1, scores[i])
        out[at] = 9
        at = put_bytes(out, at + 1, strands, strand_bounds[channel], strand_bounds[channel + 1])
        out[at] = 10
        at += 1
    return at
