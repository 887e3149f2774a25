"""Metrics from counts: by hand, at their zero divisions, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.training.metrics import Counts, accuracy, count, f1, mcc, measures, precision, recall

answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def test_count_by_hand():
    predicted = np.array([1, 1, 1, 0, 0, 0, 0, 1])
    labels = np.array([1, 1, 0, 0, 0, 0, 1, 0])
    assert count(predicted, labels) == Counts(tp=2, fp=2, tn=3, fn=1)


def test_measures_by_hand():
    counts = Counts(tp=6, fp=2, tn=3, fn=1)
    assert accuracy(counts) == pytest.approx(9 / 12)
    assert precision(counts) == pytest.approx(6 / 8)
    assert recall(counts) == pytest.approx(6 / 7)
    assert f1(counts) == pytest.approx(12 / 15)
    assert mcc(counts) == pytest.approx((18 - 2) / (8 * 7 * 5 * 4) ** 0.5)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(), {"accuracy": 0, "f1": 0, "mcc": 0, "precision": 0, "recall": 0}),
        (Counts(tn=5), {"accuracy": 1, "f1": 0, "mcc": 0, "precision": 0, "recall": 0}),
        (Counts(tp=5), {"accuracy": 1, "f1": 1, "mcc": 0, "precision": 1, "recall": 1}),
        (Counts(fp=4, fn=4), {"accuracy": 0, "f1": 0, "mcc": -1, "precision": 0, "recall": 0}),
    ],
)
def test_zero_divisions_are_zero(counts, expected):
    assert measures(counts) == expected


def test_mcc_of_a_genome_does_not_overflow():
    counts = Counts(tp=10**9, fp=10**8, tn=3 * 10**9, fn=10**8)
    small = Counts(tp=1000, fp=100, tn=3000, fn=100)
    assert mcc(counts) == pytest.approx(mcc(small), rel=1e-12)


@given(answers)
@settings(deadline=None)
def test_agrees_with_scikit_learn(pairs):
    judge = pytest.importorskip("sklearn.metrics")
    predicted, labels = (np.array(column, dtype=int) for column in zip(*pairs, strict=True))
    ours = measures(count(predicted, labels))
    tn, fp, fn, tp = judge.confusion_matrix(labels, predicted, labels=[0, 1]).ravel()
    assert count(predicted, labels) == Counts(tp, fp, tn, fn)
    assert ours["accuracy"] == pytest.approx(judge.accuracy_score(labels, predicted))
    assert ours["f1"] == pytest.approx(judge.f1_score(labels, predicted, zero_division=0))
    assert ours["precision"] == pytest.approx(judge.precision_score(labels, predicted, zero_division=0))
    assert ours["recall"] == pytest.approx(judge.recall_score(labels, predicted, zero_division=0))
    if len(set(labels)) == len(set(predicted)) == 2:
        assert ours["mcc"] == pytest.approx(judge.matthews_corrcoef(labels, predicted))


@given(answers, answers)
def test_counts_of_batches_add_up(first, second):
    def counted(pairs):
        predicted, labels = zip(*pairs, strict=True)
        return count(np.array(predicted), np.array(labels))

    assert counted(first).plus(counted(second)) == counted(first + second)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shape"):
        count(np.zeros((2, 3)), np.zeros(6))
