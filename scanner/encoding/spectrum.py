"""The lag spectrum: how well each stretch of sequence matches itself at every lag.

A tandem repeat of period p is a stretch that keeps matching itself p bases away. For every lag a running
local-alignment score is kept along the sequence (the ungapped Smith-Waterman recursion on one diagonal of the
self-comparison), and a score may step to the neighbouring lag at a cost, which is how an insertion or deletion
in one copy is followed. Near lags, up to 64, have three scorings side by side: a tolerant one, whose drift is positive
from 40 % identity on, a moderate one (56 %) and a strict one (75 %) that singles out short perfect matches. Longer
lags have one (44 %), four bases at a time; the far ones, beyond 640, look at every other four bases only, of which a
repeat of so long a period has plenty. Both directions are computed, because the first copy of a repeat matches only to
its right and the last only to its left.

Method: Smith & Waterman 1981 (local scores clipped at zero); the diagonal formulation of tandem repeats follows
Benson 1999 (TRF) and Frith 2011 (tantan).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit

from .lag_scores import (
    LANES,
    NEAR_BANDS,
    NEAR_SIZE,
    TRACKS,
    advance,
    long_size,
    pool,
)

BIN = 16
"""Bases summarised by one row of features."""

INDICATOR = 16
"""What the indicator of a base is where it is that base: of the size of what is left of a good score."""

_OUTSIDE = np.uint8(5)  # a code that no base has, so that nothing matches it
_INDICATORS = np.zeros((256, 4), dtype=np.uint8)
_INDICATORS[:4] = INDICATOR * np.eye(4, dtype=np.uint8)
_INDICATOR_WORDS = _INDICATORS.view(np.uint32)[:, 0]


def lag_bands(lags: int) -> np.ndarray:
    """First lag of each band, with the end appended: int64 of shape (bands + 1,).

    Bands are one lag wide up to lag 32, then 2, 4, 8 ... wide in each doubling, about 6 % of the lag.
    """
    edges = list(range(1, 33))
    start, width = 33, 2
    while start <= lags:
        stop = min(2 * (start - 1), lags)
        edges.extend(range(start, stop + 1, width))
        start, width = stop + 1, width * 2
    return np.array([*edges, lags + 1], dtype=np.int64)


def band_count(lags: int) -> int:
    """Band scores of one direction: three for each near band, one for each of the others."""
    return len(lag_bands(lags)) - 1 + 2 * NEAR_BANDS


def feature_count(lags: int) -> int:
    """Features in one row (one bin of 16 bases)."""
    return 2 * (band_count(lags) + TRACKS) + 4 * BIN


@njit(nogil=True, cache=True)
def _lay_out(codes, window, backward, bases, behind):
    """A window in one direction, as `advance` wants it."""
    n = codes.shape[1]
    for i in range(n):
        bases[i] = min(codes[window, n - 1 - i] if backward else codes[window, i], np.uint8(4))
    for i in range(n):
        behind[i] = bases[n - 1 - i] if bases[n - 1 - i] < 4 else _OUTSIDE


@lru_cache
def _windows(vectors: int):
    """The compiled loop over windows, for ``(vectors + 1) * 64`` lags."""
    lags = (vectors + 1) * LANES
    bands = band_count(lags)

    @njit(nogil=True, cache=True, error_model="numpy")
    def windows(codes, indicators, near, long, out):
        """Fill ``out`` uint8[windows * n // 16 * features] from ``codes`` uint8[windows, n], n a multiple of 16.

        ``near`` and ``long`` are room for `advance`; ``indicators`` uint32[256].
        """
        n = codes.shape[1]
        features = out.shape[0] // (codes.shape[0] * (n // BIN))
        bases = np.empty(n, dtype=np.uint8)
        # Vectors are read whole: some bytes beyond the window's end belong to them.
        behind = np.full(n + lags, _OUTSIDE, dtype=np.uint8)
        for window in range(codes.shape[0]):
            start = window * (n // BIN) * features
            for backward in range(2):
                _lay_out(codes, window, backward, bases, behind)
                near[:] = 0
                long[:] = 0
                for row in range(n // BIN):
                    at = start + (n // BIN - 1 - row if backward else row) * features
                    track = at + 2 * bands + backward * TRACKS
                    for quarter in range(4):
                        advance(near, long, bases, behind, row, quarter, vectors, out, track)
                    pool(near, long, vectors, out, at + backward * bands)
            for row in range(n // BIN):
                end = start + (row + 1) * features
                known = np.uint32(0)
                for i in range(BIN):
                    word = indicators[codes[window, row * BIN + i]]
                    known |= word
                    for j in range(4):
                        out[end - 4 * BIN + 4 * i + j] = word >> np.uint32(8 * j) & np.uint32(255)
                if known == 0:
                    out[end - features : end] = 0

    return windows


def _aligned(size: int) -> np.ndarray:
    """uint8 (size,) that starts at a cache line: a vector that lies across two of them costs twice."""
    raw = np.empty(size + LANES, dtype=np.uint8)
    start = -raw.ctypes.data % LANES
    return raw[start : start + size]


def encode_spectrum(codes: np.ndarray, lags: int, out: np.ndarray | None = None) -> np.ndarray:
    """Lag-spectrum features of one window or of several.

    Parameters
    ----------
    codes: uint8 of shape (n,) or (windows, n), n a multiple of 16: 0-3 for A, C, G, T, anything above for N (matches
        nothing).
    lags: largest lag in bases, a multiple of 64.
    out: optional uint8 of shape (n // 16, feature_count(lags)) or (windows, n // 16, feature_count(lags)) to fill.

    Returns
    -------
    uint8 of the shape of ``out``. Each row, one bin: looking left, for every near band the tolerant score at the bin's
    last base, then the highest moderate and the highest strict score in the bin, and for every longer band the
    score at the last base; the same looking right (where the bin's first base is its last). Then looking left and
    looking right the tracks: for each base in the order of reading the best near score of the three scorings, for each
    four bases the best score over the middle lags, for each eight that over the far lags; all less what is to
    be expected of a whole repeat at that lag. Last, four indicators A, C, G, T for each base. A bin
    without any is all 0, so that what lies inside a contig but is unknown looks like what lies outside.
    """
    n = codes.shape[-1]
    if n % BIN or lags % LANES or lags < LANES:
        raise ValueError(f"a window of {n} bases and {lags} lags: they must be multiples of {BIN} and {LANES}")
    if out is None:
        out = np.empty((*codes.shape[:-1], n // BIN, feature_count(lags)), dtype=np.uint8)
    vectors = lags // LANES - 1
    windows = np.ascontiguousarray(np.atleast_2d(codes))
    room = _aligned(NEAR_SIZE), _aligned(long_size(vectors))
    _windows(vectors)(windows, _INDICATOR_WORDS, *room, out.reshape(-1))
    return out
