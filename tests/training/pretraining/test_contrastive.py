"""Losses of pairs by hand, and profiles with missing values."""

import math

import pytest
import torch
from torch import nn

from genoscan.training.pretraining.contrastive import ProfilePairs, ViewPairs, found_pairs, pair_loss


def test_infonce_by_hand():
    """Two pairs, similarities 2 of a pair and 0 of strangers: log(1 + exp(-2)) in each row and column."""
    similarities = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    assert pair_loss(similarities, None).item() == pytest.approx(math.log(1 + math.exp(-2)))
    lopsided = torch.tensor([[0.0, 5.0], [0.0, 0.0]])
    rows = (math.log(1 + math.exp(5)) + math.log(2)) / 2
    columns = (math.log(2) + math.log(math.exp(5) + 1)) / 2
    assert pair_loss(lopsided, None).item() == pytest.approx((rows + columns) / 2)
    assert pair_loss(torch.zeros(8, 8), None).item() == pytest.approx(math.log(8))


def test_found_pairs():
    assert found_pairs(torch.tensor([[2.0, 0.0], [3.0, 1.0]]), None).tolist() == [[1.0], [0.0]]


class Direction(nn.Module):
    """An encoder that gives what it reads."""

    def forward(self, inputs, mask=None):
        assert mask is None
        return nn.functional.normalize(inputs, dim=1)


def test_views_are_compared_by_their_angle():
    pairs = ViewPairs(Direction(), temperature=0.5)
    one, other = torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    torch.testing.assert_close(pairs(one, other), torch.tensor([[2.0, 2 / math.sqrt(2)], [0.0, 2 / math.sqrt(2)]]))


def test_what_was_not_measured_does_not_matter():
    torch.manual_seed(0)
    pairs = ProfilePairs(Direction(), targets=2, hidden=8, width=2, temperature=0.1)
    sequences = torch.eye(2)
    missing = torch.tensor([[1.0, float("nan")], [0.5, 0.5]])
    found = pairs(sequences, missing)
    assert torch.isfinite(found).all()
    zero = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert not torch.allclose(found, pairs(sequences, zero))  # that it is missing is said, too
    found.sum().backward()
    assert all(torch.isfinite(one.grad).all() for one in pairs.parameters() if one.grad is not None)
