"""Errors of proportions and limits of detection, by hand."""

import numpy as np
import pytest

from genoscan.training.mixtures.measures import Detection, Estimates, detection, proportion_errors


def test_errors_by_hand():
    truth = np.array([[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    found = np.array([[0.4, 0.5, 0.1, 0.0], [0.9, 0.0, 0.0, 0.1]])
    errors = proportion_errors(found, truth)
    assert errors["mae"] == pytest.approx(0.4 / 8)
    assert errors["mae_present"] == pytest.approx(0.2 / 3)
    assert errors["mae_absent"] == pytest.approx(0.2 / 5)
    # squares: 4 of 0.1 are left; about the mean of 1/4: two of 1/4, one of 3/4, five of -1/4
    assert errors["r2"] == pytest.approx(1 - 0.04 / (2 * 0.0625 + 0.5625 + 5 * 0.0625))


def test_what_is_true_has_no_error():
    truth = np.random.default_rng(0).dirichlet(np.ones(6), 4)
    truth[:, 0] = 0
    assert proportion_errors(truth, truth) == {"mae": 0, "mae_present": 0, "mae_absent": 0, "r2": 1}


def test_without_absent_cell_types_there_is_no_error_of_them():
    assert proportion_errors(np.array([[0.5, 0.5]]), np.array([[0.4, 0.6]]))["mae_absent"] is None


def test_a_threshold_leaves_a_twentieth_above():
    reference = np.arange(100) / 1000  # 95 of them up to 0.094
    clean = np.array([0.0, 0.0945, 0.0955, 0.2])
    found = detection(reference, clean, {0.1: np.array([0.09, 0.3]), 0.2: np.array([0.3, 0.4])})
    assert (reference > found.threshold).mean() <= 0.05
    assert found.threshold == pytest.approx(0.095)
    assert found.false_rate == 0.5
    assert found.found == {0.1: 0.5, 0.2: 1.0}


def test_the_reference_may_be_all_zeros():
    found = detection(np.zeros(20), np.zeros(10), {0.01: np.array([0, 1e-6])})
    assert (found.threshold, found.false_rate, found.found) == (0, 0, {0.01: 0.5})


@pytest.mark.parametrize(
    ("found", "limit"),
    [
        ({0.1: 1.0, 0.01: 0.95, 0.001: 0.2}, 0.01),
        ({0.001: 0.97, 0.01: 0.9, 0.1: 1.0}, 0.1),  # by luck a small one
        ({0.1: 0.9, 0.01: 0.2}, None),
    ],
)
def test_the_limit_is_the_smallest_from_which_on_all_are_found(found, limit):
    assert Detection(0.0, 0.0, found).limit() == limit


def test_measures_of_estimates():
    truth = np.array([[0.8, 0.2], [1.0, 0.0]])
    one = Estimates(truth, truth, np.zeros(40), np.array([0.0, 0.1]), {0.1: np.array([0.2, 0.1])})
    assert one.measures() == {
        "mae": 0, "mae_present": 0, "mae_absent": 0, "r2": 1, "threshold": 0, "false_rate": 0.5,
        "limit_of_detection": 0.1,
    }  # fmt: skip
