"""How far a measure may be trusted: percentile intervals by resampling (Efron 1979).

Rows that belong together (one gene, one genome block) are drawn together: resampled one by one, relatives would make
the intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RESAMPLES = 500
LEVEL = 0.95


class Interval(NamedTuple):
    """A measure, and the ends of its 95 % interval; NaN where no resample has it."""

    value: float
    low: float
    high: float


def with_intervals(
    measure: Callable[[np.ndarray], dict[str, float]],
    rows: int,
    groups: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Each of a function's measures with its interval.

    measure: row numbers int64 (any number of them, with repetition) to measures by name. groups: whole numbers (rows,),
    equal for rows that are drawn together; None: each by itself. The same seed gives the same intervals.
    """
    whole = measure(np.arange(rows))
    if groups is None:
        members, begins = np.arange(rows), np.arange(rows + 1)
    else:
        members = np.argsort(groups, kind="stable")
        _, sizes = np.unique(groups, return_counts=True)
        begins = np.concatenate(([0], np.cumsum(sizes)))
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in whole}
    for _ in range(resamples):
        chosen = generator.integers(0, len(begins) - 1, len(begins) - 1)
        sample = (
            np.concatenate([members[begins[one] : begins[one + 1]] for one in chosen]) if groups is not None else chosen
        )
        for name, value in measure(sample).items():
            drawn[name].append(value)
    return {name: Interval(value, *_ends(np.array(drawn[name]))) for name, value in whole.items()}


def _ends(values: np.ndarray) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
