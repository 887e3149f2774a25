"""Bases as tensors, and the opposite strand."""

from __future__ import annotations

import numpy as np

_BASES = np.arange(4, dtype=np.uint8)[:, None]


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """The opposite strand, read in its own direction: a new contiguous uint8 array of the same shape.

    ``codes`` is uint8 of any shape, 0-3 for A, C, G, T; anything above becomes 4. The last axis is turned round.
    """
    # 3 - code wraps round to 255 and below for unknown bases, which the minimum brings back to 4.
    return np.ascontiguousarray(np.minimum(np.uint8(3) - codes, np.uint8(4))[..., ::-1])


def one_hot(codes: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """One row for each of A, C, G, T: uint8 (rows, window) to float32 (rows, 4, window), N all zero.

    ``out`` may have more rows than ``codes``; the filled part is returned.
    """
    rows, window = codes.shape
    out = np.empty((rows, 4, window), dtype=np.float32) if out is None else out[:rows]
    return np.equal(codes[:, None, :], _BASES, out=out)


def base_codes(codes: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """The codes as int64 (rows, window), 4 for N.

    ``out`` may have more rows than ``codes``; the filled part is returned.
    """
    out = np.empty(codes.shape, dtype=np.int64) if out is None else out[: len(codes)]
    np.copyto(out, codes)
    return out
