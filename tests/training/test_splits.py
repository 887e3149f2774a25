"""Groups and splits: sketches that know no strand and no number of copies, groups that stay whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.reading.tiles import INTERVAL
from genoscan.training.data.splits import (
    LARGEST_SHARE,
    assign_splits,
    canonical_digest,
    components,
    near_pairs,
    similar_pairs,
    sketch,
)

sequences = st.lists(st.integers(0, 4), max_size=80).map(lambda codes: np.array(codes, dtype=np.uint8))


def random_codes(seed, size):
    return np.random.default_rng(seed).integers(0, 4, size).astype(np.uint8)


@given(sequences)
def test_both_strands_are_one(codes):
    other = reverse_complement(codes)
    assert (sketch(codes) == sketch(other)).all()
    assert canonical_digest(codes) == canonical_digest(other)


@given(sequences, sequences)
def test_digests_tell_sequences_apart(one, other):
    same = np.array_equal(one, other) or np.array_equal(one, reverse_complement(other))
    assert (canonical_digest(one) == canonical_digest(other)) == same


def test_sketches_estimate_jaccard_similarity():
    core = random_codes(1, 1000)
    one, other = np.concatenate((core, random_codes(2, 500))), np.concatenate((core, random_codes(3, 500)))
    # 991 common 10-mers of 1491 + 1491 - 991; the standard error of 32 minima is 0.09.
    assert np.mean(sketch(one) == sketch(other)) == pytest.approx(0.5, abs=0.25)
    assert np.mean(sketch(one) == sketch(random_codes(4, 1500))) < 0.1


def test_arrays_of_a_unit_are_alike_whatever_strand_phase_and_copies():
    unit = random_codes(5, 17)
    arrays = [np.tile(unit, 3), np.tile(np.roll(unit, 5), 9), reverse_complement(np.tile(unit, 6))]
    others = [np.tile(random_codes(seed, 17), 4) for seed in range(6, 12)]
    pairs = similar_pairs(np.stack([sketch(codes) for codes in arrays + others]), 0.9)
    assert (components(9, pairs) == [0, 0, 0, 3, 4, 5, 6, 7, 8]).all()


def test_diverged_homologues_are_alike():
    generator = np.random.default_rng(1)
    one = random_codes(12, 400)
    other = np.where(generator.random(400) < 0.03, (one + 1) % 4, one).astype(np.uint8)
    assert similar_pairs(np.stack([sketch(one), sketch(other)]), 0.3).tolist() == [[0, 1]]


def test_neighbours():
    intervals = np.array([(0, 500, 600), (0, 0, 100), (1, 90, 120), (0, 200, 450), (0, 210, 220)], dtype=INTERVAL)
    assert near_pairs(intervals, 100).tolist() == [[1, 3], [3, 4], [4, 0]]
    assert near_pairs(intervals, 99).tolist() == [[3, 4], [4, 0]]
    assert near_pairs(intervals, 49).tolist() == [[3, 4]]


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=15))
def test_components_are_those_of_sets(count, pairs):
    pairs = [(a % count, b % count) for a, b in pairs]
    sets = [{item} for item in range(count)]
    for one, other in pairs:
        first, second = (next(s for s in sets if item in s) for item in (one, other))
        if first is not second:
            sets.remove(second)
            first |= second
    expected = [min(next(s for s in sets if item in s)) for item in range(count)]
    assert components(count, np.array(pairs, dtype=np.int64).reshape(-1, 2)).tolist() == expected


def test_groups_stay_whole_and_splits_get_their_shares():
    generator = np.random.default_rng(1)
    groups = np.concatenate([np.full(300, 7), np.full(60, 8), generator.integers(100, 900, 1640)])
    splits = assign_splits(np.random.default_rng(2), groups, (0.8, 0.1, 0.1))
    assert all(len(set(splits[groups == group])) == 1 for group in np.unique(groups))
    assert np.bincount(splits).tolist() == pytest.approx([1600, 200, 200], abs=3)
    largest = LARGEST_SHARE * 200
    assert set(splits[groups == 7]) == set(splits[groups == 8]) == {0}
    assert all(np.count_nonzero(groups == group) <= largest for group in np.unique(groups[splits > 0]))


def test_the_seed_decides():
    groups = np.arange(100)
    first, again, other = (
        assign_splits(np.random.default_rng(seed), groups, (0.8, 0.1, 0.1)).tolist() for seed in (1, 1, 2)
    )
    assert first == again != other
