"""How well classes are told apart, by scikit-learn.

With two classes precision, recall, F1, AUROC and average precision are those of the second class, the positive one.
With more they are means over the classes (macro), of each class against all others. What is not defined (a class that
no row has) is NaN for the two that rank; precision, recall and F1 are 0 where they would divide by zero.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)


def classification_measures(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, F1, MCC, precision, recall, AUROC and average precision.

    probabilities: float (rows, classes). labels: whole numbers (rows,). A row's class is the most probable one, the
    first of several that are.
    """
    classes = probabilities.shape[1]
    chosen = probabilities.argmax(axis=1)
    how = {"average": "binary"} if classes == 2 else {"average": "macro", "labels": np.arange(classes)}
    precision, recall, f1, _ = precision_recall_fscore_support(labels, chosen, zero_division=0, **how)
    return {
        "accuracy": float(accuracy_score(labels, chosen)),
        "f1": float(f1),
        "mcc": float(matthews_corrcoef(labels, chosen)),
        "precision": float(precision),
        "recall": float(recall),
        **ranking_measures(probabilities, labels),
    }


def ranking_measures(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """AUROC and average precision: of the second of two classes, or the mean over more."""
    classes = probabilities.shape[1]
    truth = [labels == number for number in range(classes)]
    if not all(one.any() and not one.all() for one in truth):
        return {"auroc": np.nan, "average_precision": np.nan}
    ranked = range(1, 2) if classes == 2 else range(classes)
    return {
        "auroc": float(np.mean([roc_auc_score(truth[i], probabilities[:, i]) for i in ranked])),
        "average_precision": float(np.mean([average_precision_score(truth[i], probabilities[:, i]) for i in ranked])),
    }
