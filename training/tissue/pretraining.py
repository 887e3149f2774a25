"""Pretraining of the encoder without labels: masked k-mers and masked methylation are told from what is around them.

As in DNABERT (Ji et al. 2021) and MethylBERT the encoder then knows sequence and how CpGs of a read go together. Masked
k-mers are spans, as they overlap (`pretraining.masking`); states are masked one by one, among those that are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..nets.read_bert import ReadEncoder
from ..pretraining.masking import IGNORED, masked_tokens
from ..supervised.trainer import Job
from .examples import HELD_OUT, KnownReads, SimulatedReads, encoded
from .learning import build_encoder
from .recipe import FIRST_KMER, MASK, TissueRecipe
from .sources import Source

_KNOWN_STATES = 2
_NOT_KNOWN = 2


class MaskedReads(nn.Module):
    """An encoder with a head for k-mers and one for states: float (reads, tokens, vocabulary + 2)."""

    def __init__(self, encoder: ReadEncoder, vocabulary: int, tokens: int):
        super().__init__()
        self.encoder, self.tokens = encoder, tokens
        width = encoder.last_norm.normalized_shape[0]
        self.head = nn.Linear(width, tokens // encoder.places.shape[0] * (vocabulary + _KNOWN_STATES))

    def forward(self, tokens: Tensor, methylation: Tensor) -> Tensor:
        found = self.head(self.encoder(tokens, methylation))
        return found.view(len(tokens), self.tokens, -1)


class MaskedBatches:
    """Items of two sets to tensors with masks, and labels int64 (reads, 2, tokens): k-mers and states to be told."""

    def __init__(self, train: SimulatedReads | KnownReads, held_out: SimulatedReads | KnownReads, recipe: TissueRecipe):
        self.train, self.held_out, self.recipe = train, held_out, recipe

    def __call__(self, items: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        reads = self.held_out if items[0][0] == HELD_OUT else self.train
        tokens, methylation = encoded(reads.read(items).codes, self.recipe.data)
        labels = torch.full((len(items), 2, tokens.shape[1]), IGNORED, dtype=torch.long)
        for row, (epoch, number) in enumerate(items):
            generator = np.random.default_rng((self.recipe.seed, 22, epoch - HELD_OUT, number))
            self._mask(generator, tokens[row], methylation[row], labels[row])
        return {"tokens": tokens, "methylation": methylation, "labels": labels}

    def _mask(self, generator: np.random.Generator, tokens: Tensor, methylation: Tensor, labels: Tensor) -> None:
        way, spec = self.recipe.pretrain, self.recipe.data.spec
        begin, end = len(spec.prefix), len(tokens) - len(spec.suffix)
        chosen = masked_tokens(generator, end - begin, spec.k, 1, way.share, way.span)
        hidden = torch.zeros(len(tokens), dtype=torch.bool)
        hidden[begin:end] = torch.from_numpy(chosen)
        hidden &= tokens >= FIRST_KMER
        labels[0, hidden] = tokens[hidden]
        tokens[hidden] = MASK
        states = torch.from_numpy(generator.random(len(methylation)) < way.share) & (methylation != _NOT_KNOWN)
        labels[1, states] = methylation[states]
        methylation[states] = _NOT_KNOWN


def masked_loss(weight: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Mean cross-entropy of masked k-mers, and ``weight`` times that of masked states."""

    def loss(found: Tensor, labels: Tensor) -> Tensor:
        kmers, states = found[..., :-_KNOWN_STATES], found[..., -_KNOWN_STATES:]
        total = _told(kmers, labels[:, 0])
        return total + weight * _told(states, labels[:, 1])

    return loss


def _told(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of what is to be told; 0 where nothing is."""
    if not bool((labels != IGNORED).any()):
        return logits.sum() * 0.0
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def _counts(found: Tensor, labels: Tensor) -> Tensor:
    """float (reads, 4): k-mers told rightly, and masked; states told rightly, and masked."""
    parts = []
    for number, logits in enumerate((found[..., :-_KNOWN_STATES], found[..., -_KNOWN_STATES:])):
        masked = labels[:, number] != IGNORED
        right = (logits.argmax(dim=-1) == labels[:, number]) & masked
        parts += [right.sum(dim=1), masked.sum(dim=1)]
    return torch.stack(parts, dim=1).float()


def _measure(counts: np.ndarray, _labels: np.ndarray) -> dict[str, float]:
    right, many, states, known = counts.sum(axis=0).tolist()
    return {"kmer_accuracy": right / max(1.0, many), "state_accuracy": states / max(1.0, known)}


def pretraining_job(
    recipe: TissueRecipe, source: Source, keep: Callable[[ReadEncoder], None], common: dict[str, Any]
) -> Job:
    """The run of a recipe with [pretrain]; ``keep`` is given the encoder whose validation loss is the lowest."""
    encoder = build_encoder(recipe)
    train, held_out = source.sets["training"], source.sets["validation"]
    return Job(
        model=MaskedReads(encoder, FIRST_KMER + 4**recipe.data.k, recipe.data.tokens),
        train=train,
        held_out=held_out,
        collate=MaskedBatches(train, held_out, recipe),
        loss=masked_loss(recipe.pretrain.methylation_weight),
        measure=_measure,
        reduce=_counts,
        best_by="loss",
        keep=lambda: keep(encoder),
        shown=("kmer_accuracy", "state_accuracy"),
        **common,
    )
