"""Shares of unmethylated, mixed and methylated reads of each marker (U, X, M), as UXM counts them.

Loyfer et al. 2023 (https://doi.org/10.1038/s41586-022-05580-6): a read, clipped to the marker, counts if it tells of
enough CpGs; it is U with at most a quarter of them methylated, M with at least three quarters, else X.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .marker_reads import MarkerReads

LEAST_CPGS = 4
_LOW, _HIGH = 0.25, 0.75


class Fractions(NamedTuple):
    """int64 (markers,): reads of each kind."""

    unmethylated: np.ndarray
    mixed: np.ndarray
    methylated: np.ndarray

    @property
    def depths(self) -> np.ndarray:
        """Reads that counted, int64 (markers,)."""
        return self.unmethylated + self.mixed + self.methylated

    @property
    def shares(self) -> np.ndarray:
        """U / (U + X + M), float64 (markers,), NaN without reads."""
        depths = self.depths
        return np.where(depths > 0, self.unmethylated / np.maximum(depths, 1), np.nan)


def fractions(reads: MarkerReads, markers: int, least_cpgs: int = LEAST_CPGS) -> Fractions:
    """Reads of each kind at each of so many markers."""
    long = reads.cpgs >= least_cpgs
    low = long & (reads.methylated <= _LOW * reads.cpgs)
    high = long & (reads.methylated >= _HIGH * reads.cpgs)

    def counted(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(reads.markers[chosen], weights=reads.counts[chosen], minlength=markers).astype(np.int64)

    return Fractions(counted(low), counted(long & ~low & ~high), counted(high))


def means(reads: MarkerReads, markers: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean methylation float64 (markers,), NaN without reads, and how many calls of CpGs it is the mean of."""
    calls = np.bincount(reads.markers, weights=reads.counts * reads.cpgs, minlength=markers)
    methylated = np.bincount(reads.markers, weights=reads.counts * reads.methylated, minlength=markers)
    return np.where(calls > 0, methylated / np.maximum(calls, 1), np.nan), calls
