"""Training: the loop's parts by hand, and that stopping and resuming leaves no trace in the weights."""

import json
import signal

import numpy as np
import pytest
import torch
from small_recipes import tiny_repeats as tiny

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training import fit as fit_module
from genoscan.training.checkpoint import build_net, load_checkpoint, restore_net
from genoscan.training.fit import best_epoch, evaluate, fit, learning_rate, train_step
from genoscan.training.recipe import FitSettings, parse_recipe, recipe_text

UNTIMED = ("seconds", "megabases_per_second")


def quiet(_line):
    pass


def run(out, recipe=None, **options):
    return fit(recipe or tiny(), out, threads=1, **{"log": quiet} | options)


def metrics_of(out):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in UNTIMED} for line in lines]


def assert_same_end(out, other):
    first, second = load_checkpoint(out / "last.pt"), load_checkpoint(other / "last.pt")
    assert first.step == second.step
    assert list(first.weights) == list(second.weights)
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    moments = first.optimizer["state"], second.optimizer["state"]
    assert all(torch.equal(moments[0][i][name], moments[1][i][name]) for i in moments[0] for name in moments[0][i])
    assert torch.equal(first.rng, second.rng)
    assert metrics_of(out) == metrics_of(other)
    best = load_checkpoint(out), load_checkpoint(other)
    assert best[0].step == best[1].step


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stopped."""
    out = tmp_path_factory.mktemp("fit") / "whole"
    assert run(out).finished
    return out


def test_run_folder(whole):
    recipe = tiny()
    assert parse_recipe((whole / "recipe.toml").read_text(), "recipe.toml") == recipe
    told = json.loads((whole / "run.json").read_text())
    assert told["seed"] == recipe.seed
    assert told["backgrounds"] == []
    assert [session["from_step"] for session in told["sessions"]] == [0]
    assert told["sessions"][0]["threads"] == 1
    assert told["sessions"][0]["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert not list(whole.glob("*.partial"))
    lines = metrics_of(whole)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert [line["step"] for line in lines] == [3, 6, 9, 12]
    assert {"loss", "accuracy", "f1", "mcc", "precision", "recall"} <= set(lines[0])


def test_tensorboard_has_every_epoch(whole):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(whole / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("mcc")] == [1, 2, 3, 4]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(
        [line["loss"] for line in metrics_of(whole)], rel=1e-5
    )


def test_checkpoint_is_the_network(whole):
    checkpoint = load_checkpoint(whole)
    best = best_epoch(checkpoint.history)
    assert checkpoint.step == best["step"]
    net = build_net(checkpoint.recipe)
    net.load_state_dict(checkpoint.weights)
    batch = fit_module._stack(
        fit_module.example(tiny(), {"validation": []}, tiny().seed, i, "validation") for i in range(5)
    )
    logits, labels = evaluate(net, [batch])
    assert logits.shape == labels.shape == (5, 512)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    assert entropy(logits, labels).item() == pytest.approx(best["validation_loss"], rel=1e-4)
    calibrated = restore_net(checkpoint)
    assert not calibrated.training
    again, _ = evaluate(calibrated, [batch])
    torch.testing.assert_close(again, best["slope"] * logits + best["offset"], atol=1e-4, rtol=1e-4)
    assert entropy(again, labels) <= entropy(logits, labels)


def test_stopped_after_every_step_ends_the_same(whole, tmp_path):
    ends = [run(tmp_path / "run", time_limit=0) for _ in range(12)]
    assert [end.step for end in ends] == list(range(1, 13))
    assert [end.finished for end in ends] == [False] * 11 + [True]
    assert_same_end(whole, tmp_path / "run")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_saves_and_leaves(whole, tmp_path, number, code):
    told = []

    def log(line):
        told.append(line)
        if line.startswith("epoch 2/4"):
            signal.raise_signal(number)

    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as left:
        run(tmp_path / "run", log=log)
    assert left.value.code == code
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    assert load_checkpoint(tmp_path / "run" / "last.pt").step == 6
    assert "step 6 of 12" in told[-1]
    assert run(tmp_path / "run").finished
    assert_same_end(whole, tmp_path / "run")


def test_signal_in_the_middle_of_an_epoch(whole, tmp_path, monkeypatch):
    steps = []

    def stepping(*arguments):
        steps.append(arguments[-1])
        if len(steps) == 5:
            signal.raise_signal(signal.SIGTERM)
        return train_step(*arguments)

    monkeypatch.setattr(fit_module, "train_step", stepping)
    with pytest.raises(SystemExit):
        run(tmp_path / "run")
    assert load_checkpoint(tmp_path / "run" / "last.pt").step == 5
    assert run(tmp_path / "run").finished
    assert steps == list(range(12))
    assert_same_end(whole, tmp_path / "run")


def test_a_run_killed_between_checkpoints_ends_the_same(whole, tmp_path, monkeypatch):
    def killed(*arguments):
        if arguments[-1] == 7:
            raise RuntimeError("killed")
        return train_step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "train_step", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text("half a li")
    assert run(tmp_path / "run").finished
    assert_same_end(whole, tmp_path / "run")


def test_a_finished_run_stays_as_it_is(tmp_path):
    recipe = tiny(epochs=1)
    run(tmp_path / "run", recipe)
    before = (tmp_path / "run" / "last.pt").read_bytes()
    told = []
    assert run(tmp_path / "run", recipe, log=told.append).finished
    assert (tmp_path / "run" / "last.pt").read_bytes() == before
    assert "finished" in told[0]


def test_another_card_may_resume_but_no_other_training(tmp_path):
    recipe = tiny()
    run(tmp_path / "run", recipe, time_limit=0)
    renamed = recipe.model_copy(update={"card": recipe.card.model_copy(update={"version": "9"})})
    assert run(tmp_path / "run", renamed, time_limit=0).step == 2
    assert load_checkpoint(tmp_path / "run" / "last.pt").recipe.card.version == "9"
    before = (tmp_path / "run" / "last.pt").read_bytes()
    with pytest.raises(UsageError, match="run: holds a run whose recipe has another fit"):
        run(tmp_path / "run", tiny(epochs=5))
    assert (tmp_path / "run" / "last.pt").read_bytes() == before


def test_other_backgrounds_and_folders_are_refused(tmp_path):
    genome = tmp_path / "g.fa"
    genome.write_text(">a\n" + "ACGTTGCA" * 400 + "\n")
    run(tmp_path / "run", time_limit=0)
    with pytest.raises(UsageError, match=r"other backgrounds \(none\)"):
        run(tmp_path / "run", backgrounds=[str(genome)])
    with pytest.raises(UsageError, match="is not empty"):
        run(tmp_path / "run", resume="never")
    with pytest.raises(UsageError, match="holds no training run"):
        run(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        run(genome)


def test_recipe_with_backgrounds_asks_for_them(tmp_path):
    with pytest.raises(UsageError, match="--background"):
        fit("repeats", tmp_path / "run", threads=1)
    assert not (tmp_path / "run").exists()


def test_backgrounds_are_used_and_written_down(tmp_path):
    genome = tmp_path / "g.fa"
    genome.write_text(">a\n" + "".join(np.random.default_rng(1).choice(list("ACGT"), 3200)) + "\n")
    recipe = tiny(epochs=1)
    data = recipe.data.model_copy(update={"orders": (0, 1), "random_share": 0.0})
    run(tmp_path / "run", recipe.model_copy(update={"data": data}), backgrounds=[str(genome)])
    told = json.loads((tmp_path / "run" / "run.json").read_text())["backgrounds"]
    assert [entry["path"] for entry in told] == [str(genome)]
    assert len(told[0]["digest"]) >= 32


def test_an_error_in_the_examples_reaches_the_caller(tmp_path, monkeypatch):
    real = fit_module.example

    def broken(recipe, tables, seed, index, split):
        if split == "training" and index == 9:
            raise GenoscanError("genome.fa: gone")
        return real(recipe, tables, seed, index, split)

    monkeypatch.setattr(fit_module, "example", broken)
    with pytest.raises(GenoscanError, match=r"genome\.fa: gone"):
        run(tmp_path / "run")
    assert load_checkpoint(tmp_path / "run" / "last.pt").step == 3


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_a_damaged_checkpoint_is_one_line(tmp_path, content):
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(GenoscanError, match=r"last\.pt: not a checkpoint"):
        load_checkpoint(path)


def test_what_is_no_checkpoint_of_ours(tmp_path):
    torch.save({"weights": torch.zeros(2)}, tmp_path / "x.pt")
    with pytest.raises(GenoscanError, match=r"x\.pt: not a checkpoint of"):
        load_checkpoint(tmp_path / "x.pt")
    with pytest.raises(GenoscanError, match=r"y\.pt: cannot read"):
        load_checkpoint(tmp_path / "y.pt")


def test_learning_rate_by_hand():
    settings = FitSettings(batch=1, steps_per_epoch=101, epochs=1, learning_rate=2.0, warmup=3)
    rates = [learning_rate(settings, step) for step in range(101)]
    assert rates[0] == pytest.approx(2 / 4)
    assert rates[1] == pytest.approx(2 * 2 / 4 * (1 - 0.99 * 0.01))
    assert rates[50] == pytest.approx(2 * (1 - 0.99 * 0.5))
    assert rates[100] == pytest.approx(0.02)
    assert max(rates) == rates[3]


class Shift(torch.nn.Module):
    """Logits that are one learnt number for each base."""

    def __init__(self, bases):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(bases))

    def forward(self, features):
        return self.logits.expand(len(features), -1)


def test_margins_teach_nothing():
    settings = FitSettings(batch=1, steps_per_epoch=1, epochs=1, learning_rate=0.1, warmup=0, weight_decay=0, margin=2)
    net = Shift(8)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0)
    loss = train_step(net, optimizer, torch.zeros(3, 1), torch.ones(3, 8), settings, 0)
    assert loss == pytest.approx(np.log(2))
    moved = net.logits.detach().numpy() > 0
    assert moved.tolist() == [False, False, True, True, True, True, False, False]


def test_evaluate_gives_every_base_of_every_batch():
    net = Shift(3)
    net.logits.data = torch.tensor([1.0, -1.0, 0.0])
    truth = torch.tensor([[1.0, 0, 0], [0, 1, 1]])
    logits, labels = evaluate(net, [(torch.zeros(2, 1), truth), (torch.zeros(1, 1), torch.ones(1, 3))])
    assert logits.tolist() == [[1.0, -1.0, 0.0]] * 3
    assert labels.tolist() == [*truth.tolist(), [1.0, 1.0, 1.0]]
    assert net.training


def test_a_loss_that_is_no_number_ends_the_run():
    settings = FitSettings(batch=1, steps_per_epoch=1, epochs=1, learning_rate=0.1, margin=0)
    net = Shift(2)
    net.logits.data[:] = float("nan")
    with pytest.raises(GenoscanError, match=r"the loss is nan at step 7: .*fit\.learning_rate"):
        train_step(net, torch.optim.AdamW(net.parameters()), torch.zeros(1, 1), torch.ones(1, 2), settings, 7)


def test_best_epoch_is_the_first_of_the_best():
    history = [{"epoch": 1, "mcc": 0.1}, {"epoch": 2, "mcc": 0.5}, {"epoch": 3, "mcc": 0.5}]
    assert best_epoch(history)["epoch"] == 2
    assert best_epoch([]) == {}


def test_the_recipe_in_the_run_folder_trains_the_same(whole, tmp_path):
    path = tmp_path / "again.toml"
    path.write_text(recipe_text(tiny()))
    assert run(tmp_path / "run", path).finished
    assert_same_end(whole, tmp_path / "run")
