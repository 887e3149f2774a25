"""From an atlas to a model that scores reads, at toy size: data sets, runs that stop and go on, pretraining, export,
evaluation; and what a user can get wrong."""

import json

import methylomes
import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from genoscan.cli import main
from genoscan.export.export import export_model
from genoscan.export.parity import Limits
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.inference.session import open_model
from genoscan.scanner.read_likelihoods import window_log_likelihoods
from genoscan.training.nets.read_bert import ReadBert, ReadEncoder
from genoscan.training.tissue.examples import changed_states
from genoscan.training.tissue.learning import build_net
from genoscan.training.tissue.panel import open_panel
from genoscan.training.tissue.random_numbers import keys
from genoscan.training.tissue.recipe import load_tissue_recipe
from genoscan.training.tissue.run import restore_net, train_tissue
from genoscan.training.tissue.settings import ReadSimulation
from genoscan.training.tissue.shards import open_shards
from genoscan.training.tissue.simulation import Simulator

LOSSES = "[losses]\ndrawing = 0.5\nkinds = 0.3\nmarkers = 0.3\nwithin = 0.3\n"


def quiet(_):
    """Nobody is told."""


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    return methylomes.write_atlas(tmp_path_factory.mktemp("atlas") / "atlas.tsv")


@pytest.fixture(scope="module")
def run(tmp_path_factory, atlas):
    folder = tmp_path_factory.mktemp("run")
    recipe = load_tissue_recipe(methylomes.tiny_recipe(folder, LOSSES), [f"inputs.atlas={atlas}"])
    assert train_tissue(recipe, folder / "run", "cpu", 1, log=quiet)
    return folder / "run"


@pytest.fixture(scope="module")
def model(run):
    path = run.parent / "model.onnx"
    export_model(run, path)
    return path


def command(*words):
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def epochs(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_learns_and_says_so(run):
    first, last = epochs(run)
    assert last["validation_loss"] < first["validation_loss"]
    assert {"log_loss", "divergence", "accuracy", "top3", "calibration"} <= last.keys()
    card = json.loads((run / "best" / "card.json").read_text())
    assert card["output"]["names"] == list(methylomes.TYPES)
    assert card["output"]["prior"] == pytest.approx([1 / 3] * 3)
    assert len(card["markers"]) == 4


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(run, tmp_path, atlas):
    recipe = load_tissue_recipe(methylomes.tiny_recipe(tmp_path, LOSSES), [f"inputs.atlas={atlas}"])
    for limit in (1e-9, 1e-9, None):  # a session makes one step at least
        finished = train_tissue(recipe, tmp_path / "again", "cpu", 1, time_limit=limit, log=quiet)
        assert finished == (limit is None)
    whole, pieces = (load_file(one / "best" / "weights.safetensors") for one in (run, tmp_path / "again"))
    for name, weights in whole.items():
        torch.testing.assert_close(pieces[name], weights, atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_an_export_is_the_network(run, model, precision, tmp_path, atlas):
    path = model if precision == "fp32" else tmp_path / "model.onnx"
    if precision != "fp32":
        # of a network that hardly learned the classes are nearly alike, and bytes may turn the order of two
        export_model(run, path, precision, limits=Limits(mean=1e-2, agreement=0.9))
    assert [one.name for one in onnx.load(path).graph.input] == ["tokens", "methylation"]
    opened = open_model(path, "cpu")
    assert opened.card.markers[0].target == "Liver"
    assert opened.card.assembly == "toy1"
    assert opened.card.provenance.metrics["validation log_loss"] > 0
    reads = Simulator(open_panel(atlas), ReadSimulation(), 60, 5).draw("test", 0, np.arange(40))
    found = window_log_likelihoods(opened, reads.codes)
    recipe = load_tissue_recipe(run / "recipe.toml")
    network = restore_net(recipe, run)
    batch = np.zeros((40, *opened.encoder.window_shape(60)), dtype=np.int64)
    opened.encoder.encode(reads.codes, batch)
    with torch.inference_mode():
        logits = network(torch.from_numpy(batch[:, 0]), torch.from_numpy(batch[:, 1]))
    expected = torch.log_softmax(logits, dim=1).numpy() - np.log(opened.card.output.prior)
    np.testing.assert_allclose(found, expected, atol=1e-4 if precision == "fp32" else 0.1)


def test_evaluation(model, tmp_path, atlas):
    said = ("--atlas", atlas, "--count", 300, "--mixtures", 3, "--coverage", 10, "--spike", "Neuron", "-t", 1)
    done = command("evaluate", model, *said, "-o", tmp_path / "e")
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "e" / "measures.json").read_text())
    natural = content["measures"]["natural"]
    assert natural["exact"]["log_loss"] < natural["chance"]["log_loss"]
    assert natural["model"]["divergence"] > 0
    assert natural["model"]["excess"] == pytest.approx(natural["model"]["log_loss"] / natural["exact"]["log_loss"] - 1)
    rows = [line.split("\t") for line in (tmp_path / "e" / "targets.confusion.tsv").read_text().splitlines()]
    assert rows[0][1:] == list(methylomes.TYPES)
    assert sum(int(one) for row in rows[1:] for one in row[1:]) == 300
    assert (tmp_path / "e" / "natural.confusion.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "e" / "natural.classes.tsv").read_text().splitlines()) == 4
    mixtures = json.loads((tmp_path / "e" / "mixtures.json").read_text())
    assert (mixtures["many"], mixtures["coverage"], mixtures["spike"]) == (3, 10, "Neuron")
    assert mixtures["measures"]["likelihood"]["mae"] < 0.2
    table, rates, shares = (
        [line.split("\t") for line in (tmp_path / "e" / f"{name}.tsv").read_text().splitlines()]
        for name in ("mixtures", "detection", "mixtures.estimates")
    )
    assert [row[0] for row in table] == ["method", "model", "likelihood", "least-squares"]
    assert table[0][1:] == ["mae", "mae_present", "mae_absent", "r2", "threshold", "false_rate", "limit_of_detection"]
    assert len(rates) == 1 + 3 * 6
    assert len(shares) == 1 + 3 * 3
    assert sum(float(row[2]) for row in shares[1:4]) == pytest.approx(1, abs=1e-5)
    assert (tmp_path / "e" / "mixtures.png").read_bytes().startswith(b"\x89PNG")
    assert "mixtures   likelihood    mae " in done.output


def test_shards(tmp_path, atlas):
    out = tmp_path / "shards"
    words = ("data", "tissue", "--atlas", atlas, "--seed", 2, "-o", out)
    done = command(*words, "--reads", 250, "--validation", 60, "--test", 10, "--shard", 100)
    assert done.exit_code == 0, done.output
    shards = open_shards(out, 150)
    reads = Simulator(open_panel(atlas), ReadSimulation(), 150, 2).draw("training", 0, np.arange(250))
    rows = np.array([249, 0, 100, 99])
    np.testing.assert_array_equal(shards.splits["training"].codes[rows], reads.codes[rows])
    np.testing.assert_allclose(shards.splits["training"].posterior[rows], reads.posterior[rows], rtol=1e-6)
    np.testing.assert_array_equal(shards.splits["training"].classes[rows], reads.classes[rows])
    assert len(shards.splits["test"].classes) == 10
    recipe = load_tissue_recipe(  # its further losses are of what shards do not tell
        methylomes.tiny_recipe(tmp_path, LOSSES),
        [f"inputs.shards={out}", "data.window=150", "net.patch=5", "net.kernel=5"],
    )
    assert train_tissue(recipe, tmp_path / "run", "cpu", 1, log=quiet)
    assert epochs(tmp_path / "run")[-1]["step"] == 2 * 8
    assert "is not empty" in command(*words).output
    with pytest.raises(UsageError, match="windows of 150 bases"):
        open_shards(out, 60)
    (out / "training-00001.arrow").unlink()
    with pytest.raises(GenoscanError, match="a shard of training is missing"):
        open_shards(out, 150)
    (out / "training-00001.arrow").write_bytes(b"ARROW1")
    with pytest.raises(GenoscanError, match=r"training-00001.arrow: cannot be read"):
        open_shards(out, 150)


def test_real_reads_from_a_pretrained_encoder(tmp_path, atlas):
    net = 'mixtures = 1\n[losses]\nclass_weights = "balanced"'
    recipe = methylomes.tiny_recipe(tmp_path, net=net)
    pretrained = load_tissue_recipe(recipe, [f"inputs.atlas={atlas}", "pretrain.share=0.2"])
    assert train_tissue(pretrained, tmp_path / "encoder", "cpu", 1, log=quiet)
    assert {"kmer_accuracy", "state_accuracy"} <= epochs(tmp_path / "encoder")[-1].keys()
    table = methylomes.write_reads(tmp_path / "reads.tsv")
    said = [
        f"inputs.reads={table}",
        'data.validation_regions=["1"]',
        'data.test_regions=["2"]',
        "fit.epochs=20",
        "fit.batch=8",
    ]
    said += [f"net.checkpoint={tmp_path / 'encoder'}", "data.forget=0.2", "data.mistake=0.02"]
    assert train_tissue(load_tissue_recipe(recipe, said), tmp_path / "run", "cpu", 1, log=quiet)
    export_model(tmp_path / "run", tmp_path / "reads.onnx")
    done = command("evaluate", tmp_path / "reads.onnx", "--reads", table, "--region", "2", "-o", tmp_path / "e")
    found = json.loads((tmp_path / "e" / "measures.json").read_text())["measures"]["reads"]
    assert done.exit_code == 0
    assert found["model"]["accuracy"] >= 0.8
    assert not open_model(tmp_path / "reads.onnx", "cpu").card.markers
    with pytest.raises(GenoscanError, match="of the size that the recipe's network has"):
        train_tissue(load_tissue_recipe(recipe, [*said, "net.width=32"]), tmp_path / "other", "cpu", 1, log=quiet)


def test_what_a_user_gets_wrong(tmp_path, atlas, model, run):
    recipe = methylomes.tiny_recipe(tmp_path)
    for number, (said, problem) in enumerate(
        (
            ([], "say one of --atlas"),
            ([f"inputs.atlas={atlas}", "card.assembly="], "card.assembly"),
            ([f"inputs.atlas={atlas}", "net.patch=7", "net.kernel=7"], "net.patch: must divide"),
            ([f"inputs.atlas={atlas}", "net.mixtures=1", "losses.kinds=1.0"], "losses.kinds"),
            ([f"inputs.atlas={atlas}", "losses.class_weights.Spleen=2.0"], "no class Spleen"),
        )
    ):
        with pytest.raises(GenoscanError, match=problem):
            train_tissue(load_tissue_recipe(recipe, said), tmp_path / f"run{number}", "cpu", 1, log=quiet)
    for words, problem in (
        (("evaluate", model, "-o", tmp_path / "e"), "give --atlas"),
        (("evaluate", "repeats", "--atlas", atlas, "-o", tmp_path / "e"), "not of reads"),
        (("evaluate", "repeats", "--atlas", atlas, "--mixtures", 0, "-o", tmp_path / "e"), "not of reads"),
        (("evaluate", model, "--atlas", atlas, "--spike", "Spleen", "-o", tmp_path / "e"), "no such cell type"),
        (
            ("evaluate", model, "--reads", atlas, "--spike", "Liver", "-o", tmp_path / "e"),
            "is put into simulated mixtures",
        ),
        (("export", run, "--window", "10", "-o", tmp_path / "x.onnx"), "has its card in its recipe"),
        (("data", "tissue", "--atlas", atlas, "--recipe", "absent", "-o", tmp_path / "d"), "no such recipe"),
    ):
        done = command(*words)
        assert done.exit_code > 0
        assert problem in done.output


@pytest.mark.parametrize(("name", "million"), [("tissue", 0.87), ("tissue-bert", 19.5), ("tissue-reads", 0.25)])
def test_bundled_recipes_build(name, million):
    net = build_net(load_tissue_recipe(name), 40, 159)
    assert sum(one.numel() for one in net.parameters()) / 1e6 == pytest.approx(million, rel=0.05)
    assert net.encoder.kmers.weight.shape[0] == 69


def test_a_mixture_gives_logarithms_of_probabilities():
    torch.manual_seed(0)
    net = ReadBert(ReadEncoder(69, 20, 8, 1, 2, 16, 0.0, 5, 9, 4), 6, 3, 8, 0.0, 2).eval()
    tokens, methylation = torch.randint(0, 69, (4, 20)), torch.randint(0, 3, (4, 20))
    found = net(tokens, methylation)
    torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(4))
    logits, kinds, markers, within = net.training_logits(tokens, methylation)
    torch.testing.assert_close(logits, found)
    torch.testing.assert_close(kinds.exp().sum(dim=1), torch.ones(4))
    assert markers.shape == (4, 2)
    assert within.shape == (4, 4)


def test_states_are_forgotten_and_turned_round():
    codes = np.full((2000, 5), 1 + 16, dtype=np.uint8)  # five methylated Cs
    codes[:, 4] = 0
    changed = changed_states(codes, keys(1, rows=np.arange(2000)), 0.3, 0.1)
    assert (changed[:, 4] == 0).all()
    assert (changed[:, :4] == 1).mean() == pytest.approx(0.3, abs=0.02)
    assert (changed[:, :4] == 9).mean() == pytest.approx(0.07, abs=0.02)
    assert (changed[:, :4] > 1).any(axis=1).all()
    np.testing.assert_array_equal(changed, changed_states(codes, keys(1, rows=np.arange(2000)), 0.3, 0.1))
