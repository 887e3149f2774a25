"""The simulator: what it says it planted is what is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.training.data.simulate import (
    TRUTH,
    RepeatSimulation,
    chance_repeats,
    draw_unit,
    is_primitive,
    label_bases,
    markov_sequence,
    markov_table,
    perfect_repeats,
    random_table,
    simulate,
    tandem_array,
)

UNIFORM = np.cumsum(np.full((1, 4), 0.25), axis=1).astype(np.float32)
seeds = st.integers(0, 2**32 - 1)


def test_markov_table_of_order_0_by_hand():
    # A A C T, one pseudocount each: (3, 2, 1, 2) / 8
    table = markov_table(np.array([0, 0, 1, 3], dtype=np.uint8), 0)
    assert table.dtype == np.float32
    np.testing.assert_allclose(table, [[3 / 8, 5 / 8, 6 / 8, 1]])


def test_markov_table_of_order_1_by_hand():
    # A C A G: A is followed by C and by G, C by A; nothing follows the others but the pseudocounts
    table = markov_table(np.array([0, 1, 0, 2], dtype=np.uint8), 1)
    expected = [[1 / 6, 3 / 6, 5 / 6, 1], [2 / 5, 3 / 5, 4 / 5, 1], [0.25, 0.5, 0.75, 1], [0.25, 0.5, 0.75, 1]]
    np.testing.assert_allclose(table, expected, rtol=1e-6)


def test_markov_table_leaves_out_words_with_unknown_bases():
    with_unknown = np.array([0, 1, 4, 2, 3, 4], dtype=np.uint8)
    table = markov_table(with_unknown, 1, pseudocount=1)
    expected = [[1 / 5, 3 / 5, 4 / 5, 1], [0.25, 0.5, 0.75, 1], [1 / 5, 2 / 5, 3 / 5, 1], [0.25, 0.5, 0.75, 1]]
    np.testing.assert_allclose(table, expected, rtol=1e-6)


def test_markov_table_needs_bases():
    with pytest.raises(ValueError, match="too few"):
        markov_table(np.zeros(3, dtype=np.uint8), 3)


def test_markov_sequence_follows_its_table():
    generator = np.random.default_rng(0)
    source = markov_table(generator.choice(4, p=[0.4, 0.1, 0.2, 0.3], size=20_000).astype(np.uint8), 0)
    codes = markov_sequence(generator, source, 200_000)
    shares = np.bincount(codes, minlength=4) / len(codes)
    np.testing.assert_allclose(np.cumsum(shares), source[0], atol=0.005)


def test_markov_sequence_of_order_1_follows_its_table():
    alternating = markov_table(np.tile([0, 1, 2, 3], 5_000).astype(np.uint8), 1, pseudocount=1e-9)
    codes = markov_sequence(np.random.default_rng(1), alternating, 1_000).astype(int)
    assert np.all(np.diff(codes) % 4 == 1)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_random_table_is_a_composition(seed):
    table = random_table(np.random.default_rng(seed))
    shares = np.diff(table[0], prepend=0)
    assert table.shape == (1, 4)
    assert table[0, 3] == pytest.approx(1)
    assert shares[0] == pytest.approx(shares[3], abs=1e-6)
    assert 0.25 - 1e-6 <= shares[1] + shares[2] <= 0.70 + 1e-6


@given(seeds, st.integers(1, 4000), st.integers(10, 3000))
@settings(max_examples=40, deadline=None)
def test_truth_is_sorted_disjoint_and_inside(seed, length, gap):
    asked = RepeatSimulation(gap=gap)
    codes, truth = simulate(np.random.default_rng(seed), length, asked, UNIFORM)
    assert codes.shape == (length,)
    assert codes.dtype == np.uint8
    assert codes.max() <= 3
    assert truth.dtype == TRUTH
    assert np.all(truth["start"] >= 0)
    assert np.all(truth["end"] <= length)
    assert np.all(truth["end"] - truth["start"] >= asked.min_length)
    assert np.all(truth["start"][1:] > truth["end"][:-1])
    assert np.all((truth["period"] >= 1) & (truth["period"] <= 500))
    labels = label_bases(truth, length)
    assert labels.sum() == (truth["end"] - truth["start"]).sum()


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_exact_arrays_are_periodic_and_have_no_shorter_period(seed):
    exact = RepeatSimulation(divergence=0, indels=0, gap=300, periods=(1, 60))
    codes, truth = simulate(np.random.default_rng(seed), 5_000, exact, UNIFORM)
    assert len(truth)
    for row in truth:
        array, period = codes[row["start"] : row["end"]], row["period"]
        assert np.array_equal(array[period:], array[:-period])
        assert is_primitive(array[:period])
        assert row["copies"] == pytest.approx(len(array) / period, rel=1e-5)
        assert row["copies"] >= 2


def test_is_primitive():
    assert is_primitive(np.array([0]))
    assert is_primitive(np.array([0, 1]))
    assert is_primitive(np.array([0, 1, 0]))
    assert not is_primitive(np.array([2, 2]))
    assert not is_primitive(np.array([0, 1, 0, 1]))
    assert not is_primitive(np.tile([0, 1, 2], 3))


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_substitution_rate_is_the_asked_one(rate):
    generator = np.random.default_rng(5)
    unit = generator.integers(0, 4, 50).astype(np.uint8)
    codes, copies = tandem_array(generator, unit, 50_000, rate, 0.0, False)
    assert copies == 1000
    assert len(codes) == 50_000
    differing = np.mean(codes.reshape(-1, 50) != unit)
    assert differing == pytest.approx(rate, abs=4 * np.sqrt(rate / 50_000))


def test_indels_change_the_length_both_ways_alike():
    generator = np.random.default_rng(6)
    unit = generator.integers(0, 4, 50).astype(np.uint8)
    lengths = [len(tandem_array(generator, unit, 5_000, 0.0, 0.04, False)[0]) for _ in range(100)]
    # Each of 5,000 bases goes or gets a neighbour with 2 % each: mean 5,000, standard deviation sqrt(200).
    assert np.mean(lengths) == pytest.approx(5_000, abs=4 * np.sqrt(200 / 100))
    assert np.std(lengths) == pytest.approx(np.sqrt(200), rel=0.4)


def test_chained_copies_drift_away_from_the_unit():
    generator = np.random.default_rng(7)
    unit = generator.integers(0, 4, 100).astype(np.uint8)
    chained, _ = tandem_array(generator, unit, 3_000, 0.05, 0.0, True)
    copies = chained.reshape(-1, 100)
    neighbours = np.mean(copies[1:] != copies[:-1])
    assert neighbours == pytest.approx(0.05, abs=0.02)
    assert np.mean(copies[-1] != unit) > 0.4


def test_period_classes_are_equally_frequent():
    generator = np.random.default_rng(8)
    periods = np.array([len(draw_unit(generator, RepeatSimulation(), UNIFORM)) for _ in range(1_200)])
    counts = np.histogram(periods, bins=[1, 7, 31, 101, 501])[0]
    assert counts.sum() == 1_200
    assert np.all(np.abs(counts - 300) < 4 * np.sqrt(300))


def test_one_period_only():
    generator = np.random.default_rng(9)
    asked = RepeatSimulation(periods=(40, 40))
    assert {len(draw_unit(generator, asked, UNIFORM)) for _ in range(20)} == {40}


def test_classes_are_clipped_to_the_periods():
    generator = np.random.default_rng(10)
    asked = RepeatSimulation(periods=(20, 900))
    periods = np.array([len(draw_unit(generator, asked, UNIFORM)) for _ in range(800)])
    assert 20 <= periods.min() <= 30
    assert 501 <= periods.max() <= 900
    assert np.all(np.abs(np.histogram(periods, bins=[20, 31, 101, 501, 901])[0] - 200) < 4 * np.sqrt(200))


def test_brief_arrays_are_hardly_longer_than_the_shortest():
    asked = RepeatSimulation(gap=500, brief=1.0, min_length=26)
    _, truth = simulate(np.random.default_rng(13), 400_000, asked, UNIFORM)
    assert len(truth) > 300
    assert truth["period"].max() == 32
    shortest = np.maximum(26, 2 * truth["period"])
    assert np.mean(truth["end"] - truth["start"] - shortest) == pytest.approx(4, abs=1.5)
    assert np.mean((truth["divergence"] == 0) & (truth["indels"] == 0)) == pytest.approx(0.4, abs=0.1)


def test_fewest_copies():
    asked = RepeatSimulation(periods=(100, 100), fewest_copies=1.85, gap=300, indels=0.0)
    _, truth = simulate(np.random.default_rng(14), 200_000, asked, UNIFORM)
    assert 1.85 <= truth["copies"].min() < 1.9


def test_same_seed_same_genome():
    def drawn(seed):
        return simulate(np.random.default_rng(seed), 20_000, RepeatSimulation(gap=500), UNIFORM)

    (codes, truth), (again, truth_again) = drawn(3), drawn(3)
    assert np.array_equal(codes, again)
    assert np.array_equal(truth, truth_again)
    assert not np.array_equal(codes, drawn(4)[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"periods": (0, 5)},
        {"periods": (6, 5)},
        {"divergence": 0.75},
        {"gap": 0},
        {"periods": (1, 2001)},
        {"fewest_copies": 1},
    ],
)
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match=r"periods|divergence"):
        RepeatSimulation(**wrong)


def test_dispersed_copies_match_themselves_but_are_in_no_truth():
    generator = np.random.default_rng(11)
    table = random_table(generator)
    only = RepeatSimulation(gap=500, dispersed=1.0, divergence=0.0, indels=0.0)
    codes, truth = simulate(generator, 60_000, only, table)
    outside = label_bases(truth, len(codes)) == 0  # some families carry an array at their end
    assert outside.mean() > 0.6
    words = np.lib.stride_tricks.sliding_window_view(codes, 24)
    apart = np.lib.stride_tricks.sliding_window_view(outside, 24).all(axis=1)
    _, counts = np.unique(words[apart], axis=0, return_counts=True)
    assert (counts >= 2).sum() > 200  # background alone would hold none
    # Copies keep their distance: no 24 bases recur within the shortest stretch and spacer.
    for lag in range(12, 30 + 30):
        assert not ((words[lag:] == words[:-lag]).all(axis=1) & apart[lag:] & apart[:-lag]).any()


def codes_of(text):
    return np.array(["ACGTN".index(letter) for letter in text], dtype=np.uint8)


def test_perfect_repeats_by_hand():
    def marks(text):
        return "".join("x" if mark else "." for mark in perfect_repeats(codes_of(text), 7, 24, 2.0))

    assert marks("CG" + "A" * 24 + "CT") == ".." + "x" * 24 + ".."
    assert marks("CG" + "A" * 23 + "CT") == "." * 27
    assert marks("T" + "ACG" * 8 + "CC") == "." + "x" * 24 + ".."
    assert marks("A" * 13 + "N" * 5 + "A" * 13) == "." * 31
    assert marks("ACGTACC" * 4) == "x" * 28
    assert marks("ACGTACCT" * 4) == "." * 32  # period 8
    assert marks("G" + "CA" * 12) == "." + "x" * 24
    assert perfect_repeats(codes_of("ACGTACCACGTAC"), 7, 10, 2.0).sum() == 0
    assert perfect_repeats(codes_of("ACGTACCACGTAC"), 7, 10, 1.8).sum() == 13


def test_chance_repeats_need_more_where_the_unit_is_long():
    assert chance_repeats(codes_of("A" * 25)).all()
    assert not chance_repeats(codes_of("A" * 24)).any()
    unit = "ACGTACCTGATTG"
    assert not chance_repeats(codes_of(unit * 2 + unit[:1])).any()  # 27 bases
    assert chance_repeats(codes_of(unit * 2 + unit[:2])).all()


def test_recurring_arrays_share_their_unit():
    generator = np.random.default_rng(12)
    asked = RepeatSimulation(periods=(20, 20), divergence=0.0, indels=0.0, gap=50_000, recurring=0.9, chained=0.0)
    codes, truth = simulate(generator, 400_000, asked, UNIFORM)
    gaps = truth["start"][1:] - truth["end"][:-1]
    assert gaps.min() >= 16
    near = np.flatnonzero(gaps < 3000)
    assert len(near) > 20
    shared = [
        np.array_equal(codes[first["start"] :][:20], codes[second["start"] :][:20])
        for first, second in zip(truth[near], truth[near + 1], strict=True)
    ]
    assert np.mean(shared) > 0.9  # two groups may lie close by chance
