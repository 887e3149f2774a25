"""Examples for a window classifier, as the scanner will show it windows.

Each sequence stands by itself, as a short contig does: at the start of a window and filled up with N. Windows about
places in or beside a sequence stand as in a genome: the score of a window is that of its middle
(`scanner.reading.tiles`), so the label is that of the `step` bases there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ...scanner.card import KmerInput, ModelCard
from ...scanner.encoding.kmers import kmer_tokens
from ...scanner.encoding.nucleotides import reverse_complement
from .window_dataset import Window

Example = tuple[np.ndarray, int]
"""uint8 codes and label."""

_BESIDE = 16
"""Bases between a repeat's end and a middle that is labelled as none: a catalogue's ends are not that sharp."""
_TRIES = 8
UNKNOWN = 4


def alone(windows: Sequence[Window]) -> list[Example]:
    """Each sequence by itself."""
    return [(one.codes, one.label) for one in windows]


def in_genome(
    generator: np.random.Generator, windows: Sequence[Window], card: ModelCard, share: float = 1.0
) -> list[Example]:
    """A window of the card's size for each of a ``share`` of the sequences, at random."""
    chosen = generator.random(len(windows)) < share
    drawn = (window_example(generator, one, card) for one, wanted in zip(windows, chosen, strict=True) if wanted)
    return [one for one in drawn if one is not None]


def window_example(generator: np.random.Generator, one: Window, card: ModelCard) -> Example | None:
    """A window about a place in or beside a sequence, and 1 if its middle is mostly a repeat; None if there is none.

    The middle of a repeat's window lies anywhere that the flanks allow, but not where the sequence ends in it by less
    than half, nor in what a catalogue calls another repeat. That of a negative's window lies about the sequence.
    """
    whole = np.concatenate((one.left, one.codes, one.right))
    repeat = np.concatenate((one.left_repeat, np.full(len(one.codes), one.label == 1), one.right_repeat))
    begin, end = len(one.left), len(one.left) + len(one.codes)
    half, reach = card.step // 2, card.window // 2
    low, high = max(reach, begin - reach), min(len(whole) - (card.window - reach), end + reach)
    if one.label == 0:
        low, high = max(low, begin), min(high, end - 1)
    if low > high:
        return None
    for _ in range(_TRIES):
        middle = int(generator.integers(low, high + 1))
        cell = repeat[middle - half : middle - half + card.step]
        codes = whole[middle - reach : middle - reach + card.window]
        inside = max(0, min(end, middle - half + card.step) - max(begin, middle - half))
        if one.label == 1 and 2 * inside >= card.step:
            return codes, 1
        around = repeat[max(0, middle - half - _BESIDE) : middle - half + card.step + _BESIDE]
        if not (cell if one.label == 0 else around).any():
            return codes, 0
    return None


class Examples(torch.utils.data.Dataset):
    """Tokens of examples; for training of a random strand in each ``epoch``, a pure function of it and the seed.

    drawn: examples of an epoch, always as many, that stand behind the others in that epoch.
    """

    def __init__(
        self, examples: Sequence[Example], spec: KmerInput, training: bool, seed: int = 0,
        drawn: Callable[[int], Sequence[Example]] | None = None,
    ):  # fmt: skip
        self._lasting, self._drawn = list(examples), drawn
        self.spec, self.training, self.seed = spec, training, seed
        self.epoch = 0

    @property
    def epoch(self) -> int:
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self.examples = self._lasting if self._drawn is None else [*self._lasting, *self._drawn(epoch)]

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        codes, label = self.examples[number]
        if self.training and np.random.default_rng((self.seed, 4, self.epoch, number)).random() < 0.5:
            codes = reverse_complement(codes)
        return tokens_of([codes], self.spec)[0], label

    @property
    def lengths(self) -> np.ndarray:
        """Bases int64 of each example."""
        return np.array([len(codes) for codes, _ in self.examples], dtype=np.int64)


def tokens_of(sequences: Sequence[np.ndarray], spec: KmerInput) -> np.ndarray:
    """Tokens int64 (sequences, tokens) of uint8 codes of varied lengths, filled up with N to the longest."""
    codes = np.full((len(sequences), max(spec.k, *map(len, sequences))), UNKNOWN, dtype=np.uint8)
    for row, sequence in zip(codes, sequences, strict=True):
        row[: len(sequence)] = sequence
    return kmer_tokens(codes, spec)


def collate(unknown: int, rows: Sequence[tuple[np.ndarray, int]]) -> dict[str, torch.Tensor]:
    """A batch of rows of `Examples`, filled up with the unknown token, which is masked."""
    tokens = np.full((len(rows), max(len(row) for row, _ in rows)), unknown, dtype=np.int64)
    for filled, (row, _) in zip(tokens, rows, strict=True):
        filled[: len(row)] = row
    inputs = torch.from_numpy(tokens)
    return {"inputs": inputs, "mask": (inputs != unknown).long(), "labels": torch.tensor([label for _, label in rows])}
