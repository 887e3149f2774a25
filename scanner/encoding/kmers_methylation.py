"""k-mer tokens and the methylation of each, from codes of bases that carry marks.

A marked code is a base's code (its low three bits) with what a read says of a CpG at the C on the forward strand: plus
`UNMETHYLATED` or `METHYLATED`. Codes without marks say nothing of methylation, so that whatever makes codes of bases
makes input for this encoder.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..card import KmerMethylationInput
from .kmers import kmer_tokens, token_count

MARK_SHIFT = 3
UNMETHYLATED = np.uint8(1 << MARK_SHIFT)
METHYLATED = np.uint8(2 << MARK_SHIFT)
BASE_BITS = np.uint8((1 << MARK_SHIFT) - 1)
NOT_KNOWN = 2
"""The methylation of a token where nothing is known."""


def tensor_shape(window: int, spec: KmerMethylationInput) -> tuple[int, int]:
    """Of a row for a window of so many bases: its two tensors, and their tokens."""
    return 2, token_count(window, spec.kmers)


def kmers_and_methylation(codes: np.ndarray, spec: KmerMethylationInput, out: np.ndarray) -> None:
    """Fill ``out[:rows]``, int64 (at least rows, 2, tokens), from marked codes uint8 (rows, window): tokens as
    `kmer_tokens` makes them, and their methylation, 0, 1 or `NOT_KNOWN`."""
    kmers = spec.kmers
    out = out[: len(codes)]
    kmer_tokens(codes & BASE_BITS, kmers, out[:, 0])
    first, end = len(spec.prefix), out.shape[2] - len(spec.suffix)
    out[:, 1, :first] = NOT_KNOWN
    out[:, 1, end:] = NOT_KNOWN
    _fill_methylation(codes, spec.k // 2, out[:, 1, first:end])


@njit(nogil=True, cache=True)
def _fill_methylation(codes, middle, out):
    for row in range(out.shape[0]):
        for token in range(out.shape[1]):
            mark = codes[row, token + middle] >> MARK_SHIFT
            out[row, token] = mark - 1 if mark > 0 else NOT_KNOWN
