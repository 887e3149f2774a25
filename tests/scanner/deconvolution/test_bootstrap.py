"""Intervals by resampling."""

import numpy as np

from genoscan.scanner.deconvolution.bootstrap import intervals, resampled_counts


def share(counts):
    return counts / counts.sum()


def test_resamples_keep_the_number_of_reads():
    counts = np.array([5, 0, 95])
    drawn = resampled_counts(counts, np.random.default_rng(0))
    assert drawn.sum() == 100
    assert drawn[1] == 0


def test_intervals_of_a_share_are_those_of_the_binomial():
    """Standard error of 30 of 100: 0.0458, so 0.3 +- 0.09."""
    low, high = intervals(share, np.array([30, 70]), 2000, 1)
    np.testing.assert_allclose([low[0], high[0]], [0.21, 0.39], atol=0.015)


def test_the_seed_decides():
    first, again, other = (intervals(share, np.array([3, 7]), 20, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_nothing_to_resample_has_no_interval():
    assert np.isnan(intervals(share, np.array([3, 7]), 0, 0)).all()
    assert np.isnan(intervals(lambda counts: counts + 0.5, np.array([0, 0]), 10, 0)).all()
