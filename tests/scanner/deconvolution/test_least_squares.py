"""Non-negative least squares."""

import numpy as np
import pytest

from genoscan.scanner.deconvolution.least_squares import least_squares

PROFILES = np.array([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9], [0.5, 0.5, 0.2]])


def test_an_exact_mix_is_found():
    truth = np.array([0.6, 0.4, 0.0])
    np.testing.assert_allclose(least_squares(PROFILES, PROFILES @ truth), truth, atol=1e-9)


def test_what_is_lacking_is_unknown():
    truth = np.array([0.5, 0.2, 0.0])
    np.testing.assert_allclose(least_squares(PROFILES, PROFILES @ truth, unknown=True), [0.5, 0.2, 0, 0.3], atol=1e-9)
    found = least_squares(PROFILES, PROFILES @ (2 * truth), unknown=True)
    assert found[-1] == 0
    assert found.sum() == pytest.approx(1)


def test_heavier_regions_count_more():
    observed = PROFILES @ np.array([1.0, 0, 0])
    observed[1] = 0.8  # one region disagrees
    light, heavy = (least_squares(PROFILES, observed, np.array([1, weight, 1, 1])) for weight in (0.01, 100))
    assert light[0] > 0.99
    assert heavy[0] < 0.9


def test_regions_that_are_not_known_are_left_out():
    truth = np.array([0.3, 0.3, 0.4])
    observed = PROFILES @ truth
    holes = np.vstack([PROFILES, [np.nan, 1, 1], [1, 1, 1]])
    found = least_squares(holes, np.append(observed, [0.5, np.nan]))
    np.testing.assert_allclose(found, truth, atol=1e-9)
    np.testing.assert_allclose(least_squares(PROFILES, np.full(4, np.nan)), np.full(3, 1 / 3))
    np.testing.assert_allclose(least_squares(PROFILES, np.full(4, np.nan), unknown=True), [0, 0, 0, 1])
