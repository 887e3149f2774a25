"""Training a window classifier with transformers' Trainer: a data set and a recipe become a network and measures."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers
from transformers import BertForSequenceClassification, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from .. import __version__
from ..scanner.errors import GenoscanError, UsageError
from ..scanner.inference.devices import available_threads
from .checkpoint import open_run, write_metrics, write_run
from .classifier_recipe import ClassifierRecipe, KmerBertSettings, classifier_card
from .data.repeat_windows import ORDERS
from .data.simulate import markov_table
from .data.simulated_windows import simulated_windows
from .data.window_dataset import SPLITS, Window, read_description, read_split, split_file
from .data.window_examples import UNKNOWN as UNKNOWN_BASE
from .data.window_examples import Example, Examples, alone, collate, in_genome, tokens_of
from .fit import say, stop_signals
from .metrics import count, measures
from .nets.kmer_bert import UNKNOWN, KmerClassifier, build_kmer_bert
from .pretrained.quiet import quiet_transformers
from .recipe import load_recipe
from .whole_files import write_whole

BEST, CHECKPOINTS, TEST = "best", "checkpoints", "test.json"
Device = Literal["auto", "cpu", "cuda"]

_CHOSEN_BY = "eval_sequences_mcc"
_PREDICTED_TOGETHER = 64


def train_classifier(
    recipe: ClassifierRecipe | str | Path,
    data: str | Path,
    out: str | Path,
    device: Device = "auto",
    threads: int | None = None,
    time_limit: float | None = None,
    log: Callable[[str], None] = say,
) -> dict[str, dict[str, float]]:
    """Train a recipe (or the one in that file or of that bundled name) on a data set into the run folder ``out``.

    The run in ``out``, if there is one, goes on from its last finished epoch. After each epoch it is measured on the
    validation split, as sequences by themselves and as windows in their genome; the network of the epoch with the
    highest MCC of the former is kept in best/ and, at the end, measured on the test split: the measures returned, by
    kind of example; empty where the time limit, in minutes, came first. SIGTERM and SIGINT leave at the next step with
    `SystemExit` 143 and 130. A wrong setting, data set or folder raises `GenoscanError` or `UsageError`.
    """
    start, out, data = time.monotonic(), Path(out), Path(data)
    if not isinstance(recipe, ClassifierRecipe):
        recipe = load_recipe(recipe, ClassifierRecipe)
    place = resolve_device(device)
    read_description(data)
    windows = {split: read_split(data, split) for split in SPLITS}
    _check(recipe, windows, data)
    threads = threads or available_threads()
    torch.set_num_threads(threads)
    run = open_run(out, recipe, [(str(data), _digest(data))], __version__, "data")
    last = _last_checkpoint(out)
    run["sessions"].append(_session(threads, place, last))
    write_run(out, run)
    with stop_signals() as stopped, quiet_transformers():
        trainer = _trainer(recipe, windows, out, place)
        trainer.add_callback(_Log(out, recipe.fit.epochs, start, time_limit, stopped, log))
        try:
            trainer.train(resume_from_checkpoint=None if last is None else str(last))
        except _Stopped:
            log(f"{out}: stopped; the same command goes on from the last finished epoch")
            raise SystemExit(128 + stopped[0]) from None
        if trainer.state.epoch is not None and trainer.state.epoch < recipe.fit.epochs:
            log(f"time limit: saved {out} at epoch {trainer.state.epoch:.0f} of {recipe.fit.epochs}")
            return {}
        save_network(trainer.model, out / BEST)
        measured = {
            kind: _measures(trainer.predict(examples)) for kind, examples in _held_out(recipe, windows["test"]).items()
        }
    write_whole(out / TEST, (json.dumps(measured, indent=2) + "\n").encode())
    for kind, one in measured.items():
        log(f"test, {kind}: {_line(one)}")
    return measured


def resolve_device(device: Device) -> torch.device:
    """Where a network runs: ``auto`` is a GPU where there is one. `UsageError` for a GPU that is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch finds no CUDA device here")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def load_classifier(run: str | Path) -> tuple[ClassifierRecipe, KmerClassifier]:
    """The recipe and the best network of a run folder, ready for inference; `GenoscanError` says what is wrong."""
    run = Path(run)
    recipe = load_recipe(run / "recipe.toml", ClassifierRecipe)
    try:
        with quiet_transformers():
            net = BertForSequenceClassification.from_pretrained(str(run / BEST), local_files_only=True)
    except Exception:  # a damaged file ends in one of many errors of several packages
        raise GenoscanError(f"{run / BEST}: not a network of `genoscan train`, or a damaged one") from None
    if net.config.vocab_size != _fresh(recipe.net).config.vocab_size:
        raise GenoscanError(f"{run / BEST}: the network does not fit the recipe beside it")
    return recipe, KmerClassifier(net).eval()


def predict(run: str | Path, sequences: Sequence[np.ndarray], device: Device = "auto") -> np.ndarray:
    """How likely each sequence (uint8 codes) by itself is a repeat, by a run's best network: float32 (sequences,)."""
    recipe, network = load_classifier(run)
    spec, place = classifier_card(recipe).input, resolve_device(device)
    network.to(place)
    scores = np.empty(len(sequences), dtype=np.float32)
    order = sorted(range(len(sequences)), key=lambda number: len(sequences[number]))
    with torch.inference_mode():
        for begin in range(0, len(order), _PREDICTED_TOGETHER):
            chosen = order[begin : begin + _PREDICTED_TOGETHER]
            tokens = torch.from_numpy(tokens_of([sequences[number] for number in chosen], spec)).to(place)
            scores[chosen] = network(tokens).softmax(dim=-1)[:, 1].float().cpu().numpy()
    return scores


def _fresh(settings: KmerBertSettings) -> BertForSequenceClassification:
    return build_kmer_bert(**settings.model_dump(exclude={"kind"}))


def _trainer(recipe: ClassifierRecipe, windows: dict[str, list[Window]], out: Path, place: torch.device) -> Trainer:
    fit, spec = recipe.fit, classifier_card(recipe).input
    transformers.set_seed(recipe.seed)
    arguments = TrainingArguments(
        output_dir=str(out / CHECKPOINTS),
        seed=recipe.seed,
        learning_rate=fit.learning_rate,
        per_device_train_batch_size=fit.batch,
        per_device_eval_batch_size=_PREDICTED_TOGETHER,
        num_train_epochs=fit.epochs,
        warmup_steps=fit.warmup,
        weight_decay=fit.weight_decay,
        max_grad_norm=fit.clip,
        lr_scheduler_type="linear",
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,  # the best and the last
        load_best_model_at_end=True,
        metric_for_best_model=_CHOSEN_BY,
        greater_is_better=True,
        use_cpu=place.type == "cpu",
        dataloader_pin_memory=place.type != "cpu",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=_fresh(recipe.net),
        args=arguments,
        data_collator=partial(collate, UNKNOWN),
        train_dataset=Examples(training_examples(recipe, windows["train"]), spec, training=True),
        eval_dataset=_held_out(recipe, windows["validation"]),
        compute_metrics=_measures,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def training_examples(recipe: ClassifierRecipe, windows: Sequence[Window]) -> list[Example]:
    """What an epoch sees: a pure function of recipe and training split."""
    generator = np.random.default_rng((recipe.seed, 1))
    examples = alone(windows) + in_genome(generator, windows, classifier_card(recipe), recipe.data.in_genome)
    if recipe.data.simulated:
        separator = np.full(1, UNKNOWN_BASE, dtype=np.uint8)
        background = np.concatenate([part for one in windows if one.label == 0 for part in (one.codes, separator)])
        tables = [markov_table(background, order) for order in ORDERS if 4 ** (order + 1) <= len(background) // 4]
        for pair in range(recipe.data.simulated // 2):
            examples += alone(simulated_windows(recipe.seed, pair, tables, 2 * recipe.net.k, recipe.net.longest, 0))
    return examples


def _held_out(recipe: ClassifierRecipe, windows: Sequence[Window]) -> dict[str, Examples]:
    """Validation or test examples of both kinds."""
    card = classifier_card(recipe)
    kinds = {"sequences": alone(windows), "windows": in_genome(np.random.default_rng((recipe.seed, 2)), windows, card)}
    return {kind: Examples(examples, card.input, training=False) for kind, examples in kinds.items() if examples}


def _measures(predicted: Any) -> dict[str, float]:
    return measures(count(np.argmax(predicted.predictions, axis=-1) == 1, predicted.label_ids == 1))


def _check(recipe: ClassifierRecipe, windows: dict[str, list[Window]], data: Path) -> None:
    for split, rows in windows.items():
        longest = max(len(one.codes) for one in rows)
        if longest > recipe.net.longest:
            raise UsageError(
                f"{split_file(data, split)}: has a sequence of {longest:,} bases, but net.longest of the recipe is "
                f"{recipe.net.longest:,}: make the data set with --max-length {recipe.net.longest} or change the recipe"
            )
        if len({one.label for one in rows}) < 2:
            raise UsageError(f"{split_file(data, split)}: has sequences of one label only: make a larger data set")


def _digest(data: Path) -> str:
    """Of the three tables' bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for split in SPLITS:
        digest.update(split_file(data, split).read_bytes())
    return digest.hexdigest()


def _last_checkpoint(out: Path) -> Path | None:
    folder = out / CHECKPOINTS
    found = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    return None if found is None else Path(found)


def _session(threads: int, place: torch.device, last: Path | None) -> dict[str, Any]:
    packages = {name: version(name) for name in ("numpy", "numba", "torch", "transformers", "accelerate")}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": __version__,
        "threads": threads,
        "device": place.type,
        "from_step": 0 if last is None else int(last.name.rpartition("-")[2]),
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), **packages},
    }


def _line(values: dict[str, float]) -> str:
    names = {"accuracy": "accuracy", "f1": "F1", "mcc": "MCC", "precision": "precision", "recall": "recall"}
    return "  ".join(f"{title} {values[name]:.4f}" for name, title in names.items())


class _Stopped(Exception):
    """A signal asked the run to end."""


class _Log(TrainerCallback):
    """Writes metrics.jsonl and a line an epoch; stops for a signal at once and for the time limit after an epoch."""

    def __init__(
        self,
        out: Path,
        epochs: int,
        start: float,
        limit: float | None,
        stopped: list[int],
        log: Callable[[str], None],
    ):
        self.out, self.epochs, self.log, self.stopped = out, epochs, log, stopped
        self.limit = None if limit is None else start + 60 * limit

    def on_step_end(self, args, state, control, **_: Any) -> None:  # noqa: ARG002
        if self.stopped:  # told to stop by `control`, the Trainer would save what is no whole epoch
            raise _Stopped

    def on_save(self, args, state, control, model, **_: Any) -> None:  # noqa: ARG002
        if state.best_global_step == state.global_step:
            save_network(model, self.out / BEST)
        history = epochs_of(state.log_history)
        write_metrics(self.out, history)
        last = history[-1]
        self.log(
            f"epoch {last['epoch']:.0f}/{self.epochs}  loss {last['loss']:.4f}  "
            + _line({name.removeprefix("sequences_"): value for name, value in last.items()})
            + (f"  (windows: MCC {last['windows_mcc']:.4f})" if "windows_mcc" in last else "")
        )
        if self.limit is not None and time.monotonic() >= self.limit:
            control.should_training_stop = True


def save_network(net: BertForSequenceClassification, folder: Path) -> None:
    """Write a network as `from_pretrained` reads it; what was in the folder is replaced when all is written."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    net.save_pretrained(str(partial))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def epochs_of(history: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """One dictionary an epoch of what the Trainer has logged: losses, and measures by kind of example."""
    epochs: dict[float, dict[str, float]] = {}
    for entry in history:
        if "epoch" in entry and ("loss" in entry or any(name.startswith("eval_") for name in entry)):
            one = epochs.setdefault(entry["epoch"], {"epoch": entry["epoch"], "step": entry["step"]})
            one |= {name.removeprefix("eval_"): value for name, value in entry.items() if name not in ("epoch", "step")}
    return [epochs[epoch] for epoch in sorted(epochs)]
