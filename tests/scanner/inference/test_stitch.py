"""From logits to fixed-point scores of consecutive bins, by hand and by the textbook formulas."""

import numpy as np
import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genoscan.scanner.card import parse_card
from genoscan.scanner.inference.stitch import (
    LARGEST_SCORE,
    NO_SCORE,
    SCORE_UNIT,
    bin_edges,
    fixed_scores,
    stitch,
    unscored_bins,
)
from genoscan.scanner.reading.tiles import Interval, Windows

LOGITS = arrays(np.float32, (3, 4), elements=st.floats(-1e6, 1e6, width=32))


def test_scores_by_hand():
    assert fixed_scores(np.array([[0.0, np.log(3), -np.log(3)]]), "sigmoid").tolist() == [[5000, 7500, 2500]]
    assert fixed_scores(np.array([[0.0, np.log(3)]]), "softmax").tolist() == [[2500, 7500]]
    assert fixed_scores(np.array([[-0.25, 1.00004, 1.00006]]), "identity").tolist() == [[-2500, 10_000, 10_001]]


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "identity"])
@given(logits=LOGITS)
def test_scores_keep_shape_and_range(activation, logits):
    scores = fixed_scores(logits, activation)
    assert (scores.shape, scores.dtype) == (logits.shape, np.int32)
    assert (scores != NO_SCORE).all()
    if activation == "identity":
        assert np.abs(scores).max() <= LARGEST_SCORE * SCORE_UNIT < 2**31
    else:
        assert scores.min() >= 0
        assert scores.max() <= SCORE_UNIT


@given(logits=LOGITS)
def test_sigmoid_is_the_logistic_function(logits):
    wide = logits.astype(np.float64)
    exact = np.where(wide >= 0, 1 / (1 + np.exp(-np.abs(wide))), np.exp(-np.abs(wide)) / (1 + np.exp(-np.abs(wide))))
    assert np.abs(fixed_scores(logits, "sigmoid") - exact * SCORE_UNIT).max() <= 0.51


@given(logits=LOGITS)
def test_softmax_sums_to_one_and_ignores_a_shift(logits):
    scores = fixed_scores(logits, "softmax")
    assert np.abs(scores.sum(axis=-1) - SCORE_UNIT).max() <= 2  # four roundings of half a step
    assert (fixed_scores(logits.astype(np.float64) + 7, "softmax") == scores).all()


def test_windows_of_bins_are_cropped_and_joined():
    outputs = np.arange(2 * 6).reshape(2, 6, 1)  # two windows of six bins, two of them context on either side
    windows = Windows(np.array([-2, 0]), 6, None, 0, 2)
    assert stitch(outputs, windows, False)[:, 0].tolist() == [2, 3, 8, 9]
    assert stitch(outputs, windows, True)[:, 0].tolist() == [3, 2, 9, 8]


def test_windows_without_context_keep_every_bin():
    windows = Windows(np.array([0, 3]), 3, None, 0, 0)
    outputs = np.arange(12).reshape(2, 3, 2)
    assert stitch(outputs, windows, False).tolist() == outputs.reshape(6, 2).tolist()


def test_bins_share_the_window_that_scores_them():
    outputs = np.array([[1, 10], [2, 20], [3, 30]])
    windows = Windows(np.array([0, 4, 8]), 8, np.array([0, 0, 1, 2, 2]), 0, 0)
    for backward in (False, True):
        assert stitch(outputs, windows, backward)[:, 0].tolist() == [1, 1, 2, 3, 3]
        assert stitch(outputs, windows, backward)[:, 1].tolist() == [10, 10, 20, 30, 30]


def card(size, max_unknown=0.5):
    proto = toys.onnx.load_from_string(toys.base_model("A", 16, 8, bin=size, max_unknown=max_unknown))
    return parse_card(proto.metadata_props[0].value, "toy")


def test_single_bases_are_scored_where_they_are_known():
    codes = np.array([0, 3, 4, 1, 4], dtype=np.uint8)
    assert unscored_bins(codes, card(1), 7).tolist() == [False, False, True, False, True, True, True]


@pytest.mark.parametrize(
    ("max_unknown", "expected"),
    [
        (0.5, [False, False, True, True, False]),
        (0.25, [False, True, True, True, True]),
        (0.0, [True, True, True, True, True]),
        (1.0, [False, False, False, True, False]),  # a bin without any base is never scored
    ],
)
def test_bins_are_scored_by_the_share_they_know(max_unknown, expected):
    codes = np.array([[0, 4, 0, 0], [4, 4, 0, 0], [4, 4, 4, 0], [4, 4, 4, 4]], dtype=np.uint8).reshape(-1)
    codes = np.append(codes, [4, 0]).astype(np.uint8)  # the contig ends here: half of two bases
    assert unscored_bins(codes, card(4, max_unknown), 5).tolist() == expected


def test_bins_beyond_the_contig_are_not_scored():
    assert unscored_bins(np.zeros(5, dtype=np.uint8), card(4), 4).tolist() == [False, False, True, True]


def test_bin_edges_are_cut_to_the_interval():
    edges = bin_edges(96, 4, 8, Interval(0, 100, 121))
    assert edges.dtype == np.int64
    assert edges.tolist() == [100, 104, 112, 120, 121]
    assert bin_edges(2**40, 2, 8, Interval(0, 0, 2**41)).tolist() == [2**40, 2**40 + 8, 2**40 + 16]


@given(st.integers(-50, 50), st.integers(1, 40), st.integers(1, 7), st.integers(0, 200), st.integers(0, 200))
def test_bin_edges_are_clipped_at_both_ends(first, bins, size, start, length):
    interval = Interval(0, start, start + length)
    expected = np.clip(first + size * np.arange(bins + 1), start, start + length)
    assert np.array_equal(bin_edges(first, bins, size, interval), expected)
