"""Training: a network, a stream of examples and a recipe's settings become checkpoints and metrics.

Step i sees a batch that is a pure function of the seed and i, and a checkpoint holds everything else, so a run that
is stopped anywhere and resumed with as many threads ends with the very weights of one that was not.
"""

from __future__ import annotations

import math
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.tensorboard import SummaryWriter

from .. import __version__
from ..scanner.errors import GenoscanError, UsageError
from ..scanner.inference.devices import available_threads
from ..scanner.workers import ordered_map
from .calibration import calibration
from .checkpoint import (
    BEST,
    LAST,
    Checkpoint,
    build_net,
    load_checkpoint,
    open_run,
    save_checkpoint,
    write_metrics,
    write_run,
)
from .data.repeats import example, fit_chains, read_background
from .metrics import count, measures
from .recipe import FitSettings, Recipe, load_recipe

Batch = tuple[Tensor, Tensor]
"""Features uint8 (batch, bins, features) and labels float32 (batch, bases)."""

DECAYED = 0.01
"""The learning rate of the last step, as a share of the highest."""


@dataclass(frozen=True)
class Fitted:
    """How a call of `fit` ended: steps done of all, metrics of the best finished epoch (empty before the first)."""

    out: Path
    step: int
    steps: int
    best: dict[str, float]

    @property
    def finished(self) -> bool:
        """Whether the recipe's last step was made."""
        return self.step == self.steps


def say(line: str) -> None:
    """A line of progress on stderr."""
    print(line, file=sys.stderr, flush=True)


def fit(
    recipe: Recipe | str | Path,
    out: str | Path,
    backgrounds: Sequence[str] = (),
    resume: Literal["auto", "never"] = "auto",
    time_limit: float | None = None,
    threads: int | None = None,
    log: Callable[[str], None] = say,
) -> Fitted:
    """Train a recipe (or the one in that file or of that bundled name) into the run folder ``out``.

    Parameters
    ----------
    backgrounds: FASTA files whose composition the simulated examples take over.
    resume: ``auto`` goes on where the run in ``out`` stopped; ``never`` refuses a folder that holds a run.
    time_limit: minutes after which the run is saved and left, to be resumed by the same call.
    threads: processor threads; by default those that the process may use.

    SIGTERM and SIGINT save at the next step and raise `SystemExit` with 143 and 130. A wrong setting, genome or
    folder raises `GenoscanError` or `UsageError`.
    """
    start = time.monotonic()
    out = Path(out)
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    if resume == "never" and out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out}: is not empty: give another --out")
    threads = threads or available_threads()
    torch.set_num_threads(threads)
    with stop_signals() as stopped:
        genomes = [read_background(path, log) for path in backgrounds]
        chains = fit_chains(recipe, genomes)
        run = open_run(out, recipe, [(genome.source, genome.digest) for genome in genomes], __version__)
        del genomes
        state = _State.start(recipe, out / LAST)
        run["sessions"].append(_session(threads, state.step))
        run["finished"] = False
        write_run(out, run)
        steps = recipe.fit.steps
        reason = None
        if state.step == steps:
            log(f"{out}: this run is finished")
        else:

            def batch(step: int, _: threading.Event) -> Batch:
                first = step * recipe.fit.batch
                return _stack(
                    example(recipe, chains, recipe.seed, first + i, "training") for i in range(recipe.fit.batch)
                )

            def validation_batch(first: int, _: threading.Event) -> Batch:
                last = min(first + recipe.fit.batch, recipe.data.validation_examples)
                return _stack(example(recipe, chains, recipe.seed, i, "validation") for i in range(first, last))

            workers = max(1, threads // 2)
            firsts = range(0, recipe.data.validation_examples, recipe.fit.batch)
            validation = list(ordered_map(validation_batch, firsts, workers))
            limit = math.inf if time_limit is None else start + 60 * time_limit
            reason = _train(state, batch, validation, workers, out, log, lambda: _reason(stopped, limit))
    run["finished"] = state.step == steps
    write_run(out, run)
    if reason:
        log(f"{reason}: saved {out / LAST} at step {state.step} of {steps}; the same command goes on from there")
    if stopped and reason:
        raise SystemExit(128 + stopped[0])
    return Fitted(out, state.step, steps, best_epoch(state.history))


@dataclass
class _State:
    """A run's moving parts, between two steps."""

    recipe: Recipe
    net: nn.Module
    optimizer: torch.optim.Optimizer
    step: int
    loss: float
    seconds: float
    history: list[dict[str, float]]

    @classmethod
    def start(cls, recipe: Recipe, path: Path) -> _State:
        """From the checkpoint at ``path``, or fresh where there is none."""
        torch.manual_seed(recipe.seed)
        net = build_net(recipe)
        optimizer = torch.optim.AdamW(
            net.parameters(), lr=recipe.fit.learning_rate, weight_decay=recipe.fit.weight_decay
        )
        if not path.exists():
            return cls(recipe, net, optimizer, 0, 0.0, 0.0, [])
        saved = load_checkpoint(path)
        net.load_state_dict(saved.weights)
        optimizer.load_state_dict(saved.optimizer)
        torch.set_rng_state(saved.rng)
        return cls(recipe, net, optimizer, saved.step, saved.loss, saved.seconds, saved.history)

    def save(self, path: Path) -> None:
        save_checkpoint(
            path,
            Checkpoint(
                recipe=self.recipe,
                weights=self.net.state_dict(),
                optimizer=self.optimizer.state_dict(),
                rng=torch.get_rng_state(),
                step=self.step,
                code_version=__version__,
                loss=self.loss,
                seconds=self.seconds,
                history=self.history,
            ),
        )


def _train(
    state: _State,
    batch: Callable[[int, threading.Event], Batch],
    validation: Sequence[Batch],
    workers: int,
    out: Path,
    log: Callable[[str], None],
    stop: Callable[[], str | None],
) -> str | None:
    """Train to the last step, or until ``stop`` gives a reason, which is returned. At least one step is made."""
    settings = state.recipe.fit
    reason = None
    write_metrics(out, state.history)
    with (
        SummaryWriter(str(out / "tensorboard"), purge_step=len(state.history) + 1) as board,
        closing(ordered_map(batch, range(state.step, settings.steps), workers)) as batches,
    ):
        clock = time.monotonic()
        for features, labels in batches:
            state.loss += train_step(state.net, state.optimizer, features, labels, settings, state.step)
            state.step += 1
            now = time.monotonic()
            state.seconds, clock = state.seconds + now - clock, now
            if state.step % settings.steps_per_epoch == 0:
                _end_epoch(state, validation, out, board, log)
                clock = time.monotonic()
            if state.step < settings.steps and (reason := stop()):
                if state.step % settings.steps_per_epoch:
                    state.save(out / LAST)
                break
    return reason


def train_step(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    features: Tensor,
    labels: Tensor,
    settings: FitSettings,
    step: int,
) -> float:
    """One step of the optimiser; returns the loss (mean binary cross-entropy per base, the margins left out)."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(settings, step)
    inner = slice(settings.margin, labels.shape[1] - settings.margin)
    loss = binary_cross_entropy_with_logits(net(features)[:, inner], labels[:, inner])
    value = loss.item()
    if not math.isfinite(value):
        raise GenoscanError(f"the loss is {value} at step {step}: give the recipe a smaller fit.learning_rate")
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), settings.clip)
    optimizer.step()
    return value


def learning_rate(settings: FitSettings, step: int) -> float:
    """Learning rate of a step counted from 0: linear warm-up, times linear decay to 1 % at the last step."""
    rise = min(1.0, (step + 1) / (settings.warmup + 1))
    fall = 1 - (1 - DECAYED) * step / max(1, settings.steps - 1)
    return settings.learning_rate * rise * fall


def evaluate(net: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Logits and labels, float32 (windows, bases), of all bases of the windows, their ends included."""
    net.eval()
    with torch.inference_mode():
        pairs = [(net(features), labels) for features, labels in batches]
    net.train()
    logits, labels = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return logits.clone(), labels


def _end_epoch(
    state: _State, validation: Sequence[Batch], out: Path, board: SummaryWriter, log: Callable[[str], None]
) -> None:
    """Measure, then save: best, then last, then the metrics, so that whatever is there follows from last.pt."""
    settings = state.recipe.fit
    logits, labels = evaluate(state.net, validation)
    validation_loss = binary_cross_entropy_with_logits(logits, labels).item()
    slope, offset = calibration(logits, labels)
    megabases = settings.steps_per_epoch * settings.batch * state.recipe.data.window / 1e6
    epoch: dict[str, float] = {
        "epoch": state.step // settings.steps_per_epoch,
        "step": state.step,
        "loss": state.loss / settings.steps_per_epoch,
        "validation_loss": validation_loss,
        **measures(count(logits.numpy() >= 0, labels.numpy())),
        "slope": slope,
        "offset": offset,
        "learning_rate": learning_rate(settings, state.step - 1),
        "seconds": round(state.seconds, 3),
        "megabases_per_second": round(megabases / max(state.seconds, 1e-9), 3),
    }
    state.history.append(epoch)
    state.loss = state.seconds = 0.0
    if best_epoch(state.history) is epoch:
        state.save(out / BEST)
    state.save(out / LAST)
    write_metrics(out, state.history)
    for name, value in epoch.items():
        if name not in ("epoch", "step"):
            board.add_scalar(name, value, int(epoch["epoch"]))
    board.flush()
    log(
        f"epoch {epoch['epoch']}/{settings.epochs}  loss {epoch['loss']:.4f}  validation loss {validation_loss:.4f}  "
        f"accuracy {epoch['accuracy']:.4f}  F1 {epoch['f1']:.4f}  MCC {epoch['mcc']:.4f}  "
        f"precision {epoch['precision']:.4f}  recall {epoch['recall']:.4f}  "
        f"{epoch['seconds']:.1f} s  {epoch['megabases_per_second']:.2f} Mb/s"
    )


def best_epoch(history: Sequence[dict[str, float]]) -> dict[str, float]:
    """The first of the epochs with the highest validation MCC; empty when there is none."""
    return max(history, key=lambda epoch: epoch["mcc"], default={})


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that gets the number of the first SIGTERM or SIGINT; a second one acts as it would have acted before.

    Outside the main thread, where Python can set no handlers, the list stays empty.
    """
    received: list[int] = []
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: Any) -> None:
        received.append(number)
        restore()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        restore()


def _reason(stopped: list[int], limit: float) -> str | None:
    if stopped:
        return signal.Signals(stopped[0]).name
    return "time limit" if time.monotonic() >= limit else None


def _stack(examples: Iterable[tuple[np.ndarray, np.ndarray]]) -> Batch:
    features, labels = zip(*examples, strict=True)
    return torch.from_numpy(np.stack(features)), torch.from_numpy(np.stack(labels)).float()


def _session(threads: int, step: int) -> dict[str, Any]:
    """What run.json says of one call of `fit`."""
    packages = {name: version(name) for name in ("numpy", "numba", "torch")}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": __version__,
        "threads": threads,
        "from_step": step,
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), **packages},
    }
