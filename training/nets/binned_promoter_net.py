"""Core promoters, cheaply: motifs in bins of bases, what stands beside what, and a dense layer that knows where.

The network of `core_promoter_net` works on every other base, which makes it slow to scan a genome with. Here of each
filter the best fit in each bin of `BIN` bases is kept, and all else is work on bins: residual convolutions, and a dense
layer with weights of its own for each bin of the window, since what makes a core promoter strong is where its parts
stand as much as what they are. Half of the filters take the better of both strands.

Nothing is filled up at a window's ends: a window has the same answer alone, as an assay's fragment, and on a genome
between its neighbours. It is convolutional throughout: on a longer sequence it gives a score for each window, the same
work shared.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .core_promoter_net import BIN

_BESIDE = 3


class BinnedPromoterNet(nn.Module):
    """One-hot float32 (batch, 4, bases) to float32 (batch, outputs) of one window, or of longer sequences to (batch,
    windows, outputs): one window each `BIN` bases.

    window: bases, a multiple of `BIN`; width: filters of ``stem`` bases, one more than a multiple of `BIN`; layers:
    residual convolutions of three bins each.
    """

    def __init__(self, outputs: int, window: int, width: int, stem: int, layers: int, hidden: int, dropout: float):
        super().__init__()
        self.window, self.step = window, BIN
        self.either = width // 2
        self.stem = nn.Conv1d(4, width, stem)
        self.fits = nn.BatchNorm1d(width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Dropout(dropout), nn.Conv1d(width, width, _BESIDE), nn.BatchNorm1d(width), nn.ReLU())
            for _ in range(layers)
        )
        bins = (window - stem + 1) // BIN - layers * (_BESIDE - 1)
        self.dense = nn.Sequential(
            nn.Dropout(dropout), nn.Conv1d(width, hidden, bins), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(hidden, outputs)

    def forward(self, bases: Tensor) -> Tensor:
        found = self.windows(bases)
        return found[:, 0] if bases.shape[-1] == self.window else found

    def windows(self, bases: Tensor) -> Tensor:
        """float32 (batch, windows, outputs)."""
        features = torch.relu(self.fits(self.motifs(bases)))
        for block in self.blocks:
            features = features[..., _BESIDE // 2 : -(_BESIDE // 2)] + block(features)
        return self.head(self.dense(features).transpose(1, 2))

    def motifs(self, bases: Tensor) -> Tensor:
        """How well each filter fits at best in each bin, the first half of them on whichever strand is better: float32
        (batch, width, bins)."""
        weight, bias, either = self.stem.weight, self.stem.bias, self.either
        weight = torch.cat([weight, weight[:either].flip(1, 2)])
        found = F.max_pool1d(F.conv1d(bases, weight, torch.cat([bias, bias[:either]])), BIN)
        forward, only_forward, backward = found.split([either, len(bias) - either, either], dim=1)
        return torch.cat([torch.maximum(forward, backward), only_forward], dim=1)
