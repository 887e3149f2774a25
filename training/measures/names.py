"""What the measures of each kind of task are called."""

from __future__ import annotations

from collections.abc import Sequence

REGRESSION = ("pearson", "spearman", "r2_pearson", "r2_determination")
CLASSIFICATION = ("accuracy", "f1", "mcc", "precision", "recall", "auroc", "average_precision")


def measure_names(regression: bool, outputs: Sequence[str]) -> tuple[str, ...]:
    """Of a task with these outputs; see `regression.regression_measures` and
    `classification.classification_measures`."""
    if not regression:
        return CLASSIFICATION
    if len(outputs) == 1:
        return REGRESSION
    each = tuple(f"{name}/{output}" for output in outputs for name in REGRESSION)
    return (*REGRESSION, *(f"mean/{name}" for name in REGRESSION), *each)
