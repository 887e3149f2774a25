"""How likely a read is in each cell type of an atlas that tells only the share of unmethylated reads.

A molecule at a marker is in one of two states, unmethylated with the atlas' share u of its cell type, else not. In a
state, the number of methylated CpGs of a read is beta-binomial: CpGs of a molecule are alike, and neither chemistry nor
sequencing is without error. (Two states and their share: the epialleles of Loyfer et al. 2023, and of MethylPurify,
Zheng et al. 2014, https://doi.org/10.1186/s13059-014-0419-x; beta-distributed methylation of a class of reads:
CancerDetector, Li et al. 2018, https://doi.org/10.1093/nar/gky423.) So

    P(k of n methylated | type) = u * BB(k; n, low) + (1 - u) * BB(k; n, high).

Mean and dispersion of the two states are the sample's own: those of a grid that fit its reads best, with a share of its
own for each marker. Shorter reads than an atlas was counted with say less, and are used nevertheless.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import lgamma
from typing import NamedTuple

import numpy as np

from .marker_reads import MarkerReads

ATLAS_READS = 200
"""So many reads is a share of an atlas taken to come from: no share is exactly 0 or 1 (Jeffreys' prior)."""
_LEAST_READS = 500
"""With fewer reads the states are not estimated."""
_ROUNDS = 15
_LOW_MEANS = (0.01, 0.02, 0.04, 0.07, 0.1, 0.14)
_HIGH_MEANS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.94, 0.97)
_DISPERSIONS = (0.003, 0.02, 0.05, 0.1, 0.2, 0.35)


class State(NamedTuple):
    """Methylation of reads in a state: its mean, and the correlation of the CpGs of a read beyond it (0 to 1)."""

    mean: float
    dispersion: float


class States(NamedTuple):
    low: State
    high: State


USUAL = States(State(0.04, 0.1), State(0.85, 0.1))


def log_beta_binomial(methylated: np.ndarray, cpgs: np.ndarray, state: State) -> np.ndarray:
    """Natural logarithm, float64 (rows,), of the probability that a read with so many CpGs has so many methylated.

    The binomial coefficient is left out: it is the same for every class.
    """
    largest = int(cpgs.max(initial=0))
    table = _pattern_table(largest, state)
    return table[methylated, cpgs - methylated]


@lru_cache(maxsize=512)
def _pattern_table(largest: int, state: State) -> np.ndarray:
    """log(B(a + k, b + m) / B(a, b)) for k methylated and m unmethylated CpGs, float64 (largest + 1, largest + 1)."""
    size = (1 - state.dispersion) / state.dispersion
    a, b = state.mean * size, (1 - state.mean) * size

    def rising(first: float) -> np.ndarray:
        return np.array([lgamma(first + number) - lgamma(first) for number in range(2 * largest + 1)])

    ups, downs, both = rising(a)[: largest + 1], rising(b)[: largest + 1], rising(a + b)
    numbers = np.arange(largest + 1)
    return ups[:, None] + downs[None, :] - both[numbers[:, None] + numbers[None, :]]


def estimated_states(reads: MarkerReads, start: States = USUAL) -> States:
    """The two states that explain a sample's reads best, each marker with a share of its own; ``start`` where there
    are too few reads."""
    if reads.counts.sum() < _LEAST_READS:
        return start
    states, markers = start, int(reads.markers.max()) + 1
    shares = np.full(markers, 0.1)
    weights = reads.counts.astype(np.float64)
    lows = [State(*one) for one in product(_LOW_MEANS, _DISPERSIONS)]
    highs = [State(*one) for one in product(_HIGH_MEANS, _DISPERSIONS)]
    kinds, which = np.unique(np.stack([reads.methylated, reads.cpgs], axis=1), axis=0, return_inverse=True)
    tables = {one: log_beta_binomial(kinds[:, 0], kinds[:, 1], one) for one in dict.fromkeys(lows + highs)}
    for _ in range(_ROUNDS):
        low = np.log(shares[reads.markers]) + log_beta_binomial(reads.methylated, reads.cpgs, states.low)
        high = np.log(1 - shares[reads.markers]) + log_beta_binomial(reads.methylated, reads.cpgs, states.high)
        belongs = 1 / (1 + np.exp(np.clip(high - low, -700, 700)))
        taken = np.bincount(reads.markers, weights=weights * belongs, minlength=markers)
        seen = np.bincount(reads.markers, weights=weights, minlength=markers)
        shares = (taken + 0.5) / (seen + 1)
        of_low = np.bincount(which.ravel(), weights=weights * belongs, minlength=len(kinds))
        of_high = np.bincount(which.ravel(), weights=weights * (1 - belongs), minlength=len(kinds))
        best = States(
            max(lows, key=lambda one: float(of_low @ tables[one])),
            max(highs, key=lambda one: float(of_high @ tables[one])),
        )
        if best == states:
            break
        states = best
    return states


def filled_shares(unmethylated: np.ndarray) -> np.ndarray:
    """An atlas' shares float64 (markers, types) with the median of the marker where a type's is not known (NaN; one
    half where none is), and none of exactly 0 or 1."""
    missing = np.isnan(unmethylated)
    nothing = missing.all(axis=1)
    middle = np.full(len(unmethylated), 0.5)
    middle[~nothing] = np.nanmedian(unmethylated[~nothing], axis=1)
    known = np.where(missing, middle[:, None], unmethylated)
    return (known * ATLAS_READS + 0.5) / (ATLAS_READS + 1)


def read_state_log_likelihoods(reads: MarkerReads, unmethylated: np.ndarray, states: States) -> np.ndarray:
    """Log-likelihoods of the reads in each type, float64 (rows, types).

    unmethylated: the atlas' shares (markers, types), NaN where not known.
    """
    low, high = (log_beta_binomial(reads.methylated, reads.cpgs, state) for state in states)
    largest = np.maximum(low, high)
    low, high = np.exp(low - largest)[:, None], np.exp(high - largest)[:, None]
    shares = filled_shares(unmethylated)[reads.markers]
    return np.log(shares * low + (1 - shares) * high) + largest[:, None]
