"""Proportions of mixtures: against brute force, and what must not change them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.scanner.deconvolution.mixture import GAP, proportions, with_unknown


def log_likelihood(table, counts, shares):
    return float(counts @ np.log(np.exp(table) @ shares))


@st.composite
def samples(draw, classes=3):
    rows = draw(st.integers(1, 12))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    table = np.log(generator.uniform(0.001, 1, (rows, classes)))
    return table, generator.integers(1, 30, rows)


@settings(max_examples=30)
@given(samples())
def test_no_point_of_a_grid_is_better(sample):
    table, counts = sample
    found = proportions(table, counts)
    grid = [np.array([a, b, 20 - a - b]) / 20 for a, b in product(range(21), repeat=2) if a + b <= 20]
    best = max(log_likelihood(table, counts, shares) for shares in grid)
    assert log_likelihood(table, counts, found) >= best - 2 * GAP
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)


def test_two_classes_that_never_share_a_read_are_counted():
    table = np.log([[1, 1e-12], [1e-12, 1]])
    np.testing.assert_allclose(proportions(table, np.array([30, 10])), [0.75, 0.25], atol=1e-6)


def test_a_known_maximum_between_classes():
    """Of 100 reads 40 are methylated, 90 % of the reads of the one class and 20 % of the other are: 0.9 p + 0.2 (1 - p)
    = 0.4 at p = 2 / 7."""
    table = np.log([[0.9, 0.2], [0.1, 0.8]])
    np.testing.assert_allclose(proportions(table, np.array([40, 60])), [2 / 7, 5 / 7], atol=1e-4)


@settings(max_examples=20)
@given(samples(), st.integers(0, 2**32), st.floats(0.1, 50))
def test_order_duplicates_scale_and_row_constants_do_not_matter(sample, seed, scale):
    table, counts = sample
    generator = np.random.default_rng(seed)
    whole = proportions(table, counts)
    value = log_likelihood(table, counts, whole)

    def as_good(other):
        return log_likelihood(table, counts, other) == pytest.approx(value, abs=3 * GAP * max(1, 1 / scale))

    order = generator.permutation(len(table))
    assert as_good(proportions(table[order], counts[order]))
    assert as_good(proportions(np.repeat(table, counts, axis=0)))
    assert as_good(proportions(table, counts * scale))
    assert as_good(proportions(table + generator.normal(0, 50, (len(table), 1)), counts))
    assert as_good(proportions(table, counts, generator.dirichlet(np.ones(3))))


def test_rows_that_were_not_seen_say_nothing():
    table = np.log([[0.9, 0.2], [0.1, 0.8], [1e-9, 1]])
    np.testing.assert_allclose(proportions(table, np.array([40, 60, 0])), proportions(table[:2], np.array([40, 60])))
    np.testing.assert_array_equal(proportions(table, np.zeros(3)), [0.5, 0.5])
    np.testing.assert_array_equal(proportions(np.empty((0, 4))), np.full(4, 0.25))


def test_nearly_equal_classes_are_told_apart_to_the_end():
    """Where EM alone takes thousands of steps: Lindsay's bound says how near the maximum is."""
    generator = np.random.default_rng(1)
    base = generator.uniform(0.05, 0.95, 300)
    rates = np.clip(base[:, None] + generator.normal(0, 0.03, (300, 6)), 0.01, 0.99)
    truth = np.array([0.5, 0.3, 0.2, 0, 0, 0])
    table = np.log(np.concatenate([rates, 1 - rates]))
    mixed = rates @ truth
    counts = 1000 * np.concatenate([mixed, 1 - mixed])
    found = proportions(table, counts)
    np.testing.assert_allclose(found, truth, atol=2e-3)
    slope = np.exp(table).T @ (counts / (np.exp(table) @ found))
    assert slope.max() - counts.sum() <= GAP * 1.01


def test_the_unknown_class_is_the_middle_one_of_each_read():
    table = np.log([[0.9, 0.1, 0.2], [0.3, 0.3, 0.8]])
    np.testing.assert_allclose(np.exp(with_unknown(table)[:, 3]), [0.2, 0.3])


def test_reads_of_a_class_that_is_left_out_become_unknown():
    """Four classes, each with a marker of its own, on which only its reads are unmethylated."""
    shares = np.full((4, 4), 0.01) + 0.94 * np.eye(4)
    truth = np.array([0.5, 0.2, 0.1, 0.2])
    table = np.log(np.concatenate([shares, 1 - shares]))
    counts = 500 * np.concatenate([shares @ truth, (1 - shares) @ truth])
    seen = np.tile([True, True, True, False], 2)  # the marker of what is left out is not in the atlas
    found = proportions(with_unknown(table[seen][:, :3]), counts[seen])
    np.testing.assert_allclose(found, [0.5, 0.2, 0.1, 0.2], atol=0.01)
