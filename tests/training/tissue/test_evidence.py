"""Likelihoods of reads in closed form against sums over everything that may be hidden."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.training.tissue.evidence import chain_likelihood, fill_likelihoods, kind_shares, posterior

LEVEL, BLOCK, UNCONVERTED, CONVERTED = 0.3, 50.0, 0.02, 0.01


def by_hand(positions, states, level):
    """The sum over all true states of the CpGs."""
    total = 0.0
    for truth in product((0, 1), repeat=len(states)):
        probability = 1.0
        for i, (true, shown) in enumerate(zip(truth, states, strict=True)):
            drawn = level if true else 1 - level
            if i:
                kept = np.exp(-(positions[i] - positions[i - 1]) / BLOCK)
                drawn = kept * (true == truth[i - 1]) + (1 - kept) * drawn
            error = CONVERTED if true else UNCONVERTED
            probability *= drawn * (1 if shown == 2 else 1 - error if shown == true else error)
        total += probability
    return total


def likelihood(positions, states, level):
    positions, states = np.array(positions, dtype=np.int64), np.array(states, dtype=np.uint8)
    return chain_likelihood(positions, states, 0, len(states), level, BLOCK, UNCONVERTED, CONVERTED)


@given(
    st.lists(st.tuples(st.integers(2, 80), st.integers(0, 2)), min_size=1, max_size=7),
    st.sampled_from([0.0, 0.04, 0.5, 0.95, 1.0]),
)
def test_the_sum_over_what_is_hidden(cpgs, level):
    positions = np.cumsum([gap for gap, _ in cpgs]).tolist()
    states = [state for _, state in cpgs]
    assert likelihood(positions, states, level) == pytest.approx(by_hand(positions, states, level), rel=1e-9)


def test_one_cpg():
    assert likelihood([5], [1], LEVEL) == pytest.approx(0.3 * 0.99 + 0.7 * 0.02)
    assert likelihood([5], [0], LEVEL) == pytest.approx(0.3 * 0.01 + 0.7 * 0.98)
    assert likelihood([], [], LEVEL) == 1.0


def test_all_reads_together_are_certain():
    positions = [3, 10, 60, 61]
    assert sum(likelihood(positions, states, LEVEL) for states in product((0, 1), repeat=4)) == pytest.approx(1)


def test_posterior_is_bayes_rule():
    generator = np.random.default_rng(5)
    likelihoods, prior = generator.random((2, 3)), np.array([0.2, 0.8])
    shares = kind_shares(np.array([[0.9, 0.1], [0.5, 0.0]]), 0.25)
    assert shares[0, 0] == pytest.approx([0.9, 0.075, 0.025])
    found, kinds = posterior(likelihoods, shares, prior)
    for read in range(2):
        joint = [[prior[c] * shares[read, c, z] * likelihoods[read, z] for z in range(3)] for c in range(2)]
        assert found[read] == pytest.approx(np.sum(joint, axis=1) / np.sum(joint))
        assert kinds[read] == pytest.approx(np.sum(joint, axis=0) / np.sum(joint))


def test_many_reads_are_each_by_itself():
    positions, states = np.array([1, 9, 30, 2]), np.array([0, 1, 1, 0], dtype=np.uint8)
    out = np.empty((3, 2))
    fill_likelihoods(
        positions, states, np.array([0, 3, 3, 4]), np.array([0.1, 0.9]), BLOCK, UNCONVERTED, CONVERTED, out
    )
    assert out[0, 0] == likelihood([1, 9, 30], [0, 1, 1], 0.1)
    assert out[1].tolist() == [1, 1]
    assert out[2, 1] == likelihood([2], [0], 0.9)
