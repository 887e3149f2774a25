"""Reads clipped to markers and counted; U, X and M; means."""

import numpy as np

from genoscan.scanner.deconvolution.fractions import fractions, means
from genoscan.scanner.deconvolution.marker_reads import MarkerReads, clipped, marker_reads
from genoscan.scanner.reading.methylation.reads import MethylationReads


def reads(*told, counts=None):
    """Reads from lists of (position, state)."""
    sizes = [len(one) for one in told]
    sites = [site for one in told for site in one]
    return MethylationReads(
        "chr1",
        np.array([one[0][0] for one in told]),
        np.array([one[-1][0] + 2 for one in told]),
        np.concatenate([[0], np.cumsum(sizes)]),
        np.array([position for position, _ in sites]),
        np.array([state for _, state in sites], dtype=np.uint8),
        np.ones(len(told), dtype=np.int64) if counts is None else np.array(counts),
    )


LONG = [(98, 1), (100, 0), (110, 1), (119, 1), (120, 1)]


def test_only_cpgs_inside_count():
    cpgs, methylated = clipped(reads(LONG, [(120, 1)]), 100, 120)
    np.testing.assert_array_equal(cpgs, [3, 0])
    np.testing.assert_array_equal(methylated, [2, 0])


def test_reads_alike_are_counted_together():
    found = marker_reads(
        [reads(LONG, [(101, 1), (102, 1), (103, 0)], [(130, 0)], counts=[2, 3, 5]), reads([(205, 0)])],
        np.array([100, 200]),
        np.array([120, 210]),
    )
    np.testing.assert_array_equal(found.markers, [0, 1])
    np.testing.assert_array_equal(found.cpgs, [3, 1])
    np.testing.assert_array_equal(found.methylated, [2, 0])
    np.testing.assert_array_equal(found.counts, [5, 1])


def test_fractions_follow_uxms_rule():
    """With four CpGs or more: at most a quarter methylated is U, at least three quarters M."""
    rows = [(0, 4, 0, 2), (0, 4, 1, 3), (0, 4, 2, 4), (0, 4, 3, 5), (0, 8, 2, 6), (0, 8, 3, 7), (0, 3, 0, 9)]
    found = fractions(MarkerReads(*np.array(rows).T), 2)
    np.testing.assert_array_equal(found.unmethylated, [11, 0])
    np.testing.assert_array_equal(found.mixed, [11, 0])
    np.testing.assert_array_equal(found.methylated, [5, 0])
    np.testing.assert_array_equal(found.depths, [27, 0])
    np.testing.assert_allclose(found.shares, [11 / 27, np.nan])


def test_means_are_over_calls_of_cpgs():
    values, calls = means(MarkerReads(*np.array([(0, 4, 1, 2), (0, 2, 2, 1)]).T), 2)
    np.testing.assert_allclose(values, [0.4, np.nan])
    np.testing.assert_array_equal(calls, [10, 0])
