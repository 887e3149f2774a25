"""Levels as bedGraph lines: chrom, start, end, score; 0-based half-open, no track line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numba import njit

from ..inference.stitch import SCORE_UNIT
from .digits import MOST_DIGITS, put_bytes, put_integer
from .output import Write, open_output
from .target import Target

_DIGITS = len(str(SCORE_UNIT)) - 1


@contextmanager
def write_bedgraph(target: Target) -> Iterator[Write]:
    """A `Writer`: the lines as they are."""
    with open_output(target.path, target.folder, target.stale) as write_bytes:
        yield write_bytes


@njit(nogil=True, cache=True)
def _put_lines(name, starts, ends, scores, out):
    at = 0
    for i in range(starts.shape[0]):
        at = put_bytes(out, at, name, 0, len(name))
        out[at] = 9
        at = put_integer(out, at + 1, starts[i])
        out[at] = 9
        at = put_integer(out, at + 1, ends[i])
        out[at] = 9
        at += 1
        score = np.int64(scores[i])
        if score < 0:
            out[at] = 45
            at += 1
            score = -score
        at = put_integer(out, at, score // SCORE_UNIT)
        fraction, digits = score % SCORE_UNIT, _DIGITS
        if fraction:
            while fraction % 10 == 0:
                fraction //= 10
                digits -= 1
            out[at] = 46
            for position in range(at + digits, at, -1):
                out[position] = 48 + fraction % 10
                fraction //= 10
            at += digits + 1
        out[at] = 10
        at += 1
    return at


def bedgraph_lines(levels: np.ndarray, names: Sequence[str]) -> bytes:
    """bedGraph lines of a LEVEL array, scores with up to four decimals and no trailing zeros."""
    pieces = []
    borders = np.flatnonzero(np.diff(levels["contig"])) + 1
    for piece in np.split(levels, borders) if len(levels) else []:
        name = np.frombuffer(names[int(piece["contig"][0])].encode(), dtype=np.uint8)
        out = np.empty(len(piece) * (len(name) + 2 * MOST_DIGITS + 16), dtype=np.uint8)
        columns = (np.ascontiguousarray(piece[field]) for field in ("start", "end", "score"))
        pieces.append(out[: _put_lines(name, *columns, out)].tobytes())
    return b"".join(pieces)
