"""What a network of reads stands beside: rules that see less of a read."""

from __future__ import annotations

import numpy as np

STATES = ("unmethylated", "methylated", "mixed")
UNMETHYLATED_AT_MOST, METHYLATED_AT_LEAST = 0.25, 0.75


def read_states(cpgs: np.ndarray) -> np.ndarray:
    """int64 (reads,): places in `STATES` by the share of methylated CpGs, as UXM has it (Loyfer et al. 2023), though of
    reads with any number of CpGs; -1 for reads without any.

    cpgs: int64 (reads, 2), CpGs seen, and methylated ones.
    """
    share = cpgs[:, 1] / np.maximum(cpgs[:, 0], 1)
    state = np.where(share <= UNMETHYLATED_AT_MOST, 0, np.where(share >= METHYLATED_AT_LEAST, 1, 2))
    return np.where(cpgs[:, 0] > 0, state, -1)


def fit_naive_bayes(
    states: np.ndarray, markers: np.ndarray, classes: np.ndarray, shape: tuple[int, int], weight: float = 1.0
) -> np.ndarray:
    """float64 (markers, classes, 3): how often reads of a class at a marker have each state; ``weight`` reads of every
    state are added to what was counted.

    states, markers, classes: int64 (reads,), of training reads. shape: markers and classes.
    """
    known = states >= 0
    places = np.ravel_multi_index((markers[known], classes[known], states[known]), (*shape, 3))
    counts = np.bincount(places, minlength=shape[0] * shape[1] * 3).reshape(*shape, 3) + weight
    return counts / counts.sum(axis=2, keepdims=True)


def naive_bayes(table: np.ndarray, states: np.ndarray, markers: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """float64 (reads, classes): posteriors of `fit_naive_bayes`; the prior of reads without a state."""
    found = np.where((states >= 0)[:, None], table[markers, :, np.maximum(states, 0)], 1.0) * prior
    return found / found.sum(axis=1, keepdims=True)


def mean_methylation(codes: np.ndarray) -> np.ndarray:
    """float64 (reads,): share of methylated CpGs among those that marked codes know; 0.5 where there is none."""
    unmethylated, methylated = ((codes >> 3) == 1).sum(axis=1), ((codes >> 3) == 2).sum(axis=1)
    known = unmethylated + methylated
    return np.where(known > 0, methylated / np.maximum(known, 1), 0.5)
