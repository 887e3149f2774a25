"""How likely reads are in the cell types of an atlas."""

from math import comb

import numpy as np
import pytest

from genoscan.scanner.deconvolution.marker_reads import MarkerReads
from genoscan.scanner.deconvolution.read_states import (
    USUAL,
    State,
    States,
    estimated_states,
    filled_shares,
    log_beta_binomial,
    read_state_log_likelihoods,
)


def reads(*rows):
    return MarkerReads(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)))


def test_beta_binomial_by_hand():
    """Mean 1/2 and dispersion 1/3 are a = b = 1: B(2, 2) / B(1, 1) = 1/6, B(3, 1) / B(1, 1) = 1/3."""
    found = np.exp(log_beta_binomial(np.array([1, 2]), np.array([2, 2]), State(0.5, 1 / 3)))
    np.testing.assert_allclose(found, [1 / 6, 1 / 3])


@pytest.mark.parametrize("state", [State(0.04, 0.1), State(0.85, 0.003)])
def test_probabilities_of_all_reads_of_a_length_are_one(state):
    numbers = np.arange(8)
    found = np.exp(log_beta_binomial(numbers, np.full(8, 7), state))
    assert sum(comb(7, k) * p for k, p in enumerate(found)) == pytest.approx(1)
    assert sum(k * comb(7, k) * p for k, p in enumerate(found)) == pytest.approx(7 * state.mean)


def test_unknown_shares_are_the_markers_median():
    found = filled_shares(np.array([[0.0, 1.0, np.nan], [np.nan, np.nan, np.nan], [0.2, 0.4, 0.6]]))
    expected = (200 * np.array([[0, 1, 0.5], [0.5, 0.5, 0.5], [0.2, 0.4, 0.6]]) + 0.5) / 201
    np.testing.assert_allclose(found, expected)


def test_a_read_is_as_likely_as_its_two_states_say():
    states = States(State(0.1, 0.05), State(0.9, 0.05))
    one = reads((0, 4, 0, 1))
    table = read_state_log_likelihoods(one, np.array([[0.25, 0.5]]), states)
    low, high = (np.exp(log_beta_binomial(one.methylated, one.cpgs, state))[0] for state in states)
    shares = filled_shares(np.array([[0.25, 0.5]]))[0]
    np.testing.assert_allclose(np.exp(table[0]), shares * low + (1 - shares) * high)


def test_states_are_those_of_the_reads():
    generator = np.random.default_rng(0)
    rows = {}
    for marker in range(20):
        for _ in range(200):
            state = State(0.02, 0.02) if generator.random() < 0.05 * marker else State(0.94, 0.05)
            size = (1 - state.dispersion) / state.dispersion
            level = generator.beta(state.mean * size, (1 - state.mean) * size)
            kind = (marker, 6, int(generator.binomial(6, level)))
            rows[kind] = rows.get(kind, 0) + 1
    found = estimated_states(reads(*((*kind, count) for kind, count in rows.items())))
    assert found.low.mean < 0.05
    assert 0.9 <= found.high.mean <= 0.97
    assert found.high.dispersion <= 0.1


def test_few_reads_have_the_usual_states():
    assert estimated_states(reads((0, 4, 0, 10))) == USUAL
