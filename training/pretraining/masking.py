"""Masks for language models over tokens that overlap.

A k-mer that is masked alone can be read off its neighbours, which hold all its bases. So bases are hidden, in spans,
and
every token that holds a hidden base is masked: what is to be told stands in no visible token.
"""

from __future__ import annotations

import numpy as np

from ...scanner.card import KmerInput, ModelInput

IGNORED = -100
"""Label of a token that is not to be told (`torch.nn.functional.cross_entropy`)."""


def token_bases(spec: ModelInput) -> tuple[int, int]:
    """Bases of a token, and from one token to the next: k and stride of k-mers; others do not overlap: 1 and 1."""
    if isinstance(spec, KmerInput) and spec.singles is None:
        return spec.k, spec.stride
    return 1, 1


def special_tokens(spec: ModelInput) -> tuple[int, int]:
    """How many tokens before and behind those of the bases are not masked."""
    if isinstance(spec, KmerInput):
        return len(spec.prefix), len(spec.suffix)
    return 1, 1


def masked_tokens(
    generator: np.random.Generator, tokens: int, k: int, stride: int, share: float, span: int
) -> np.ndarray:
    """bool (tokens,): about a ``share`` of them, at least one; spans of ``span`` bases are hidden in no visible token.

    k, stride: bases of a token and from one to the next.
    """
    bases = (tokens - 1) * stride + k
    first = np.arange(tokens) * stride
    masked = np.zeros(tokens, dtype=bool)
    while True:
        begin = int(generator.integers(0, max(1, bases - span + 1)))
        masked |= (first < begin + span) & (first + k > begin)
        if masked.sum() >= share * tokens:
            return masked


def mask_row(
    generator: np.random.Generator, row: np.ndarray, spec: ModelInput, share: float, span: int, mask: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens int64 (tokens,) with some masked, and labels int64 (tokens,): what they were, `IGNORED` elsewhere."""
    k, stride = token_bases(spec)
    before, behind = special_tokens(spec)
    inner = slice(before, len(row) - behind)
    chosen = np.zeros(len(row), dtype=bool)
    chosen[inner] = masked_tokens(generator, len(row) - before - behind, k, stride, share, span)
    return np.where(chosen, mask, row), np.where(chosen, row, IGNORED)
