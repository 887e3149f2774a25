"""A network learns what several teachers say on average, of measured sequences and of mutated ones.

Networks that were trained apart err apart, and their mean errs less (Lakshminarayanan et al. 2017,
https://arxiv.org/abs/1612.01474); one network can learn most of it (Hinton et al. 2015,
https://arxiv.org/abs/1503.02531), since teachers can be asked about as many sequences as one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from ..data.mutations import mutated
from .examples import Encoding, Example, Examples
from .networks import logits_of
from .recipe import Distilled, Scratch, SequenceRecipe

_TOGETHER = 256


def teacher_recipes(recipe: SequenceRecipe) -> Iterator[SequenceRecipe]:
    """The recipe of each teacher, the first with the recipe's own seed; none where nothing is distilled."""
    way = recipe.adapt
    if isinstance(way, Distilled):
        for number in range(way.teachers):
            own = {"seed": recipe.seed + number, "adapt": Scratch(way="scratch")}
            own |= {"net": way.net or recipe.net, "fit": way.fit or recipe.fit}
            yield recipe.model_copy(update=own)


class Copies:
    """Copies of training examples by number: 0 is the example itself, the others have up to ``most`` of its bases
    substituted. A pure function of seed, copy and row."""

    def __init__(self, examples: Examples, most: float):
        self.examples, self.most = examples, most

    def codes(self, number: int, copy: int) -> np.ndarray:
        """uint8 codes of an example's copy."""
        self.examples.epoch = copy
        codes, row = self.examples[number][0], int(self.examples.rows[number])
        if not copy:
            return codes
        generator = np.random.default_rng((self.examples.seed, 6, copy, row))
        return mutated(generator, codes, self.most * generator.random())


def ask(
    teachers: Sequence[nn.Module], tokens: bool, encoding: Encoding, copies: Copies, count: int, place: torch.device,
    stop: Callable[[], None],
) -> np.ndarray:  # fmt: skip
    """What the teachers say on average of each example and of ``count`` copies of it: float32 (count + 1, examples,
    outputs). ``stop`` is called between batches."""
    size = len(copies.examples)
    said = [[] for _ in range(count + 1)]
    for copy in range(count + 1):
        for begin in range(0, size, _TOGETHER):
            stop()
            codes = [copies.codes(number, copy) for number in range(begin, min(begin + _TOGETHER, size))]
            inputs, mask = encoding(codes)
            inputs, mask = inputs.to(place), None if mask is None else mask.to(place)
            with torch.inference_mode():
                each = torch.stack([logits_of(one, tokens, inputs, mask).float() for one in teachers])
            said[copy].append(each.mean(dim=0).cpu().numpy())
    return np.stack([np.concatenate(one) for one in said])


class Taught(Dataset):
    """Training examples whose labels are what teachers say, mixed with the measured values where there are some: the
    squared error to the mixture has the gradient of the two errors, so weighted. Half of the examples of an ``epoch``
    are copies.

    said: float32 (copies, examples, outputs), of the examples themselves first. weight: the teachers'.
    """

    def __init__(self, copies: Copies, said: np.ndarray, weight: float):
        self.copies, self.said, self.weight, self.epoch = copies, said, weight, 0

    def __len__(self) -> int:
        return len(self.copies.examples)

    @property
    def lengths(self) -> np.ndarray:
        return self.copies.examples.lengths

    def __getitem__(self, number: int) -> Example:
        examples = self.copies.examples
        generator = np.random.default_rng((examples.seed, 7, self.epoch, int(examples.rows[number])))
        copy = int(generator.integers(1, len(self.said))) if len(self.said) > 1 and generator.random() < 0.5 else 0
        said = self.said[copy, number]
        if copy:
            return self.copies.codes(number, copy), said
        codes, measured = self.copies.codes(number, 0), examples[number][1]
        return codes, np.where(np.isnan(measured), said, self.weight * said + (1 - self.weight) * measured)
