"""A network of promoters as it reads a genome: at each bin the strength of the windows in which transcription would
start there or nearby, and, where the network knows the boxes, how well those before the bin fit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .binned_promoter_net import BinnedPromoterNet
from .core_promoter_net import CorePromoterNet
from .promoter_net import FIRST_START, PromoterNet


class PromoterScan(nn.Module):
    """One-hot float32 (batch, 4, bases) to float32 (batch, bins, outputs), or outputs + 1 for a `PromoterNet`: the
    network's outputs, averaged over ``smoothed`` bases, and the start, the best fit of sigma-70's boxes in the bin.

    Bins have ``net.step`` bases; start: the window's base at which transcription starts. A promoter drives all the
    windows that hold it, so each of them measures it: the average has one summit where single windows have several.
    Bins whose windows reach beyond the bases have zeros.
    """

    def __init__(self, net: PromoterNet | CorePromoterNet | BinnedPromoterNet, start: int, smoothed: int):
        super().__init__()
        self.net, self.start, self.smoothed = net, start, smoothed
        self.before, self.bins = start // net.step, smoothed // net.step
        if self.bins % 2 == 0:
            raise ValueError(f"smoothed {smoothed}: must be an odd number of steps of {net.step} bases")
        if self.knows_boxes and (start < FIRST_START or start % net.step):
            raise ValueError(f"start {start}: must be at least {FIRST_START} and a multiple of the step, {net.step}")

    @property
    def knows_boxes(self) -> bool:
        """Whether the last output is the start."""
        return isinstance(self.net, PromoterNet)

    @property
    def context(self) -> int:
        """Bases on either side that a bin's scores may depend on, in whole bins."""
        beside = self.net.reach if isinstance(self.net, CorePromoterNet) else 0
        reach = max(self.start, self.net.window - self.start) + self.smoothed // 2 + beside
        return -(-reach // self.net.step) * self.net.step

    def forward(self, bases: Tensor) -> Tensor:
        step, before = self.net.step, self.before + self.bins // 2
        found = F.avg_pool1d(self.net.windows(bases).transpose(1, 2), self.bins, 1).transpose(1, 2)
        if self.knows_boxes:
            fits = F.max_pool1d(self.net.starts(bases)[:, None, before * step - FIRST_START :], step)
            found = torch.cat([found, fits.transpose(1, 2)[:, : found.shape[1]]], dim=-1)
        return F.pad(found, (0, 0, before, bases.shape[-1] // step - before - found.shape[1]))
