"""Whole runs at toy size: what they leave, stopping and going on bit for bit, the best epoch, real signals."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from labelled import KMER_BERT, class_table, regression_table, sequences, write_recipe, write_table
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.measures.regression import regression_measures
from genoscan.training.supervised import run as run_module
from genoscan.training.supervised import session as session_module
from genoscan.training.supervised.load import load_trained, predict
from genoscan.training.supervised.recipe import load_sequence_recipe
from genoscan.training.supervised.run import train_sequences
from genoscan.training.supervised.trainer import best_epoch, epochs_of, last_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    whole = run_module.with_intervals
    monkeypatch.setattr(run_module, "with_intervals", lambda *words: whole(*words, resamples=20))


@pytest.fixture
def table(tmp_path):
    return regression_table(tmp_path / "t.tsv")


def fitted(tmp_path, table, name="run", *changes, net=None, **more):
    recipe = load_sequence_recipe(write_recipe(tmp_path / "r.toml", net=net), [f"inputs.data={table}", *changes])
    told = []
    found = train_sequences(recipe, tmp_path / name, "cpu", threads=1, log=told.append, **more)
    return found, told


def epochs(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_everything(tmp_path, table):
    found, told = fitted(tmp_path, table)
    out = tmp_path / "run"
    assert found.finished
    assert [one["epoch"] for one in epochs(out)] == [1, 2, 3]
    assert epochs(out)[-1]["step"] == 24
    assert json.loads((out / "run.json").read_text())["finished"] is True
    assert json.loads((out / "parameters.json").read_text())["trainable"] == 593
    board = EventAccumulator(str(out / "tensorboard")).Reload()
    assert [one.step for one in board.Scalars("pearson")] == [1, 2, 3]
    assert sum(line.startswith("epoch ") for line in told) == 3
    measures = json.loads((out / "measures.json").read_text())
    value, low, high = found.measures["test"]["pearson"]
    assert measures["test"]["pearson"] == {"value": value, "low": low, "high": high}
    assert low <= value <= high
    best = max(epochs(out), key=lambda one: one["pearson"])
    assert found.measures["validation"]["pearson"].value == pytest.approx(best["pearson"], abs=1e-5)


def test_predictions_are_those_that_were_measured_in_the_tables_units(tmp_path, table):
    found, _ = fitted(tmp_path, table, "run", "fit.epochs=8")
    header, *rows = gzip.decompress((tmp_path / "run" / "predictions.tsv.gz").read_bytes()).decode().splitlines()
    assert header.split("\t") == ["line", "split", "strength", "predicted_strength"]
    rows = [row.split("\t") for row in rows if row.split("\t")[1] == "test"]
    lines = table.read_text().splitlines()
    assert all(
        float(lines[int(line) - 1].split("\t")[1]) == pytest.approx(float(value), abs=1e-4)
        for line, _, value, _ in rows
    )
    measured, predicted = (np.array([[float(row[column])] for row in rows]) for column in (2, 3))
    again = regression_measures(predicted, measured, ["strength"])
    assert again["r2_determination"] == pytest.approx(found.measures["test"]["r2_determination"].value, abs=1e-3)
    codes = [np.array(["ACGT".index(c) for c in lines[int(row[0]) - 1].split("\t")[0]], dtype=np.uint8) for row in rows]
    np.testing.assert_allclose(predict(tmp_path / "run", codes, "cpu"), predicted, atol=1e-4)


HARD = (
    "fit.accumulate=2",
    "data.shift=3",
    "data.reverse_complement=true",
    "fit.warmup=2",
    "fit.schedule=cosine",
    "fit.epochs=2",
)
WAYS = {
    "convolutions": (None, ("fit.moving_average=0.9",)),
    "transformer": (KMER_BERT, ("net.config.hidden_dropout_prob=0.2",)),
    "adapters": (KMER_BERT, ("adapt.way=lora", "adapt.dropout=0.2")),
    "frozen": (None, ("adapt.way=frozen", "adapt.layers=1")),
}


@pytest.mark.parametrize(
    "way",
    ["convolutions", "transformer", *(pytest.param(one, marks=pytest.mark.long) for one in ("adapters", "frozen"))],
)
def test_interrupted_and_resumed_is_uninterrupted(tmp_path, table, way):
    """Stopped after single steps, at ends of epochs and within accumulation's reach; bit for bit on one thread."""
    net, changes = WAYS[way]
    fitted(tmp_path, table, "whole", *HARD, *changes, net=net)
    steps = []
    for _ in range(60):
        found, told = fitted(tmp_path, table, "parts", *HARD, *changes, net=net, time_limit=1e-6)
        steps.append(int(last_checkpoint(tmp_path / "parts").name.rpartition("-")[2]))
        if found.finished:
            break
        assert told[-1].startswith("time limit: saved")
    assert found.finished
    assert len(steps) > 6
    assert steps == sorted(set(steps))
    whole, parts = (last_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert whole.name == parts.name
    expected, resumed = (load_file(one / "weights.safetensors") for one in (whole, parts))
    assert set(expected) == set(resumed)
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    for one, other in zip(epochs(tmp_path / "whole"), epochs(tmp_path / "parts"), strict=True):
        for name in ("validation_loss", "pearson", "step", "learning_rate"):
            assert one[name] == other[name]
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
    best, again = (load_trained(tmp_path / name).module.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(best[name], again[name]) for name in best)


def test_a_half_written_checkpoint_is_passed_over(tmp_path, table):
    fitted(tmp_path, table, "run", time_limit=1e-6)
    good = last_checkpoint(tmp_path / "run")
    broken = good.with_name("checkpoint-999")
    broken.mkdir()
    (broken / "weights.safetensors").write_bytes(b"half")
    assert last_checkpoint(tmp_path / "run") == good
    found, _ = fitted(tmp_path, table)
    assert found.finished


def test_the_seed_decides(tmp_path, table):
    weights = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        fitted(tmp_path, table, name, f"seed={seed}", "fit.epochs=1")
        weights.append(load_file(last_checkpoint(tmp_path / name) / "weights.safetensors")["net.head.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_accumulated_batches_are_one_large_batch(tmp_path, table):
    """Without batch norm and dropout; AdamW magnifies rounding, so one step only."""
    weights = []
    for name, batch, accumulate in (("large", 128, 1), ("small", 32, 4)):
        changes = (f"fit.batch={batch}", f"fit.accumulate={accumulate}", "fit.epochs=1",
                   "net.config.hidden_dropout_prob=0.0",
                   "net.config.attention_probs_dropout_prob=0.0")  # fmt: skip
        fitted(tmp_path, table, name, *changes, net=KMER_BERT)
        assert epochs(tmp_path / name)[0]["step"] == 1
        weights.append(epochs(tmp_path / name)[0])
    assert weights[0]["loss"] == pytest.approx(weights[1]["loss"], rel=1e-5)
    assert weights[0]["validation_loss"] == pytest.approx(weights[1]["validation_loss"], rel=1e-3)


def test_patience_ends_a_run_and_the_best_epoch_is_kept(tmp_path, table):
    found, _ = fitted(
        tmp_path, table, "run", "fit.epochs=30", "fit.patience=2", "fit.learning_rate=0.05", "fit.best_by=loss"
    )
    history = epochs(tmp_path / "run")
    best = best_epoch(history, "loss")
    assert found.finished
    assert len(history) == best["epoch"] + 2 < 30
    assert found.measures["validation"]["pearson"].value == pytest.approx(best["pearson"], abs=1e-5)
    again, told = fitted(
        tmp_path, table, "run", "fit.epochs=30", "fit.patience=2", "fit.learning_rate=0.05", "fit.best_by=loss"
    )
    assert again.measures == found.measures
    assert not any(line.startswith("epoch") for line in told)


def test_classes_are_learned(tmp_path):
    path = write_recipe(
        tmp_path / "c.toml",
        (
            'kind = "regression"\ntargets = ["strength"]',
            'kind = "classification"\ntargets = ["kind"]\nclasses = ["poor", "rich"]',
        ),
    )
    recipe = load_sequence_recipe(path, [f"inputs.data={class_table(tmp_path / 'c.csv.gz', 400)}", "fit.epochs=8"])
    found = train_sequences(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    assert found.measures["test"]["auroc"].value > 0.9
    assert set(found.measures["test"]) == {"accuracy", "f1", "mcc", "precision", "recall", "auroc", "average_precision"}
    probabilities = predict(tmp_path / "run", [np.full(40, 1, dtype=np.uint8), np.full(40, 0, dtype=np.uint8)], "cpu")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert probabilities[0, 1] > probabilities[1, 1]


def test_several_outputs_with_missing_values(tmp_path):
    generator = np.random.default_rng(0)
    rows = []
    for text in sequences(300):
        values = [sum(c in "GC" for c in text), sum(c in "AG" for c in text) * 100]
        rows.append([text, *("" if generator.random() < 0.4 else value for value in values)])
    table = write_table(tmp_path / "t.tsv", ["sequence", "leaf", "root"], rows)
    found, _ = fitted(tmp_path, table, "run", 'task.targets=["leaf","root"]', "fit.epochs=12")
    test = found.measures["test"]
    assert test["pearson/leaf"].value > 0.5
    assert test["pearson/root"].value > 0.5
    assert test["mean/pearson"].value == pytest.approx((test["pearson/leaf"].value + test["pearson/root"].value) / 2)
    assert {"pearson", "r2_determination/leaf", "r2_pearson/root", "spearman"} <= set(test)
    mean = predict(tmp_path / "run", [np.random.default_rng(1).integers(0, 4, 40, dtype=np.uint8)] * 2, "cpu")[0]
    assert 10 < mean[0] < 30
    assert 1000 < mean[1] < 3000


def test_what_cannot_be_is_said_before_training(tmp_path, table):
    with pytest.raises(UsageError, match=r"fit\.precision = 'fp16' needs a GPU"):
        fitted(tmp_path, table, "b", "fit.precision=fp16")
    with pytest.raises(GenoscanError, match=r"the loss is .* give the recipe a smaller fit\.learning_rate"):
        fitted(tmp_path, table, "c", "fit.learning_rate=1e30", "fit.clip=1e30", "task.standardize=false")
    fitted(tmp_path, table, "d", "fit.epochs=1")
    with pytest.raises(UsageError, match="d: holds a run whose recipe has another fit"):
        fitted(tmp_path, table, "d", "fit.epochs=2")
    other = regression_table(tmp_path / "other.tsv", seed=9)
    with pytest.raises(UsageError, match=r"d: holds a run on other data \(.*t\.tsv\)"):
        fitted(tmp_path, other, "d", "fit.epochs=1")


def test_wandb_that_is_not_installed_is_said_at_once(tmp_path, table, monkeypatch):
    monkeypatch.setattr(session_module, "_version", lambda _: None)
    with pytest.raises(UsageError, match="--wandb: the package wandb is not installed"):
        fitted(tmp_path, table, wandb="offline")
    assert not (tmp_path / "run").exists()


def test_wandb_logs_into_the_run_folder(tmp_path, table):
    if session_module._version("wandb") is None:
        pytest.skip("wandb is not installed")
    words = ["train", "promoter", "--recipe", write_recipe(tmp_path / "r.toml"), "--data", table, "--wandb", "offline"]
    words = [sys.executable, "-m", "genoscan", *map(str, words), "-o", str(tmp_path / "run"), "-t", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    subprocess.run(words, check=True, env=environment, timeout=200, stdin=subprocess.DEVNULL, capture_output=True)
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))


def test_a_signal_saves_at_the_next_step(tmp_path, table):
    recipe = write_recipe(tmp_path / "r.toml", ("epochs = 3", "epochs = 100000"))
    words = ["train", "promoter", "--recipe", recipe, "--data", table, "-o", tmp_path / "run", "-t", "1"]
    process = subprocess.Popen([sys.executable, "-m", "genoscan", *map(str, words)], stderr=subprocess.PIPE, text=True)
    while "epoch 2/" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=200)[1]
    assert process.returncode == 143
    assert "stopped; the same command goes on from there" in rest
    assert json.loads((tmp_path / "run" / "run.json").read_text())["finished"] is False
    assert last_checkpoint(tmp_path / "run") is not None


def test_a_killed_run_goes_on(tmp_path, table):
    recipe = write_recipe(tmp_path / "r.toml", ("epochs = 3", "epochs = 12"))
    words = list(map(str, ["train", "promoter", "--recipe", recipe, "--data", table, "-t", "1", "-o"]))
    process = subprocess.Popen(
        [sys.executable, "-m", "genoscan", *words, str(tmp_path / "run")], stderr=subprocess.PIPE, text=True
    )
    while "epoch 3/" not in process.stderr.readline():
        pass
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    recipe = load_sequence_recipe(recipe, [f"inputs.data={table}"])
    for name in ("run", "whole"):
        train_sequences(recipe, tmp_path / name, "cpu", threads=1, log=lambda _: None)
    best, again = (load_trained(tmp_path / name).module.state_dict() for name in ("whole", "run"))
    assert all(torch.equal(best[name], again[name]) for name in best)
    assert [one["pearson"] for one in epochs(tmp_path / "whole")] == [
        one["pearson"] for one in epochs(tmp_path / "run")
    ]


def test_an_epochs_loss_is_that_of_all_its_steps():
    entries = [
        {"epoch": 0.25, "step": 1, "loss": 4.0, "learning_rate": 1.0},
        {"epoch": 1.0, "step": 4, "loss": 1.0, "learning_rate": 0.5},
        {"epoch": 1.0, "step": 4, "eval_loss": 0.7, "eval_pearson": 0.1, "eval_samples_per_second": 3.0},
        {"epoch": 1.5, "step": 6, "loss": 0.5, "learning_rate": 0.2},
    ]
    first, second = epochs_of(entries)
    assert first == {
        "epoch": 1, "step": 4, "loss": (4 + 3) / 4, "learning_rate": 0.5, "validation_loss": 0.7, "pearson": 0.1,
    }  # fmt: skip
    assert second == {"epoch": 2, "step": 6, "loss": 0.5, "learning_rate": 0.2}


def test_nan_is_worse_than_any_epoch():
    history = [{"epoch": n, "mcc": value} for n, value in enumerate([float("nan"), -0.5, 0.25, 0.25], 1)]
    assert best_epoch(history, "mcc")["epoch"] == 3
    assert best_epoch([], "mcc") == {}
