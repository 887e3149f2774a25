"""What pretraining is shown: windows and pairs as pure functions of seed, epoch and number, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..supervised.examples import Encoding
from .masking import IGNORED, mask_row
from .recipe import Masked, Views
from .views import view
from .windows import WindowReader

Draw = Callable[[np.random.Generator], Any]


class Drawn(Dataset):
    """``count`` examples that ``draw`` makes, other ones in each ``epoch``; held out: the same in all."""

    def __init__(self, draw: Draw, count: int, length: int, seed: int, held_out: bool):
        self.draw, self.count, self.seed, self.held_out, self.epoch = draw, count, seed, held_out, 0
        self.lengths = np.full(count, length)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Any:
        stream = (self.seed, 7, number) if self.held_out else (self.seed, 6, self.epoch, number)
        return self.draw(np.random.default_rng(stream))


def masked_window(reader: WindowReader) -> Draw:
    """Codes, and the seed of their mask."""
    return lambda generator: (reader.draw(generator), int(generator.integers(2**62)))


def view_pair(reader: WindowReader, window: int, way: Views) -> Draw:
    """Two views of one place."""

    def draw(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        codes = reader.draw(generator)
        one, other = (view(generator, codes, window, way.mutation, way.reverse_complement) for _ in range(2))
        return one, other

    return draw


def collate_masked(
    encoding: Encoding, mask: int, way: Masked, span: int, rows: Sequence[tuple[np.ndarray, int]]
) -> dict[str, Tensor]:
    """Masked tokens, their attention mask, and labels int64 (rows, tokens)."""
    tokens, known = encoding([codes for codes, _ in rows])
    spec, labels = encoding.spec, torch.full_like(tokens, IGNORED)
    for number, (_, seed) in enumerate(rows):
        size = int(known[number].sum())
        shown, wanted = mask_row(
            np.random.default_rng(seed), tokens[number, :size].numpy(), spec, way.share, span, mask
        )
        tokens[number, :size], labels[number, :size] = torch.from_numpy(shown), torch.from_numpy(wanted)
    return {"inputs": tokens, "mask": known, "labels": labels}


def collate_views(encoding: Encoding, rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Tensor]:
    """Both views' tensors and masks."""
    (inputs, mask), (other, other_mask) = (encoding([row[side] for row in rows]) for side in (0, 1))
    batch = {"inputs": inputs, "other": other, "labels": torch.arange(len(rows))}
    return batch if mask is None else {**batch, "mask": mask, "other_mask": other_mask}


def collate_profiles(
    encoding: Encoding, mean: np.ndarray, deviation: np.ndarray, rows: Sequence[tuple[np.ndarray, np.ndarray]]
) -> dict[str, Tensor]:
    """Sequences, and their profiles as standard deviations from the training mean, NaN where not measured."""
    batch = encoding.collate(rows)
    values = (batch.pop("labels").double() - torch.from_numpy(mean)) / torch.from_numpy(deviation)
    return {**batch, "other": values.float(), "labels": torch.arange(len(rows))}
