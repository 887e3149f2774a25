"""A BERT over k-mers and their methylation: which cell type a sequenced read comes from.

Each token's embedding is the sum of its k-mer's and of its methylation's (dual embedding, as in MethylBERT, Jeong et
al. 2025, https://doi.org/10.1038/s41467-025-55920-z); BERT's encoder follows (Devlin et al. 2019), with the norms
before the sublayers (Xiong et al. 2020, https://arxiv.org/abs/2002.04745). With ``patch`` above 1 so many tokens become
one place of the encoder, by a convolution: on a CPU that is as many times faster.

The head may be a mixture of softmaxes (Yang et al. 2018, https://arxiv.org/abs/1711.03953): what Bayes' rule gives for
reads of a few kinds (unmethylated, methylated, partially methylated), whose shares differ among cell types.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, log_softmax, scaled_dot_product_attention

STATES = 3
"""Methylation of a token: unmethylated, methylated, not known."""


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, feedforward: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.merge = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, feedforward), nn.Linear(feedforward, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, places, width) to the same."""
        batch, places, width = hidden.shape
        normed = self.first_norm(hidden)
        query, key, value = (
            one(normed).view(batch, places, self.heads, width // self.heads).transpose(1, 2)
            for one in (self.query, self.key, self.value)
        )
        found = scaled_dot_product_attention(query, key, value, dropout_p=self.dropout if self.training else 0.0)
        hidden = hidden + self.drop(self.merge(found.transpose(1, 2).reshape(batch, places, width)))
        return hidden + self.drop(self.down(gelu(self.up(self.second_norm(hidden)))))


class ReadEncoder(nn.Module):
    """int64 tokens and methylation (batch, tokens) to hidden states (batch, places, width), places = tokens / patch.

    embedding: width of the two embeddings before the convolution that makes patches; without patches, that of all.
    kernel: tokens that a patch sees, itself in the middle. sees: ``both``, or the ``bases`` or ``methylation`` alone.
    """

    def __init__(
        self, vocabulary: int, tokens: int, width: int, layers: int, heads: int, feedforward: int, dropout: float,
        patch: int, kernel: int, embedding: int, sees: str = "both",
    ):  # fmt: skip
        super().__init__()
        self.sees = sees
        if tokens % patch:
            raise ValueError(f"{tokens} tokens are no whole number of patches of {patch}")
        if (kernel - patch) % 2 or kernel < patch:
            raise ValueError(f"a kernel of {kernel} cannot have a patch of {patch} in its middle")
        size = width if patch == kernel == 1 else embedding
        self.kmers, self.states = nn.Embedding(vocabulary, size), nn.Embedding(STATES, size)
        self.patches = (
            nn.Identity()
            if patch == kernel == 1
            else nn.Conv1d(size, width, kernel, stride=patch, padding=(kernel - patch) // 2)
        )
        self.places = nn.Parameter(torch.randn(tokens // patch, width) * 0.02)
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Layer(width, heads, feedforward, dropout) for _ in range(layers))
        self.last_norm = nn.LayerNorm(width)
        for one in (self.kmers, self.states):
            nn.init.normal_(one.weight, std=0.5 if patch > 1 else 0.02)

    def forward(self, tokens: Tensor, methylation: Tensor) -> Tensor:
        kmers, states = self.kmers(tokens), self.states(methylation)
        hidden = kmers if self.sees == "bases" else states if self.sees == "methylation" else kmers + states
        hidden = self.patches(hidden.transpose(1, 2)).transpose(1, 2)
        hidden = self.drop(self.norm(hidden + self.places))
        for block in self.blocks:
            hidden = block(hidden)
        return self.last_norm(hidden)


class ReadBert(nn.Module):
    """Tokens and methylation, int64 (batch, tokens), to logits float (batch, classes).

    mixtures: softmaxes that the head mixes; 1: a plain linear layer. hidden: of the head.
    markers: of these the reads' sequence is told while training (`training_logits`), and which tokens lie within one.
    """

    def __init__(
        self, encoder: ReadEncoder, classes: int, mixtures: int, hidden: int, dropout: float, markers: int = 0
    ):
        super().__init__()
        width = encoder.last_norm.normalized_shape[0]
        self.encoder, self.mixtures, self.classes = encoder, mixtures, classes
        self.pool = nn.Sequential(nn.Linear(2 * width, hidden), nn.GELU(), nn.Dropout(dropout))
        self.kinds = nn.Linear(hidden, mixtures) if mixtures > 1 else None
        self.markers = nn.Linear(hidden, markers) if markers else None
        self.within = nn.Linear(width, 1) if markers else None
        self.head = nn.Linear(hidden, mixtures * classes)

    def forward(self, tokens: Tensor, methylation: Tensor) -> Tensor:
        return self._logits(self._pooled(self.encoder(tokens, methylation)))[0]

    def _pooled(self, states: Tensor) -> Tensor:
        return self.pool(torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1))

    def _logits(self, pooled: Tensor) -> tuple[Tensor, Tensor | None]:
        scores = self.head(pooled)
        if self.kinds is None:
            return scores, None
        scores = scores.view(-1, self.mixtures, self.classes)
        kinds = log_softmax(self.kinds(pooled), dim=1)
        return torch.logsumexp(log_softmax(scores, dim=2) + kinds.unsqueeze(2), dim=1), kinds

    def training_logits(self, tokens: Tensor, methylation: Tensor) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """Logits, log shares of the mixture (batch, mixtures), logits of markers (batch, markers), and of places to lie
        within a marker (batch, places)."""
        states = self.encoder(tokens, methylation)
        pooled = self._pooled(states)
        logits, kinds = self._logits(pooled)
        if self.markers is None:
            return logits, kinds, logits.new_zeros(len(logits), 0), logits.new_zeros(len(logits), 0)
        return logits, kinds, self.markers(pooled), self.within(states).squeeze(2)
