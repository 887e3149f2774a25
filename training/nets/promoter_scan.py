"""A network of promoters as it reads a genome: at each bin the strength of the window in which transcription would
start there, and how well the boxes before the bin fit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .promoter_net import FIRST_START, PromoterNet


class PromoterScan(nn.Module):
    """One-hot float32 (batch, 4, bases) to float32 (batch, bins, outputs + 2): the network's outputs; the first of them
    in the assay's own units, 10 ** output - pseudocount; and the start, the best fit of sigma-70's boxes in the bin.

    Bins have ``net.step`` bases; start: the window's base at which transcription starts; so bins whose window reaches
    beyond the bases have zeros.
    """

    def __init__(self, net: PromoterNet, start: int, pseudocount: float):
        super().__init__()
        self.net, self.start, self.pseudocount = net, start, pseudocount
        if start < FIRST_START or start % net.step:
            raise ValueError(f"start {start}: must be at least {FIRST_START} and a multiple of the step, {net.step}")

    def forward(self, bases: Tensor) -> Tensor:
        logs = self.net.windows(bases)
        fits = F.max_pool1d(self.net.starts(bases)[:, None, self.start - FIRST_START :], self.net.step)
        starts = fits.transpose(1, 2)[:, : logs.shape[1]]
        measured = torch.pow(10.0, logs[..., :1].clamp(max=5.0)) - self.pseudocount
        found = torch.cat([logs, measured, starts], dim=-1)
        before = self.start // self.net.step
        after = bases.shape[-1] // self.net.step - before - logs.shape[1]
        return F.pad(found, (0, 0, before, after))
