"""Distillation: teachers of their own seeds, what they say as labels, and a run that goes on among them."""

import json

import numpy as np
import pytest
import torch
from labelled import regression_table, write_recipe
from safetensors.torch import load_file

from genoscan.scanner.errors import GenoscanError
from genoscan.training.supervised import run as run_module
from genoscan.training.supervised.distilling import Copies, Taught, ask, teacher_recipes
from genoscan.training.supervised.recipe import load_sequence_recipe
from genoscan.training.supervised.run import train_sequences

DISTILLED = ("adapt.way=distilled", "adapt.teachers=2", "adapt.copies=2", "adapt.fit.epochs=2", "adapt.fit.batch=32")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    whole = run_module.with_intervals
    monkeypatch.setattr(run_module, "with_intervals", lambda *words: whole(*words, resamples=20))


def recipe_of(tmp_path, *changes):
    table = regression_table(tmp_path / "t.tsv")
    return load_sequence_recipe(write_recipe(tmp_path / "r.toml"), [f"inputs.data={table}", *DISTILLED, *changes])


class Says(torch.nn.Module):
    """The share of A in a sequence, plus a number."""

    def __init__(self, more):
        super().__init__()
        self.more = more

    def forward(self, inputs):
        return inputs[:, :1].mean(dim=2) + self.more


class Plain:
    """Examples of A alone; the even ones have a value of 9."""

    seed, epoch, rows, lengths = 3, 0, np.arange(300), np.full(300, 100)

    def __len__(self):
        return 300

    def __getitem__(self, number):
        return np.zeros(100, np.uint8), np.full(1, np.nan if number % 2 else 9, np.float32)


def encoding(codes):
    return torch.nn.functional.one_hot(torch.from_numpy(np.stack(codes)).long(), 4).transpose(1, 2).float(), None


def said_of(copies):
    return ask((Says(1.0), Says(3.0)), False, encoding, copies, 2, torch.device("cpu"), lambda: None)


def test_teachers_are_asked_about_each_example_and_its_copies():
    copies = Copies(Plain(), 0.2)
    said = said_of(copies)
    assert said.shape == (3, 300, 1)
    assert said.dtype == np.float32
    np.testing.assert_allclose(said[0], 3.0)  # all A, and the mean of what the two add
    for copy in (1, 2):
        kept = [(copies.codes(number, copy) == 0).mean() for number in range(300)]
        np.testing.assert_allclose(said[copy, :, 0], 2 + np.array(kept), atol=1e-6)
        assert 0.88 < np.mean(kept) < 0.92  # evenly down to 0.8
        assert min(kept) < 0.84


def test_labels_are_what_the_teachers_say_mixed_with_what_was_measured():
    copies = Copies(Plain(), 0.2)
    said = said_of(copies)
    examples = Taught(copies, said, 0.75)
    originals = 0
    for number in range(300):
        codes, (label,) = examples[number]
        again, (same,) = examples[number]
        assert (codes == again).all()
        assert label == same
        if codes.any():
            assert label == pytest.approx(2 + (codes == 0).mean(), abs=1e-6)
        else:  # the example itself, or a copy that nothing became of
            assert label in ((3,) if number % 2 else (3, 0.75 * 3 + 0.25 * 9))
            originals += label == 4.5
    assert 55 < originals < 95
    before = [examples[number][0] for number in range(300)]
    examples.epoch = 1
    assert any((examples[number][0] != before[number]).any() for number in range(300))


def test_teachers_differ_in_their_seeds_only(tmp_path):
    first, second = teacher_recipes(recipe_of(tmp_path, "adapt.net.kind=convolutional", "adapt.net.width=4"))
    assert (first.seed, second.seed, first.fit.epochs, first.adapt.way, first.net.width) == (1, 2, 2, "scratch", 4)
    assert first.model_copy(update={"seed": 2}) == second
    assert not list(teacher_recipes(first))
    assert next(teacher_recipes(recipe_of(tmp_path))).net.width == 8  # the recipe's own


def test_a_distilled_run_goes_on_where_it_stopped(tmp_path):
    recipe = recipe_of(tmp_path, "fit.batch=128", "adapt.fit.batch=128")
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
    assert (halves / "teachers/said.npy").read_bytes() == (tmp_path / "whole" / "teachers/said.npy").read_bytes()
    for part in ("best", "teachers/1/best", "teachers/2/best"):
        one, other = (load_file(tmp_path / name / part / "weights.safetensors") for name in ("whole", "halves"))
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(
        *(load_file(halves / "teachers" / name / "best/weights.safetensors")["head.weight"] for name in "12")
    )


def test_classes_are_refused(tmp_path):
    with pytest.raises(GenoscanError, match="'distilled' is for regressions"):
        recipe_of(tmp_path, "task.kind=classification", 'task.classes=["a","b"]')
