"""How well numbers are predicted: correlations, and both things that are called R2.

``r2_pearson`` is the squared Pearson correlation: the share of variance that the best straight line through the
predictions explains. ``r2_determination`` is 1 - SSE/SST, the coefficient of determination: what the predictions
themselves explain, so that a shifted or stretched prediction loses; it may be negative. The two are the same only where
the predictions need no line. A measure that is not defined (fewer than two values, or no variance) is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import r2_score

from .names import REGRESSION


def output_measures(predicted: np.ndarray, measured: np.ndarray) -> dict[str, float]:
    """The four measures of one output: float (rows,) each; rows whose measured value is NaN are left out."""
    known = ~np.isnan(measured)
    predicted, measured = predicted[known].astype(np.float64), measured[known].astype(np.float64)
    if len(measured) < 2 or np.ptp(measured) == 0:
        return dict.fromkeys(REGRESSION, np.nan)
    found = {"r2_determination": float(r2_score(measured, predicted))}
    if np.ptp(predicted) == 0:
        return dict.fromkeys(REGRESSION, np.nan) | found
    pearson = float(pearsonr(predicted, measured).statistic)
    spearman = float(spearmanr(predicted, measured).statistic)
    return {"pearson": pearson, "spearman": spearman, "r2_pearson": pearson**2} | found


def regression_measures(predicted: np.ndarray, measured: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Measures of several outputs by name.

    predicted, measured: float (rows, outputs); NaN in ``measured`` is what was not measured. names: of the outputs.

    ``pearson`` and its like pool all outputs. Where there are several, ``pearson/NAME`` is that of one output and
    ``mean/pearson`` the mean over outputs (those where it is defined).
    """
    pooled = output_measures(predicted.ravel(), measured.ravel())
    if len(names) == 1:
        return pooled
    single = [output_measures(predicted[:, i], measured[:, i]) for i in range(len(names))]
    each = {f"{key}/{name}": one[key] for name, one in zip(names, single, strict=True) for key in REGRESSION}
    return pooled | {f"mean/{key}": _mean([one[key] for one in single]) for key in REGRESSION} | each


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan
