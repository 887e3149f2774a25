"""Intervals: how often they hold the truth, what a seed fixes, and rows that are drawn together."""

import numpy as np

from genoscan.training.measures.bootstrap import with_intervals


def mean_of(values):
    return lambda rows: {"mean": float(values[rows].mean())}


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = with_intervals(mean_of(values), len(values), resamples=2000)["mean"]
    half = 1.96 * values.std() / 20
    assert found.value == values.mean()
    np.testing.assert_allclose([found.low, found.high], [values.mean() - half, values.mean() + half], atol=0.03)


def test_relatives_widen_it():
    """A hundred groups of ten equal rows are a hundred rows, not a thousand."""
    values = np.repeat(np.random.default_rng(0).normal(0, 1, 100), 10)
    groups = np.repeat(np.arange(100), 10)
    alone, together = with_intervals(mean_of(values), 1000), with_intervals(mean_of(values), 1000, groups)
    ratio = (together["mean"].high - together["mean"].low) / (alone["mean"].high - alone["mean"].low)
    assert 2.6 < ratio < 3.8  # the root of ten
    assert together["mean"].value == alone["mean"].value


def test_groups_of_one_row_each_in_any_order_are_rows():
    values = np.random.default_rng(0).normal(0, 1, 50)
    groups = np.random.default_rng(1).permutation(50)
    seen = []
    with_intervals(lambda rows: seen.append(len(rows)) or {"mean": 0.0}, 50, groups, resamples=5)
    assert seen == [50] * 6
    assert with_intervals(mean_of(values), 50, groups, seed=3) == with_intervals(mean_of(values), 50, groups, seed=3)


def test_what_a_resample_does_not_have_is_left_out():
    def sometimes(rows):
        return {"share": np.nan if 0 not in rows else 1.0, "never": np.nan}

    found = with_intervals(sometimes, 4)
    assert found["share"] == (1.0, 1.0, 1.0)
    assert np.isnan(found["never"]).all()
