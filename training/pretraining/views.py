"""Views of a window for contrastive learning: what a sequence may change in and still be the same."""

from __future__ import annotations

import numpy as np

from ...scanner.encoding.nucleotides import reverse_complement
from ..data.mutations import mutated


def view(generator: np.random.Generator, codes: np.ndarray, window: int, mutation: float, turn: bool) -> np.ndarray:
    """uint8 (window,): a stretch of the codes at random, some bases substituted, on a random strand if ``turn``."""
    begin = int(generator.integers(0, len(codes) - window + 1))
    return mutated(generator, _turned(generator, codes[begin : begin + window], turn), mutation)


def _turned(generator: np.random.Generator, codes: np.ndarray, turn: bool) -> np.ndarray:
    return reverse_complement(codes) if turn and generator.random() < 0.5 else codes
