"""Proportions of samples of which only methylated and all reads of regions are known, all samples of a cohort at once.

The model of CelFiE (Caggiano et al. 2021, https://doi.org/10.1038/s41467-021-22901-x): a read of sample n in region m
is of cell type t with probability alpha[n, t], then methylated with probability gamma[t, m]; the reference's reads are
binomial with the same gamma, so that types of low depth are learned from the samples, too, and cell types of which
nothing is known are learned from the samples alone. EM, extrapolated as in `mixture`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_CYCLES = 1500
_STILL = 1e-5
_EDGE = 1e-5
"""Methylation stays inside (0, 1) by so much."""
_SMALLEST = 1e-12


class CohortMixture(NamedTuple):
    """proportions: float64 (samples, types + unknown ones), rows sum to 1; methylation: float64 (types + unknown ones,
    regions); log_likelihood: of samples and reference, up to a constant."""

    proportions: np.ndarray
    methylation: np.ndarray
    log_likelihood: float


class Counts(NamedTuple):
    """float64 (rows, regions) each: methylated reads, and all reads."""

    methylated: np.ndarray
    depths: np.ndarray

    def weighted(self, weights: np.ndarray) -> Counts:
        return Counts(self.methylated * weights, self.depths * weights)


def cohort_mixture(
    samples: Counts,
    reference: Counts,
    unknown: int = 1,
    start: CohortMixture | None = None,
    cycles: int = _CYCLES,
) -> CohortMixture:
    """Maximum-likelihood proportions and methylation.

    samples: of (samples, regions), reference: of (types, regions); depths may be 0, numbers need not be whole.
    unknown: how many types the reference lacks; ``start``: where to begin, with as many. The same data give the same
    answer; with unknown types the likelihood may have other maxima.
    """
    types, regions = reference.depths.shape
    nothing = np.zeros((unknown, regions))
    reference = Counts(np.concatenate([reference.methylated, nothing]), np.concatenate([reference.depths, nothing]))
    if start is None:
        shares = np.full((len(samples.depths), types + unknown), 1 / (types + unknown))
        methylation = (reference.methylated + 0.5) / (reference.depths + 1)
        for number in range(unknown):  # different ones: equal ones would stay equal
            methylation[types + number] = (number + 1) / (unknown + 1)
    else:
        shares, methylation = start.proportions, start.methylation
    point = _inside(shares, methylation)
    for _ in range(cycles):
        second, _ = _step(samples, reference, *point)
        third, lower = _step(samples, reference, *second)
        leap = _inside(*(_leap(*three) for three in zip(point, second, third, strict=True)))
        after, reached = _step(samples, reference, *leap)
        if reached < lower:
            after, reached = _step(samples, reference, *third)
        moved = np.abs(after[0] - point[0]).max()
        point = after
        if moved < _STILL:
            break
    shares, methylation = point
    shares = np.where(shares < 1e-9, 0, shares)
    return CohortMixture(shares / shares.sum(axis=1, keepdims=True), methylation, reached)


def _inside(shares: np.ndarray, methylation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shares = np.maximum(shares, _SMALLEST)
    return shares / shares.sum(axis=1, keepdims=True), np.clip(methylation, _EDGE, 1 - _EDGE)


def _leap(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> np.ndarray:
    """SQUAREM's extrapolation, with a step length of its own for each block of numbers."""
    step, bend = second - first, third - 2 * second + first
    bent = np.sqrt((bend**2).sum())
    length = max(1.0, float(np.sqrt((step**2).sum()) / bent)) if bent > 0 else 1.0
    return first + 2 * length * step + length**2 * bend


def _step(samples: Counts, reference: Counts, shares: np.ndarray, methylation: np.ndarray):
    """One EM step, and the log-likelihood of where it began."""
    bare = 1 - methylation
    ones, zeros = shares @ methylation, shares @ bare
    unmethylated = samples.depths - samples.methylated
    lower = float(
        (samples.methylated * np.log(ones)).sum()
        + (unmethylated * np.log(zeros)).sum()
        + (reference.methylated * np.log(methylation)).sum()
        + ((reference.depths - reference.methylated) * np.log(bare)).sum()
    )
    up, down = samples.methylated / ones, unmethylated / zeros
    gained = shares * (up @ methylation.T + down @ bare.T)
    methylated = methylation * (shares.T @ up) + reference.methylated
    bared = bare * (shares.T @ down) + reference.depths - reference.methylated
    seen = methylated + bared
    learned = np.where(seen > 0, methylated / np.where(seen > 0, seen, 1), methylation)
    return _inside(gained, learned), lower
