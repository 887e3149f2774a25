"""Maximum-likelihood proportions of a mixture whose components are known: EM over the likelihoods of reads.

A sample's log-likelihood is ``sum(count * log(sum(proportion * likelihood)))`` over its distinct reads (Dempster, Laird
& Rubin 1977); it is concave, so what EM finds is the maximum. Steps are extrapolated (SQUAREM: Varadhan & Roland 2008),
and where classes are so much alike that EM creeps, projected Newton steps (Bertsekas 1982) help; both are taken only
where the log-likelihood does not fall. Lindsay (1983): with N reads and D(c) the mean over reads of likelihood(c) /
mixture, nothing can be more than N * (max D - 1) above; iterations end when that is small.

What no class explains can have one of its own, as likely for each read as the middle one of the classes
(`with_unknown`): a tissue that is not among them looks at their markers like most that are.
"""

from __future__ import annotations

import numba
import numpy as np

_SMALLEST = 1e-12
"""Proportions do not fall below it on the way: EM cannot leave 0."""
_START = 1e-6
"""With less, a class does not begin; what ends with no more is 0."""
GAP = 1e-3
"""Iterations end when the log-likelihood is at most so far below its maximum."""
_CYCLES, _ROUNDS = 1, 500
"""EM cycles between two Newton steps, and how often at most."""


def proportions(
    log_likelihoods: np.ndarray,
    counts: np.ndarray | None = None,
    start: np.ndarray | None = None,
    gap: float = GAP,
) -> np.ndarray:
    """Maximum-likelihood proportions float64 (classes,), at least 0, of sum 1.

    log_likelihoods: (rows, classes), each row up to a constant of its own; counts: how often each row was seen, any
    numbers from 0 on (None: once). ``start``: proportions to begin from; ``gap``: how far the log-likelihood may stay
    below its maximum. Without any read, equal shares.
    """
    likelihoods, weights = _prepared(log_likelihoods, counts)
    classes = likelihoods.shape[1]
    if not len(weights) or classes == 1:
        return np.full(classes, 1 / classes)
    first = np.full(classes, 1 / classes) if start is None else _inside(start)
    return _maximum(likelihoods, weights, first, gap)


def with_unknown(log_likelihoods: np.ndarray) -> np.ndarray:
    """float64 (rows, classes + 1): with a class for what is not known as the last, the median of the others."""
    table = np.asarray(log_likelihoods, dtype=np.float64)
    return np.column_stack([table, np.median(table, axis=1)])


def _prepared(log_likelihoods: np.ndarray, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Likelihoods float64 with 1 as the largest of each row, counts float64, of the rows that were seen."""
    table = np.asarray(log_likelihoods, dtype=np.float64)
    weights = np.ones(len(table)) if counts is None else np.asarray(counts, dtype=np.float64)
    kept = weights > 0
    table, weights = table[kept], weights[kept]
    if len(table):
        table = np.exp(table - table.max(axis=1, keepdims=True))
    return np.ascontiguousarray(table), np.ascontiguousarray(weights)


def _inside(shares: np.ndarray) -> np.ndarray:
    shares = np.maximum(np.asarray(shares, dtype=np.float64), _START)
    return shares / shares.sum()


@numba.njit(cache=True, nogil=True)
def _step(likelihoods, weights, shares, out):
    """One EM step from ``shares`` to ``out``; returns the log-likelihood of ``shares`` and the largest D."""
    rows, classes = likelihoods.shape
    out[:] = 0.0
    total, log_likelihood = 0.0, 0.0
    for row in range(rows):
        mixed = 0.0
        for one in range(classes):
            mixed += shares[one] * likelihoods[row, one]
        log_likelihood += weights[row] * np.log(mixed)
        total += weights[row]
        ratio = weights[row] / mixed
        for one in range(classes):
            out[one] += ratio * likelihoods[row, one]
    largest = out.max() / total
    for one in range(classes):
        out[one] *= shares[one] / total
    return log_likelihood, largest


@numba.njit(cache=True, nogil=True)
def _extrapolate(first, second, third, out):
    """SQUAREM's step from three EM iterates (scheme S3), inside the simplex."""
    change, bend = 0.0, 0.0
    for one in range(len(first)):
        step = second[one] - first[one]
        change += step * step
        bend += (third[one] - second[one] - step) ** 2
    length = 1.0 if bend == 0.0 else max(1.0, np.sqrt(change / bend))
    for one in range(len(first)):
        step = second[one] - first[one]
        out[one] = first[one] + 2 * length * step + length * length * (third[one] - second[one] - step)
        out[one] = max(out[one], _SMALLEST)
    out /= out.sum()


@numba.njit(cache=True, nogil=True)
def _cycles(likelihoods, weights, start, cycles, gap):
    classes = likelihoods.shape[1]
    first = start.copy()
    second, third, leap, after = np.empty(classes), np.empty(classes), np.empty(classes), np.empty(classes)
    reads = weights.sum()
    largest = np.inf
    for _ in range(cycles):
        _, largest = _step(likelihoods, weights, first, second)
        if reads * (largest - 1) <= gap:
            break
        _step(likelihoods, weights, second, third)
        _extrapolate(first, second, third, leap)
        reached, _ = _step(likelihoods, weights, leap, after)
        plain, _ = _step(likelihoods, weights, third, second)
        first[:] = after if reached >= plain else second
        first = np.maximum(first, _SMALLEST)
        first /= first.sum()
    return first, largest


def _maximum(likelihoods: np.ndarray, weights: np.ndarray, shares: np.ndarray, gap: float) -> np.ndarray:
    reads = weights.sum()
    for _ in range(_ROUNDS):
        shares, largest = _cycles(likelihoods, weights, shares, _CYCLES, gap)
        if reads * (largest - 1) <= gap:
            break
        shares = _newton(likelihoods, weights, shares)
    shares = np.where(shares <= 2 * _START, 0, shares)
    return shares / shares.sum()


def _newton(likelihoods: np.ndarray, weights: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Shares after a Newton step of ``weights @ log(likelihoods @ shares) - reads * sum(shares)``, whose maximum over
    shares of at least 0 has the sum 1; those that a step would push below 0 stay there."""
    reads = weights.sum()
    mixed = likelihoods @ shares
    slope = likelihoods.T @ (weights / mixed) - reads
    free = (shares > 1e3 * _SMALLEST) | (slope > 0)
    scaled = likelihoods[:, free] * (np.sqrt(weights) / mixed)[:, None]
    curved = scaled.T @ scaled
    curved[np.diag_indices_from(curved)] += 1e-9 * np.trace(curved) / len(curved)
    direction = np.zeros_like(shares)
    direction[free] = np.linalg.solve(curved, slope[free])
    before = weights @ np.log(mixed)
    for length in (1.0, 0.5, 0.25, 0.1, 0.03, 0.01):
        there = np.maximum(shares + length * direction, _SMALLEST)
        there /= there.sum()
        if weights @ np.log(likelihoods @ there) > before:
            return there
    return shares
