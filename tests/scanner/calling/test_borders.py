"""Where repeats begin and end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repeat_text import codes_of, mutated, random_text

from genoscan.scanner.calling.alignment import align
from genoscan.scanner.calling.borders import (
    LEAST_ERRORS,
    TOLERANCE,
    best_stretch,
    deleted_before,
    error_rate,
    log_odds,
    reach,
    repeat_borders,
)


def borders(text, unit, confidence=0.8):
    codes, ring = codes_of(text), codes_of(unit)
    return repeat_borders(codes, ring, align(codes, ring)[0], confidence)


def test_a_perfect_repeat_between_other_bases_is_told_to_the_base():
    # The flanks agree with the unit nowhere, so that no base can belong to the repeat by chance.
    assert borders("GGGGGGGG" + "ACT" * 10 + "GGGGGGGG", "ACT") == (8, 38)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_nothing_is_cut_off_where_all_is_repeat(confidence):
    assert borders("ACGT" * 12, "ACGT", confidence) == (0, 48)


def test_log_odds_by_hand():
    # ring ACG; the second base mismatches, the fourth is inserted, and before the last one G is deleted
    codes, unit = codes_of("ATGTACA"), codes_of("ACG")
    positions = np.array([0, 1, 2, -3, 0, 1, 0], dtype=np.int32)
    out = np.empty(7)
    log_odds(codes, unit, positions, 0.1, out)
    match, error = np.log2(3.6), np.log2(0.4 / 3)
    expected = [match, error, match, error - 1, match, match, match + error - 1]
    np.testing.assert_allclose(out, expected)
    # columns: seven bases and one deletion, three of them errors; one match and one error are added
    assert error_rate(codes, unit, positions, 0, 7) == pytest.approx((3 + 1) / (8 + 2))


@pytest.mark.parametrize(("last", "j", "skipped"), [(-1, 2, 0), (0, 1, 0), (3, 0, 0), (0, 3, 2), (2, 1, 2), (1, 1, 3)])
def test_deleted_positions_of_a_ring_of_four(last, j, skipped):
    assert deleted_before(last, j, 4) == skipped


def test_best_stretch_by_hand():
    assert best_stretch(np.array([-1.0, 2, -1, 2, -5, 1])) == (1, 4)
    assert best_stretch(np.array([-1.0, -2])) == (0, 2)


def test_reach_by_hand():
    # Ends after 0, 1, 2 bases have odds 1 : 2 : 4, so that the second base belongs with 4/7 and the first with 6/7.
    odds = np.array([1.0, 1.0])
    assert [reach(odds, confidence) for confidence in (0.5, 0.6, 0.9)] == [2, 1, 0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([0.0, 0.05, 0.2]))
def test_surer_borders_lie_further_in(seed, period, rate):
    generator = np.random.default_rng(seed)
    unit = random_text(generator, period)
    text = random_text(generator, 20) + mutated(generator, unit * (3 + 40 // period), rate) + random_text(generator, 20)
    found = [borders(text, unit, confidence) for confidence in (0.5, 0.8, 0.95, 0.99)]
    starts, ends = zip(*found, strict=True)
    assert all(0 <= start <= end <= len(text) for start, end in found)
    assert list(starts) == sorted(starts)
    assert list(ends) == sorted(ends, reverse=True)


def test_borders_of_diverged_repeats_are_near_the_truth():
    generator = np.random.default_rng(3)
    distances = []
    for _ in range(100):
        unit = random_text(generator, 30)
        text = random_text(generator, 25) + mutated(generator, unit * 5, 0.1) + random_text(generator, 25)
        start, end = borders(text, unit)
        distances += [abs(start - 25), abs(end - 175)]
    assert np.median(distances) <= TOLERANCE
    assert np.mean(distances) < 4


def test_an_error_free_array_is_believed_to_have_some_errors():
    # Otherwise one mismatch near an end would cut off what lies beyond it.
    assert LEAST_ERRORS > 0
    text = "ACGTTGCA" * 20
    assert borders(text[:152] + "T" + text[153:], "ACGTTGCA") == (0, 160)
