"""Benchmarks of repeats: their shuffle, sets, measures, limit and readers, by hand and by brute force."""

import importlib
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def scripts_on_path():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


def module(name):
    return importlib.import_module(name)


def pairs(codes):
    return Counter(zip(codes[:-1].tolist(), codes[1:].tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=80), st.sampled_from([None, 1, 7, 20]), st.integers(0, 99))
def test_a_shuffle_keeps_dinucleotides_ends_and_unknown_bases(letters, window, seed):
    codes = np.array(letters, dtype=np.uint8)
    result = module("shuffling").shuffled(np.random.default_rng(seed), codes, window)
    assert pairs(result) == pairs(codes)
    assert np.array_equal(result == 4, codes == 4)
    assert np.array_equal(result[[0, -1]], codes[[0, -1]]) if len(codes) else not len(result)


def test_every_sequence_of_the_same_dinucleotides_is_equally_likely():
    codes = np.array([0, 1, 0, 2, 0, 1, 1, 0], dtype=np.uint8)
    possible = {p for p in permutations(codes.tolist()) if p[0] == p[-1] == 0 and pairs(np.array(p)) == pairs(codes)}
    generator = np.random.default_rng(5)
    drawn = Counter(tuple(module("shuffling").shuffled(generator, codes).tolist()) for _ in range(6000))
    assert set(drawn) == possible
    expected = 6000 / len(possible)
    assert sum((seen - expected) ** 2 / expected for seen in drawn.values()) < 25  # chi-squared, 5 degrees: p < 0.001


def test_a_windowed_shuffle_moves_no_base_out_of_its_window():
    codes = np.random.default_rng(1).integers(0, 4, 1000).astype(np.uint8)
    result = module("shuffling").shuffled(np.random.default_rng(2), codes, 100)
    assert not np.array_equal(result, codes)
    for start in range(0, 1000, 100):
        assert Counter(result[start : start + 100].tolist()) == Counter(codes[start : start + 100].tolist())


def test_the_likelihood_ratio_of_two_bases_is_that_by_hand(monkeypatch):
    limit = module("repeats_limit")
    monkeypatch.setattr(limit, "PRIOR_DIVERGENCES", (0.3,))
    shares = np.array([0.4, 0.1, 0.2, 0.3])
    same, other = limit.log_ratios(np.array([[0, 0], [0, 1]], dtype=np.uint8), np.array([1.0]), shares)
    # Period 1: both bases are copies of one unit u. AA: A keeps both (0.7 each), any other u changes both (0.1 each).
    assert same == pytest.approx(np.log((0.4 * 0.7**2 + 0.6 * 0.1**2) / 0.4**2))
    assert other == pytest.approx(np.log((0.4 * 0.7 * 0.1 + 0.1 * 0.1 * 0.7 + 0.5 * 0.1**2) / (0.4 * 0.1)))


def test_background_exceeds_the_limits_threshold_as_often_as_asked():
    limit = module("repeats_limit")
    generator, shares = np.random.default_rng(1), np.array([0.3, 0.2, 0.2, 0.3])
    prior = limit.period_prior(26)
    assert prior.sum() == pytest.approx(1)
    rows = [limit.draw_repeats(generator, shares, 26, d, 2000) for d in limit.PRIOR_DIVERGENCES]
    threshold = limit.threshold_of(limit.log_ratios(np.concatenate(rows), prior, shares), 0.002)
    background = generator.choice(4, (40_000, 26), p=shares).astype(np.uint8)
    assert (limit.log_ratios(background, prior, shares) > threshold).mean() == pytest.approx(0.002, rel=0.35)


def test_the_grid_holds_as_many_repeats_in_every_cell():
    sets, measures = module("repeat_sets"), module("repeat_measures")
    codes = np.random.default_rng(1).integers(0, 4, 50_000).astype(np.uint8)
    grid = sets.grid_set(codes, 2)
    everything = {contig: np.ones(length, dtype=bool) for contig, length in grid.lengths.items()}
    cells = measures.grid_recall(everything, grid)
    assert len(cells) == 4 * 6 * 2
    assert {(cell["repeats"], cell["recall"], cell["found"]) for cell in cells} == {(2, 1.0, 1.0)}
    nothing = {contig: ~mark for contig, mark in everything.items()}
    assert {cell["recall"] for cell in measures.grid_recall(nothing, grid)} == {0.0}
    assert grid.labels().sum() == sum((truth["end"] - truth["start"]).sum() for truth in grid.truths.values())


def test_perfect_repeats_match_themselves_at_their_period():
    sets, matches = module("repeat_sets"), module("self_matches")
    codes = np.random.default_rng(1).integers(0, 4, 50_000).astype(np.uint8)
    clean = sets.clean_set(codes, 40, 1)
    perfect = [one for one in clean.truths["s"] if one["divergence"] == 0 and one["copies"] > 2.9]
    assert {int(one["period"]) for one in perfect} == set(range(1, 41))
    for one in perfect:
        look = matches.best_lag(clean.codes["s"], int(one["start"]), int(one["end"]))
        assert (look["period"], look["match"]) == (one["period"], 100.0)


def test_real_background_stands_where_nothing_is_planted():
    sets = module("repeat_sets")
    codes = np.random.default_rng(1).choice(4, 60_000, p=[0.4, 0.1, 0.1, 0.4]).astype(np.uint8)
    one = sets.drawn_set(codes, "x", (1, 500), 2, 30_000, real=True)
    outside = np.concatenate(list(one.codes.values()))[~one.labels()]
    assert 0 < one.labels().mean() < 0.5
    assert (np.bincount(outside) / len(outside))[[0, 1]] == pytest.approx([0.4, 0.1], abs=0.01)


def planted(length, *rows):
    sets = module("repeat_sets")
    truth = np.zeros(len(rows), dtype=sets.TRUTH)
    for place, (start, end, divergence) in enumerate(rows):
        for field, value in (("start", start), ("end", end), ("divergence", divergence), ("period", 3)):
            truth[field][place] = value
    return sets.RepeatSet("", {"s": np.zeros(length, dtype=np.uint8)}, {"s": truth})


def called(*rows):
    peers = module("peers")
    return {"s": np.array([(start, end, score, 0, 0, np.nan, "") for start, end, score in rows], dtype=peers.CALL)}


def test_edges_are_those_of_the_outermost_calls_over_a_repeat():
    measures = module("repeat_measures")
    repeats = planted(1000, (100, 200, 0.0), (300, 400, 0.05), (500, 600, 0.2), (700, 800, 0.0))
    found = measures.edge_distances(called((97, 150, 900), (160, 201, 900), (310, 400, 900), (480, 620, 900)), repeats)
    assert found["edges"] == 4  # the third is too diverged, the fourth has no call
    assert found["median"] == 2.0  # 3 and 1 too far, 10 and 0 short
    assert found["mean_signed"] == pytest.approx((3 + 1 - 10 + 0) / 4)
    assert found["counts"][30 + 3] == found["counts"][30 + 1] == found["counts"][30 - 10] == found["counts"][30] == 1


def test_the_period_is_that_of_the_call_that_shares_most():
    measures = module("repeat_measures")
    repeats = planted(1000, (100, 200, 0.0), (300, 400, 0.05), (500, 600, 0.2), (700, 800, 0.0))
    calls = called((100, 120, 900), (110, 200, 900), (300, 400, 900), (500, 600, 900), (650, 690, 900))
    assert measures.period_agreement(calls, repeats) is None
    calls["s"]["period"] = [4, 3, 6, 4, 4]
    assert measures.period_agreement(calls, repeats) == {"repeats": 2, "exact": 0.5, "exact_or_multiple": 1.0}


def test_reliability_by_hand():
    measures = module("repeat_measures")
    repeats = planted(1000, (100, 200, 0.0))
    rows = measures.reliability(called((100, 200, 950), (300, 350, 550), (150, 250, 520)), repeats)
    low, high = rows["bins"]
    assert (low["calls"], low["bases"], low["true_calls"], low["true_bases"]) == (2, 150, 0.5, round(50 / 150, 4))
    assert (high["true_bases"], high["score_of_bases"]) == (1.0, 0.95)
    share_of_error = (100 * 0.05 + 150 * abs((50 * 0.55 + 100 * 0.52) / 150 - 50 / 150)) / 250
    assert rows["error_by_bases"] == pytest.approx(share_of_error, abs=1e-3)


def test_a_curve_by_hand():
    measures = module("repeat_measures")
    scores = np.array([0, 2, 4, 6, 8, 10], dtype=np.int16)
    labels = np.array([False, True, False, False, True, True])
    points = measures.curve(scores, labels, 10)
    at = {round(t * 10): i for i, t in enumerate(points["threshold"])}
    assert points["precision"][at[2]] == pytest.approx(3 / 5)
    assert points["recall"][at[8]] == pytest.approx(2 / 3)
    assert points["precision"][at[7]] == 1.0
    assert points["mcc"][at[1]] == pytest.approx(np.corrcoef(scores > 0, labels)[0, 1])


def test_matched_threshold_is_the_lowest_that_stays_precise():
    measures = module("repeat_measures")
    precisions = {0.3: 0.5, 0.4: 0.95, 0.5: 0.6, 0.7: 0.9, 0.9: 1.0}
    points = [{"threshold": threshold, "precision": value} for threshold, value in precisions.items()]
    assert measures.matched_threshold(points, 0.9)["threshold"] == 0.7
    assert measures.matched_threshold(points, 0.55)["threshold"] == 0.4  # at 0.3 precision is below
    assert measures.matched_threshold(points[:-1], 0.99) is None


OUTPUTS = {
    "trf": ("@s one\n11 40 3 10.0 3 96 0 55 33 33 33 0 1.58 ACG ACGACG\n", (10, 40, 55.0, 3, 10.0, 96.0)),
    "tantan": ("s\t10\t40\t3\t10\tACG\tACG,ACG\n", (10, 40, np.nan, 3, 10.0, np.nan)),
    "longdust": ("s\t10\t40\n", (10, 40, np.nan, 0, 0.0, np.nan)),
    "ultra": (
        "-----\nMaximum repeat period: 100\nSeqID\tStart\tEnd\tPeriod\tScore\ns\t10\t40\t3\t20.5\n",
        (10, 40, 20.5, 3, 0.0, np.nan),
    ),
    "python": (
        "#chrom\tstart\tend\tname\tscore\tstrand\tperiod\tcopyNum\tconsensusSize\tperMatch\n"
        "s\t10\t40\ttandem_repeat\t950\t.\t3\t10.0\t3\t96\n",
        (10, 40, 950.0, 3, 10.0, 96.0),
    ),
    "dna-brnn": ("s\t10\t40\t2\n", (10, 40, np.nan, 0, 0.0, np.nan)),
}


@pytest.mark.parametrize("program", OUTPUTS)
def test_what_tools_print_is_read(program):
    text, expected = OUTPUTS[program]
    peers = module("peers")
    calls = peers.read_calls(f"/usr/bin/{program}", text)
    assert list(calls) == ["s"]
    assert list(calls["s"][0])[:6] == pytest.approx(list(expected), nan_ok=True)
    assert peers.covered_bases(calls) == 30


def test_plain_bed_is_read_too():
    calls = module("peers").read_calls("python", "#chrom\tstart\tend\tname\tscore\tstrand\ns\t1\t9\tx\t700\t.\n")
    assert list(calls["s"][0])[:5] == [1, 9, 700.0, 0, 0.0]


def test_letters_masks_and_intervals(tmp_path):
    real = module("real_sequences")
    path = tmp_path / "a.fa"
    path.write_text(">one two\nACgt\nNN\n>b\n\nac\n")
    records = real.read_letters(path)
    assert {name: letters.tobytes() for name, letters in records.items()} == {"one": b"ACgtNN", "b": b"ac"}
    assert real.known_count(records) == 6
    assert real.write_plain(records, tmp_path / "b.fa").read_text() == ">one\nACGTNN\n>b\nAC\n"
    mask = real.mask_of(real.merged([real.Interval(5, 7), real.Interval(1, 3), real.Interval(3, 4)]), 9)
    assert real.intervals_of(mask) == [(1, 4), (5, 7)]


def test_short_genomes_are_copied_and_a_bite_is_of_the_longest_contig(tmp_path):
    speed = module("repeats_speed")
    fasta = tmp_path / "g.fa"
    fasta.write_text(">short\nACGT\n>long\nNNGGGGCC\n")
    name, records = speed.open_genome_argument(f"mine={fasta}", 30e-6)
    assert name == "mine"
    assert list(records) == ["short", "long", "short_1", "long_1", "short_2", "long_2"]  # 36 bases, of 30
    assert {letters.tobytes() for letters in records.values()} == {b"ACGT", b"NNGGGGCC"}
    assert {contig: letters.tobytes() for contig, letters in speed.bite_of(records).items()} == {"long": b"GGGGCC"}
    assert list(speed.open_genome_argument(f"{fasta}:short", 0)[1]) == ["short"]


def test_a_table_of_speeds_leaves_out_what_is_not_known():
    row = {"bases": 1_000_000, "mb_per_second": 2.5, "peak_mb": 40.0}
    stopped = {"bases": 20_000_000, "mb_per_second_below": 1.0}
    human = {"genoscan repeats": row, "slow": stopped, "few": row, "slow, first 1 Mb": row}
    centromere = {**human, "few": {**row, "bases": 60_000}}
    text = module("repeat_tables").speed({"genomes": {"human": human, "centromere": centromere}})
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line][2:]
    assert lines == [
        ["**genoscan repeats**", "2.50", "2.50", "40"],
        ["slow", "< 1", "< 1", ""],
        ["few", "2.50", "", "40"],
    ]
