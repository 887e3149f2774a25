"""Training a window classifier: stopped or not it ends the same, and what it keeps can be loaded and asked."""

import json
import shutil
import signal

import numpy as np
import pytest
import torch
from classifiers import tiny_data, tiny_recipe
from commands import invoke

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training import classify
from genoscan.training.classify import (
    lasting_examples,
    load_classifier,
    predict,
    simulated_examples,
    train_classifier,
)
from genoscan.training.data.window_dataset import read_split
from genoscan.training.devices import resolve_device
from genoscan.training.metrics import count, measures
from genoscan.training.recipe import recipe_text


def train(data, out, recipe=None, **options):
    told = []
    measured = train_classifier(recipe or tiny_recipe(), data, out, "cpu", 1, log=told.append, **options)
    return measured, told


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run that nothing stopped: its folder, measures and lines."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, *train(data, out)


def weights(out):
    return load_classifier(out)[1].state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_run_folder(whole, data):
    out, measured, told = whole
    epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3]
    for kind in ("sequences", "windows"):
        assert {f"{kind}_{name}" for name in ("accuracy", "f1", "mcc", "precision", "recall")} <= set(epochs[0])
    run = json.loads((out / "run.json").read_text())
    assert run["data"][0]["path"] == str(data)
    assert run["sessions"][0]["device"] == "cpu"
    assert {"torch", "transformers", "accelerate"} <= set(run["sessions"][0]["versions"])
    assert json.loads((out / "test.json").read_text()) == measured
    assert [line.split()[0] for line in told] == ["epoch"] * 3 + ["test,"] * 2


def test_the_loss_falls(whole):
    epochs = [json.loads(line) for line in (whole[0] / "metrics.jsonl").read_text().splitlines()]
    assert epochs[-1]["loss"] < epochs[0]["loss"]


def test_predictions_are_those_that_were_measured(whole, data):
    out, measured, _ = whole
    rows = read_split(data, "test")
    scores = predict(out, [one.codes for one in rows], "cpu")
    assert scores.shape == (len(rows),)
    assert measures(count(scores > 0.5, np.array([one.label for one in rows]))) == measured["sequences"]
    alone = [predict(out, [one.codes], "cpu")[0] for one in rows[:4]]
    np.testing.assert_allclose(alone, scores[:4], atol=1e-5)


def test_the_best_epoch_is_kept(whole, data):
    out = whole[0]
    epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    best = max(epochs, key=lambda epoch: epoch["sequences_mcc"])
    rows = read_split(data, "validation")
    scores = predict(out, [one.codes for one in rows], "cpu")
    found = measures(count(scores > 0.5, np.array([one.label for one in rows])))
    assert {f"sequences_{name}": value for name, value in found.items()}.items() <= best.items()


def test_stopped_again_and_again_it_ends_the_same(whole, data, tmp_path):
    out, measured = tmp_path / "run", {}
    for _ in range(5):  # a step each
        measured, told = train(data, out, time_limit=1e-9)
        assert measured == {}
        assert told[-1].startswith("time limit: saved")
    measured, _ = train(data, out)
    assert measured == whole[1]
    assert same(weights(whole[0]), weights(out))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_and_the_run_goes_on(whole, data, tmp_path, number, code):
    out = tmp_path / "run"

    def log(line):
        if line.startswith("epoch 1/3"):
            signal.raise_signal(number)

    with pytest.raises(SystemExit) as left:
        train_classifier(tiny_recipe(), data, out, "cpu", 1, log=log)
    assert left.value.code == code
    train(data, out)
    assert same(weights(whole[0]), weights(out))


def test_a_finished_run_is_only_measured(whole, data, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(whole[0], out)
    measured, told = train(data, out)
    assert measured == whole[1]
    assert [line.split()[0] for line in told] == ["test,", "test,"]
    assert same(weights(whole[0]), weights(out))


def test_a_run_folder_takes_its_own_run_only(whole, data, tmp_path):
    with pytest.raises(UsageError, match="another fit"):
        train(data, whole[0], tiny_recipe(epochs=4))
    with pytest.raises(UsageError, match="run on other data"):
        train(tiny_data(tmp_path / "other", 60), whole[0])


def test_what_does_not_fit(data, whole, tmp_path):
    small = tiny_recipe().model_copy(update={"net": tiny_recipe().net.model_copy(update={"longest": 64})})
    with pytest.raises(UsageError, match=r"train\.tsv\.gz: has a sequence of 96 bases, but net\.longest .* is 64"):
        train(data, tmp_path / "run", small)
    shutil.copytree(whole[0], tmp_path / "broken")
    for path in (tmp_path / "broken" / "best").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(GenoscanError, match=r"best: not a network of `genoscan train`, or a damaged one"):
        load_classifier(tmp_path / "broken")


def alike(some, others):
    return all(a[1] == b[1] and np.array_equal(a[0], b[0]) for a, b in zip(some, others, strict=True))


def test_examples_are_a_pure_function_of_the_recipe(data):
    rows = read_split(data, "train")
    first, again = (lasting_examples(tiny_recipe(), rows) for _ in range(2))
    assert len(first) > len(rows) + 4
    assert alike(first, again)


def test_simulated_examples_are_other_ones_in_each_epoch_and_the_same_again(data):
    rows, recipe = read_split(data, "train"), tiny_recipe()
    drawn = simulated_examples(recipe, rows)
    first, second = drawn(0), drawn(1)
    assert len(first) == len(second) == recipe.data.simulated
    assert [label for _, label in first] == [label for _, label in second]
    assert not {codes.tobytes() for codes, _ in first} & {codes.tobytes() for codes, _ in second}
    assert alike(second, simulated_examples(recipe, rows)(1))


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == resolve_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match="--device cuda: PyTorch finds no CUDA device"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == resolve_device("cuda").type == "cuda"
    assert resolve_device("cpu").type == "cpu"


@pytest.mark.gpu
def test_training_and_prediction_on_a_gpu(data, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    measured = train_classifier(tiny_recipe(), data, tmp_path / "run", "cuda", 1, log=lambda _: None)
    rows = [one.codes for one in read_split(data, "test")]
    np.testing.assert_allclose(
        predict(tmp_path / "run", rows, "cuda"), predict(tmp_path / "run", rows, "cpu"), atol=1e-3
    )
    assert measured


def test_the_command(data, tmp_path):
    (tmp_path / "tiny.toml").write_text(recipe_text(tiny_recipe(epochs=1)))
    result = invoke(
        "train", "repeats", "--net", "kmer-bert", "--recipe", tmp_path / "tiny.toml", "--data", data, "--device", "cpu",
        "-t", 1, "-o", tmp_path / "run",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert load_classifier(tmp_path / "run")[0] == tiny_recipe(epochs=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--net", "kmer-bert"), "give --data DIR"),
        (("--net", "kmer-bert", "--data", "nothing"), "nothing/dataset.json: no such file"),
        (("--net", "kmer-bert", "--data", "x", "--background", "a.fa"), "no --background"),
        (("--data", "x"), "--data and --device are for --net kmer-bert"),
        (("--device", "cpu"), "--data and --device are for --net kmer-bert"),
    ],
)
def test_what_a_user_can_get_wrong(tmp_path, arguments, message):
    result = invoke("train", "repeats", *arguments, "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr


def test_no_test_split_is_looked_at_before_the_end(data, tmp_path, monkeypatch):
    seen = []
    held_out = classify._held_out
    monkeypatch.setattr(classify, "_held_out", lambda recipe, rows: (seen.append(len(rows)), held_out(recipe, rows))[1])
    train(data, tmp_path / "run", time_limit=1e-9)
    assert seen == [len(read_split(data, "validation"))]
