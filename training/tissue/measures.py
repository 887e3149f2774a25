"""How good probabilities of cell types are: by class, by rank, by logarithm, and whether they are what they say."""

from __future__ import annotations

import numpy as np

BINS = 15


def log_loss(probabilities: np.ndarray, classes: np.ndarray) -> float:
    """Mean of -ln of the probability of the true class; probabilities float (reads, classes), classes int (reads,)."""
    chosen = probabilities[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def top_share(probabilities: np.ndarray, classes: np.ndarray, ranks: int) -> float:
    """Share of reads whose class is among the ``ranks`` most probable ones; of equal ones the first come first."""
    own = probabilities[np.arange(len(classes)), classes][:, None]
    before = np.arange(probabilities.shape[1])[None, :] < classes[:, None]
    rank = ((probabilities > own) | ((probabilities == own) & before)).sum(axis=1)
    return float((rank < ranks).mean())


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al. 2017, https://arxiv.org/abs/1706.04599): by bins of confidence, equal in
    width, |mean confidence - share that is right|, weighted by the bins' sizes.

    confidence: float (reads,), of the class that is called. right: bool (reads,), whether it was that.
    """
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    apart = np.bincount(place, weights=confidence - right, minlength=bins)
    return float(np.abs(apart).sum() / len(confidence))


def divergence(exact: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence from the exact posteriors, in nats: what the log-loss has beyond theirs."""
    safe = np.maximum(probabilities, 1e-12)
    return float((exact * (np.log(np.maximum(exact, 1e-300)) - np.log(safe))).sum(axis=1).mean())


def read_measures(probabilities: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """accuracy, top3, log_loss and calibration."""
    called = probabilities.argmax(axis=1)
    return {
        "accuracy": float((called == classes).mean()),
        "top3": top_share(probabilities, classes, 3),
        "log_loss": log_loss(probabilities, classes),
        "calibration": calibration_error(probabilities.max(axis=1), called == classes),
    }


def confusion(called: np.ndarray, classes: np.ndarray, many: int) -> np.ndarray:
    """int64 (classes, classes): reads of each true class (rows) by the class that they are called (columns)."""
    return np.bincount(classes * many + called, minlength=many * many).reshape(many, many)
