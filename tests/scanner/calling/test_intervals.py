"""Runs, joins and calls: golden values by hand, and the property that cutting changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.intervals import RUN, Caller, Thresholds, find_runs, merge_runs
from genoscan.scanner.calling.levels import Leveller, find_levels, merge_levels
from genoscan.scanner.inference.stitch import NO_SCORE
from genoscan.scanner.reading.tiles import INTERVAL, Bins

SCORES = st.lists(st.sampled_from([0, 2000, 3000, 5000, 9000, int(NO_SCORE)]), min_size=1, max_size=60)
THRESHOLDS = Thresholds(call=5000, extend=3000, gap=2, min_length=3)


def bins_of(count, size=1, first=0, contig=0, start=0, end=2**62):
    """``count`` bins from ``first`` on, for one interval [start, end) that may be smaller than they are."""
    interval = (contig, max(start, first), min(end, first + size * count))
    return Bins(np.array([interval], dtype=INTERVAL), np.array([first]), np.array([0, count]), size)


def runs_of(scores, first=0, contig=0, channel=0):
    return find_runs(np.array(scores, dtype=np.int32), bins_of(len(scores), 1, first, contig), 3000, channel)


def rows(runs):
    return [tuple(int(value) for value in run) for run in runs]


def test_find_runs_by_hand():
    scores = np.array([0, 3000, 9000, NO_SCORE, 5000, 2999, 4000], dtype=np.int32)
    runs = find_runs(scores, bins_of(7, 10, 100, contig=2), 3000, channel=1)
    assert rows(runs) == [
        (2, 1, 110, 130, 120_000, 20, 9000),
        (2, 1, 140, 150, 50_000, 10, 5000),
        (2, 1, 160, 170, 40_000, 10, 4000),
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 40, [(0, 0, 0, 40, 200_000, 40, 5000)]),
        (7, 40, [(0, 0, 7, 40, 165_000, 33, 5000)]),
        (10, 33, [(0, 0, 10, 33, 115_000, 23, 5000)]),
        (22, 25, [(0, 0, 22, 25, 15_000, 3, 5000)]),
    ],
)
def test_bins_are_cut_to_their_interval(start, end, expected):
    scores = np.full(4, 5000, dtype=np.int32)
    assert rows(find_runs(scores, bins_of(4, 10, start=start, end=end), 3000, 0)) == expected
    levels = find_levels(scores, bins_of(4, 10, start=start, end=end), 2)
    assert rows(levels) == [(0, 2, start, end, 5000)]


def test_intervals_of_a_tile_are_apart_even_where_they_touch():
    intervals = np.array([(0, 12, 20), (0, 20, 24), (3, 0, 5)], dtype=INTERVAL)
    bins = Bins(intervals, np.array([10, 20, 0]), np.array([0, 2, 3, 5]), 5)
    scores = np.array([4000, 4000, 4000, 4000, 9000], dtype=np.int32)
    assert rows(find_runs(scores, bins, 3000, 1)) == [
        (0, 1, 12, 20, 32_000, 8, 4000),
        (0, 1, 20, 24, 16_000, 4, 4000),
        (3, 1, 0, 5, 20_000, 5, 4000),
    ]
    levels = [(0, 1, 12, 20, 4000), (0, 1, 20, 24, 4000), (3, 1, 0, 5, 4000)]
    assert rows(find_levels(scores, bins, 1)) == levels


def test_more_runs_and_levels_than_expected_are_all_found():
    scores = np.tile(np.array([5000, 0], dtype=np.int32), 5000)
    runs = find_runs(scores, bins_of(10_000), 3000, 0)
    assert runs["start"].tolist() == list(range(0, 10_000, 2))
    assert set(runs["total"]) == {5000}
    levels = find_levels(scores, bins_of(10_000), 0)
    assert levels["start"].tolist() == list(range(10_000))
    assert levels["end"].tolist() == list(range(1, 10_001))
    assert levels["score"].tolist() == scores.tolist()


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
    levels = find_levels(scores, bins_of(5, 10, contig=3), 0)
    assert [tuple(map(int, level)) for level in levels] == [
        (3, 0, 0, 20, 5), (3, 0, 30, 40, 5), (3, 0, 40, 50, 7)
    ]  # fmt: skip


@given(SCORES, SCORES, st.integers(0, 60))
def test_cutting_changes_no_level(one, other, cut):
    strands = [np.array(scores, dtype=np.int32) for scores in (one, other)]
    ends = [min(cut, len(scores)) for scores in strands]
    whole = [find_levels(scores, bins_of(len(scores)), number) for number, scores in enumerate(strands)]
    before = [
        find_levels(scores[:end], bins_of(end), number)
        for number, (scores, end) in enumerate(zip(strands, ends, strict=True))
    ]
    after = [
        find_levels(scores[end:], bins_of(len(scores) - end, 1, end), number)
        for number, (scores, end) in enumerate(zip(strands, ends, strict=True))
    ]
    leveller = Leveller()
    pieces = [
        leveller.add(np.concatenate(before), 0, cut),
        leveller.add(np.concatenate(after[::-1]), 0, 60),
        leveller.finish(),
    ]
    for number, levels in enumerate(whole):
        assert np.array_equal(np.concatenate([piece[piece["channel"] == number] for piece in pieces]), levels)
    assert np.array_equal(merge_levels(np.concatenate(whole[::-1])), np.concatenate(whole))


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 5000), (0.00005, 0), (2.25, 22500)])
def test_thresholds_are_fixed_point(threshold, expected):
    assert Thresholds.of(threshold, threshold, 0, 1).call == expected
