"""Measures of a yes/no answer per base, from the four counts of a confusion table.

Where a measure would divide by zero it is 0 by convention: precision with nothing predicted, recall with nothing
true, F1 and the Matthews correlation with either, accuracy with no bases at all. (scikit-learn's convention, with
``zero_division=0``.)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Counts(NamedTuple):
    """Bases that are true or false positives, true or false negatives; counts of several batches add up."""

    tp: int = 0
    fp: int = 0
    tn: int = 0
    fn: int = 0

    def plus(self, other: Counts) -> Counts:
        """The counts of both together."""
        return Counts(*(first + second for first, second in zip(self, other, strict=True)))


def count(predicted: np.ndarray, labels: np.ndarray) -> Counts:
    """Counts over two arrays of one shape, boolean or 0/1."""
    predicted, labels = np.asarray(predicted).astype(bool), np.asarray(labels).astype(bool)
    if predicted.shape != labels.shape:
        raise ValueError(f"predictions of shape {predicted.shape} and labels of shape {labels.shape}")
    tp = int(np.count_nonzero(predicted & labels))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(labels)) - tp
    return Counts(tp, fp, predicted.size - tp - fp - fn, fn)


def accuracy(counts: Counts) -> float:
    """Share of right answers."""
    return _ratio(counts.tp + counts.tn, sum(counts))


def precision(counts: Counts) -> float:
    """Share of the predicted that is true."""
    return _ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Counts) -> float:
    """Share of the true that is predicted."""
    return _ratio(counts.tp, counts.tp + counts.fn)


def f1(counts: Counts) -> float:
    """Harmonic mean of precision and recall."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def mcc(counts: Counts) -> float:
    """Matthews correlation coefficient (Matthews 1975), from -1 to 1. Exact integers up to the root."""
    tp, fp, tn, fn = (int(value) for value in counts)
    return _ratio(tp * tn - fp * fn, math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


def measures(counts: Counts) -> dict[str, float]:
    """All of them by name."""
    return {measure.__name__: measure(counts) for measure in (accuracy, f1, mcc, precision, recall)}


def _ratio(above: float, below: float) -> float:
    return above / below if below else 0.0
