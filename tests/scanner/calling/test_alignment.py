"""Wraparound alignment: against an alignment to many copies written out, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repeat_text import codes_of

from genoscan.scanner.calling.alignment import (
    GAP,
    MATCH,
    MISMATCH,
    NARROW,
    align,
    best_scores,
    count_votes,
    elect,
    saved_bits,
)

UNITS = st.text("ACGT", min_size=1, max_size=9)


def written_out_score(codes, unit):
    """Score of the best alignment of all of ``codes`` to a part of a long row of copies, without any ring."""
    row = np.tile(unit, len(codes) + 2 + 2 * len(codes) // len(unit))
    scores = np.zeros(len(row) + 1, dtype=np.int64)
    for code in codes:
        gain = np.where((row == code) & (code < 4), MATCH, -MISMATCH)
        new = scores - GAP
        new[1:] = np.maximum(new[1:], scores[:-1] + gain)
        for j in range(1, len(new)):
            new[j] = max(new[j], new[j - 1] - GAP)
        scores = new
    return scores.max()


def score_of(events):
    matches, mismatches, inserted, deleted = events
    return MATCH * matches - MISMATCH * mismatches - GAP * (inserted + deleted)


@settings(max_examples=80, deadline=None)
@given(st.text("ACGTN", min_size=1, max_size=25), UNITS, st.booleans())
def test_alignment_is_the_best_there_is(text, unit, wide):
    unit = unit * (NARROW // len(unit) + 1) if wide else unit  # the other way to fill a row; copies change nothing
    codes, ring = codes_of(text), codes_of(unit)
    positions, events = align(codes, ring)
    assert score_of(events) == written_out_score(codes, ring)
    assert best_scores(codes, ring)[-1] == score_of(events)
    assert events[:3].sum() == len(codes)
    aligned = positions[positions >= 0]
    assert np.count_nonzero(ring[aligned] == codes[positions >= 0]) == events[0]
    assert np.count_nonzero(positions < 0) == events[2]


@pytest.mark.parametrize(
    ("text", "unit", "events"),
    [
        ("ACGACG", "ACG", [6, 0, 0, 0]),
        ("CGACGA", "ACG", [6, 0, 0, 0]),
        ("ACGTACGTAGTACGTACGT", "ACGT", [19, 0, 0, 1]),
        ("ACGTTACGTTAACGTTACGTT", "ACGTT", [20, 0, 1, 0]),
        ("ACGTTACNTTACGTT", "ACGTT", [14, 1, 0, 0]),
    ],
)
def test_events_by_hand(text, unit, events):
    assert align(codes_of(text), codes_of(unit))[1].tolist() == events


def test_votes_put_right_a_unit_that_lacks_a_base():
    codes, unit = codes_of("ACGTTACGTTACGTTACGTT"), codes_of("ACTT")
    positions, _ = align(codes, unit)
    assert elect(unit, *count_votes(codes, 4, positions)).tolist() == codes_of("ACGTT").tolist()


def test_saved_bits_by_hand():
    # Twenty bases of four letters as copies of a unit of four: 40 bits less 8.
    assert saved_bits(np.array([20, 0, 0, 0]), 4) == pytest.approx(32)
    # Half of the columns mismatch: a bit a column, and log2(3) for each base that is another.
    assert saved_bits(np.array([10, 10, 0, 0]), 4) == pytest.approx(40 - 8 - 20 - 10 * np.log2(3))
