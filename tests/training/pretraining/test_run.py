"""Pretraining at toy size: something is learned, runs go on bit for bit, and fine-tuning starts from what comes out."""

import json

import numpy as np
import pytest
import torch
from commands import invoke
from labelled import KMER_BERT, regression_table, sequences, write_recipe, write_table
from safetensors.torch import load_file

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.pretraining.recipe import load_pretrain_recipe
from genoscan.training.pretraining.run import pretrain
from genoscan.training.recipe import bundled_recipes
from genoscan.training.supervised.networks import build_network
from genoscan.training.supervised.recipe import load_sequence_recipe
from genoscan.training.supervised.trainer import last_checkpoint

WINDOWS = "[windows]\nwindow = 40\nper_epoch = 128\nvalidation = 64\n"
FIT = "[fit]\nbatch = 16\nepochs = 2\nlearning_rate = 5e-3\n"
CONVOLUTIONS = '[net]\nkind = "convolutional"\nwidth = 8\nlayers = 2\nkernel = 5\nhidden = 8\n'
KINDS = {
    "masked": '[pretrain]\nkind = "masked"\nspan = 3\n',
    "views": '[pretrain]\nkind = "views"\nshift = 4\n',
    "profiles": '[pretrain]\nkind = "profiles"\n[task]\nkind = "regression"\ntargets = ["strength"]\n[data]\n'
    'shift = 2\nwindow = 40\n[data.split]\nby = "rows"\n',
}


def recipe_of(tmp_path, kind, *changes, net=KMER_BERT):
    path = tmp_path / "p.toml"
    path.write_text(f'name = "pre"\nseed = 2\n{KINDS[kind]}\n{WINDOWS}\n{net}\n{FIT}')
    (unit,) = sequences(1, 70, seed=3)
    (tmp_path / "g.fa").write_text(f">c\n{unit * 60}\n")
    inputs = (
        [f"inputs.data={regression_table(tmp_path / 't.tsv')}"]
        if kind == "profiles"
        else [f"inputs.genome={tmp_path / 'g.fa'}"]
    )
    return load_pretrain_recipe(path, [*inputs, *changes])


def epochs(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_masked_tokens_are_told_from_those_around_them(tmp_path):
    """A genome of runs of one letter: guessed blindly a quarter of the tokens is right."""
    recipe = recipe_of(tmp_path, "masked", "fit.epochs=8", "windows.per_epoch=256")
    (tmp_path / "g.fa").write_text(">c\n" + "".join(letter * 300 for letter in "ACGTGACTTGCA" * 3) + "\n")
    assert pretrain(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    history = epochs(tmp_path / "run")
    assert history[-1]["accuracy"] > 0.8
    assert history[-1]["validation_loss"] < 1


@pytest.mark.parametrize("net", [KMER_BERT, CONVOLUTIONS], ids=["transformer", "convolutions"])
def test_views_of_a_window_find_each_other(tmp_path, net):
    recipe = recipe_of(tmp_path, "views", "fit.epochs=6", "pretrain.reverse_complement=false", net=net)
    random = "".join(sequences(1, 6000, seed=4))
    (tmp_path / "g.fa").write_text(f">c\n{random}\n")
    assert pretrain(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    history = epochs(tmp_path / "run")
    assert history[-1]["accuracy"] > 3 / 64  # chance: a batch of 64
    assert min(one["validation_loss"] for one in history) < 0.8 * np.log(64)


def test_profiles_find_their_sequences(tmp_path):
    """The profile is the GC content in three disguises, one of them missing now and then."""
    rows = []
    for number, text in enumerate(sequences(300)):
        gc = sum(letter in "GC" for letter in text)
        rows.append([text, gc, "" if number % 3 == 0 else -2 * gc, gc**2])
    table = write_table(tmp_path / "profiles.tsv", ["sequence", "a", "b", "c"], rows)
    recipe = recipe_of(
        tmp_path, "profiles", f"inputs.data={table}", 'task.targets=["a","b","c"]', "fit.epochs=10", net=CONVOLUTIONS
    )
    assert pretrain(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    history = epochs(tmp_path / "run")
    assert history[-1]["validation_loss"] < 0.85 * np.log(30)


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_and_resumed_is_uninterrupted(tmp_path, kind):
    recipe = recipe_of(tmp_path, kind, "fit.accumulate=2")
    pretrain(recipe, tmp_path / "whole", "cpu", threads=1, log=lambda _: None)
    sessions = 1
    while not pretrain(recipe, tmp_path / "parts", "cpu", threads=1, time_limit=1e-6, log=lambda _: None):
        sessions += 1
    assert 5 < sessions < 20
    expected, resumed = (
        load_file(last_checkpoint(tmp_path / one) / "weights.safetensors") for one in ("whole", "parts")
    )
    assert set(expected) == set(resumed)
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)


@pytest.mark.parametrize("kind", ["masked", "views"])
def test_fine_tuning_starts_from_the_encoder(tmp_path, kind):
    pretrain(recipe_of(tmp_path, kind), tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    recipe = write_recipe(tmp_path / "r.toml", net=KMER_BERT)
    recipe = load_sequence_recipe(recipe, [f"net.checkpoint={tmp_path / 'run'}"])
    assert recipe.adapt.way == "full"
    network = build_network(recipe.net, ("strength",), regression=True)
    saved = load_file(tmp_path / "run" / "best" / "model.safetensors")
    name = "encoder.layer.1.attention.self.query.weight"
    expected = saved.get(name, saved.get(f"bert.{name}"))
    assert torch.equal(network.layers[1].attention.self.query.weight, expected)
    assert network.spec.k == 3


def test_fine_tuning_an_own_network_starts_from_all_but_the_head(tmp_path):
    pretrain(recipe_of(tmp_path, "views", net=CONVOLUTIONS), tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    recipe = write_recipe(tmp_path / "r.toml")
    torch.manual_seed(0)
    chosen = load_sequence_recipe(recipe, [f"net.checkpoint={tmp_path / 'run'}"])
    network = build_network(chosen.net, ("a", "b"), regression=True)
    saved = load_file(tmp_path / "run" / "best" / "weights.safetensors")
    assert torch.equal(network.module.blocks[1][0].weight, saved["blocks.1.0.weight"])
    assert network.module.head.out_features == 2
    with pytest.raises(GenoscanError, match=r"weights\.safetensors: has no blocks\.0\.0\.weight of the size"):
        build_network(
            load_sequence_recipe(recipe, [f"net.checkpoint={tmp_path / 'run'}", "net.width=16"]).net, ("a",), True
        )
    with pytest.raises(GenoscanError, match="no weights of a network of `genoscan train`"):
        build_network(load_sequence_recipe(recipe, ["net.checkpoint=nowhere"]).net, ("a",), True)


def test_the_command_and_what_it_refuses(tmp_path):
    recipe_of(tmp_path, "masked")
    words = ["train", "pretrain", "--recipe", tmp_path / "p.toml", "-t", 1, "-o", tmp_path / "run"]
    result = invoke(*words, "--genome", tmp_path / "g.fa", "--set", "fit.epochs=1")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "run" / "best" / "vocab.txt").is_file()
    result = invoke(*words)
    assert "inputs.genome: windows are drawn from a genome: say --genome FASTA" in result.stderr
    with pytest.raises(GenoscanError, match="'masked' is for networks of transformers"):
        recipe_of(tmp_path, "masked", net=CONVOLUTIONS)
    with pytest.raises(GenoscanError, match="compared by its loss"):
        recipe_of(tmp_path, "masked", "fit.best_by=accuracy")
    with pytest.raises(UsageError, match="no such table"):
        pretrain(recipe_of(tmp_path, "profiles", "inputs.data=nowhere"), tmp_path / "p")


@pytest.mark.parametrize("name", [one for one in bundled_recipes() if one.startswith("pretrain-")])
def test_bundled_recipes_build(name):
    recipe = load_pretrain_recipe(name)
    network = build_network(recipe.net, ("unused",), regression=True)
    assert len(network.layers) == 4
    assert network.longest >= recipe.windows.window
