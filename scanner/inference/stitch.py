"""Window outputs back to one score array an interval: pure functions.

Scores are fixed point, int32 in ten-thousandths (`SCORE_UNIT`), so that sums over an interval are exact and do not
depend on where it was cut. `NO_SCORE` stands where there is none: N, and windows that were skipped.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..card import ModelCard
from ..reading.tiles import Interval, Windows

SCORE_UNIT = 10_000
NO_SCORE = np.int32(-(2**31))
LARGEST_SCORE = 200_000.0
"""Activated scores beyond this (either sign) are cut to it: they do not fit into int32 ten-thousandths."""


@njit(nogil=True, cache=True, error_model="numpy")
def _sigmoid_fixed(logits, out):
    for i in range(logits.shape[0]):
        logit = logits[i]
        if logit < -10.0:  # most bases of most genomes: less than half a ten-thousandth
            out[i] = 0
        elif logit > 10.0:
            out[i] = SCORE_UNIT
        else:
            out[i] = np.int32(np.rint(SCORE_UNIT / (1.0 + math.exp(-logit))))


def fixed_scores(logits: np.ndarray, activation: str) -> np.ndarray:
    """Activate logits (any shape, outputs last) and round them to int32 ten-thousandths; the shape stays."""
    if activation == "sigmoid":
        out = np.empty(logits.shape, dtype=np.int32)
        _sigmoid_fixed(np.ascontiguousarray(logits, dtype=np.float32).reshape(-1), out.reshape(-1))
        return out
    values = logits.astype(np.float64)
    if activation == "softmax":
        values = np.exp(values - values.max(axis=-1, keepdims=True))
        values /= values.sum(axis=-1, keepdims=True)
    return np.rint(np.clip(values, -LARGEST_SCORE, LARGEST_SCORE) * SCORE_UNIT).astype(np.int32)


def stitch(outputs: np.ndarray, windows: Windows, backward: bool) -> np.ndarray:
    """Scores of consecutive bins from the outputs of an interval's windows.

    outputs: (windows, outputs) for per-window models or (windows, bins, outputs); ``backward`` says that the model
    read the reverse complement, so its bins run from right to left. Returns (bins, outputs), the first bin at
    ``windows.first``.
    """
    if windows.bins is not None:
        return outputs[windows.bins]
    if backward:
        outputs = outputs[:, ::-1]
    kept = outputs[:, windows.crop : outputs.shape[1] - windows.crop]
    return kept.reshape(-1, outputs.shape[2])


def unscored_bins(codes: np.ndarray, card: ModelCard, bins: int) -> np.ndarray:
    """bool (bins,): bins with too many unknown bases to be scored.

    ``codes`` starts at the first bin; what it lacks at the end lies beyond the contig and counts as unknown for
    nothing: the last bin is judged by the bases it has.
    """
    size = card.output.bin
    unknown = codes > 3
    if size == 1:
        blocked = np.ones(bins, dtype=bool)
        blocked[: len(unknown)] = unknown[:bins]
        return blocked
    starts = np.arange(0, len(codes), size)
    counts = np.add.reduceat(unknown, starts, dtype=np.int64)
    sizes = np.minimum(starts + size, len(codes)) - starts
    blocked = np.ones(bins, dtype=bool)
    blocked[: len(starts)] = ((counts > card.max_unknown * sizes) | (counts == sizes))[:bins]
    return blocked


def bin_edges(first: int, bins: int, size: int, interval: Interval) -> np.ndarray:
    """int64 (bins + 1,): borders of consecutive bins, cut to the interval."""
    edges = np.arange(first, first + size * bins + 1, size, dtype=np.int64)
    # Only a few lie outside, at either end; clipping them all would cost more than finding the runs.
    edges[: max(0, -(-(interval.start - first) // size))] = interval.start
    edges[max(0, (interval.end - first) // size + 1) :] = interval.end
    return edges
