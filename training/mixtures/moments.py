"""What reads of each cell type add to the sums behind a region's mean methylation, measured on simulated reads.

A mixture's reads on a marker are a compound Poisson process: the numbers of CpGs told of, and of methylated ones, have
means and covariances that are sums over cell types. So thousands of mixtures a second can be drawn from the reads of
single cell types and donors, whose simulation is the slow part, and drawn once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...scanner.deconvolution.marker_reads import marker_reads
from ..tissue.simulation import Simulator

_COVERAGE = 150.0


class Moments(NamedTuple):
    """Per base of coverage, float32 (donors, markers, cell types): sums over reads of CpGs and methylated CpGs, and of
    their squares and product."""

    cpgs: np.ndarray
    methylated: np.ndarray
    cpgs_squared: np.ndarray
    methylated_squared: np.ndarray
    product: np.ndarray

    @property
    def profiles(self) -> np.ndarray:
        """Mean methylation float32 (markers, cell types), over donors."""
        cpgs, methylated = self.cpgs.sum(axis=0), self.methylated.sum(axis=0)
        return (methylated + 0.5 / _COVERAGE) / (cpgs + 1 / _COVERAGE)


def simulated_moments(simulator: Simulator, split: str, donors: int, seed: int) -> Moments:
    """The moments of some of a split's donors."""
    atlas, types = simulator.panel.atlas, len(simulator.panel.cell_types)
    sums = np.zeros((5, donors, len(atlas.starts), types))
    for donor in range(donors):
        for one in range(types):
            pure = np.zeros(types)
            pure[one] = 1
            number = (seed * 1000 + donor) * types + one
            found = marker_reads(simulator.sample(pure, _COVERAGE, number, split, donor), atlas.starts, atlas.ends)
            terms = (
                found.cpgs, found.methylated, found.cpgs**2, found.methylated**2, found.cpgs * found.methylated,
            )  # fmt: skip
            for place, term in enumerate(terms):
                sums[place, donor, :, one] = np.bincount(
                    found.markers, weights=found.counts * term, minlength=len(atlas.starts)
                )
    return Moments(*(sums / _COVERAGE).astype(np.float32))


def drawn_means(
    moments: Moments, shares: np.ndarray, coverages: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Means (mixtures, markers), 0 without reads, and calls (mixtures, markers), float32, of random donors.

    shares: (mixtures, cell types); coverages: (mixtures,).
    """
    donors = generator.integers(0, len(moments.cpgs), len(shares))
    cpgs, methylated, cpgs_squared, methylated_squared, product = (
        np.einsum("bmt,bt->bm", one[donors], shares) * coverages[:, None] for one in moments
    )
    first, second = generator.standard_normal((2, *cpgs.shape))
    spread = np.sqrt(np.maximum(cpgs_squared, 1e-9))
    along = product / spread
    across = np.sqrt(np.maximum(methylated_squared - along**2, 0))
    calls = np.maximum(np.round(cpgs + spread * first), 0)
    ones = np.clip(np.round(methylated + along * first + across * second), 0, calls)
    return (ones / np.maximum(calls, 1)).astype(np.float32), calls.astype(np.float32)
