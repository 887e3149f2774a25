"""How likely a read's CpG states are if it is unmethylated, methylated or partially methylated, in closed form.

A hidden Markov chain of two states: what a CpG is, of which errors of conversion show now and then the other. From one
CpG to the next the state is kept with probability exp(-distance / block), and else drawn anew. The forward algorithm
(Rabiner 1989, https://doi.org/10.1109/5.18626) sums over all that may be hidden. Then Bayes' rule gives the exact
posterior of the cell types: a donor's share of unmethylated reads enters linearly, so that of a donor who is not known
only the mean counts, which is the atlas' share.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

KINDS = ("unmethylated", "methylated", "partial")


@njit(nogil=True, cache=True)
def chain_likelihood(positions, states, begin, end, level, block, unconverted, converted):
    """Probability of states[begin:end] (0, 1, 2: nothing known) of CpGs at ascending positions, ``level`` of which are
    methylated."""
    before, zero, one = 0, 1.0, 1.0
    total = 1.0
    for i in range(begin, end):
        if i == begin:
            zero, one = 1.0 - level, level
        else:
            kept = math.exp(-(positions[i] - before) / block)
            zero, one = kept * zero + (1 - kept) * (1 - level), kept * one + (1 - kept) * level
        before = positions[i]
        if states[i] == 1:
            zero, one = zero * unconverted, one * (1 - converted)
        elif states[i] == 0:
            zero, one = zero * (1 - unconverted), one * converted
        scale = zero + one
        total *= scale
        if scale > 0:
            zero, one = zero / scale, one / scale
    return total


@njit(nogil=True, cache=True)
def fill_likelihoods(positions, states, offsets, levels, block, unconverted, converted, out):
    """`chain_likelihood` of each read, whose CpGs are offsets[i] to before offsets[i + 1], for each level, into out
    float64 (reads, levels)."""
    for read in range(len(offsets) - 1):
        for kind in range(len(levels)):
            out[read, kind] = chain_likelihood(
                positions, states, offsets[read], offsets[read + 1], levels[kind], block, unconverted, converted
            )


def kind_shares(unmethylated: np.ndarray, partial: float) -> np.ndarray:
    """float64 (..., 3): shares of reads of each of `KINDS`, where ``unmethylated`` of them are that."""
    rest = 1 - unmethylated
    return np.stack([unmethylated, rest * (1 - partial), rest * partial], axis=-1)


def posterior(likelihoods: np.ndarray, shares: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact posteriors of reads.

    likelihoods: float64 (reads, 3), of each of `KINDS`. shares: float64 (reads, cell types, 3) at the reads' markers.
    prior: float64 (cell types,). Returns float64 (reads, cell types), and of the kinds (reads, 3).
    """
    joint = likelihoods[:, None, :] * shares * prior[None, :, None]
    total = joint.sum(axis=(1, 2), keepdims=True)
    joint /= total
    return joint.sum(axis=2), joint.sum(axis=1)
