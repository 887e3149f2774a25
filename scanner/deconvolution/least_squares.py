"""Proportions by non-negative least squares, as UXM and meth_atlas have them: what everyone compares with."""

from __future__ import annotations

import numpy as np


def least_squares(
    profiles: np.ndarray, observed: np.ndarray, weights: np.ndarray | None = None, unknown: bool = False
) -> np.ndarray:
    """Proportions float64 (types,), at least 0, of sum 1, whose mix of profiles is nearest to what was observed.

    profiles: (regions, types), observed: (regions,); regions where either is NaN are left out. weights: by which rows
    are multiplied (UXM: reads), None: 1. With ``unknown`` a last number is what the best mix lacks to 1, instead of
    that it is scaled to 1. Without a region that is known, equal shares, or all unknown; likewise where every type fits
    worse than nothing. Lawson & Hanson 1974; Loyfer et al. 2023.
    """
    from scipy.optimize import nnls

    types = profiles.shape[1]
    weights = np.ones(len(observed)) if weights is None else weights
    known = ~np.isnan(observed) & ~np.isnan(profiles).any(axis=1) & (weights > 0)
    found = np.zeros(types)
    if known.any():
        scale = weights[known] / weights[known].mean()
        found, _ = nnls(profiles[known] * scale[:, None], observed[known] * scale)
    total = found.sum()
    if unknown:
        return np.append(found / max(total, 1), max(0.0, 1 - total))
    return found / total if total > 0 else np.full(types, 1 / types)
