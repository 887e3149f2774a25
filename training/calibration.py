"""Scores that mean what they say: a network's logits stretched and shifted until they fit held-out labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

ROUNDS = 50
LONGEST = 2**20
"""Bases that are looked at, evenly spaced: plenty for two numbers."""


def calibration(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Slope and offset with which ``slope * logits + offset`` has the smallest cross-entropy (Platt 1999).

    logits, labels: float of one shape, labels 0 or 1. (1, 0) where all labels are the same, which fix nothing.
    """
    every = max(1, logits.numel() // LONGEST)
    scores, truth = logits.flatten()[::every].double(), labels.flatten()[::every].double()
    if truth.min() == truth.max():
        return 1.0, 0.0
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = binary_cross_entropy_with_logits(line[0] * scores + line[1], truth)
        value.backward()
        return value

    optimizer.step(loss)
    slope, offset = line.tolist()
    return slope, offset
