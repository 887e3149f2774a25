"""Maximum-likelihood proportions of a mixture whose components are known: EM over the likelihoods of reads.

A sample's log-likelihood is ``sum(count * log(sum(proportion * likelihood)))`` over its distinct reads (Dempster, Laird
& Rubin 1977); it is concave, so what EM finds is the maximum. Steps are extrapolated (SQUAREM: Varadhan & Roland 2008),
and where classes are so much alike that EM creeps, projected Newton steps (Bertsekas 1982) help; both are taken only
where the log-likelihood does not fall. Lindsay (1983): with N reads and D(c) the mean over reads of likelihood(c) /
mixture, nothing can be more than N * (max D - 1) above; iterations end when that is small.

A component that is not known, `Mixture.unknown`, has at each group of reads (a marker, a region) a likelihood of its
own: any mixture of the group's states. By itself such a component could always take everything. As in Figueiredo & Jain
(2002), who choose the number of components by message length, its weight in each step is less by half a read for each
number that is free in it, one for each group: it keeps the smallest share that explains what the known ones cannot,
and disappears where it explains no more than chance would.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

_SMALLEST = 1e-12
"""Proportions do not fall below it on the way: EM cannot leave 0."""
_GAP = 1e-3
"""Iterations end when the log-likelihood is at most so far below its maximum."""
_CYCLES, _ROUNDS = 20, 100
"""EM cycles between two Newton steps, and how often at most."""
_UNKNOWN_CYCLES = 1000
_STILL = 1e-6
"""With an unknown part, iterations end when no proportion moves more than this in a cycle."""


class Mixture(NamedTuple):
    """proportions: float64 (classes,), with ``unknown`` they sum to 1. profile: float64 (groups, states), what the
    unknown component is made of in each group; log_likelihood: up to a constant that only the reads decide."""

    proportions: np.ndarray
    unknown: float
    profile: np.ndarray
    log_likelihood: float


def proportions(
    log_likelihoods: np.ndarray, counts: np.ndarray | None = None, start: np.ndarray | None = None
) -> np.ndarray:
    """Maximum-likelihood proportions float64 (classes,), at least 0, of sum 1.

    log_likelihoods: (rows, classes), each row up to a constant of its own; counts: how often each row was seen, any
    numbers from 0 on (None: once). ``start``: proportions to begin from. Without any read, equal shares.
    """
    likelihoods, weights, _ = _prepared(log_likelihoods, counts)
    classes = likelihoods.shape[1]
    if not len(weights) or classes == 1:
        return np.full(classes, 1 / classes)
    first = np.full(classes, 1 / classes) if start is None else _inside(start)
    return _maximum(likelihoods, weights, first)


def mixture(
    log_likelihoods: np.ndarray,
    counts: np.ndarray | None,
    groups: np.ndarray,
    states: np.ndarray | None = None,
    start: Mixture | None = None,
) -> Mixture:
    """Proportions with an unknown component.

    groups: int (rows,), from 0 on: rows of the same group share the unknown component's profile. ``states``:
    log-likelihoods (rows, states) of what its reads can be there, on the same scale as ``log_likelihoods``; None: the
    classes themselves, so that at each group it looks like some mixture of them, and never the same one.
    """
    table = log_likelihoods if states is None else np.concatenate([log_likelihoods, states], axis=1)
    likelihoods, weights, kept = _prepared(table, counts)
    classes = log_likelihoods.shape[1]
    ways = likelihoods if states is None else np.ascontiguousarray(likelihoods[:, classes:])
    known = np.ascontiguousarray(likelihoods[:, :classes])
    groups = np.asarray(groups, dtype=np.int64)
    size = int(groups.max()) + 1 if len(groups) else 0
    if not len(weights):
        return Mixture(np.full(classes, 1 / classes), 0.0, np.full((size, ways.shape[1]), 1 / ways.shape[1]), 0.0)
    groups = groups[kept]
    if start is None:
        shares = np.append(0.5 * _maximum(known, weights, np.full(classes, 1 / classes)), 0.5)
        profile = np.full((size, ways.shape[1]), 1 / ways.shape[1])
    else:
        shares, profile = np.append(start.proportions, start.unknown), start.profile
        shares, profile = _inside(shares), profile.copy()
    free = 0.5 * len(np.unique(groups))
    shares, profile = _with_unknown(known, ways, weights, groups, shares, profile, free, _UNKNOWN_CYCLES, _STILL)
    if shares[-1] <= 2 * _SMALLEST:
        alone = _maximum(known, weights, _inside(shares[:-1]))
        return Mixture(alone, 0.0, profile, float(weights @ np.log(known @ alone)))
    shares = np.where(shares <= 2 * _SMALLEST, 0, shares)
    shares /= shares.sum()
    mixed = known @ shares[:-1] + shares[-1] * np.einsum("rs,rs->r", ways, profile[groups])
    return Mixture(shares[:-1], float(shares[-1]), profile, float(weights @ np.log(mixed)))


def _prepared(log_likelihoods: np.ndarray, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Likelihoods float64 with 1 as the largest of each row, counts float64, and which rows were seen at all."""
    table = np.asarray(log_likelihoods, dtype=np.float64)
    weights = np.ones(len(table)) if counts is None else np.asarray(counts, dtype=np.float64)
    kept = np.flatnonzero(weights > 0)
    table, weights = table[kept], weights[kept]
    if len(table):
        table = np.exp(table - table.max(axis=1, keepdims=True))
    return np.ascontiguousarray(table), np.ascontiguousarray(weights), kept


def _inside(shares: np.ndarray) -> np.ndarray:
    shares = np.maximum(np.asarray(shares, dtype=np.float64), 1e-6)
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


def _maximum(likelihoods: np.ndarray, weights: np.ndarray, shares: np.ndarray) -> np.ndarray:
    reads = weights.sum()
    for _ in range(_ROUNDS):
        shares, largest = _cycles(likelihoods, weights, shares, _CYCLES, _GAP)
        if reads * (largest - 1) <= _GAP:
            break
        shares = _newton(likelihoods, weights, shares)
    shares = np.where(shares <= 1e3 * _SMALLEST, 0, shares)
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


@numba.njit(cache=True, nogil=True)
def _with_unknown(known, ways, weights, groups, shares, profile, free, cycles, still):
    """Plain EM of all shares (the last is the unknown component's) and of its profile."""
    rows, classes = known.shape
    states = ways.shape[1]
    part = np.empty(states)
    for _ in range(cycles):
        gained = np.zeros(classes + 1)
        taken = np.zeros(profile.shape)
        for row in range(rows):
            mixed = 0.0
            for one in range(classes):
                mixed += shares[one] * known[row, one]
            other = 0.0
            for state in range(states):
                part[state] = profile[groups[row], state] * ways[row, state]
                other += part[state]
            mixed += shares[classes] * other
            ratio = weights[row] / mixed
            for one in range(classes):
                gained[one] += ratio * shares[one] * known[row, one]
            for state in range(states):
                taken[groups[row], state] += ratio * shares[classes] * part[state]
            gained[classes] += ratio * shares[classes] * other
        gained[classes] = max(gained[classes] - free, 0.0)
        total = gained.sum()
        moved = 0.0
        for one in range(classes + 1):
            value = max(gained[one] / total, _SMALLEST)
            moved = max(moved, abs(value - shares[one]))
            shares[one] = value
        shares /= shares.sum()
        for group in range(profile.shape[0]):
            seen = taken[group].sum()
            if seen > 0:
                for state in range(states):
                    profile[group, state] = max(taken[group, state] / seen, _SMALLEST)
        if moved < still or gained[classes] == 0.0:
            break
    return shares, profile
