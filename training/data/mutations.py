"""Substituted bases."""

from __future__ import annotations

import numpy as np


def mutated(generator: np.random.Generator, codes: np.ndarray, rate: float) -> np.ndarray:
    """A copy with a share ``rate`` of the known bases substituted, each by one of the other three."""
    chosen = (generator.random(len(codes)) < rate) & (codes < 4)
    steps = generator.integers(1, 4, len(codes), dtype=np.uint8)
    return np.where(chosen, (codes + steps) % 4, codes).astype(np.uint8)
