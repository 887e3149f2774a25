"""How good proportions are, and how small a share of a cell type they show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


def proportion_errors(found: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    """Of proportions float (mixtures, cell types): mean absolute error over all (``mae``), over those that are there
    (``mae_present``) and over the others (``mae_absent``; None where there are none); ``r2``, the share of the truth's
    variance that is explained."""
    apart, there = np.abs(found - truth), truth > 0
    rest = ((found - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    return {
        "mae": float(apart.mean()),
        "mae_present": float(apart[there].mean()),
        "mae_absent": None if there.all() else float(apart[~there].mean()),
        "r2": float(1 - rest),
    }


OFTEN = 0.95
"""A cell type is detected where it is found so often."""


class Detection(NamedTuple):
    """How often a cell type is found, which is where its estimate is above the threshold.

    false_rate: how often in mixtures without it. found: how often in others, by its share there.
    """

    threshold: float
    false_rate: float
    found: dict[float, float]

    def limit(self, often: float = OFTEN) -> float | None:
        """The smallest share that is found so often, as all larger ones are; None: not even the largest."""
        least = None
        for share in sorted(self.found, reverse=True):
            if self.found[share] < often:
                break
            least = share
        return least


def detection(
    reference: np.ndarray, clean: np.ndarray, spikes: Mapping[float, np.ndarray], false_rate: float = 0.05
) -> Detection:
    """Detection at a threshold that all but ``false_rate`` of the reference stay at or below.

    reference, clean: float (mixtures,), what is estimated of the cell type in mixtures without it, of two sets of
    people; spikes: the same with it, by its share.
    """
    threshold = float(np.quantile(reference, 1 - false_rate, method="higher"))
    found = {share: float((values > threshold).mean()) for share, values in spikes.items()}
    return Detection(threshold, float((clean > threshold).mean()), found)


class Estimates(NamedTuple):
    """What a method says of mixtures, all float64.

    truth, found: (mixtures, cell types), at the shares that the mixtures have. reference, clean: (mixtures,), the
    estimate of the spiked cell type where it is not there, of two sets of people. spikes: (mixtures,) by its share, of
    the people of ``clean``.
    """

    truth: np.ndarray
    found: np.ndarray
    reference: np.ndarray
    clean: np.ndarray
    spikes: dict[float, np.ndarray]

    @property
    def detection(self) -> Detection:
        return detection(self.reference, self.clean, self.spikes)

    def measures(self) -> dict[str, float | None]:
        """`proportion_errors`, and of the spiked cell type ``threshold``, ``false_rate`` and ``limit_of_detection``."""
        spiked = self.detection
        return {
            **proportion_errors(self.found, self.truth),
            "threshold": spiked.threshold,
            "false_rate": spiked.false_rate,
            "limit_of_detection": spiked.limit(),
        }
