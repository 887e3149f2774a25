"""How sure proportions are: percentile intervals of the bootstrap (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LEVEL = 0.95


def resampled_counts(counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """As many reads as there are, drawn from them with repetition, int64 (rows,)."""
    reads = int(counts.sum())
    return generator.multinomial(reads, counts / reads) if reads else counts.copy()


def intervals(
    estimate: Callable[[np.ndarray], np.ndarray], counts: np.ndarray, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high ends of the 95 % intervals of what ``estimate`` gives, float64 of its shape.

    estimate: from counts int64 (rows,) to numbers; counts: what was seen, int64 (rows,): reads of each kind, or 1 for
    each region. The same seed gives the same intervals. Without resamples or reads, NaN.
    """
    if resamples == 0 or not counts.sum():
        nothing = np.full_like(estimate(counts), np.nan)
        return nothing, nothing
    generator = np.random.default_rng(seed)
    drawn = np.stack([estimate(resampled_counts(counts, generator)) for _ in range(resamples)])
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high
