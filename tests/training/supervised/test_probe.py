"""Layer probing: the layer that holds the answer is found, and the probe that is saved is the one that was measured."""

import json

import numpy as np
import pytest
import torch
from labelled import KMER_BERT, class_table, regression_table, write_recipe
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from genoscan.training.supervised import run as run_module
from genoscan.training.supervised.load import load_trained, predict
from genoscan.training.supervised.probe import LayerProbe, mean_embedding, probe_layers
from genoscan.training.supervised.recipe import load_sequence_recipe
from genoscan.training.supervised.run import train_sequences


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    whole = run_module.with_intervals
    monkeypatch.setattr(run_module, "with_intervals", lambda *words: whole(*words, resamples=20))


def recipe_of(tmp_path, *changes, net=None, replacements=()):
    path = write_recipe(tmp_path / "r.toml", *replacements, net=net)
    return load_sequence_recipe(path, [*changes, "adapt.way=probe"])


def test_the_layer_with_the_answer_wins(tmp_path):
    """Of three layers the second holds the values, linearly, among noise; penalties are chosen by validation."""
    generator = np.random.default_rng(0)
    hidden = {
        split: generator.normal(size=(3, rows, 5)).astype(np.float32)
        for split, rows in (("train", 80), ("validation", 40))
    }
    weight = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    targets = {split: (one[1] @ weight + 7)[:, None].astype(np.float32) for split, one in hidden.items()}
    targets["train"][::7] = np.nan
    recipe = recipe_of(tmp_path)
    layers = probe_layers(recipe, recipe.adapt, hidden, targets)
    values = [one.measures["pearson"] for one in layers]
    assert np.argmax(values) == 1
    assert values[1] > 0.9999
    assert max(values[0], values[2]) < 0.7
    np.testing.assert_allclose(layers[1].weight[0], weight, atol=0.01)
    np.testing.assert_allclose(layers[1].bias, 7, atol=0.01)


def test_a_probe_is_ridge_regression_on_standardized_embeddings(tmp_path):
    generator = np.random.default_rng(0)
    hidden = {split: generator.normal(2, 3, (1, 60, 4)).astype(np.float32) for split in ("train", "validation")}
    targets = {split: generator.normal(size=(60, 1)).astype(np.float32) for split in hidden}
    recipe = recipe_of(tmp_path, "adapt.penalties=[10.0]")
    (layer,) = probe_layers(recipe, recipe.adapt, hidden, targets)
    scaler = StandardScaler().fit(hidden["train"][0])
    ridge = Ridge(alpha=10.0).fit(scaler.transform(hidden["train"][0]), targets["train"][:, 0])
    expected = ridge.predict(scaler.transform(hidden["validation"][0]))
    found = hidden["validation"][0] @ layer.weight[0] + layer.bias[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_masked_tokens_are_not_averaged():
    hidden = torch.arange(12.0).reshape(1, 3, 4)
    mask = torch.tensor([[1, 1, 0]])
    torch.testing.assert_close(mean_embedding(hidden, True, mask), torch.tensor([[2.0, 3.0, 4.0, 5.0]]))
    torch.testing.assert_close(mean_embedding(hidden, False, None), torch.tensor([[1.5, 5.5, 9.5]]))


@pytest.mark.parametrize("net", [None, KMER_BERT], ids=["convolutions", "transformer"])
def test_a_run_keeps_the_best_layers_probe(tmp_path, net):
    recipe = recipe_of(tmp_path, f"inputs.data={regression_table(tmp_path / 't.tsv')}", net=net)
    found = train_sequences(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    layers = json.loads((tmp_path / "run" / "probing" / "layers.json").read_text())
    best = max(layers, key=lambda one: one["pearson"])
    assert [one["layer"] for one in layers] == [1, 2]
    assert found.measures["validation"]["pearson"].value == pytest.approx(best["pearson"], abs=1e-4)
    module = load_trained(tmp_path / "run").module
    assert isinstance(module, LayerProbe)
    assert module.layer == best["layer"] - 1
    assert (tmp_path / "run" / "probing" / "layers.png").stat().st_size > 5000
    assert not list((tmp_path / "run" / "probing").glob("*.bin"))
    assert json.loads((tmp_path / "run" / "parameters.json").read_text())["trainable"] == module.head.weight.numel() + 1


def test_classes_are_probed(tmp_path):
    classes = (
        'kind = "regression"\ntargets = ["strength"]',
        'kind = "classification"\ntargets = ["kind"]\nclasses = ["poor", "rich"]',
    )
    table = class_table(tmp_path / "c.tsv", 400)
    recipe = recipe_of(tmp_path, f"inputs.data={table}", net=KMER_BERT, replacements=(classes,))
    found = train_sequences(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    assert found.measures["test"]["auroc"].value > 0.8
    probabilities = predict(tmp_path / "run", [np.full(40, 1, dtype=np.uint8), np.full(40, 0, dtype=np.uint8)], "cpu")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
