"""Measures of probabilities, by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score

from genoscan.training.tissue import measures


def test_by_hand():
    confidence, right = np.array([0.95, 0.95, 0.55, 0.45]), np.array([True, True, False, True])
    # bins of a tenth: 0.95 twice and right twice, 0.55 and wrong, 0.45 and right
    expected = (2 * 0.05 + 0.55 + 0.55) / 4
    assert measures.calibration_error(confidence, right, bins=10) == pytest.approx(expected)
    exact, other = np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])
    assert measures.divergence(exact, other) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert measures.divergence(exact, exact) == 0


def test_against_scikit_learn():
    generator = np.random.default_rng(0)
    found, classes = generator.dirichlet(np.ones(5), 300), generator.integers(0, 5, 300)
    got = measures.read_measures(found, classes)
    assert got["log_loss"] == pytest.approx(log_loss(classes, found, labels=range(5)))
    assert got["top3"] == pytest.approx(top_k_accuracy_score(classes, found, k=3, labels=range(5)))
    assert got["accuracy"] == pytest.approx((found.argmax(axis=1) == classes).mean())
    called = found.argmax(axis=1)
    np.testing.assert_array_equal(measures.confusion(called, classes, 5), confusion_matrix(classes, called))


def test_reads_without_a_word_are_as_good_as_their_order():
    flat = np.full((3, 3), 1 / 3)
    assert measures.top_share(flat, np.array([0, 1, 2]), 1) == pytest.approx(1 / 3)


def test_frequencies_are_calibrated():
    generator = np.random.default_rng(1)
    confidence = generator.random(100_000)
    right = generator.random(100_000) < confidence
    assert measures.calibration_error(confidence, right) < 0.01
    assert measures.calibration_error(confidence, ~right) > 0.4
