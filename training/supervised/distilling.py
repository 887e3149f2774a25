"""A network learns what several teachers say on average, of measured sequences and of mutated ones.

Networks that were trained apart err apart, and their mean errs less (Lakshminarayanan et al. 2017,
https://arxiv.org/abs/1612.01474); one network can learn most of it (Hinton et al. 2015,
https://arxiv.org/abs/1503.02531), since the teachers can be asked about as many sequences as one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from ..data.mutations import mutated
from .examples import Example, Examples
from .networks import logits_of
from .recipe import Distilled, Scratch, SequenceRecipe


def teacher_recipes(recipe: SequenceRecipe) -> Iterator[SequenceRecipe]:
    """The recipe of each teacher: seeds that follow the recipe's; none where nothing is distilled."""
    if isinstance(recipe.adapt, Distilled):
        fit = recipe.fit.model_copy(update={"epochs": recipe.adapt.epochs})
        for number in range(1, recipe.adapt.teachers + 1):
            own = {"seed": recipe.seed + number, "adapt": Scratch(way="scratch"), "fit": fit}
            yield recipe.model_copy(update=own)


class Mutated(Dataset):
    """Training examples, half of them with up to ``most`` of their bases substituted and no measured values. A pure
    function of seed, epoch and row."""

    def __init__(self, examples: Examples, most: float):
        self.examples, self.most, self.epoch = examples, most, 0

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def lengths(self) -> np.ndarray:
        return self.examples.lengths

    def __getitem__(self, number: int) -> Example:
        self.examples.epoch = self.epoch
        codes, targets = self.examples[number]
        row = int(self.examples.rows[number])
        generator = np.random.default_rng((self.examples.seed, 6, self.epoch, row))
        if generator.random() < 0.5:
            return codes, targets
        return mutated(generator, codes, self.most * generator.random()), np.full_like(targets, np.nan)


def collate_taught(
    collate: Callable[[Sequence[Example]], dict[str, Tensor]], teachers: Sequence[nn.Module], tokens: bool,
    weight: float, place: torch.device, examples: Sequence[Example],
) -> dict[str, Tensor]:  # fmt: skip
    """A batch whose labels are the mean of what the teachers say, mixed with the measured values where there are some:
    ``weight`` is the teachers'. The squared error to the mixture has the gradient of the two errors, so weighted."""
    batch = collate(examples)
    inputs, mask = batch["inputs"].to(place), batch.get("mask")
    mask = None if mask is None else mask.to(place)
    with torch.no_grad():
        said = torch.stack([logits_of(one, tokens, inputs, mask).float() for one in teachers]).mean(dim=0).cpu()
    measured = batch["labels"]
    mixed = weight * said + (1 - weight) * measured
    return {**batch, "labels": torch.where(torch.isnan(measured), said, mixed)}
