"""Window outputs back to one score array a tile: pure functions.

Scores are fixed point, int32 in ten-thousandths (`SCORE_UNIT`), so that sums over an interval are exact and do not
depend on where it was cut. `NO_SCORE` stands where there is none: N, and windows that were skipped.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..reading.sequence import UNKNOWN, TileSequence
from ..reading.tiles import Bins, Windows

SCORE_UNIT = 10_000
NO_SCORE = np.int32(-(2**31))
LARGEST_SCORE = 200_000.0
"""Activated scores beyond this (either sign) are cut to it: they do not fit into int32 ten-thousandths."""


@njit(nogil=True, cache=True, error_model="numpy")
def _sigmoid_fixed(logits, least, out):
    for i in range(logits.shape[0]):
        logit = logits[i]
        if logit < least:
            out[i] = 0
        elif logit > 10.0:
            out[i] = SCORE_UNIT
        else:
            out[i] = np.int32(np.rint(SCORE_UNIT / (1.0 + math.exp(-logit))))


def fixed_scores(logits: np.ndarray, activation: str, lowest: int = 0) -> np.ndarray:
    """Activate logits (any shape, outputs last) and round them to int32 ten-thousandths; the shape stays.

    ``lowest``: sigmoid scores below it may come out as 0. Where nobody wants to know them, most bases of most genomes
    need no exponential.
    """
    if activation == "sigmoid":
        out = np.empty(logits.shape, dtype=np.int32)
        least = -10.0  # less than half a ten-thousandth
        if 1 < lowest <= SCORE_UNIT:
            share = (lowest - 1) / SCORE_UNIT
            least = max(least, math.log(share / (1 - share)))
        _sigmoid_fixed(np.ascontiguousarray(logits, dtype=np.float32).reshape(-1), least, out.reshape(-1))
        return out
    values = logits.astype(np.float64)
    if activation == "softmax":
        values = np.exp(values - values.max(axis=-1, keepdims=True))
        values /= values.sum(axis=-1, keepdims=True)
    return np.rint(np.clip(values, -LARGEST_SCORE, LARGEST_SCORE) * SCORE_UNIT).astype(np.int32)


def stitch(outputs: np.ndarray, windows: Windows, chosen: np.ndarray, backward: bool, scores: np.ndarray) -> None:
    """Put the outputs of the chosen windows (their numbers) where the bins that they score are.

    outputs: int32 (chosen, outputs) for per-window models, which score all their bins alike, or (chosen, bins,
    outputs), of which the middle ones are kept; ``backward`` says that the model read the reverse complement, so its
    bins run from right to left. scores: int32 (outputs, the tile's bins), written to.
    """
    if outputs.ndim == 2:
        _spread(outputs, windows.borders, chosen, scores)
    else:
        _keep_middles(outputs, windows.borders, chosen, backward, scores)


@njit(nogil=True, cache=True)
def _spread(outputs, borders, chosen, scores):
    for row in range(len(chosen)):
        window = chosen[row]
        for output in range(outputs.shape[1]):
            scores[output, borders[window] : borders[window + 1]] = outputs[row, output]


@njit(nogil=True, cache=True)
def _keep_middles(outputs, borders, chosen, backward, scores):
    bins = outputs.shape[1]
    for row in range(len(chosen)):
        start, end = borders[chosen[row]], borders[chosen[row] + 1]
        crop = (bins - (end - start)) // 2
        for output in range(outputs.shape[2]):
            if backward:
                for i in range(end - start):
                    scores[output, start + i] = outputs[row, bins - 1 - crop - i, output]
            else:
                for i in range(end - start):
                    scores[output, start + i] = outputs[row, crop + i, output]


def clear_unknown(
    scores: np.ndarray, bins: Bins, sequence: TileSequence, lengths: np.ndarray, max_unknown: float
) -> None:
    """Write NO_SCORE into bins with more than a share ``max_unknown`` of unknown bases, or with no known base at all.

    A contig's last bin is judged by the bases it has; what scores lie beyond it are nobody's and stay. scores: int32
    (outputs, bins); lengths: int64 (intervals,) of the contigs.
    """
    _clear_unknown(scores, bins.firsts, bins.offsets, bins.size, *sequence, lengths, max_unknown)


@njit(nogil=True, cache=True)
def _clear_unknown(scores, bin_firsts, bin_offsets, size, codes, offsets, firsts, lengths, max_unknown):
    for interval in range(len(lengths)):
        at = offsets[interval] - firsts[interval] + bin_firsts[interval]
        first, length = bin_offsets[interval], lengths[interval] - bin_firsts[interval]
        bins = min(bin_offsets[interval + 1] - first, -(-length // size))
        if size == 1:
            for i in range(bins):
                if codes[at + i] >= UNKNOWN:
                    scores[:, first + i] = NO_SCORE
        else:
            for i in range(bins):
                bases = min(size, length - i * size)
                unknown = 0
                for j in range(at + i * size, at + i * size + bases):
                    unknown += codes[j] >= UNKNOWN
                if unknown > max_unknown * bases or unknown == bases:
                    scores[:, first + i] = NO_SCORE
