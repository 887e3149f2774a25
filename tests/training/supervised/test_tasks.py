"""Losses with missing labels, scales, predictions: by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from genoscan.training.supervised.recipe import Task
from genoscan.training.supervised.tasks import Scale, fold_scale, loss_of, predictions, scale_of

TWO = Task(kind="regression", targets=("a", "b"))
CLASSES = Task(kind="classification", targets=("kind",), classes=("x", "y", "z"), balance=True)


class Rows:
    def __init__(self, targets):
        self.targets = np.array(targets, dtype=np.float32)


def plain(outputs):
    return Scale(np.zeros(outputs), np.ones(outputs), np.ones(outputs))


def test_missing_labels_add_nothing_to_the_loss_or_its_gradient():
    """Errors 1 and 3 of three known values, one of them right: (1 + 9 + 0) / 3."""
    logits = torch.tensor([[1.0, 5.0], [2.0, 7.0]], requires_grad=True)
    labels = torch.tensor([[0.0, float("nan")], [5.0, 7.0]])
    loss = loss_of(TWO, plain(2), logits, labels)
    assert loss.item() == pytest.approx(10 / 3)
    loss.backward()
    np.testing.assert_allclose(logits.grad, [[2 / 3, 0], [-6 / 3, 0]])


def test_a_batch_without_labels_has_no_loss():
    logits = torch.ones(2, 2, requires_grad=True)
    loss = loss_of(TWO, plain(2), logits, torch.full((2, 2), float("nan")))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_outputs_have_weights():
    """Squared errors 1 and 9 with weights 1 and 3, and an output that was not measured."""
    task = Task(kind="regression", targets=("a", "b"), weights=(1, 3))
    scale = scale_of(task, Rows([[0, 0], [0, 0]]), np.arange(2))
    loss = loss_of(task, scale, torch.zeros(2, 2), torch.tensor([[1.0, 3.0], [1.0, float("nan")]]))
    assert loss.item() == pytest.approx((1 + 3 * 9 + 1) / (1 + 3 + 1))


def test_huber_weighs_an_outlier_less():
    task = Task(kind="regression", targets=("a",), loss="huber")
    assert loss_of(task, plain(1), torch.tensor([[0.0]]), torch.tensor([[10.0]])).item() == pytest.approx(9.5)


def test_a_scale_is_that_of_the_known_training_values():
    sequences = Rows([[1, 10], [3, np.nan], [5, 10], [1000, 1000]])
    scale = scale_of(TWO, sequences, np.arange(3))
    np.testing.assert_allclose(scale.mean, [3, 10])
    np.testing.assert_allclose(scale.deviation, [np.sqrt(8 / 3), 1])  # no variance: left as it is
    logits = np.array([[0.0, 0.0], [1.0, 2.0]])
    np.testing.assert_allclose(predictions(TWO, scale, logits), [[3, 10], [3 + np.sqrt(8 / 3), 12]])
    wrong = loss_of(TWO, scale, torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 12.0]]))
    assert wrong.item() == pytest.approx(2)


def test_rare_classes_count_as_much():
    """Four of x, one of y, one of z: weights 6/12, 6/3, 6/3."""
    scale = scale_of(CLASSES, Rows([[0], [0], [0], [0], [1], [2]]), np.arange(6))
    np.testing.assert_allclose(scale.weights, [0.5, 2, 2])
    logits = np.log(np.array([[0.2, 0.3, 0.5]]))
    np.testing.assert_allclose(predictions(CLASSES, scale, logits), [[0.2, 0.3, 0.5]])
    loss = loss_of(CLASSES, scale, torch.tensor(logits), torch.tensor([[2.0]]))
    assert loss.item() == pytest.approx(-np.log(0.5))


def test_a_folded_head_gives_the_tables_units():
    torch.manual_seed(0)
    head, inputs = nn.Linear(3, 2), torch.randn(5, 3)
    scale = Scale(np.array([3.0, -10.0]), np.array([2.0, 0.5]), np.ones(2))
    expected = predictions(TWO, scale, head(inputs).detach().numpy())
    fold_scale(head, scale)
    np.testing.assert_allclose(head(inputs).detach(), expected, rtol=1e-5)
