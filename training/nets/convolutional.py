"""A plain convolutional network over one-hot bases: the baseline of the field.

Convolutions with batch norm and pooling, the largest value of each channel over all places, and a small dense part
(as in DeepSEA: Zhou and Troyanskaya 2015, https://doi.org/10.1038/nmeth.3547).
"""

from __future__ import annotations

from torch import Tensor, nn


class ConvolutionalNet(nn.Module):
    """One-hot float32 (batch, 4, bases) of any number of bases to logits (batch, outputs).

    blocks: each a convolution of ``kernel`` bases, batch norm, ReLU, and the larger of two neighbours; they give
    (batch, width, places).
    """

    def __init__(self, outputs: int, width: int, layers: int, kernel: int, hidden: int, dropout: float):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width if number else 4, width, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.MaxPool1d(2, ceil_mode=True),
            )
            for number in range(layers)
        )
        self.pooled = nn.AdaptiveMaxPool1d(1)
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(hidden, outputs)

    def forward(self, bases: Tensor) -> Tensor:
        for block in self.blocks:
            bases = block(bases)
        return self.head(self.dense(self.pooled(bases)))
