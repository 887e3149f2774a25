"""Plain PyTorch networks over nucleotides, built as a user's own module would."""

import torch
from torch import nn


class Convolutions(nn.Module):
    """One-hot (batch, 4, window) to (batch, outputs); dilated, with batch norm and pooling."""

    def __init__(self, outputs=1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(4, 8, 7, padding=3),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Conv1d(8, 8, 3, padding=4, dilation=4),
            nn.ReLU(),
            nn.AdaptiveMaxPool1d(1),
            nn.Flatten(),
            nn.Linear(8, outputs),
        )

    def forward(self, bases):
        return self.layers(bases)


class PerBin(nn.Module):
    """One-hot (batch, window, 4) to (batch, window / 4, 2)."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(4, 2, 8, stride=4, padding=2)

    def forward(self, bases):
        return self.convolution(bases.transpose(1, 2)).transpose(1, 2)


class LongConvolution(nn.Module):
    """Codes (batch, window) to (batch,): a gated convolution as long as the window through FFT (Poli et al. 2023)."""

    def __init__(self, window=96, width=8):
        super().__init__()
        self.embedding = nn.Embedding(5, width)
        self.gate = nn.Linear(width, 2 * width)
        self.filter = nn.Parameter(torch.randn(width, window) / window**0.5)
        self.head = nn.Linear(width, 1)

    def forward(self, codes):
        gate, value = self.gate(self.embedding(codes)).chunk(2, dim=-1)
        value, window = value.transpose(1, 2), codes.shape[1]
        mixed = torch.fft.rfft(value, n=2 * window) * torch.fft.rfft(self.filter, n=2 * window)
        value = torch.fft.irfft(mixed, n=2 * window)[..., :window].transpose(1, 2)
        return self.head((gate * value).mean(dim=1)).squeeze(-1)


class MambaBlock(nn.Module):
    """A state-space model by name only."""


def convolutions():
    return Convolutions()


def two_classes():
    return Convolutions(2)


def per_bin():
    return PerBin()


def long_convolution():
    return LongConvolution()


def with_mamba():
    return nn.Sequential(nn.Conv1d(4, 4, 1), MambaBlock())


def not_a_network():
    return 3
