"""Distillation: teachers of their own seeds, what they say as labels, and a run that goes on among them."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from labelled import regression_table, write_recipe
from safetensors.torch import load_file

from genoscan.scanner.errors import GenoscanError
from genoscan.training.supervised import run as run_module
from genoscan.training.supervised.distilling import Mutated, collate_taught, teacher_recipes
from genoscan.training.supervised.recipe import load_sequence_recipe
from genoscan.training.supervised.run import train_sequences

DISTILLED = ("adapt.way=distilled", "adapt.teachers=2", "adapt.epochs=2")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    whole = run_module.with_intervals
    monkeypatch.setattr(run_module, "with_intervals", lambda *words: whole(*words, resamples=20))


def recipe_of(tmp_path, *changes):
    table = regression_table(tmp_path / "t.tsv")
    return load_sequence_recipe(write_recipe(tmp_path / "r.toml"), [f"inputs.data={table}", *DISTILLED, *changes])


class Says(torch.nn.Module):
    """Always the same of each output."""

    def __init__(self, *values):
        super().__init__()
        self.values = torch.tensor(values)

    def forward(self, inputs):
        return self.values.expand(len(inputs), -1)


def test_labels_are_what_the_teachers_say_mixed_with_what_was_measured():
    def collate(_):
        return {"inputs": torch.zeros(2, 4, 8), "labels": torch.tensor([[8.0, float("nan")], [float("nan"), 0.0]])}

    taught = partial(collate_taught, collate, (Says(1.0, 2.0), Says(3.0, 6.0)), False, 0.75, torch.device("cpu"))
    assert taught([])["labels"].tolist() == [[3.5, 4.0], [2.0, 3.0]]


class Plain:
    """Examples of A alone, each with a value of 1."""

    seed, rows, lengths = 3, np.arange(400), np.full(400, 100)

    def __len__(self):
        return 400

    def __getitem__(self, number):
        return np.zeros(100, np.uint8), np.ones(1, np.float32)


def test_half_of_the_examples_are_mutated_and_have_no_values():
    examples = Mutated(Plain(), 0.2)
    found = [examples[number] for number in range(400)]
    changed = np.array([(codes > 0).mean() for codes, _ in found])
    unknown = np.array([np.isnan(targets[0]) for _, targets in found])
    assert 160 < unknown.sum() < 240
    assert not changed[~unknown].any()
    assert 0.08 < changed[unknown].mean() < 0.12  # evenly up to 0.2
    assert all(
        (one[0] == other).all()
        for one, (other, _) in zip((examples[7], examples[9]), (found[7], found[9]), strict=True)
    )
    examples.epoch = 1
    assert any((examples[number][0] != found[number][0]).any() for number in range(20))


def test_teachers_differ_in_their_seeds_only(tmp_path):
    first, second = teacher_recipes(recipe_of(tmp_path))
    assert (first.seed, second.seed, first.fit.epochs, first.adapt.way) == (2, 3, 2, "scratch")
    assert first.model_copy(update={"seed": 3}) == second
    assert not list(teacher_recipes(first))


def test_a_distilled_run_goes_on_where_it_stopped(tmp_path):
    recipe = recipe_of(tmp_path)
    whole = train_sequences(recipe, tmp_path / "whole", "cpu", threads=1, log=lambda _: None)
    assert whole.finished
    assert "pearson" in whole.measures["validation"]
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    halves = tmp_path / "halves"
    for _ in range(200):
        found = train_sequences(recipe, halves, "cpu", threads=1, time_limit=1e-9, log=lambda _: None)
        if found.finished:
            break
    assert found.finished
    for part in ("best", "teachers/1/best", "teachers/2/best"):
        one, other = (load_file(tmp_path / name / part / "weights.safetensors") for name in ("whole", "halves"))
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(
        *(load_file(halves / "teachers" / name / "best/weights.safetensors")["head.weight"] for name in "12")
    )


def test_classes_are_refused(tmp_path):
    with pytest.raises(GenoscanError, match="'distilled' is for regressions"):
        recipe_of(tmp_path, "task.kind=classification", 'task.classes=["a","b"]')
