"""Batches of labelled sequences: the scanner's own encoding, no padding beyond a batch's longest, exact resumption.

What an epoch shows is a pure function of seed, epoch and row: a run that is stopped anywhere sees the rest of the
epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ...scanner.card import ModelCard
from ...scanner.encoding.encoder import Encoder, encoder
from ...scanner.encoding.nucleotides import reverse_complement
from ...scanner.encoding.single_bases import NO_TOKEN
from ...scanner.errors import GenoscanError
from ..data.store import Sequences
from .recipe import Data

Example = tuple[np.ndarray, np.ndarray]
"""uint8 codes and float32 targets."""
_BUCKET = 50
"""Batches that are drawn together and sorted by length among themselves."""
_UNKNOWN = 4


class Examples(Dataset):
    """Rows of `Sequences`; in training as the recipe's [data] varies them, anew in each ``epoch``."""

    def __init__(self, sequences: Sequences, rows: np.ndarray, data: Data, seed: int = 0, training: bool = False):
        self.sequences, self.rows, self.data = sequences, rows, data
        self.seed, self.training, self.epoch = seed, training, 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Example:
        row = int(self.rows[number])
        codes = self.sequences.sequence(row)
        turned, moved = False, 0
        if self.training and (self.data.reverse_complement or self.data.shift):
            generator = np.random.default_rng((self.seed, 4, self.epoch, row))
            turned = self.data.reverse_complement and bool(generator.random() < 0.5)
            moved = int(generator.integers(-self.data.shift, self.data.shift + 1))
        codes = shifted(codes, moved, self.data.shift if self.data.window is not None else 0)
        return (reverse_complement(codes) if turned else codes), self.sequences.targets[row]

    @property
    def lengths(self) -> np.ndarray:
        """Bases int64 of each example."""
        margin = self.data.shift if self.data.window is not None else 0
        return self.sequences.lengths(self.rows) - 2 * margin


def shifted(codes: np.ndarray, by: int, margin: int) -> np.ndarray:
    """The codes ``by`` bases further on; what is beyond the ``margin`` stored on either side is N."""
    if margin:
        return codes[margin + by : len(codes) - margin + by]
    if not by:
        return codes
    moved = np.full(len(codes), _UNKNOWN, dtype=np.uint8)
    if abs(by) < len(codes):
        moved[max(0, -by) : len(codes) - max(0, by)] = codes[max(0, by) : len(codes) - max(0, -by)]
    return moved


class LengthBuckets(Sampler):
    """Batches of row numbers, of like lengths: drawn at random, sorted within `_BUCKET` batches, and mixed again.

    A pure function of seed and ``epoch``, which the Trainer's callback sets.
    """

    def __init__(self, lengths: np.ndarray, batch: int, seed: int):
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch)

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng((self.seed, 5, self.epoch))
        order = generator.permutation(len(self.lengths))
        many = self.batch * _BUCKET
        batches = []
        for begin in range(0, len(order), many):
            some = order[begin : begin + many]
            some = some[np.argsort(self.lengths[some], kind="stable")]
            batches += [some[at : at + self.batch] for at in range(0, len(some), self.batch)]
        for number in generator.permutation(len(batches)):
            yield batches[number].tolist()


class Encoding:
    """Codes of any lengths to the tensor that the scanner would make of each, filled up to the longest, and its
    mask."""

    def __init__(self, card: ModelCard, tokens: bool, pad: int, longest: int | None):
        self.encoder: Encoder = encoder(card)
        self.spec, self.tokens, self.pad, self.longest, self.name = card.input, tokens, pad, longest, card.name

    def __call__(self, sequences: Sequence[np.ndarray]) -> tuple[Tensor, Tensor | None]:
        """Tensor and, of tokens, mask int64 (rows, tokens) that is 0 where a row is filled up."""
        lengths = np.array([len(one) for one in sequences])
        most = int(lengths.max())
        if not self.tokens or self.encoder.ragged or (lengths == most).all():
            codes = np.full((len(sequences), most), _UNKNOWN, dtype=np.uint8)
            for row, one in zip(codes, sequences, strict=True):
                row[: len(one)] = one
            found = self._encoded(codes)
        else:
            rows = [self._encoded(one[None])[0] for one in sequences]
            found = np.full((len(rows), max(map(len, rows))), NO_TOKEN, dtype=np.int64)
            for row, one in zip(found, rows, strict=True):
                row[: len(one)] = one
        if not self.tokens:
            return torch.from_numpy(found), None
        filled = (found == NO_TOKEN) | ((found == self.pad) if self.encoder.ragged else False)
        size = int((~filled).sum(axis=1).max())
        if self.longest is not None and size > self.longest:
            raise GenoscanError(
                f"{self.name}: {most} bases make {size} tokens, and the network reads at most {self.longest}: "
                "give a smaller data.window"
            )
        tokens = torch.from_numpy(np.where(filled, self.pad, found)[:, :size])
        return tokens, torch.from_numpy((~filled[:, :size]).astype(np.int64))

    def _encoded(self, codes: np.ndarray) -> np.ndarray:
        out = np.empty((len(codes), *self.encoder.window_shape(codes.shape[1])), dtype=self.encoder.dtype)
        self.encoder.encode(codes, out)
        return out

    def collate(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """A batch for the Trainer."""
        inputs, mask = self([codes for codes, _ in examples])
        batch = {"inputs": inputs, "labels": torch.from_numpy(np.stack([targets for _, targets in examples]))}
        return batch if mask is None else {**batch, "mask": mask}
