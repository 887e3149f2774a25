"""Core promoters of plants: motifs in bins of bases, what stands beside what, and a dense layer that knows where.

What makes a core promoter strong is where its parts stand as much as what they are: the TATA box lies 25 to 35 bases
before the start, other motifs act from anywhere. So of each filter the best fit in each bin of `BIN` bases is kept,
and the dense layer has weights of its own for each bin of the window. What binds most other motifs does not mind the
strand they are on: half of the filters take the better of both, as all do in the network of Jores et al. 2021
(https://doi.org/10.1038/s41477-021-00932-y).

Nothing is filled up at a window's ends: a window has the same answer alone, as an assay's fragment, and on a genome
between its neighbours. It is convolutional throughout: on a longer sequence it gives a score for each window, the same
work shared, nearly all of it in bins and not in bases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BIN = 10
"""Bases of a bin of features, and from one window to the next."""
_BESIDE = 3


class CorePromoterNet(nn.Module):
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
