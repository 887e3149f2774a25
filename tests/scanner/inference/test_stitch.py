"""From logits to fixed-point scores of consecutive bins, by hand and by the textbook formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genoscan.scanner.inference.stitch import (
    LARGEST_SCORE,
    NO_SCORE,
    SCORE_UNIT,
    clear_unknown,
    fixed_scores,
    stitch,
)
from genoscan.scanner.reading.sequence import TileSequence
from genoscan.scanner.reading.tiles import INTERVAL, Bins, Windows

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


@given(logits=LOGITS, lowest=st.integers(-3, SCORE_UNIT + 3))
def test_scores_that_reach_the_lowest_stay(logits, lowest):
    exact, scores = fixed_scores(logits, "sigmoid"), fixed_scores(logits, "sigmoid", lowest)
    np.testing.assert_array_equal(np.where(exact >= lowest, exact, -1), np.where(scores >= lowest, scores, -1))


def test_the_lowest_score_itself_stays():
    logits = np.log(np.arange(1, SCORE_UNIT) / (SCORE_UNIT - np.arange(1, SCORE_UNIT)))
    for lowest in (2, 3, 1000, 5000, 9999):
        scores = fixed_scores(logits, "sigmoid", lowest)
        assert scores[lowest - 1] == lowest
        assert not scores[: max(0, lowest - 3)].any()


@given(logits=LOGITS)
def test_softmax_sums_to_one_and_ignores_a_shift(logits):
    scores = fixed_scores(logits, "softmax")
    assert np.abs(scores.sum(axis=-1) - SCORE_UNIT).max() <= 2  # four roundings of half a step
    assert (fixed_scores(logits.astype(np.float64) + 7, "softmax") == scores).all()


def stitched(outputs, borders, chosen, backward=False):
    """The scores (outputs, bins) of windows that score the bins between ``borders``; -1 where none was chosen."""
    nothing = np.empty(0, dtype=np.int64)
    windows = Windows(nothing, nothing, nothing, np.array(borders), nothing, None)
    scores = np.full((outputs.shape[-1], borders[-1]), -1, dtype=np.int32)
    stitch(outputs.astype(np.int32), windows, np.array(chosen), backward, scores)
    return scores.tolist()


def test_windows_of_bins_are_cropped_and_joined():
    outputs = np.arange(2 * 6).reshape(2, 6, 1)  # two windows of six bins, two of them context on either side
    assert stitched(outputs, [0, 2, 4], [0, 1]) == [[2, 3, 8, 9]]
    assert stitched(outputs, [0, 2, 4], [0, 1], backward=True) == [[3, 2, 9, 8]]


def test_bins_of_windows_that_were_not_chosen_stay():
    outputs = np.arange(2 * 4).reshape(2, 4, 1)
    assert stitched(outputs, [0, 2, 4, 8], [0, 2]) == [[1, 2, -1, -1, 4, 5, 6, 7]]  # the last one keeps all its bins


def test_windows_without_context_keep_every_bin():
    outputs = np.arange(12).reshape(2, 3, 2)
    assert stitched(outputs, [0, 3, 6], [0, 1]) == outputs.reshape(6, 2).T.tolist()
    assert stitched(outputs, [0, 3, 6], [0, 1], backward=True) == outputs[:, ::-1].reshape(6, 2).T.tolist()


@pytest.mark.parametrize("backward", [False, True])
def test_bins_share_the_window_that_scores_them(backward):
    outputs = np.array([[1, 10], [2, 20], [3, 30]])
    assert stitched(outputs, [0, 2, 3, 5], [0, 1, 2], backward) == [[1, 1, 2, 3, 3], [10, 10, 20, 30, 30]]


def cleared(contigs, size, bins, max_unknown=0.5, before=0):
    """Which bins of whole contigs (code lists) are cleared; ``before`` bases of each lie before the first bin."""
    lengths = np.array([len(codes) for codes in contigs])
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    sequence = TileSequence(np.concatenate(contigs).astype(np.uint8), offsets, np.zeros_like(lengths))
    firsts, borders = np.full(len(contigs), before), np.arange(len(contigs) + 1) * bins
    scores = np.zeros((2, borders[-1]), dtype=np.int32)
    where = Bins(np.zeros(len(contigs), dtype=INTERVAL), firsts, borders, size)
    clear_unknown(scores, where, sequence, lengths, max_unknown)
    assert (scores[0] == scores[1]).all()
    assert set(scores.flat) <= {0, NO_SCORE}
    return (scores[0] == NO_SCORE).reshape(len(contigs), bins).tolist()


def test_single_bases_are_scored_where_they_are_known():
    assert cleared([[0, 3, 4, 1, 4], [4, 2, 2]], 1, 7) == [
        [False, False, True, False, True, False, False],
        [True, False, False, False, False, False, False],
    ]
    assert cleared([[0, 3, 4, 1, 4]], 1, 4, before=2) == [[True, False, True, False]]


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
    codes = [0, 4, 0, 0, 4, 4, 0, 0, 4, 4, 4, 0, 4, 4, 4, 4]
    codes += [4, 0]  # the contig ends here: half of two bases
    assert cleared([codes], 4, 5, max_unknown) == [expected]
    assert cleared([[4] * 8 + codes], 4, 5, max_unknown, before=8) == [expected]
