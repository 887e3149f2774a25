"""A training run on disk: checkpoints, and the files that say what the run is.

Every file is written beside its place and renamed, so that a run that is killed at any moment leaves the old or the
new file and never half of one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..scanner.errors import GenoscanError, UsageError
from .nets.spectrum_net import SpectrumNet
from .recipe import Part, Recipe, parse_recipe, recipe_text
from .whole_files import write_whole

FORMAT = 2

LAST, BEST = "last.pt", "best.pt"
_FREE = ("card", "inputs")
"""Sections of a recipe in which a run that goes on may differ: what training does not read, and what digests tell."""
RECIPE, RUN, METRICS = "recipe.toml", "run.json", "metrics.jsonl"


@dataclass
class Checkpoint:
    """Where a run stands after ``step`` steps: all that it needs to go on exactly as if it had not stopped.

    history: one dictionary of metrics for each finished epoch.
    loss, seconds: sums over the steps of the epoch under way.
    code_version: of the package that wrote the checkpoint.
    """

    recipe: Recipe
    weights: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    rng: torch.Tensor
    step: int
    code_version: str
    loss: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint to ``path``; `GenoscanError` when the disk refuses."""
    content = {**vars(checkpoint), "format": FORMAT, "recipe": recipe_text(checkpoint.recipe)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, buffer.getvalue())


def load_checkpoint(path: str | Path) -> Checkpoint:
    """The checkpoint in the file ``path``, or in a run folder its best one (the last one before the first epoch ends).

    `GenoscanError` says what is wrong with the file. Nothing in the file is executed.
    """
    path = Path(path)
    if path.is_dir():
        path = path / BEST if (path / BEST).exists() else path / LAST
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise GenoscanError(f"{path}: cannot read the checkpoint: {error.strerror or error}") from None
    except Exception:  # torch raises anything from KeyError to UnpicklingError on a file that is not its own
        raise GenoscanError(f"{path}: not a checkpoint, or a damaged one") from None
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise GenoscanError(f"{path}: not a checkpoint of `genoscan train`, or of another version")
    try:
        return Checkpoint(**{**content, "recipe": parse_recipe(content["recipe"], f"{path}: recipe")})
    except (KeyError, TypeError):
        raise GenoscanError(f"{path}: not a checkpoint of `genoscan train`, or of another version") from None


def build_net(recipe: Recipe) -> SpectrumNet:
    """The recipe's network with fresh weights from torch's random numbers."""
    return SpectrumNet(**recipe.net.model_dump())


def restore_net(checkpoint: Checkpoint) -> SpectrumNet:
    """The checkpoint's network, ready for inference: calibrated as its last finished epoch found it to need."""
    net = build_net(checkpoint.recipe)
    net.load_state_dict(checkpoint.weights)
    if checkpoint.history:
        net.calibrate(checkpoint.history[-1]["slope"], checkpoint.history[-1]["offset"])
    return net.eval()


def open_run(
    out: Path, recipe: Part, inputs: Sequence[tuple[str, str]], code_version: str, kind: str = "backgrounds"
) -> dict[str, Any]:
    """Make the run folder ``out``, or see that it holds this very run; returns the content of its run.json.

    ``inputs`` are (path, digest) pairs of what the run learns from, ``kind`` what run.json calls them. A run of another
    recipe (its [card] and [inputs] aside) or on other inputs, and a folder that holds something else,
    raise `UsageError`.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is no folder: give another --out")
    run = read_run(out, kind)
    if run is None:
        if out.is_dir() and any(out.iterdir()):
            raise UsageError(f"{out}: is not empty and holds no training run: give another --out")
        run = {
            "recipe": recipe.name,
            "seed": recipe.seed,
            "code_version": code_version,
            kind: [{"path": path, "digest": digest} for path, digest in inputs],
            "sessions": [],
        }
    else:
        started = parse_recipe(_read(out / RECIPE), str(out / RECIPE), type(recipe))
        for part in (name for name in type(recipe).model_fields if name not in _FREE):
            if getattr(started, part) != getattr(recipe, part):
                raise UsageError(
                    f"{out}: holds a run whose recipe has another {part}: give that recipe or another --out"
                )
        if [one["digest"] for one in run[kind]] != [digest for _, digest in inputs]:
            known = " ".join(one["path"] for one in run[kind]) or "none"
            raise UsageError(f"{out}: holds a run on other {kind} ({known}): give those or another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenoscanError(f"{out}: cannot make the run folder: {error.strerror}") from None
    write_whole(out / RECIPE, recipe_text(recipe).encode())
    write_run(out, run)
    return run


def read_run(out: Path, kind: str = "backgrounds") -> dict[str, Any] | None:
    """What the run folder's run.json says; None where there is none. ``kind`` is what it calls the run's inputs."""
    if not (out / RUN).exists():
        return None
    try:
        run = json.loads(_read(out / RUN))
        [one["digest"] for one in run[kind]]
        run["sessions"].copy()
    except (ValueError, TypeError, KeyError, AttributeError):
        raise GenoscanError(f"{out / RUN}: damaged: give another --out") from None
    return run


def write_run(out: Path, run: dict[str, Any]) -> None:
    """Write run.json."""
    write_whole(out / RUN, (json.dumps(run, indent=2) + "\n").encode())


def write_metrics(out: Path, history: Sequence[dict[str, float]]) -> None:
    """Write metrics.jsonl, a line an epoch.

    It is written whole each time, so that it agrees with the checkpoint however the run before ended.
    """
    write_whole(out / METRICS, "".join(json.dumps(epoch) + "\n" for epoch in history).encode())


def read_metrics(out: Path) -> list[dict[str, float]]:
    """The epochs in the run folder's metrics.jsonl; none where there is no such file, or a damaged one."""
    try:
        return [json.loads(line) for line in (out / METRICS).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GenoscanError(f"{path}: cannot read: {error}") from None
