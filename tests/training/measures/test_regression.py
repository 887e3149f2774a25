"""Measures of numbers: by hand, and where the two kinds of R2 part."""

import numpy as np
import pytest

from genoscan.training.measures.regression import output_measures, regression_measures

MEASURED = np.array([1.0, 2.0, 3.0, 4.0])


def test_by_hand():
    """Predictions 1, 3, 2, 4: covariance 4/4, both variances 5/4, so r = 0.8; errors 1 + 1 of a total of 5."""
    found = output_measures(np.array([1.0, 3.0, 2.0, 4.0]), MEASURED)
    assert found == pytest.approx({"pearson": 0.8, "spearman": 0.8, "r2_pearson": 0.64, "r2_determination": 0.6})


def test_a_stretched_prediction_keeps_its_correlations_and_loses_determination():
    """10 times too large: errors 81 * (1 + 4 + 9 + 16) of a total of 5."""
    found = output_measures(10 * MEASURED, MEASURED)
    assert found["pearson"] == found["spearman"] == found["r2_pearson"] == pytest.approx(1)
    assert found["r2_determination"] == pytest.approx(1 - 81 * 30 / 5)


def test_a_reversed_prediction_has_a_positive_squared_correlation():
    found = output_measures(-MEASURED, MEASURED)
    assert found["pearson"] == pytest.approx(-1)
    assert found["r2_pearson"] == pytest.approx(1)
    assert found["r2_determination"] < 0


def test_ranks_do_not_see_a_bend():
    found = output_measures(np.exp(MEASURED), MEASURED)
    assert found["spearman"] == pytest.approx(1)
    assert found["pearson"] < 0.95


def test_what_was_not_measured_is_left_out():
    measured = np.array([1.0, np.nan, 2.0, 3.0, np.nan, 4.0])
    predicted = np.array([1.0, 99.0, 3.0, 2.0, -99.0, 4.0])
    assert output_measures(predicted, measured)["pearson"] == pytest.approx(0.8)


@pytest.mark.parametrize("measured", [[], [1.0], [2.0, 2.0, 2.0], [np.nan, np.nan]])
def test_undefined_measures_are_nan(measured):
    measured = np.array(measured)
    assert all(np.isnan(value) for value in output_measures(np.arange(float(len(measured))), measured).values())


def test_a_constant_prediction_has_a_determination_and_no_correlation():
    found = output_measures(np.full(4, 2.5), MEASURED)
    assert found["r2_determination"] == pytest.approx(0)
    assert np.isnan(found["pearson"])
    assert np.isnan(found["r2_pearson"])


def test_outputs_alone_together_and_their_mean():
    """Two perfect outputs on different levels; predictions swap the levels, so pooled they do badly."""
    measured = np.stack([MEASURED, MEASURED + 10], axis=1)
    predicted = np.stack([MEASURED + 10, MEASURED], axis=1)
    found = regression_measures(predicted, measured, ["leaf", "root"])
    assert found["pearson/leaf"] == found["pearson/root"] == found["mean/pearson"] == pytest.approx(1)
    assert found["pearson"] == pytest.approx(-0.9047619, abs=1e-6)  # (1.25 - 25) / (1.25 + 25)
    assert set(regression_measures(predicted[:, :1], measured[:, :1], ["leaf"])) == {
        "pearson", "spearman", "r2_pearson", "r2_determination",
    }  # fmt: skip


def test_the_mean_is_over_outputs_that_have_a_measure():
    measured = np.stack([MEASURED, np.full(4, np.nan)], axis=1)
    found = regression_measures(measured, measured, ["leaf", "root"])
    assert np.isnan(found["pearson/root"])
    assert found["mean/pearson"] == pytest.approx(1)
