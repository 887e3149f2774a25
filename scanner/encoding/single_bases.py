"""k-mers side by side with single bases where none begins: the tokens of the Nucleotide Transformer.

Its tokenizer reads from the left: a whole known k-mer where one begins, else one base (Dalla-Torre et al. 2024,
https://doi.org/10.1038/s41592-024-02523-z). After an unknown base the k-mers begin anew.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..card import KmerInput

NO_TOKEN = -1
"""What fills a row behind its last token."""
_BASES = "ACGT"


def most_tokens(window: int, spec: KmerInput) -> int:
    """Tokens of a window of so many bases in the worst case: every base by itself."""
    return len(spec.prefix) + window + len(spec.suffix)


def usual_tokens(window: int, spec: KmerInput) -> int:
    """Tokens of a window of so many bases, all of them known."""
    return len(spec.prefix) + window // spec.k + window % spec.k + len(spec.suffix)


@njit(nogil=True, cache=True, error_model="numpy")
def _fill(codes, digits, singles, k, offset, prefix, suffix, trim, out):
    for row in range(codes.shape[0]):
        begin, end = 0, codes.shape[1]
        if trim:
            while begin < end and codes[row, begin] > 3:
                begin += 1
            while end > begin and codes[row, end - 1] > 3:
                end -= 1
        at = 0
        for token in prefix:
            out[row, at] = token
            at += 1
        base = begin
        while base < end:
            rank, known = 0, base + k <= end
            if known:
                for i in range(base, base + k):
                    code = codes[row, i]
                    if code > 3:
                        known = False
                        break
                    rank = 4 * rank + digits[code]
            if known:
                out[row, at] = offset + rank
                base += k
            else:
                out[row, at] = singles[min(codes[row, base], 4)]
                base += 1
            at += 1
        for token in suffix:
            out[row, at] = token
            at += 1
        out[row, at:] = NO_TOKEN


def kmer_and_base_tokens(codes: np.ndarray, spec: KmerInput, out: np.ndarray, *, trim: bool) -> None:
    """Fill ``out[:rows]``, int64 (at least rows, `most_tokens`), from codes uint8 (rows, window), 0-3 for A, C, G, T.

    trim: leave out unknown bases at both ends. `NO_TOKEN` stands behind each row's tokens.
    """
    digits = np.array([spec.letters.index(letter) for letter in _BASES], dtype=np.int64)
    around = [np.array(tokens, dtype=np.int64) for tokens in (spec.prefix, spec.suffix)]
    singles = np.array(spec.singles, dtype=np.int64)
    _fill(codes, digits, singles, spec.k, spec.offset, *around, trim, out[: len(codes)])
