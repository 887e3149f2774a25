"""Wraparound alignment: against an alignment to many copies written out, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repeat_text import codes_of, mutated, random_text

from genoscan.scanner.calling.alignment import align, count_votes, elect, saved_bits

SIZES = (1, 63, 64, 65, 128, 130)  # of units: around the borders of words


def written_out_errors(codes, unit):
    """Fewest errors of an alignment of all of ``codes`` to a part of a long row of copies, without any ring."""
    row = np.tile(unit, 3 + 2 * len(codes) // len(unit))
    places = np.arange(len(row) + 1)
    errors = np.zeros(len(places), dtype=np.int64)
    for code in codes:
        new = errors + 1
        new[1:] = np.minimum(new[1:], errors[:-1] + ((row != code) | (code > 3)))
        errors = np.minimum.accumulate(new - places) + places
    return errors.min()


@settings(max_examples=120, deadline=None)
@given(st.text("ACGTN", min_size=1, max_size=40), st.text("ACGT", min_size=1, max_size=9), st.sampled_from(SIZES))
def test_alignment_is_the_best_there_is(text, unit, size):
    unit = (unit * size)[: max(size, len(unit))]
    codes, ring = codes_of(text), codes_of(unit)
    positions, events = align(codes, ring)
    assert events[1:].sum() == written_out_errors(codes, ring)
    assert events[:3].sum() == len(codes)
    aligned = positions[positions >= 0]
    assert np.count_nonzero(ring[aligned] == codes[positions >= 0]) == events[0]
    assert np.count_nonzero(positions < 0) == events[2]
    assert np.all((positions < len(ring)) & (positions >= -len(ring)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((1, 2, 5, 31, 63, 64, 65, 100, 127, 128, 129, 200)))
def test_diverged_copies_are_aligned_as_well_as_can_be(seed, size):
    generator = np.random.default_rng(seed)
    unit = random_text(generator, size)
    text = mutated(generator, (unit * (2 + 150 // size))[size // 3 :], 0.2)
    dropped = generator.random(len(text)) < 0.05
    codes, ring = codes_of("".join(np.array(list(text))[~dropped])), codes_of(unit)
    positions, events = align(codes, ring)
    assert events[1:].sum() == written_out_errors(codes, ring)
    steps = np.diff(np.concatenate((positions[positions >= 0], positions[positions >= 0][:1])))[:-1]
    assert np.sum((steps - 1) % size) == events[3]


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
