"""What any method could find of short repeats: the exact likelihood ratio under the simulator's own model.

Assumptions. Background: independent bases of known composition. A repeat of ``length`` bases and period p: a unit of p
independent bases of that composition; each base of each copy is replaced by one of the other three, at even chances,
with the probability ``divergence``; no indels. So the columns of the alignment (bases p apart) are independent:

    LR(p, d) = product over columns of  sum_u q(u) product_i [(1 - d) if b_i = u else d / 3]  /  product_i q(b_i)

The ideal method is told the length and where a repeat would begin, so that it may look at exactly the right bases, but
neither period nor divergence: it takes the ratio averaged over the simulator's prior of both, which by Neyman and
Pearson no other statistic beats. It calls where this exceeds the threshold that lets pass, of background, the share of
positions that the compared tool calls falsely. That threshold comes from importance sampling (a repeat's own likelihood
is the proposal; P0(LR > t) = E1[1 / LR; LR > t]), exact but for the sampling error.

The prior of the period is that of the test set (`repeat_sets.short_period`); the prior of the divergence is even over
the divergences of the grid and 25 %.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from repeat_sets import DIVERGENCES, GRID_PERIODS, SHORT_LENGTHS, composition, short_period

PRIOR_DIVERGENCES = (*DIVERGENCES, 0.25)


def limits(codes: np.ndarray, false_rate: float, samples: int, seed: int = 3) -> list[dict]:
    """For every length and divergence the share of repeats that the ideal method finds.

    codes: a sequence of the background's composition, uint8. false_rate: share of background positions called.
    """
    generator = np.random.default_rng(seed)
    shares = composition(codes)
    rows = []
    for length in SHORT_LENGTHS:
        prior = period_prior(length)
        each = samples // len(PRIOR_DIVERGENCES)
        ratios = {
            divergence: log_ratios(draw_repeats(generator, shares, length, divergence, each), prior, shares)
            for divergence in PRIOR_DIVERGENCES
        }
        threshold = threshold_of(np.concatenate(list(ratios.values())), false_rate)
        rows += [
            {
                "length": length,
                "divergence": divergence,
                "recall": round(float((ratios[divergence] > threshold).mean()), 4),
            }
            for divergence in DIVERGENCES
        ]
    return rows


def period_prior(length: int) -> np.ndarray:
    """Probability of each period from 1 to half the length (index 0 is period 1), as `short_period` draws them."""
    prior = np.zeros(length // 2)
    for low, high in GRID_PERIODS[:2]:
        high = min(high, length // 2)
        edges = np.log(np.arange(low, high + 2))
        prior[low - 1 : high] += 0.5 * np.diff(edges) / (edges[-1] - edges[0])
    return prior


def draw_repeats(
    generator: np.random.Generator, shares: np.ndarray, length: int, divergence: float, count: int
) -> np.ndarray:
    """uint8 (count, length): repeats of the model above."""
    rows = np.empty((count, length), dtype=np.uint8)
    for row in rows:
        period = short_period(generator, length)
        unit = generator.choice(4, period, p=shares)
        copies = np.resize(unit, length)
        changed = generator.random(length) < divergence
        row[:] = np.where(changed, (copies + generator.integers(1, 4, length)) % 4, copies)
    return rows


def log_ratios(rows: np.ndarray, prior: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """log of the likelihood ratio, averaged over periods and divergences, of each row: float64 (rows,)."""
    return _log_ratios(rows, prior, shares, np.array(PRIOR_DIVERGENCES))


@njit(nogil=True, cache=True)
def _log_ratios(rows, prior, shares, divergences):
    count, length = rows.shape
    result = np.empty(count)
    seen = np.empty(4, dtype=np.int64)
    for row in range(count):
        background = 1.0
        for base in rows[row]:
            background *= shares[base]
        total = 0.0
        for period in range(1, prior.shape[0] + 1):
            for divergence in divergences:
                likelihood = 1.0
                for column in range(period):
                    seen[:] = 0
                    copies = 0
                    for place in range(column, length, period):
                        seen[rows[row, place]] += 1
                        copies += 1
                    mixed = 0.0
                    for unit in range(4):
                        mixed += (
                            shares[unit] * (1 - divergence) ** seen[unit] * (divergence / 3) ** (copies - seen[unit])
                        )
                    likelihood *= mixed
                    if likelihood == 0.0:
                        break
                total += prior[period - 1] * likelihood
        result[row] = np.log(total / len(divergences) / background)
    return result


def threshold_of(logs: np.ndarray, false_rate: float) -> float:
    """The log ratio that background exceeds with probability ``false_rate``; ``logs`` are of draws from the mixture."""
    ordered = np.sort(logs)[::-1]
    tail = np.cumsum(np.exp(-ordered)) / len(ordered)
    return float(ordered[min(len(ordered) - 1, np.searchsorted(tail, false_rate))])
