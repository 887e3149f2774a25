"""A sample's proportions against those of healthy ones."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from .estimates import Estimate, number, read_proportions

COLUMNS = ("baseline", "ratio", "z", "elevated")
_RATIO, _POINTS = 2.0, 0.10


class Baseline(NamedTuple):
    """Of healthy samples, by tissue: means, and standard deviations (NaN of a single sample) of the proportion."""

    source: str
    method: str
    means: dict[str, float]
    deviations: dict[str, float]


class Elevation(NamedTuple):
    """float64 (tissues,): the baseline's mean; proportion / mean (infinite where only the mean is 0, NaN where both
    are); (proportion - mean) / standard deviation (NaN where that is 0 or not known). bool (tissues,): elevated."""

    baseline: np.ndarray
    ratios: np.ndarray
    z: np.ndarray
    elevated: np.ndarray

    def lines(self) -> list[list[str]]:
        """As text in the order of `COLUMNS`."""
        return [
            [number(mean), _plain(ratio), _plain(z), "yes" if flag else "no"]
            for mean, ratio, z, flag in zip(self.baseline, self.ratios, self.z, self.elevated, strict=True)
        ]


def read_baseline(path: Path) -> Baseline:
    """A table of healthy samples that `genoscan deconvolve` has written. Errors as `read_proportions`."""
    found, method = read_proportions(path)
    values = {tissue: np.array(list(samples.values())) for tissue, samples in found.items()}
    return Baseline(
        str(path),
        method,
        {tissue: float(one.mean()) for tissue, one in values.items()},
        {tissue: float(one.std(ddof=1)) if len(one) > 1 else np.nan for tissue, one in values.items()},
    )


def elevation(estimate: Estimate, baseline: Baseline) -> Elevation:
    """How far each tissue is above the baseline: elevated at more than twice its mean, or more than 10 points above it,
    if the low end of the sample's interval is above that mean, too (where there is an interval).

    `UsageError` if the baseline was made by another method or lacks a tissue.
    """
    if baseline.method != estimate.method:
        raise UsageError(
            f"{baseline.source}: was made with the method {baseline.method}, sample {estimate.sample} with "
            f"{estimate.method}; make both in the same way"
        )
    missing = next((tissue for tissue in estimate.tissues if tissue not in baseline.means), None)
    if missing is not None:
        raise UsageError(f"{baseline.source}: has no proportions of {missing}; use the atlas or model it was made with")
    means = np.array([baseline.means[tissue] for tissue in estimate.tissues])
    deviations = np.array([baseline.deviations[tissue] for tissue in estimate.tissues])
    above = estimate.proportions - means
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = estimate.proportions / means
        z = np.where(deviations > 0, above / deviations, np.nan)
    sure = np.where(np.isnan(estimate.low), True, estimate.low > means)
    elevated = ((ratios > _RATIO) | (above > _POINTS)) & sure
    return Elevation(means, ratios, z, elevated)


def _plain(value: float) -> str:
    return "NA" if np.isnan(value) else "inf" if np.isinf(value) else f"{value:.2f}"
