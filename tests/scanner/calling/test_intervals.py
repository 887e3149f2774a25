"""Runs, joins and calls: golden values by hand, and the property that cutting changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.intervals import RUN, Caller, Thresholds, find_runs, merge_runs
from genoscan.scanner.calling.levels import Leveller, find_levels, merge_levels
from genoscan.scanner.inference.stitch import NO_SCORE

SCORES = st.lists(st.sampled_from([0, 2000, 3000, 5000, 9000, int(NO_SCORE)]), min_size=1, max_size=60)
THRESHOLDS = Thresholds(call=5000, extend=3000, gap=2, min_length=3)


def edges_of(count, size=1, first=0):
    return first + size * np.arange(count + 1, dtype=np.int64)


def runs_of(scores, first=0, contig=0, channel=0):
    return find_runs(np.array(scores, dtype=np.int32), edges_of(len(scores), 1, first), 3000, contig, channel)


def rows(runs):
    return [tuple(int(value) for value in run) for run in runs]


def test_find_runs_by_hand():
    scores = np.array([0, 3000, 9000, NO_SCORE, 5000, 2999, 4000], dtype=np.int32)
    runs = find_runs(scores, edges_of(7, 10, 100), 3000, contig=2, channel=1)
    assert rows(runs) == [
        (2, 1, 110, 130, 120_000, 20, 9000),
        (2, 1, 140, 150, 50_000, 10, 5000),
        (2, 1, 160, 170, 40_000, 10, 4000),
    ]


def test_empty_bins_do_not_end_a_run():
    edges = np.array([0, 10, 10, 20], dtype=np.int64)
    assert rows(find_runs(np.array([5000, 0, 5000], dtype=np.int32), edges, 3000, 0, 0)) == [
        (0, 0, 0, 20, 100_000, 20, 5000)
    ]


def test_merging_keeps_contigs_and_channels_apart():
    runs = np.array([(0, 0, 5, 9, 4, 4, 1), (0, 1, 9, 12, 3, 3, 2), (1, 1, 12, 14, 2, 2, 3)], dtype=RUN)
    assert rows(merge_runs(runs, gap=5)) == rows(runs)


def test_merging_sums_and_takes_the_highest_peak():
    runs = np.array([(0, 0, 5, 9, 40, 4, 10), (0, 0, 11, 12, 7, 1, 7)], dtype=RUN)
    assert rows(merge_runs(runs, gap=2)) == [(0, 0, 5, 12, 47, 5, 10)]
    assert rows(merge_runs(runs, gap=1)) == rows(runs)


def call_whole(scores, thresholds=THRESHOLDS):
    caller = Caller(thresholds)
    return rows(np.concatenate([caller.add(runs_of(scores), 0, len(scores)), caller.finish()]))


def test_calls_by_hand():
    scores = [3000, 9000, 3000, 0, 0, 3000, 0, 0, 0, 4000, 4000, 4000, 0, 0, 0, 9000, 9000]
    # The first three and the one after a gap of two join; the weak three never reach 5000; the last two are short.
    assert call_whole(scores) == [(0, 0, 0, 6, 18_000, 4, 9000)]


def expected_calls(scores, thresholds):
    """The definition, base by base: extend over gaps, then keep what is strong and long."""
    positions = [i for i, score in enumerate(scores) if score != NO_SCORE and score >= thresholds.extend]
    groups = []
    for position in positions:
        if groups and position - groups[-1][-1] - 1 <= thresholds.gap:
            groups[-1].append(position)
        else:
            groups.append([position])
    return [
        (0, 0, g[0], g[-1] + 1, sum(scores[i] for i in g), len(g), max(scores[i] for i in g))
        for g in groups
        if max(scores[i] for i in g) >= thresholds.call and g[-1] + 1 - g[0] >= thresholds.min_length
    ]


@given(SCORES, st.integers(0, 4), st.integers(1, 6))
def test_calls_follow_their_definition(scores, gap, min_length):
    thresholds = Thresholds(5000, 3000, gap, min_length)
    assert call_whole(scores, thresholds) == expected_calls(scores, thresholds)


@given(SCORES, st.lists(st.integers(0, 60), max_size=8))
def test_cutting_into_tiles_changes_no_call(scores, cuts):
    borders = sorted({0, len(scores), *(cut for cut in cuts if cut < len(scores))})
    caller, pieces = Caller(THRESHOLDS), []
    for start, end in zip(borders, borders[1:], strict=False):
        pieces.append(caller.add(runs_of(scores[start:end], start), 0, end))
    pieces.append(caller.finish())
    assert rows(np.concatenate(pieces)) == call_whole(scores)


@given(st.lists(SCORES, min_size=2, max_size=4), SCORES)
def test_order_holds_over_contigs_and_channels(contigs, other):
    caller, pieces = Caller(THRESHOLDS), []
    for number, scores in enumerate(contigs):
        half = len(scores) // 2
        for start, end in ((0, half), (half, len(scores))):
            first = runs_of(scores[start:end], start, number, 0)
            second = runs_of(other[: len(scores)][start:end], start, number, 1)
            pieces.append(caller.add(np.concatenate([first, second]), number, end))
    pieces.append(caller.finish())
    calls = np.concatenate(pieces)
    places = [(int(c["contig"]), int(c["start"]), int(c["end"]), int(c["channel"])) for c in calls]
    assert places == sorted(places)
    expected = sum(len(expected_calls(scores, THRESHOLDS)) for scores in contigs)
    expected += sum(len(expected_calls(other[: len(scores)], THRESHOLDS)) for scores in contigs)
    assert len(places) == expected


@given(SCORES, st.integers(0, 60))
def test_merging_is_associative(scores, cut):
    runs = runs_of(scores)
    cut = min(cut, len(runs))
    halves = np.concatenate([merge_runs(runs[:cut], 3), merge_runs(runs[cut:], 3)])
    assert rows(merge_runs(halves, 3)) == rows(merge_runs(runs, 3))


def test_levels_by_hand():
    scores = np.array([5, 5, NO_SCORE, 5, 7], dtype=np.int32)
    levels = find_levels(scores, edges_of(5, 10), contig=3)
    assert [tuple(map(int, level)) for level in levels] == [(3, 0, 20, 5), (3, 30, 40, 5), (3, 40, 50, 7)]


@given(SCORES, st.integers(0, 60))
def test_cutting_changes_no_level(scores, cut):
    scores = np.array(scores, dtype=np.int32)
    cut = min(cut, len(scores))
    whole = find_levels(scores, edges_of(len(scores)), 0)
    leveller = Leveller()
    pieces = [
        leveller.add(find_levels(scores[:cut], edges_of(cut), 0), 0, cut),
        leveller.add(find_levels(scores[cut:], edges_of(len(scores) - cut, 1, cut), 0), 0, len(scores)),
        leveller.finish(),
    ]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert np.array_equal(merge_levels(whole), whole)


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 5000), (0.00005, 0), (2.25, 22500)])
def test_thresholds_are_fixed_point(threshold, expected):
    assert Thresholds.of(threshold, threshold, 0, 1).call == expected
