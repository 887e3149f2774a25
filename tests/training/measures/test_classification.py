"""Measures of classes: by hand; and AUROC against its definition by pairs."""

import numpy as np
import pytest

from genoscan.training.measures.classification import classification_measures


def of_scores(scores):
    scores = np.array(scores)
    return np.stack([1 - scores, scores], axis=1)


def test_two_classes_by_hand():
    """Of 2 positives one is found, of 3 negatives one is called: tp 1, fn 1, fp 1, tn 2."""
    found = classification_measures(of_scores([0.9, 0.4, 0.7, 0.2, 0.1]), np.array([1, 1, 0, 0, 0]))
    assert found == pytest.approx(
        {
            "accuracy": 3 / 5,
            "precision": 1 / 2,
            "recall": 1 / 2,
            "f1": 1 / 2,
            "mcc": (1 * 2 - 1 * 1) / (2 * 2 * 3 * 3) ** 0.5,
            "auroc": 5 / 6,  # of six pairs the one of 0.4 and 0.7 is the wrong way round
            "average_precision": (1 / 1 + 2 / 3) / 2,
        }
    )


def test_three_classes_are_averaged():
    """Class 0 is always right; 1 and 2 are each other's: recall 1, 0, 0."""
    probabilities = np.eye(3)[[0, 0, 2, 1]]
    found = classification_measures(probabilities, np.array([0, 0, 1, 2]))
    assert found["accuracy"] == pytest.approx(1 / 2)
    assert found["recall"] == found["precision"] == found["f1"] == pytest.approx(1 / 3)


def test_auroc_is_the_share_of_pairs_in_order():
    generator = np.random.default_rng(0)
    scores, labels = generator.random(60).round(1), generator.integers(0, 2, 60)  # with ties, which count half
    differences = scores[labels == 1][:, None] - scores[labels == 0][None]
    expected = (differences > 0).mean() + (differences == 0).mean() / 2
    assert classification_measures(of_scores(scores), labels)["auroc"] == pytest.approx(expected)


def test_one_class_only_cannot_be_ranked():
    found = classification_measures(of_scores([0.9, 0.2]), np.array([0, 0]))
    assert np.isnan(found["auroc"])
    assert found["precision"] == found["recall"] == found["mcc"] == 0
