"""From what a model gives to scores."""

from __future__ import annotations

import numpy as np


def activate(logits: np.ndarray, activation: str) -> np.ndarray:
    """Activated scores in float64 of logits of any shape, outputs last."""
    values = logits.astype(np.float64)
    if activation == "sigmoid":
        return 0.5 * (1 + np.tanh(values / 2))
    if activation == "softmax":
        values = np.exp(values - values.max(axis=-1, keepdims=True))
        return values / values.sum(axis=-1, keepdims=True)
    return values
