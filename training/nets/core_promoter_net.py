"""Core promoters of plants: residual dilated convolutions, and a dense layer that knows where in the window it looks.

What makes a core promoter strong is where its parts stand as much as what they are: the TATA box lies 25 to 35 bases
before the start, other motifs act from anywhere. So features are averaged over bins of `BIN` bases, and the dense layer
has weights of its own for each bin of the window.

It is convolutional throughout: on a longer sequence it gives a score for each window, the same work shared. A window
of its own is read with nothing beside it, as an assay's fragment is, and a window on a genome with its neighbours: for
half of the examples in training there are random bases beside the window, so that they come to mean nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BIN = 10
"""Bases of a bin of features, and from one window to the next."""
_POOLED = 2
_BESIDE = 0.5


class CorePromoterNet(nn.Module):
    """One-hot float32 (batch, 4, bases) to float32 (batch, outputs) of one window, or of longer sequences to (batch,
    windows, outputs): one window each `BIN` bases.

    window: bases, a multiple of `BIN`; width: channels; dilations: of the residual convolutions of ``kernel`` places.
    """

    def __init__(
        self, outputs: int, window: int, width: int, stem: int, kernel: int, dilations: tuple[int, ...], hidden: int,
        dropout: float,
    ):  # fmt: skip
        super().__init__()
        self.window, self.step = window, BIN
        reach = stem // 2 + _POOLED * (kernel // 2) * sum(dilations)
        self.reach = -(-reach // BIN) * BIN
        self.stem = nn.Sequential(
            nn.Conv1d(4, width, stem, padding=stem // 2), nn.BatchNorm1d(width), nn.ReLU(), nn.MaxPool1d(_POOLED)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(dropout),
                nn.Conv1d(width, width, kernel, padding=kernel // 2 * dilation, dilation=dilation),
                nn.BatchNorm1d(width),
                nn.ReLU(),
            )
            for dilation in dilations
        )
        self.dense = nn.Sequential(
            nn.Dropout(dropout),
            nn.Conv1d(width, hidden, window // BIN),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(hidden, outputs)

    def forward(self, bases: Tensor) -> Tensor:
        if bases.shape[-1] != self.window:
            return self.windows(bases)
        beside = self._beside(bases)
        return self.windows(torch.cat([beside[0], bases, beside[1]], dim=2), self.reach)[:, 0]

    def windows(self, bases: Tensor, margin: int = 0) -> Tensor:
        """float32 (batch, windows, outputs); ``margin`` bases at either end are read and in no window."""
        features = self.stem(bases)
        for block in self.blocks:
            features = features + block(features)
        inside = features[..., margin // _POOLED : features.shape[-1] - margin // _POOLED]
        found = self.dense(F.avg_pool1d(inside, BIN // _POOLED))
        return self.head(found.transpose(1, 2))

    def _beside(self, bases: Tensor) -> tuple[Tensor, Tensor]:
        """What stands on either side of windows, (batch, 4, reach) each: nothing, or in training random bases."""
        nothing = bases.new_zeros(len(bases), 4, self.reach)
        if not self.training:
            return nothing, nothing
        some = (torch.rand(len(bases), 1, 1, device=bases.device) < _BESIDE).to(bases.dtype)
        left, right = (
            F.one_hot(torch.randint(4, (len(bases), self.reach), device=bases.device), 4).transpose(1, 2) * some
            for _ in range(2)
        )
        return left, right
