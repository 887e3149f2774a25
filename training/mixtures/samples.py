"""Simulated samples of blood-dominated mixtures, of which one cell type can be given any share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...scanner.reading.methylation.reads import MethylationReads, joined
from ..tissue.panel import blood_types
from ..tissue.simulation import SPLITS, Simulator
from .compositions import composition, spiked


@dataclass(frozen=True)
class SpikedSample:
    """Reads of one person's cell types.

    shares: float64 (cell types,), what the mixture is made of. place: the cell type whose share can be another one.
    donor: the person's number in its split. reads: of each marker, as many as there are at any share. above, below:
    float64 (reads of all markers,): a read is there where the share lies between.

    So samples of the same person at several shares have all reads in common that they can.
    """

    shares: np.ndarray
    place: int
    donor: int
    reads: list[MethylationReads]
    above: np.ndarray
    below: np.ndarray

    def kept(self, share: float) -> np.ndarray:
        """bool (reads of all markers,): which are there when the cell type has this share."""
        return (self.above < share) & (share < self.below)

    def at(self, share: float) -> list[MethylationReads]:
        """The sample in which the cell type has this share, the others in proportion."""
        borders = np.cumsum([len(one.starts) for one in self.reads])[:-1]
        return [one.take(kept) for one, kept in zip(self.reads, np.split(self.kept(share), borders), strict=True)]


def spiked_samples(
    simulator: Simulator, split: str, place: int, coverage: float, largest: float, many: int, seed: int
) -> Iterator[SpikedSample]:
    """``many`` samples of a split's donors, mean depth ``coverage`` over each marker. The cell type can have shares up
    to ``largest``, or that which it has in the mixture. Each sample is a function of the arguments and its number."""
    blood = blood_types(simulator.panel.cell_types)
    for number in range(many):
        generator = np.random.default_rng((simulator.seed, 15, SPLITS.index(split), seed, number))
        shares = composition("blood", blood, generator)
        donor = int(generator.integers(len(simulator.donors[split])))
        most = max(largest, float(shares[place]))
        pure, seeds = np.eye(len(shares))[place], generator.integers(2**62, size=2).tolist()
        rest = simulator.sample(spiked(shares, place, 0.0), coverage, seeds[0], split, donor)
        own = simulator.sample(pure, coverage * most, seeds[1], split, donor)
        above, below = [], []
        for one, other in zip(rest, own, strict=True):
            above += [np.full(len(one.starts), -1.0), most * generator.random(len(other.starts))]
            below += [1 - generator.random(len(one.starts)), np.full(len(other.starts), 2.0)]
        reads = [joined(pair) for pair in zip(rest, own, strict=True)]
        yield SpikedSample(shares, place, donor, reads, np.concatenate(above), np.concatenate(below))
