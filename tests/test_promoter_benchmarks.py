"""Benchmarks of promoters: the baseline of plant promoters, the ranking of a track, recipes that are compared."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from genoscan.training.data.store import Row, open_sequences, write_rows, write_splits

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def scripts_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def module(name):
    return importlib.import_module(name)


def test_the_baseline_takes_the_better_strand_of_its_first_filters():
    net = module("promoters_plant").JoresNet(2, 40, width=8, kernel=5).eval()
    bases = torch.nn.functional.one_hot(torch.from_numpy(np.random.default_rng(0).integers(0, 4, (3, 40))), 4)
    forward = bases.transpose(1, 2).float()
    better = lambda one: torch.maximum(net.first(one), net.first(one.flip(1, 2)).flip(2))  # noqa: E731
    torch.testing.assert_close(better(forward).flip(2), better(forward.flip(1, 2)))
    assert net(forward).shape == (3, 2)


def test_the_baseline_learns_in_the_table_s_units_and_goes_on(tmp_path, monkeypatch):
    plant = module("promoters_plant")
    monkeypatch.setattr(plant, "BATCH", 32)
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 4, (256, 40)).astype(np.uint8)
    share = (codes == 2).mean(axis=1)
    targets = np.stack([100 * share, np.where(np.arange(256) % 2, np.nan, -share)], axis=1)
    rows = (Row(one, two, number, number) for number, (one, two) in enumerate(zip(codes, targets, strict=True)))
    write_rows(tmp_path / "data", rows)
    write_splits(tmp_path / "data", np.arange(256) // 192, {})
    sequences = open_sequences(tmp_path / "data", 2)
    names = ("percent", "negative")
    whole, _ = plant.train_baseline(sequences, names, 3, tmp_path / "whole.pt")
    held_out, measured = plant.rows_of(sequences, "validation")
    said = plant.said(whole, held_out)
    assert abs(said[:, 0].mean() - measured[:, 0].mean()) < 5
    assert abs(said[:, 1].mean() - np.nanmean(measured[:, 1])) < 0.05
    again, _ = plant.train_baseline(sequences, names, 3, tmp_path / "whole.pt")  # nothing is left to do
    np.testing.assert_array_equal(plant.said(again, held_out), said)


def test_a_track_is_ranked_from_its_strongest_call_on():
    track = module("promoters_track")
    truth = track.Truth(np.array([100, 300, 500]), np.array([200, 400, 600]), np.array(["+", "-", "+"]), np.arange(3.0))
    places, strands = np.array([150, 160, 350, 350, 900]), np.array(["+", "+", "+", "-", "+"])
    hits = module("sigma70").Hits(places, strands, np.array([5.0, 4.0, 3.0, 2.0, 1.0]))
    found = track.rank(hits, truth, [(0, 1000)])
    assert found.precision.tolist() == pytest.approx(
        [1, 1 / 2, 2 / 3, 2 / 4]
    )  # the second in a peak counts neither way
    assert found.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert found.best.tolist() == pytest.approx([5, 2, np.nan], nan_ok=True)
    assert track.measures(found, truth)["average_precision"] == pytest.approx((1 + 2 / 3) / 3)


def test_annotated_starts_and_what_is_near_them(tmp_path):
    benchmark = module("promoters_starts")
    gff = tmp_path / "genes.gff3"
    rows = [("gene", 101, 900, "+"), ("mRNA", 101, 900, "+"), ("mRNA", 101, 700, "+"), ("mRNA", 400, 520, "-")]
    gff.write_text("##gff-version 3\n" + "".join(f"c\tx\t{k}\t{a}\t{b}\t.\t{s}\t.\tID=1\n" for k, a, b, s in rows))
    starts = benchmark.read_starts(gff)
    assert {key: places.tolist() for key, places in starts.items()} == {("c", "+"): [100], ("c", "-"): [519]}
    assert benchmark.distances(np.array([0, 90, 130]), np.array([100, 125])).tolist() == [100, 10, 5]
    assert benchmark.distances(np.array([3]), np.array([], dtype=int)).tolist() == [np.inf]
    assert benchmark.covered(starts, {"c": 540}) == 101 + (540 - 469)


def test_recipes_that_are_compared_are_recipes(tmp_path):
    from genoscan.training.pretraining.recipe import load_pretrain_recipe
    from genoscan.training.supervised.compare import parse_variants
    from genoscan.training.supervised.recipe import load_sequence_recipe

    recipe = module("gue_core_promoters").recipe_of(tmp_path / "GUE.prom.prom_core_tata", 2)
    assert (recipe.task.classes, recipe.best_by) == (("0", "1"), "mcc")
    benchmark = module("promoters_ways")
    ways = benchmark.variants_of(tmp_path)
    found = [load_sequence_recipe(one.recipe, one.changes) for one in parse_variants(["promoter-ecoli"], ways, [])]
    assert [one.adapt.way for one in found] == ["scratch", "scratch", "full", "full", "full", "lora", "frozen", "probe"]
    assert [one.net.kind for one in found] == ["promoter-net"] + 7 * ["transformers"]
    for kind, changes in benchmark.PRETRAINING.items():
        recipe = load_pretrain_recipe(f"pretrain-{kind}", [*benchmark.net_changes(), *changes])
        assert (recipe.pretrain.kind, recipe.net.config) == (kind, benchmark.CONFIG)
