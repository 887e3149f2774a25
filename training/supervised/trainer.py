"""transformers' Trainer as runs here use it: our batches and losses, small checkpoints, clean stops, one log."""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from ...scanner.errors import GenoscanError, UsageError
from ..checkpoint import write_metrics
from .average import MovingAverage
from .examples import LengthBuckets
from .recipe import Fit

CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"
_WEIGHTS, _STATE = "weights.safetensors", "trainer_state.json"
_EVALUATED_TOGETHER = 64


class Stopped(Exception):
    """A signal asked the run to end; what was done is saved."""


@dataclass
class Watch:
    """When a run has to stop: signals that came, and the time at which its limit runs out."""

    stopped: list[int]
    until: float = math.inf

    def reason(self) -> bool:
        return bool(self.stopped) or time.monotonic() >= self.until


@dataclass
class Job:
    """One fit: what is trained on what, and what is done after each epoch.

    loss: logits and labels to a number. reduce: logits and labels of a held-out batch to what is kept of each row;
    measure: that and the labels, of all held-out rows, to measures by name.
    keep: called when the epoch's measures are the best so far. held_out: one set, or several by name, which then stands
    before the names of its measures: NAME_MEASURE, and NAME_loss.
    """

    out: Path
    fit: Fit
    seed: int
    model: nn.Module
    train: Dataset
    held_out: Dataset | dict[str, Dataset]
    collate: Callable[[Sequence[Any]], dict[str, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]
    measure: Callable[[np.ndarray, np.ndarray], dict[str, float]]
    best_by: str
    keep: Callable[[], None]
    log: Callable[[str], None]
    watch: Watch
    place: torch.device
    wandb: bool = False
    shown: tuple[str, ...] = ()
    reduce: Callable[[Tensor, Tensor], Tensor] = lambda logits, _: logits
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def best_key(self) -> str:
        """What an epoch calls the measure by which it is compared."""
        return _key(self.best_by)


def run_job(job: Job) -> bool:
    """Train until the last epoch, the job's patience, its time limit or a signal; True when it is finished.

    Goes on from the newest whole checkpoint under ``out``, at the very batch. A signal raises `Stopped` once all is
    saved.
    """
    last = last_checkpoint(job.out)
    job.history = _read_history(last)
    if _is_finished(job):
        return True
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
        trainer = _SequenceTrainer(job)
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if job.watch.stopped:
        raise Stopped
    return _is_finished(job)


def last_checkpoint(out: Path) -> Path | None:
    """The newest checkpoint that was written whole: its state is written last."""
    found = [one for one in (out / CHECKPOINTS).glob("checkpoint-*") if _state(one) is not None]
    return max(found, key=lambda one: int(one.name.rpartition("-")[2]), default=None)


def _state(checkpoint: Path) -> dict[str, Any] | None:
    try:
        return json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _read_history(last: Path | None) -> list[dict[str, float]]:
    return [] if last is None else epochs_of((_state(last) or {}).get("log_history", []))


def _key(name: str) -> str:
    return "validation_loss" if name == "loss" else name


def best_epoch(history: Sequence[dict[str, float]], name: str) -> dict[str, float]:
    """The first of the finished epochs with the best measure; empty where there is none. NaN is worse than anything."""
    key = _key(name)
    done = [one for one in history if key in one]
    sign = -1 if name == "loss" else 1

    def worth(one: dict[str, float]) -> float:
        return -math.inf if math.isnan(one[key]) else sign * one[key]

    return max(done, key=worth, default={})


def _is_finished(job: Job) -> bool:
    """Whether the last epoch was measured, or so many epochs without a better one."""
    done = [one for one in job.history if job.best_key in one]
    if not done:
        return False
    if done[-1]["epoch"] >= job.fit.epochs:
        return True
    best = best_epoch(done, job.best_by)
    return bool(job.fit.patience) and done[-1]["epoch"] - best["epoch"] >= job.fit.patience


def epochs_of(entries: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """One dictionary an epoch of what the Trainer logged: loss (a mean over its steps, also those of several sessions),
    learning rate, and of finished epochs the validation measures."""
    epochs: dict[int, dict[str, float]] = {}
    before = 0
    for entry in entries:
        if "epoch" not in entry or not ("loss" in entry or any(name.startswith("eval_") for name in entry)):
            continue
        one = epochs.setdefault(math.ceil(entry["epoch"]), {"epoch": math.ceil(entry["epoch"]), "step": 0, "seen": 0})
        if "loss" in entry:
            steps = entry["step"] - before
            one["loss"] = (one.get("loss", 0.0) * one["seen"] + entry["loss"] * steps) / (one["seen"] + steps)
            one["seen"] += steps
            before = entry["step"]
            one["learning_rate"] = entry["learning_rate"]
        one["step"] = entry["step"]
        one |= {
            "validation_loss" if name == "eval_loss" else name.removeprefix("eval_"): value
            for name, value in entry.items()
            if name.startswith("eval_") and not name.endswith(("_per_second", "_model_preparation_time"))
        }
    return [{name: value for name, value in epochs[one].items() if name != "seen"} for one in sorted(epochs)]


class _SequenceTrainer(Trainer):
    """A checkpoint holds only weights that training changes, and buffers: those of a frozen network are left out."""

    def __init__(self, job: Job):
        self.job = job
        self.sampler = LengthBuckets(job.train.lengths, job.fit.batch, job.seed)
        self.average = MovingAverage(job.model, job.fit.moving_average)
        super().__init__(
            model=job.model,
            args=_arguments(job),
            data_collator=job.collate,
            train_dataset=job.train,
            eval_dataset=job.held_out,
            compute_metrics=lambda found: job.measure(found.predictions, found.label_ids),
            callbacks=[_Progress(job, self.sampler, self.average)],
        )
        self.loss_is_scaled_for_ga = False
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader:
        return DataLoader(
            self.train_dataset,
            batch_sampler=self.sampler,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):  # noqa: ARG002
        labels = inputs["labels"]
        logits = model(**{name: value for name, value in inputs.items() if name != "labels"})
        loss = self.job.loss(logits, labels)
        if model.training and not torch.isfinite(loss):
            raise GenoscanError(
                f"the loss is {loss.item()} at step {self.state.global_step}: give the recipe a smaller "
                "fit.learning_rate"
            )
        return (loss, {"logits": self.job.reduce(logits, labels)}) if return_outputs else loss

    def evaluate(self, *words, **named):
        """With the mean of weights in their place, where there is one; the callback keeps the best meanwhile."""
        with self.average.in_place():
            return super().evaluate(*words, **named)

    def _save(self, output_dir=None, state_dict=None) -> None:  # noqa: ARG002
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({**changing_weights(self.model), **self.average.saved()}, folder / _WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None) -> None:  # noqa: ARG002
        saved = load_file(Path(resume_from_checkpoint) / _WEIGHTS)
        self.average.restore(saved)
        self.model.load_state_dict(saved, strict=False)


def changing_weights(model: nn.Module) -> dict[str, Tensor]:
    """Weights that are trained, and buffers, such as the running means of batch norm."""
    still = {name for name, one in model.named_parameters(remove_duplicate=False) if not one.requires_grad}
    seen: dict[int, str] = {}
    for name, one in model.state_dict().items():
        if name not in still:
            seen.setdefault(one.data_ptr() if one.numel() else id(one), name)
    chosen = set(seen.values())
    return {name: one.detach().contiguous() for name, one in model.state_dict().items() if name in chosen}


def _arguments(job: Job) -> TrainingArguments:
    fit, on_gpu = job.fit, job.place.type == "cuda"
    precision = fit.precision
    if precision == "auto":
        precision = "bf16" if on_gpu and torch.cuda.is_bf16_supported() else "fp32"
    if precision != "fp32" and not on_gpu:
        raise UsageError(f"fit.precision = '{precision}' needs a GPU: say fp32 or auto")
    return TrainingArguments(
        output_dir=str(job.out / CHECKPOINTS),
        seed=job.seed,
        learning_rate=fit.learning_rate,
        per_device_train_batch_size=fit.batch,
        per_device_eval_batch_size=max(fit.batch, _EVALUATED_TOGETHER),
        gradient_accumulation_steps=fit.accumulate,
        num_train_epochs=fit.epochs,
        warmup_steps=fit.warmup,
        lr_scheduler_type=fit.schedule,
        weight_decay=fit.weight_decay,
        max_grad_norm=fit.clip,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        logging_nan_inf_filter=False,
        save_total_limit=2,
        label_names=["labels"],
        remove_unused_columns=False,
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        report_to=["wandb"] if job.wandb else [],
        run_name=job.out.resolve().name,
        disable_tqdm=True,
    )


def _is_whole(epoch: float) -> bool:
    return epoch == math.floor(epoch)


class _Progress(TrainerCallback):
    """After an epoch: the best is kept, metrics.jsonl, TensorBoard, a line; stops for signals, time and patience."""

    def __init__(self, job: Job, sampler: LengthBuckets, average: MovingAverage):
        from torch.utils.tensorboard import SummaryWriter

        self.job, self.sampler, self.average = job, sampler, average
        self.kept: int | None = None
        self.board = SummaryWriter(str(job.out / TENSORBOARD), purge_step=len(job.history) + 1)

    def on_epoch_begin(self, args, state, control, **_: Any) -> None:  # noqa: ARG002
        self.sampler.epoch = self.job.train.epoch = int(state.epoch or 0)
        self.sampler.lengths = self.job.train.lengths  # what is drawn anew has others in each epoch

    def on_step_end(self, args, state, control, **_: Any) -> None:  # noqa: ARG002
        self.average.step(state.global_step)
        if self.job.watch.reason() and state.global_step < state.max_steps:
            control.should_training_stop = True
            if not _is_whole(state.epoch):  # at an epoch's end all is measured and saved anyway
                control.should_log = control.should_save = True

    def on_epoch_end(self, args, state, control, **_: Any) -> None:  # noqa: ARG002
        if not _is_whole(state.epoch):  # the Trainer calls this when it stops within an epoch, too
            control.should_log = control.should_evaluate = control.should_save = False

    def on_evaluate(self, args, state, control, **_: Any) -> None:  # noqa: ARG002
        """Before the checkpoint is saved: a run that is killed in between does the epoch again, and keeps the same."""
        history = epochs_of(state.log_history)
        if self.kept != state.global_step and best_epoch(history, self.job.best_by) is history[-1]:
            self.kept = state.global_step  # this is called for each held-out set
            self.job.keep()

    def on_save(self, args, state, control, **_: Any) -> None:  # noqa: ARG002
        job = self.job
        job.history = epochs_of(state.log_history)
        write_metrics(job.out, job.history)
        last = job.history[-1]
        if job.best_key not in last:
            return
        for name, value in last.items():
            if name not in ("epoch", "step"):
                self.board.add_scalar(name, value, last["epoch"])
        self.board.flush()
        titles = {"loss": "loss", "validation_loss": "validation loss"} | {name: name for name in job.shown}
        shown = "  ".join(f"{title} {last[name]:.4f}" for name, title in titles.items() if name in last)
        job.log(f"epoch {last['epoch']}/{job.fit.epochs}  {shown}")
        if _is_finished(job):
            control.should_training_stop = True

    def on_train_end(self, args, state, control, **_: Any) -> None:  # noqa: ARG002
        self.board.close()
