"""Proportions from the mean methylation of regions, in two stages: the blood's cells first, then the rest.

Small dense networks on region means are what worked for whole samples where transformers with a label for each sample
did not, and in cell-free DNA, most of which is blood, other tissues are found once the blood is taken away.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_CALLS = 10.0
"""A mean of so many calls counts half."""
_LEAST_REST = 0.05


class RegionMeansNet(nn.Module):
    """means, calls: float (samples, regions) to proportions (samples, cell types + 1), of sum 1, unknown as the last.

    profiles: float (regions, cell types), mean methylation; blood: bool (cell types,), some but not all.
    """

    def __init__(self, profiles: Tensor, blood: Tensor, width: int = 256):
        super().__init__()
        regions, types = profiles.shape
        cells, others = torch.nonzero(blood)[:, 0], torch.nonzero(~blood)[:, 0]
        self.register_buffer("middle", profiles.median(dim=1).values)
        self.register_buffer("blood_profiles", profiles[:, cells].T.contiguous())
        self.register_buffer("order", torch.argsort(torch.cat([cells, others, torch.tensor([types])])))
        self.first = _dense(2 * regions, width, len(cells) + 1)
        self.second = _dense(2 * regions + 1, width, len(others) + 1)

    def stages(self, means: Tensor, calls: Tensor) -> tuple[Tensor, Tensor]:
        """Shares of the blood's cells and of all the rest (samples, cells + 1); and how the rest is made up (samples,
        others + 1), unknown as the last; rows of each of sum 1."""
        weights = calls / (calls + _CALLS)
        blood = torch.softmax(self.first(torch.cat([(means - self.middle) * weights, weights], dim=1)), dim=1)
        cells, rest = blood[:, :-1].detach(), blood[:, -1:].detach()
        without = means - cells @ self.blood_profiles - rest * self.middle
        scaled = without / (rest + _LEAST_REST) * weights
        others = torch.softmax(self.second(torch.cat([scaled, weights, rest], dim=1)), dim=1)
        return blood, others

    def forward(self, means: Tensor, calls: Tensor) -> Tensor:
        blood, others = self.stages(means, calls)
        return torch.cat([blood[:, :-1], blood[:, -1:] * others], dim=1)[:, self.order]


def _dense(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, outputs)
    )
