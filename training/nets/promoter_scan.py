"""A network of promoters as it reads a genome: at each bin the strength of the windows in which transcription would
start there or nearby, and how well the boxes before the bin fit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .promoter_net import FIRST_START, PromoterNet

SMOOTHED = 65
"""Bases over which strengths are averaged: a promoter drives all the windows that hold it, so each of them is a
measurement of it, and without it one promoter has several summits."""


class PromoterScan(nn.Module):
    """One-hot float32 (batch, 4, bases) to float32 (batch, bins, outputs + 1): the network's outputs, averaged over
    `SMOOTHED` bases, and the start, the best fit of sigma-70's boxes in the bin.

    Bins have ``net.step`` bases; start: the window's base at which transcription starts. Bins whose windows reach beyond
    the bases have zeros.
    """

    def __init__(self, net: PromoterNet, start: int):
        super().__init__()
        self.net, self.start = net, start
        self.bins = SMOOTHED // net.step
        if start < FIRST_START or start % net.step or self.bins % 2 == 0:
            raise ValueError(f"start {start}: must be at least {FIRST_START}, and a multiple of the step, {net.step}")

    @property
    def context(self) -> int:
        """Bases on either side that a bin's scores may depend on, in whole bins."""
        reach = max(self.start, self.net.window - self.start) + SMOOTHED // 2
        return -(-reach // self.net.step) * self.net.step

    def forward(self, bases: Tensor) -> Tensor:
        logs = F.avg_pool1d(self.net.windows(bases).transpose(1, 2), self.bins, 1).transpose(1, 2)
        before = self.start // self.net.step + self.bins // 2
        fits = F.max_pool1d(self.net.starts(bases)[:, None, before * self.net.step - FIRST_START :], self.net.step)
        starts = fits.transpose(1, 2)[:, : logs.shape[1]]
        found = torch.cat([logs, starts], dim=-1)
        after = bases.shape[-1] // self.net.step - before - logs.shape[1]
        return F.pad(found, (0, 0, before, after))
