"""What a network of reads loses by what it says."""

import numpy as np
import pytest
import torch

from genoscan.training.tissue.learning import loss_of
from genoscan.training.tissue.recipe import Losses, ReadNet

PRIOR = np.array([0.5, 0.25, 0.25])
DRAWN = np.array([[0.8, 0.1, 0.1], [0.5, 0.25, 0.25]])
"""The first marker's target is the first class; the second has none."""
POSTERIOR = [0.2, 0.4, 0.4]


def lost(losses: Losses, said: list[float], marker: int, drawn=DRAWN) -> float:
    loss = loss_of(losses, ReadNet(), np.ones(3), PRIOR, drawn)
    labels = torch.tensor([[*POSTERIOR, 0.0, 0.0, 0.0, 0.0, float(marker)]])
    return loss(torch.tensor([said]).log(), labels).item()


def cross_entropy(wanted, said) -> float:
    return -(np.array(wanted) * np.log(said)).sum()


def test_the_class_alone():
    said = [0.3, 0.3, 0.4]
    assert lost(Losses(), said, 0) == pytest.approx(cross_entropy(POSTERIOR, said))


def test_as_drawn():
    """Posterior odds times 1.6, 0.4 and 0.4: 0.32, 0.16 and 0.16 of 0.64; of what was said 0.48, 0.12 and 0.16 of
    0.76."""
    said = [0.3, 0.3, 0.4]
    more = cross_entropy([0.5, 0.25, 0.25], np.array([0.48, 0.12, 0.16]) / 0.76)
    assert lost(Losses(drawing=0.5), said, 0) == pytest.approx(cross_entropy(POSTERIOR, said) + 0.5 * more)
    assert lost(Losses(drawing=0.5), said, 1) == pytest.approx(1.5 * cross_entropy(POSTERIOR, said))


def test_the_posterior_loses_least():
    losses = Losses(drawing=1.0)
    best = lost(losses, POSTERIOR, 0)
    for said in ([0.21, 0.395, 0.395], [0.19, 0.405, 0.405], [0.2, 0.41, 0.39]):
        assert lost(losses, said, 0) > best


def test_a_target_that_is_seldom_asked_for_counts_where_it_is_drawn():
    """Who says 0.3 of a target of 0.2 loses twice as much and more where eight of ten reads are the target's."""
    said = [0.3, 0.35, 0.35]
    plain = lost(Losses(), said, 0) - lost(Losses(), POSTERIOR, 0)
    drawn = lost(Losses(drawing=1.0), said, 0) - lost(Losses(drawing=1.0), POSTERIOR, 0)
    assert drawn > 2 * plain


def test_reads_that_know_no_marker():
    said = [0.3, 0.3, 0.4]
    assert lost(Losses(drawing=1.0), said, -1, np.empty((0, 3))) == pytest.approx(cross_entropy(POSTERIOR, said))
