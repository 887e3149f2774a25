"""k-mer tokens: any k up to 12, any stride, either strand.

The rank of a k-mer is a number in base four, so the next one follows from the last by a shift (a rolling hash
without collisions). Marks of unknown bases travel along in the upper half of the same 64-bit word: a k-mer is known
when its upper half is empty.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..card import KmerInput

_BASES = "ACGT"
_UNKNOWN_MARK = 1 << 32


def token_count(window: int, spec: KmerInput) -> int:
    """Tokens in a window of so many bases, those of ``prefix`` and ``suffix`` among them.

    What is left of the window after the last whole k-mer has no token.
    """
    kmers = max(0, (window - spec.k) // spec.stride + 1)
    return len(spec.prefix) + kmers + len(spec.suffix)


@njit(nogil=True, cache=True, error_model="numpy")
def _fill(codes, digits, backward, k, stride, offset, unknown, out):
    """Tokens of k-mers into out int64 (rows, kmers); ``digits`` uint64[256] is what a code adds to the word."""
    window, kmers = codes.shape[1], out.shape[1]
    origin, forth = (window - 1, -1) if backward else (0, 1)
    two, low = np.uint64(2), (np.uint64(1) << np.uint64(2 * k)) - np.uint64(1)
    mask = low | (low << np.uint64(32))
    # Each token reads this many bases that the one before it has not read; before the first, those they share.
    fresh = min(k, stride)
    shared = k - fresh
    for row in range(codes.shape[0]):
        word = np.uint64(0)
        for i in range(shared):
            word = ((word << two) & mask) | digits[codes[row, origin + forth * i]]
        if stride == 1:
            at = origin + forth * shared
            for kmer in range(kmers):
                word = ((word << two) & mask) | digits[codes[row, at]]
                at += forth
                out[row, kmer] = np.int64(word) + offset if word <= low else unknown
        else:
            for kmer in range(kmers):
                begin = kmer * stride + shared
                for i in range(begin, begin + fresh):
                    word = ((word << two) & mask) | digits[codes[row, origin + forth * i]]
                out[row, kmer] = np.int64(word) + offset if word <= low else unknown


def kmer_tokens(
    codes: np.ndarray, spec: KmerInput, out: np.ndarray | None = None, *, backward: bool = False
) -> np.ndarray:
    """Tokens of each row.

    Parameters
    ----------
    codes: uint8 (rows, window), 0-3 for A, C, G, T, anything above for an unknown base.
    spec: which k-mers, and the numbers of their tokens.
    out: optional int64 (at least rows, `token_count` tokens) to fill.
    backward: tokens of the opposite strand, the same as those of ``reverse_complement(codes)``, without making it.

    Returns
    -------
    int64 (rows, tokens), the filled part of ``out``.
    """
    rows, window = codes.shape
    tokens = token_count(window, spec)
    out = np.empty((rows, tokens), dtype=np.int64) if out is None else out[:rows]
    if out.shape != (rows, tokens):
        raise ValueError(f"out has rows of {out.shape[-1]} tokens, {window} bases make {tokens}")
    digits = np.full(256, _UNKNOWN_MARK, dtype=np.uint64)
    letters = _BASES[::-1] if backward else _BASES
    digits[:4] = [spec.letters.index(letter) for letter in letters]
    first, end = len(spec.prefix), tokens - len(spec.suffix)
    out[:, :first] = spec.prefix
    out[:, end:] = spec.suffix
    if end > first:
        _fill(codes, digits, backward, spec.k, spec.stride, spec.offset, spec.unknown, out[:, first:end])
    return out
