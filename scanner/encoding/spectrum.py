"""The lag spectrum: how well each stretch of sequence matches itself at every lag.

A tandem repeat of period p is a stretch that keeps matching itself p bases away. For every lag a running
local-alignment score is kept along the sequence (the ungapped Smith-Waterman recursion on one diagonal of the
self-comparison), and a score may step to the neighbouring lag at a cost, which is how an insertion or deletion
in one copy is followed. Two scorings run side by side: a tolerant one, whose drift is positive from 40 % identity
on, and a strict one that singles out short perfect matches. Both directions are computed, because the first copy of
a repeat matches only to its right and the last only to its left.

All arithmetic is on saturating unsigned bytes, 64 lags to a vector, so the result is exact and the same on every
machine and the cost is the same for every base. Vector instructions are reached through LLVM intrinsics, which
LLVM lowers to whatever the processor has (AVX-512, AVX2, NEON).

Method: Smith & Waterman 1981 (local scores clipped at zero); the diagonal formulation of tandem repeats follows
Benson 1999 (TRF) and Frith 2011 (tantan).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

BIN = 16
"""Bases summarised by one row of features."""

SHORT_LAGS = 64
"""Lags up to here have best-score tracks of their own: their noise floor is lower than that of the long lags."""

TOLERANT_MATCH, TOLERANT_MISMATCH, LAG_STEP = 3, 2, 8
STRICT_MATCH, STRICT_MISMATCH = 2, 6
STEP_EVERY = 4
"""A score may step to a neighbouring lag at every fourth base: as good as at every base, at a quarter of the cost."""

_LANES = 64
_VECTOR = ir.VectorType(ir.IntType(8), _LANES)
_OUTSIDE = np.uint8(5)  # a code that no base has, so that nothing matches it


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


def feature_count(lags: int) -> int:
    """Features in one row (one bin of 16 bases)."""
    return 2 * (len(lag_bands(lags)) - 1) + BIN * (8 + 4)


def _splat(builder, scalar):
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
    return builder.shuffle_vector(first, empty, zeros)


@intrinsic(prefer_literal=True)
def _advance(typingctx, scores, reversed_codes, offset, code, vectors, step_lags, best, row):
    """Move all lag scores one base on and store the best of each of four groups at best[row].

    ``scores`` is uint8[2 * (vectors + 2) * 64]: tolerant then strict, each with 64 zeros on either side.
    ``reversed_codes[offset + j]`` is the base at lag j + 1 behind this one. ``vectors`` and ``step_lags`` are literals.
    """
    count, stepping = vectors.literal_value, step_lags.literal_value
    signature = types.void(scores, reversed_codes, offset, code, vectors, step_lags, best, row)

    def codegen(context, builder, signature, arguments):
        def data(position):
            return context.make_array(signature.args[position])(context, builder, arguments[position]).data

        def call(name, result, *values):
            kind = ir.FunctionType(result, [value.type for value in values])
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v64i8"), values)

        def at(pointer, position):
            return builder.bitcast(builder.gep(pointer, [position]), _VECTOR.as_pointer())

        def constant(value):
            return ir.Constant(_VECTOR, [value] * _LANES)

        def moved(score, match, gain, loss):
            up = call("uadd.sat", _VECTOR, score, constant(gain))
            down = call("usub.sat", _VECTOR, score, constant(loss))
            return builder.select(match, up, down)

        def largest(first, second):
            return call("umax", _VECTOR, first, second)

        index = ir.IntType(64)
        state, behind, out = data(0), data(1), data(6)
        base = _splat(builder, arguments[3])
        strict_start = _LANES * (count + 2)
        tracks = [constant(0)] * 4
        neighbours = []
        if stepping:  # read before anything is overwritten
            for vector in range(count):
                place = _LANES * (vector + 1)
                left = builder.load(at(state, index(place - 1)), align=1)
                right = builder.load(at(state, index(place + 1)), align=1)
                neighbours.append(call("usub.sat", _VECTOR, largest(left, right), constant(LAG_STEP)))
        for vector in range(count):
            place = _LANES * (vector + 1)
            lagged = builder.load(at(behind, builder.add(arguments[2], index(_LANES * vector))), align=1)
            match = builder.icmp_unsigned("==", lagged, base)
            here = at(state, index(place))
            tolerant = builder.load(here, align=1)
            if stepping:
                tolerant = largest(tolerant, neighbours[vector])
            tolerant = moved(tolerant, match, TOLERANT_MATCH, TOLERANT_MISMATCH)
            builder.store(tolerant, here, align=1)
            here = at(state, index(strict_start + place))
            strict = moved(builder.load(here, align=1), match, STRICT_MATCH, STRICT_MISMATCH)
            builder.store(strict, here, align=1)
            group = 0 if vector < SHORT_LAGS // _LANES else 2
            tracks[group] = largest(tracks[group], tolerant)
            tracks[group + 1] = largest(tracks[group + 1], strict)
        first = builder.mul(arguments[7], index(4))
        for group, track in enumerate(tracks):
            best_score = call("vector.reduce.umax", ir.IntType(8), track)
            builder.store(best_score, builder.gep(out, [builder.add(first, index(group))]))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _larger(typingctx, first, second):
    """Maximum of two bytes, kept as a byte so that loops over it become wide vector code."""
    signature = types.uint8(types.uint8, types.uint8)

    def codegen(context, builder, signature, arguments):
        byte = ir.IntType(8)
        kind = ir.FunctionType(byte, [byte, byte])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.umax.i8"), arguments)

    return signature, codegen


_INDICATORS = np.zeros((256, 4), dtype=np.uint8)
_INDICATORS[:4] = np.eye(4, dtype=np.uint8)
_INDICATOR_WORDS = _INDICATORS.view(np.uint32)[:, 0]


@njit(nogil=True, cache=True)
def _interleave(codes, forward, backward, indicators, out):
    """Lay a bin's per-base values out as one row: eight tracks a base, then four base indicators a base.

    Four bytes at a time: forward and backward uint32[n] (four tracks each), indicators uint32[256], out
    uint32[n // 16, 48].
    """
    n = codes.shape[0]
    for row in range(n // BIN):
        for j in range(BIN):
            i = row * BIN + j
            out[row, 2 * j] = forward[i]
            out[row, 2 * j + 1] = backward[n - 1 - i]
            out[row, 2 * BIN + j] = indicators[codes[i]]


@lru_cache
def _windows(vectors: int):
    """The compiled loop over windows, for ``vectors * 64`` lags."""
    lags = vectors * _LANES

    @njit(nogil=True, cache=True, error_model="numpy")
    def windows(codes, indicators, scores, out):
        """Fill ``out`` uint8[windows, n // 16, features] from ``codes`` uint8[windows, n], n a multiple of 16.

        ``scores`` is room for `_advance`, ``indicators`` uint32[256].
        """
        n = codes.shape[1]
        bands = (out.shape[2] - 12 * BIN) // 2
        queries, behind = np.empty(n, dtype=np.uint8), np.full(n + lags, _OUTSIDE, dtype=np.uint8)
        tracks = np.empty((2, 4 * n), dtype=np.uint8)
        per_base = np.empty((n // BIN, 3 * BIN), dtype=np.uint32)
        pooled, other = np.zeros(lags, dtype=np.uint8), np.zeros(lags, dtype=np.uint8)
        for window in range(codes.shape[0]):
            for backward in range(2):
                for i in range(n):
                    code = codes[window, n - 1 - i if backward else i]
                    queries[i] = min(code, np.uint8(4))
                    behind[n - 1 - i] = code if code < 4 else _OUTSIDE
                scores[:] = 0
                best = tracks[backward]
                for row in range(n // BIN):
                    band_row = out[window, n // BIN - 1 - row if backward else row, backward * bands :]
                    for quarter in range(BIN // STEP_EVERY):
                        i = row * BIN + quarter * STEP_EVERY
                        _advance(scores, behind, np.int64(n - i), queries[i], vectors, 1, best, np.int64(i))
                        for j in range(i + 1, i + STEP_EVERY):
                            _advance(scores, behind, np.int64(n - j), queries[j], vectors, 0, best, np.int64(j))
                    for lag in range(32):
                        band_row[lag] = scores[_LANES + lag]
                    # Halve again and again: each doubling of the lag leaves 16 more bands, the rest goes on.
                    size, band = (lags - 32) // 2, 32
                    for j in range(size):
                        pooled[j] = _larger(scores[_LANES + 32 + 2 * j], scores[_LANES + 33 + 2 * j])
                    while size > 16:
                        for j in range(16):
                            band_row[band + j] = pooled[j]
                        band += 16
                        pooled[size] = 0  # the last band of all may be cut off at the largest lag
                        size = (size - 15) // 2
                        for j in range(size):
                            other[j] = _larger(pooled[16 + 2 * j], pooled[17 + 2 * j])
                        pooled, other = other, pooled
                    for j in range(size):
                        band_row[band + j] = pooled[j]
            _interleave(codes[window], tracks[0].view(np.uint32), tracks[1].view(np.uint32), indicators, per_base)
            values = per_base.view(np.uint8)
            for row in range(n // BIN):
                out[window, row, 2 * bands :] = values[row]

    return windows


def _aligned(size: int) -> np.ndarray:
    """uint8 (size,) that starts at a cache line: a vector that lies across two of them costs twice."""
    raw = np.empty(size + _LANES, dtype=np.uint8)
    start = -raw.ctypes.data % _LANES
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
    uint8 of the shape of ``out``. Each row: for every lag band the highest tolerant score at the
    bin's last base (looking left) and at its first base (looking right); then for each of its 16 bases the best
    score over short and long lags, tolerant and strict, looking left and looking right (8 values); then for each
    base four indicators A, C, G, T.
    """
    n = codes.shape[-1]
    if n % BIN or lags % _LANES or lags < SHORT_LAGS:
        raise ValueError(f"a window of {n} bases and {lags} lags: they must be multiples of {BIN} and {_LANES}")
    if out is None:
        out = np.empty((*codes.shape[:-1], n // BIN, feature_count(lags)), dtype=np.uint8)
    vectors = lags // _LANES
    scores = _aligned(2 * (vectors + 2) * _LANES)
    filled = out if codes.ndim == 2 else out[None]
    _windows(vectors)(np.ascontiguousarray(np.atleast_2d(codes)), _INDICATOR_WORDS, scores, filled)
    return out
