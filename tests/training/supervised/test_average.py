"""The moving mean of weights: by hand, in place and out of it."""

import pytest
from torch import nn

from genoscan.training.supervised.average import MovingAverage


def test_by_hand():
    """Weights 1, 2, 4: after the first step 1, then the decays are 2/11 and 3/12 of what is allowed."""
    net = nn.Linear(1, 1, bias=False)
    average = MovingAverage(net, 0.5)
    for number, weight in enumerate([1.0, 2.0, 4.0], 1):
        net.weight.data.fill_(weight)
        average.step(number)
    second = 1 + (2 - 1) * (1 - 2 / 11)
    expected = second + (4 - second) * (1 - 3 / 12)
    with average.in_place():
        assert net.weight.item() == pytest.approx(expected)
    assert net.weight.item() == 4.0
    again = MovingAverage(net, 0.5)
    again.restore(average.saved())
    with again.in_place():
        assert net.weight.item() == pytest.approx(expected)


def test_frozen_weights_have_none_and_no_decay_means_no_mean():
    net = nn.Linear(2, 1)
    net.bias.requires_grad_(False)
    average = MovingAverage(net, 0.9)
    average.step(1)
    assert set(average.saved()) == {"average.weight"}
    none = MovingAverage(net, 0.0)
    none.step(1)
    assert none.saved() == {}
