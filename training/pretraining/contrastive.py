"""Networks for contrastive learning: pairs of views, or of a sequence and its profile, to a table of similarities."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..supervised.networks import Network, layers_of
from ..supervised.probe import captured, mean_embedding


class SequenceEncoder(nn.Module):
    """A network's mean embedding, of its last layer, projected to unit length: (batch, width).

    The projection is thrown away afterwards; what is kept is the network (Chen et al. 2020,
    https://arxiv.org/abs/2002.05709).
    """

    def __init__(self, network: Network, sample: dict[str, Tensor], width: int):
        super().__init__()
        self.net, self.tokens = network.module, network.tokens
        with torch.no_grad():
            size = self.embedding(**sample).shape[1]
        self.projection = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, width))

    def embedding(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, width of the network)."""
        last = len(layers_of(self.net)) - 1
        with captured(self.net, [last]) as found:
            _ = self.net(input_ids=inputs, attention_mask=mask) if self.tokens else self.net(inputs)
        return mean_embedding(found[0], self.tokens, mask)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return functional.normalize(self.projection(self.embedding(inputs, mask)), dim=1)


class ViewPairs(nn.Module):
    """Two views of each window to similarities (batch, batch) of the first ones and the second ones."""

    def __init__(self, encoder: SequenceEncoder, temperature: float):
        super().__init__()
        self.encoder, self.temperature = encoder, temperature

    def forward(
        self, inputs: Tensor, other: Tensor, mask: Tensor | None = None, other_mask: Tensor | None = None
    ) -> Tensor:
        return self.encoder(inputs, mask) @ self.encoder(other, other_mask).T / self.temperature


class ProfilePairs(nn.Module):
    """Sequences and their profiles, float (batch, targets) with NaN where not measured, to similarities (batch,
    batch)."""

    def __init__(self, encoder: SequenceEncoder, targets: int, hidden: int, width: int, temperature: float):
        super().__init__()
        self.encoder, self.temperature = encoder, temperature
        self.profile = nn.Sequential(nn.Linear(2 * targets, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, inputs: Tensor, other: Tensor, mask: Tensor | None = None) -> Tensor:
        known = ~torch.isnan(other)
        profiles = self.profile(torch.cat([torch.where(known, other, 0.0), known.to(other.dtype)], dim=1))
        return self.encoder(inputs, mask) @ functional.normalize(profiles, dim=1).T / self.temperature


def pair_loss(similarities: Tensor, _labels: Tensor) -> Tensor:
    """Symmetric InfoNCE: each row's own column among all columns, and each column's own row; its value at chance is the
    logarithm of the batch's size."""
    similarities = similarities.float()
    own = torch.arange(len(similarities), device=similarities.device)
    return (functional.cross_entropy(similarities, own) + functional.cross_entropy(similarities.T, own)) / 2


def found_pairs(similarities: Tensor, _labels: Tensor) -> Tensor:
    """float (batch, 1): whether a row's own column is the most similar one."""
    own = torch.arange(len(similarities), device=similarities.device)
    return (similarities.argmax(dim=1) == own).float()[:, None]
