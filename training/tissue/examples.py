"""Reads as training sees them, wherever they come from: a set to draw from, and batches of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.utils.data import Dataset

from ...scanner.encoding.kmers_methylation import (
    BASE_BITS,
    MARK_SHIFT,
    METHYLATED,
    UNMETHYLATED,
    kmers_and_methylation,
    tensor_shape,
)
from .random_numbers import keys, uniform
from .recipe import ReadData
from .settings import Drawing
from .simulation import Simulator

NO_MARKER = -1
HELD_OUT = -1
"""Instead of an epoch, of reads that are the same in all."""


class Labelled(NamedTuple):
    """Reads and what is known of them.

    codes: uint8 (reads, window), marked codes. posterior: float (reads, classes), what the network should say: of
    simulated reads the exact posterior, of real ones 1 for their class. classes: int64 (reads,).
    kinds: float (reads, 3), markers: int64 (reads,), inside: int64 (reads, 2), as of `simulation.Reads`; of real reads
    zeros, `NO_MARKER` and zeros.
    """

    codes: np.ndarray
    posterior: np.ndarray
    classes: np.ndarray
    kinds: np.ndarray
    markers: np.ndarray
    inside: np.ndarray


class SimulatedReads(Dataset):
    """``count`` reads of a split's donors, other ones in each ``epoch`` of training; held out: the same in all."""

    def __init__(self, simulator: Simulator, split: str, count: int, drawing: Drawing | None = None):
        self.simulator, self.split, self.drawing, self.epoch = simulator, split, drawing, 0
        self.lengths = np.full(count, simulator.window)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, number: int) -> tuple[int, int]:
        return (self.epoch if self.split == "training" else HELD_OUT), number

    def read(self, items: Sequence[tuple[int, int]]) -> Labelled:
        stream, rows = max(0, items[0][0]), np.array([row for _, row in items])
        found = self.simulator.draw(self.split, stream, rows, self.drawing)
        return Labelled(found.codes, found.posterior, found.classes, found.kinds, found.markers, found.inside)


class KnownReads(Dataset):
    """Reads with known classes, of a table or of shards: codes uint8 (reads, window), posterior (reads, classes)."""

    def __init__(self, codes: np.ndarray, posterior: np.ndarray, classes: np.ndarray, held_out: bool = False):
        self.codes, self.posterior, self.classes, self.held_out, self.epoch = codes, posterior, classes, held_out, 0
        self.lengths = np.full(len(codes), codes.shape[1])

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, number: int) -> tuple[int, int]:
        return (HELD_OUT if self.held_out else self.epoch), number

    def read(self, items: Sequence[tuple[int, int]]) -> Labelled:
        rows, many = np.array([row for _, row in items]), len(items)
        none = np.zeros((many, 3))
        return Labelled(
            self.codes[rows], self.posterior[rows], self.classes[rows], none, np.full(many, NO_MARKER), none[:, :2]
        )


class Batches:
    """Items of two sets to tensors: tokens and methylation int64 (reads, tokens), labels float32 (reads, columns).

    The columns are those of `label_columns`. In training states are forgotten and turned round as ``data`` says.
    """

    def __init__(
        self, train: SimulatedReads | KnownReads, held_out: SimulatedReads | KnownReads, data: ReadData, patch: int,
        seed: int,
    ):  # fmt: skip
        self.train, self.held_out, self.data, self.patch, self.seed = train, held_out, data, patch, seed

    def __call__(self, items: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        training = items[0][0] != HELD_OUT
        found = (self.train if training else self.held_out).read(items)
        codes = found.codes
        if training and (self.data.forget or self.data.mistake):
            stream = keys(self.seed, 21, items[0][0], rows=np.array([row for _, row in items]))
            codes = changed_states(codes, stream, self.data.forget, self.data.mistake)
        tokens, methylation = encoded(codes, self.data)
        columns = np.column_stack(
            [
                found.posterior,
                found.classes,
                found.kinds,
                found.markers,
                inside_places(found.inside, self.data, self.patch),
            ]
        )
        labels = torch.from_numpy(columns.astype(np.float32))
        return {"tokens": tokens, "methylation": methylation, "labels": labels}


class Columns(NamedTuple):
    """Where `Batches` puts what into the labels."""

    posterior: slice
    true_class: int
    kinds: slice
    marker: int
    within: slice


def label_columns(classes: int) -> Columns:
    """The columns of labels for so many classes."""
    return Columns(slice(0, classes), classes, slice(classes + 1, classes + 4), classes + 4, slice(classes + 5, None))


def encoded(codes: np.ndarray, data: ReadData) -> tuple[Tensor, Tensor]:
    """Tokens and methylation, int64 (reads, tokens), as the scanner makes them of marked codes."""
    spec = data.spec
    rows = np.empty((len(codes), *tensor_shape(codes.shape[1], spec)), dtype=np.int64)
    kmers_and_methylation(codes, spec, rows)
    return torch.from_numpy(np.ascontiguousarray(rows[:, 0])), torch.from_numpy(np.ascontiguousarray(rows[:, 1]))


def inside_places(inside: np.ndarray, data: ReadData, patch: int) -> np.ndarray:
    """float (reads, places): share of a place's tokens whose middle base lies in [start, end) of the window."""
    bases = np.arange(data.tokens) - len(data.spec.prefix) + data.k // 2
    within = (bases >= inside[:, :1]) & (bases < inside[:, 1:])
    return within.reshape(len(inside), -1, patch).mean(axis=2)


def changed_states(codes: np.ndarray, row_keys: np.ndarray, forget: float, mistake: float) -> np.ndarray:
    """Marked codes some of whose states are forgotten (but one at least is kept) or turned round."""
    out = codes.copy()
    _change_states(out, row_keys, forget, mistake)
    return out


@njit(nogil=True, cache=True)
def _change_states(codes, row_keys, forget, mistake):
    state = np.empty(1, dtype=np.uint64)
    for row in range(len(codes)):
        state[0] = row_keys[row]
        left = 0
        for i in range(codes.shape[1]):
            left += codes[row, i] >> MARK_SHIFT > 0
        for i in range(codes.shape[1]):
            mark = codes[row, i] >> MARK_SHIFT
            if mark == 0:
                continue
            base = codes[row, i] & BASE_BITS
            if left > 1 and uniform(state) < forget:
                codes[row, i] = base
                left -= 1
            elif uniform(state) < mistake:
                codes[row, i] = base + (METHYLATED if mark == 1 else UNMETHYLATED)
