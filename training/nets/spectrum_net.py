"""The network that reads a lag spectrum and says for every base whether it lies in a tandem repeat.

One row of features (a bin of 16 bases, see `scanner.encoding.spectrum`) becomes one column of a small dilated
convolutional network with residual connections; a side branch carries the per-base tracks of the bin and its two
neighbours past the network to the head, so that edges stay sharp. What lies outside the sequence (a bin of N only)
is held at zero in every layer: a window's edge and a contig's edge look the same to the network, which is what lets
the scanner give short contigs short windows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...scanner.encoding.spectrum import BIN, feature_count, lag_bands

TRACK_SCALE = 1 / 32
"""Brings scores of 0-255 into the range that default initialisation expects."""


class Residual(nn.Module):
    """x + W2 relu(W1 * x), W1 a dilated convolution over three bins."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.spread = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        return (x + self.mix(torch.relu(self.spread(x)))) * inside


class SpectrumNet(nn.Module):
    """uint8 features (batch, bins, features) to logits (batch, bins * 16)."""

    def __init__(self, lags: int, width: int = 64, dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 1, 2, 4)):
        super().__init__()
        self.lags, self.width, self.dilations = lags, width, tuple(dilations)
        self.bands = 2 * (len(lag_bands(lags)) - 1)
        local = BIN * (8 + 4)
        self.stem = nn.Conv1d(feature_count(lags), width, 1)
        self.body = nn.ModuleList(Residual(width, dilation) for dilation in dilations)
        self.local = nn.Conv1d(local, width, 3, padding=1)
        self.head = nn.Conv1d(2 * width, width, 1)
        self.out = nn.Conv1d(width, BIN, 1)

    def forward(self, features: Tensor) -> Tensor:
        scores = features[:, :, : self.bands + BIN * 8].float() * TRACK_SCALE
        bases = features[:, :, self.bands + BIN * 8 :].float()
        x = torch.cat([scores, bases], dim=2).transpose(1, 2)
        inside = bases.amax(dim=2).unsqueeze(1)
        local = torch.relu(self.local(x[:, self.bands :] * inside))
        x = torch.relu(self.stem(x)) * inside
        for layer in self.body:
            x = layer(x, inside)
        x = torch.relu(self.head(torch.cat([x, local], dim=1)))
        return self.out(x).transpose(1, 2).flatten(1)
