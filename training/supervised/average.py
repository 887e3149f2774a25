"""The mean of a network's weights over its last steps, which is often better than where the last step left them
(Polyak and Juditsky 1992, https://doi.org/10.1137/0330046)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_PREFIX = "average."


class MovingAverage:
    """An exponential moving average of the weights that training changes; without a decay there is none."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.weights = {name: one for name, one in model.named_parameters() if one.requires_grad} if decay else {}
        self.means: dict[str, Tensor] = {}

    @torch.no_grad()
    def step(self, number: int) -> None:
        """Take the weights in after step ``number`` (from 1). The first steps weigh as much as they can."""
        decay = min(self.decay, number / (number + 9))
        for name, one in self.weights.items():
            if name in self.means:
                self.means[name].lerp_(one.detach(), 1 - decay)
            else:
                self.means[name] = one.detach().clone()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The means instead of the weights, until the end of the block."""
        kept = {name: self.weights[name].detach().clone() for name in self.means}
        self._put(self.means)
        try:
            yield
        finally:
            self._put(kept)

    def saved(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {_PREFIX + name: one.contiguous() for name, one in self.means.items()}

    def restore(self, saved: dict[str, Tensor]) -> None:
        """What `saved` gave, out of a checkpoint."""
        self.means = {
            name: saved[_PREFIX + name].to(one.device).clone()
            for name, one in self.weights.items()
            if _PREFIX + name in saved
        }

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, one in values.items():
            self.weights[name].copy_(one)
