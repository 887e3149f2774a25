"""Recipes of labelled sequences: what they say, what a command line changes, what is refused."""

import pytest
from labelled import KMER_BERT, write_recipe

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.recipe import parse_recipe, recipe_text
from genoscan.training.supervised.recipe import SequenceRecipe, load_sequence_recipe


def test_what_is_written_is_what_was_read(tmp_path):
    recipe = load_sequence_recipe(write_recipe(tmp_path / "r.toml", net=KMER_BERT))
    assert parse_recipe(recipe_text(recipe), "again", SequenceRecipe) == recipe
    assert recipe.net.config["hidden_size"] == 16
    assert recipe.task.outputs == ("strength",)


def test_changes_replace_single_lines(tmp_path):
    path = write_recipe(tmp_path / "r.toml")
    recipe = load_sequence_recipe(
        path,
        [
            "fit.epochs=7",
            "adapt.rank=4",
            "adapt.way=lora",
            "inputs.data=some where.tsv",
            "data.split.shares=[0.5,0.25,0.25]",
        ],
    )
    assert (recipe.fit.epochs, recipe.adapt.way, recipe.adapt.rank) == (7, "lora", 4)
    assert recipe.inputs.data == "some where.tsv"
    assert recipe.data.split.shares == (0.5, 0.25, 0.25)


def test_another_way_leaves_the_first_ones_fields_behind(tmp_path):
    path = write_recipe(tmp_path / "r.toml", ("[fit]", '[adapt]\nway = "frozen"\nlayers = 1\n\n[fit]'))
    assert load_sequence_recipe(path).adapt.layers == 1
    assert load_sequence_recipe(path, ["adapt.way=probe"]).adapt.way == "probe"
    assert load_sequence_recipe(path, ["adapt.way=frozen"]).adapt.layers == 1
    assert load_sequence_recipe(path, ["net.kind=convolutional"]).net.width == 8  # as it was


def test_paths_are_relative_to_the_recipe(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "t.tsv").write_text("sequence\n")
    path = write_recipe(tmp_path / "deep" / "r.toml", ("[task]", '[inputs]\ndata = "t.tsv"\n\n[task]'))
    monkeypatch.chdir(tmp_path)
    assert load_sequence_recipe("deep/r.toml").inputs.data == "deep/t.tsv"
    assert load_sequence_recipe(path, ["inputs.data=t.tsv"]).inputs.data == "t.tsv"


def test_the_usual_way_follows_from_the_network(tmp_path):
    path = write_recipe(tmp_path / "r.toml")
    assert load_sequence_recipe(path).adapt.way == "scratch"
    assert load_sequence_recipe(path, ["net.kind=transformers", "net.checkpoint=some/where"]).adapt.way == "full"


def test_what_epochs_are_compared_by(tmp_path):
    path = write_recipe(tmp_path / "r.toml")
    assert load_sequence_recipe(path).best_by == "pearson"
    assert load_sequence_recipe(path, ['task.targets=["a","b"]']).best_by == "mean/pearson"
    classes = ["task.kind=classification", 'task.classes=["0","1"]']
    assert load_sequence_recipe(path, classes).best_by == "mcc"
    assert load_sequence_recipe(path, ["fit.best_by=loss"]).best_by == "loss"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("fit.epochs=0", r"fit\.epochs: Input should be greater than 0"),
        ("fit.epoch=3", r"fit\.epoch: Extra inputs are not permitted"),
        ("adapt.way=full", "adapt.way: 'full' goes on from net.checkpoint"),
        ("adapt.way=half", "adapt: Input tag 'half'"),
        ("task.kind=classification", "task: a classification has one column in targets and two or more classes"),
        ('task.targets=["a","a"]', "task: targets and classes must be distinct"),
        ("task.pseudocount=1.0", "task: .*pseudocount is for transform"),
        ("data.split.by=group", "columns: by = 'group' needs the names of its columns"),
        ("data.split.shares=[1,0,0]", "shares must not be negative, and training and validation need some"),
        ("card.step=41", r"card\.step: must be at most the window, and both even or both odd"),
        ("net.kind=transformers", "has a checkpoint or a config"),
        ("fit.best_by=beauty", r"fit\.best_by: there is no measure beauty, but pearson, spearman, r2_pearson"),
        ("fit.best_by=mcc", r"fit\.best_by: there is no measure mcc"),
        ("name=a b", "name: String should match pattern"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, change, message):
    with pytest.raises(GenoscanError, match=message):
        load_sequence_recipe(write_recipe(tmp_path / "r.toml"), [change])


def test_a_change_that_is_none(tmp_path):
    path = write_recipe(tmp_path / "r.toml")
    with pytest.raises(UsageError, match="--set epochs: say FIELD=VALUE"):
        load_sequence_recipe(path, ["epochs"])
    with pytest.raises(UsageError, match=r"--set name\.x=1: name is no section of a recipe"):
        load_sequence_recipe(path, ["name.x=1"])
    with pytest.raises(UsageError, match="nowhere: no such recipe file, and the bundled recipes are"):
        load_sequence_recipe("nowhere")
