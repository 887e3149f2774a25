"""Core promoters of plants: residual dilated convolutions, and a dense layer that knows where in the window it looks.

What makes a core promoter strong is where its parts stand as much as what they are: the TATA box lies 25 to 35 bases
before the start, other motifs act from anywhere. So features are averaged over bins of `BIN` bases, and the dense layer
has weights of its own for each bin of the window. What binds most other motifs does not mind the strand they are on:
half of the first filters take the better of both, as all do in the network of Jores et al. 2021
(https://doi.org/10.1038/s41477-021-00932-y).

With few thousand measurements, several networks that were trained apart err apart, and their mean errs less
(Lakshminarayanan et al. 2017, https://arxiv.org/abs/1612.01474). So there are several members in the one network:
groups of channels that never meet. In training each member learns from a share of every batch, as if alone; otherwise
all read everything, and the head gives the mean.

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

    window: bases, a multiple of `BIN`; members: networks whose mean it is; width: channels of each; dilations: of the
    residual convolutions of ``kernel`` places.
    """

    def __init__(
        self, outputs: int, window: int, members: int, width: int, stem: int, kernel: int, dilations: tuple[int, ...],
        hidden: int, dropout: float,
    ):  # fmt: skip
        super().__init__()
        self.window, self.step, self.members = window, BIN, members
        reach = stem // 2 + _POOLED * (kernel // 2) * sum(dilations)
        self.reach = -(-reach // BIN) * BIN
        channels = members * width
        self.stem = nn.Conv1d(4, channels, stem, padding=stem // 2)
        self.stemmed = nn.Sequential(nn.BatchNorm1d(channels), nn.ReLU(), nn.MaxPool1d(_POOLED))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(dropout),
                nn.Conv1d(
                    channels, channels, kernel, padding=kernel // 2 * dilation, dilation=dilation, groups=members
                ),
                nn.BatchNorm1d(channels),
                nn.ReLU(),
            )
            for dilation in dilations
        )
        self.dense = nn.Sequential(
            nn.Dropout(dropout),
            nn.Conv1d(channels, members * hidden, window // BIN, groups=members),
            nn.BatchNorm1d(members * hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(members * hidden, outputs)

    def forward(self, bases: Tensor) -> Tensor:
        if bases.shape[-1] != self.window:
            return self.windows(bases)
        left, right = self._beside(bases)
        padded = torch.cat([left, bases, right], dim=2)
        return self._apart(padded) if self.training else self.windows(padded, self.reach)[:, 0]

    def windows(self, bases: Tensor, margin: int = 0) -> Tensor:
        """float32 (batch, windows, outputs); ``margin`` bases at either end are read and in no window."""
        return self.head(self._features(bases, margin).transpose(1, 2))

    def _features(self, bases: Tensor, margin: int, groups: int = 1) -> Tensor:
        """float32 (batch, members * hidden, windows). ``bases`` has four channels that all members read, or ``groups``
        times four, four for each member."""
        features = self.stemmed(self._motifs(bases, groups))
        for block in self.blocks:
            features = features + block(features)
        inside = features[..., margin // _POOLED : features.shape[-1] - margin // _POOLED]
        return self.dense(F.avg_pool1d(inside, BIN // _POOLED))

    def _motifs(self, bases: Tensor, groups: int) -> Tensor:
        """How well the first filters fit at each base; half of each member's on whichever strand is better."""
        weight, bias, padding = self.stem.weight, self.stem.bias, self.stem.padding
        found = F.conv1d(bases, weight, bias, padding=padding, groups=groups)
        by_member = found.unflatten(1, (self.members, -1))
        either = by_member.shape[2] // 2
        turned = weight.unflatten(0, (self.members, -1))[:, :either].flip(2, 3).flatten(0, 1)
        their_bias = bias.unflatten(0, (self.members, -1))[:, :either].flatten()
        backward = F.conv1d(bases, turned, their_bias, padding=padding, groups=groups)
        better = torch.maximum(by_member[:, :, :either], backward.unflatten(1, (self.members, -1)))
        return torch.cat([better, by_member[:, :, either:]], dim=2).flatten(1, 2)

    def _apart(self, padded: Tensor) -> Tensor:
        """float32 (batch, outputs): what a member alone says of each window, the first of the first share of the batch,
        and so on. Where the shares are unequal, some windows are read twice."""
        rows, members = len(padded), self.members
        share = -(-rows // members)
        filled = padded[torch.arange(share * members, device=padded.device) % rows]
        side_by_side = filled.reshape(members, share, 4, -1).transpose(0, 1).reshape(share, 4 * members, -1)
        found = self._features(side_by_side, self.reach, members).reshape(share, members, -1).transpose(0, 1)
        weight = self.head.weight.reshape(len(self.head.weight), members, -1).permute(1, 2, 0)
        return (members * torch.bmm(found, weight) + self.head.bias).reshape(share * members, -1)[:rows]

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
