"""One-hot bases, codes, and the opposite strand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from genoscan.scanner.encoding.nucleotides import base_codes, one_hot, reverse_complement

# No fill: every base is drawn on its own.
code_arrays = npst.arrays(
    np.uint8, st.tuples(st.integers(0, 4), st.integers(0, 40)), elements=st.integers(0, 4), fill=st.nothing()
)


def test_one_hot_by_hand():
    encoded = one_hot(np.array([[0, 3, 4], [2, 1, 1]], dtype=np.uint8))
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [
        [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]],
        [[0, 0, 0], [0, 1, 1], [1, 0, 0], [0, 0, 0]],
    ]


@given(codes=code_arrays)
def test_one_hot_holds_all_that_the_codes_do(codes):
    encoded = one_hot(codes)
    known = encoded.sum(axis=1)
    np.testing.assert_array_equal(known, codes < 4)
    np.testing.assert_array_equal(np.where(known > 0, encoded.argmax(axis=1) if codes.size else 0, 4), codes)


@given(codes=code_arrays)
def test_one_hot_of_the_opposite_strand_is_turned_round_both_ways(codes):
    np.testing.assert_array_equal(one_hot(reverse_complement(codes)), one_hot(codes)[:, ::-1, ::-1])


def test_only_as_many_rows_as_given_are_filled():
    codes = np.array([[0, 4]], dtype=np.uint8)
    hot, plain = np.full((2, 4, 2), 7, dtype=np.float32), np.full((2, 2), 7, dtype=np.int64)
    assert np.shares_memory(one_hot(codes, hot), hot)
    assert np.shares_memory(base_codes(codes, plain), plain)
    assert hot.tolist() == [[[1, 0], [0, 0], [0, 0], [0, 0]], [[7, 7]] * 4]
    assert plain.tolist() == [[0, 4], [7, 7]]


def test_base_codes_are_int64():
    codes = base_codes(np.array([[0, 1, 2, 3, 4]], dtype=np.uint8))
    assert codes.dtype == np.int64
    assert codes.tolist() == [[0, 1, 2, 3, 4]]


def test_reverse_complement_by_hand():
    # ACGTN AAC -> GTT NACGT
    strand = reverse_complement(np.array([0, 1, 2, 3, 4, 0, 0, 1], dtype=np.uint8))
    assert strand.dtype == np.uint8
    assert strand.tolist() == [2, 3, 3, 4, 0, 1, 2, 3]


def test_any_unknown_code_becomes_4():
    assert reverse_complement(np.arange(256, dtype=np.uint8)).tolist() == [4] * 252 + [0, 1, 2, 3]


@given(
    codes=npst.arrays(
        np.uint8, npst.array_shapes(max_dims=4, max_side=6), elements=st.integers(0, 4), fill=st.nothing()
    )
)
def test_reverse_complement_undoes_itself(codes):
    strand = reverse_complement(codes)
    assert strand.shape == codes.shape
    assert strand.flags.c_contiguous
    np.testing.assert_array_equal(reverse_complement(strand), codes)


def test_reverse_complement_does_not_touch_its_input():
    codes = np.array([0, 1, 4], dtype=np.uint8)
    strand = reverse_complement(codes)
    strand[:] = 9
    assert codes.tolist() == [0, 1, 4]
