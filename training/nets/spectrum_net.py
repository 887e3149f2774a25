"""The network that reads a lag spectrum and says for every base whether it lies in a tandem repeat.

Each row of features (a bin of 16 bases, see `scanner.encoding.spectrum`) is summed up, and pairs of rows become one
column each of a small dilated convolutional network with residual connections, which sees what is around. To the head
go this, the row's own sum, and a side branch that carries the per-base tracks of the bin and its two neighbours past
the network, so that edges stay sharp. What lies outside the sequence (a bin of N only) is held at zero in every layer:
a window's edge and a contig's edge look the same to the network, which is what lets the scanner give short contigs
short windows.

The two layers that read the bytes are trained with weights in steps (`ByteConvolution`), so that an integer matrix
product, four times as fast, gives the very sums that floating point would give.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, linear

from ...scanner.encoding.lag_scores import TRACKS
from ...scanner.encoding.spectrum import BIN, band_count, feature_count

FEATURE_SCALE = 1 / 16
"""Brings bytes into the range that default initialisation expects."""

LARGEST_STEP = 63
"""Weights of a byte convolution are whole numbers to here, times a scale. Seven bits: two products of a byte with such
a weight add up to less than 2**15, which is what processors without VNNI instructions need."""


class ByteConvolution(nn.Conv1d):
    """A convolution over bytes whose weights are whole numbers from -63 to 63, times one scale an output channel.

    Rounded in the forward pass; the gradient goes to the weights behind as if it were not (Bengio et al. 2013).
    """

    def rounded(self) -> tuple[Tensor, Tensor]:
        """The whole numbers (output channels, input channels, taps) and the scales (output channels, 1, 1)."""
        weight = self.weight.detach()
        scale = weight.abs().amax(dim=(1, 2), keepdim=True).clamp_min(1e-8) / LARGEST_STEP
        return torch.round(weight / scale), scale

    def rounded_weight(self) -> Tensor:
        """The weights as the forward pass takes them."""
        steps, scale = self.rounded()
        return self.weight + (steps * scale - self.weight).detach()

    def forward(self, x: Tensor) -> Tensor:
        return conv1d(x, self.rounded_weight(), self.bias, padding=self.padding)


class Residual(nn.Module):
    """x + W2 relu(W1 * x), W1 a dilated convolution over three pairs of bins."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.spread = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        return (x + self.mix(torch.relu(self.spread(x)))) * inside


class SpectrumNet(nn.Module):
    """uint8 features (batch, bins, features) to logits (batch, bins * 16); bins is even."""

    def __init__(self, lags: int, width: int = 32, dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4)):
        super().__init__()
        self.lags, self.width, self.dilations = lags, width, tuple(dilations)
        self.bands = 2 * band_count(lags)
        self.stem = ByteConvolution(feature_count(lags), width, 1)
        self.pair = nn.Linear(2 * width, width)
        self.body = nn.ModuleList(Residual(width, dilation) for dilation in dilations)
        self.local = ByteConvolution(2 * TRACKS + 4 * BIN, width, 3, padding=1)
        self.head = nn.Linear(2 * width, width)
        self.surroundings = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, BIN)

    def forward(self, features: Tensor) -> Tensor:
        batch, bins = features.shape[:2]
        rows = features.float() * FEATURE_SCALE
        inside = (rows[:, :, -4 * BIN :].amax(dim=2) > 0).float().unsqueeze(2)
        # Products on the rows as they lie: turning the widest tensor around would cost more than the product.
        own = torch.relu(linear(rows, self.stem.rounded_weight()[:, :, 0], self.stem.bias)) * inside
        tracks = torch.relu(self.local(rows[:, :, self.bands :].transpose(1, 2))).transpose(1, 2)
        pairs_inside = inside.view(batch, bins // 2, 2).amax(dim=2, keepdim=True).transpose(1, 2)
        x = torch.relu(self.pair(own.view(batch, bins // 2, -1))).transpose(1, 2) * pairs_inside
        for layer in self.body:
            x = layer(x, pairs_inside)
        around = self.surroundings(x.transpose(1, 2)).repeat_interleave(2, dim=1)
        return self.out(torch.relu(self.head(torch.cat([own, tracks], dim=2)) + around)).flatten(1)

    def calibrate(self, slope: float, offset: float) -> None:
        """Let the logits be ``slope * logits + offset`` from now on."""
        with torch.no_grad():
            self.out.weight.mul_(slope)
            self.out.bias.mul_(slope).add_(offset)
