"""The card of a checkpoint that has none: from what it says of itself, and what the user says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ... import __version__
from ...scanner.card import ModelCard, ModelInput
from ...scanner.errors import UsageError
from ...training.recipe import first_problem
from .source import CheckpointSettings

THRESHOLD = 0.5
_NOT_IN_NAMES = re.compile(r"[^\x20-\x7e]")
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Head:
    """What a checkpoint's outputs are. names: in the network's order, empty where it has none."""

    task: str
    activation: str
    names: tuple[str, ...]


def sizes(settings: CheckpointSettings, window: int) -> tuple[int, int]:
    """Window and step in bases; ``window`` where the user names none. A step is the whole window by default."""
    window = settings.window or window
    step = settings.step or window
    if step > window or (window - step) % 2:
        raise UsageError(
            f"--step {step}: the step lies in the middle of the window of {window} bases: "
            "it must be at most the window, and both even or both odd"
        )
    return window, step


def called_outputs(head: Head, settings: CheckpointSettings) -> tuple[str, ...]:
    """What becomes calls: of two classes the second, as the first says that there is nothing; else every output."""
    if settings.called:
        return settings.called
    two_classes = head.activation == "softmax" and len(head.names) == 2
    return head.names[1:] if two_classes else ()


def build_card(
    name: str, head: Head, spec: ModelInput, window: int, step: int, bin: int, max_unknown: float,
    settings: CheckpointSettings,
) -> ModelCard:  # fmt: skip
    """The card; `UsageError` names the field that cannot be as it was said."""
    threshold = THRESHOLD if settings.threshold is None else settings.threshold
    fields: dict[str, Any] = {
        "name": _NOT_IN_FILE_NAMES.sub("-", settings.name or name).strip("-._") or "model",
        "version": "1",
        "task": head.task,
        "input": spec,
        "window": window,
        "step": step,
        "context": (window - step) // 2,
        "strand": settings.strand or "both",
        "max_unknown": max_unknown if settings.max_unknown is None else settings.max_unknown,
        "output": {
            "names": head.names,
            "activation": head.activation,
            "bin": bin if head.task == "segmentation" else step,
            "called": called_outputs(head, settings),
        },
        "calling": {"threshold": threshold, "extend": threshold},
        "provenance": {"code_version": __version__},
    }
    try:
        return ModelCard(**fields)
    except ValidationError as error:
        raise UsageError(f"{name}: the card cannot be made: {first_problem(error, 'card')}") from None


def output_names(names: Sequence[str], settings: CheckpointSettings, count: int, source: str) -> tuple[str, ...]:
    """The user's names of ``count`` outputs, or the checkpoint's, as far as a BED can hold them."""
    if settings.outputs:
        if len(settings.outputs) != count:
            raise UsageError(
                f"--outputs {','.join(settings.outputs)}: {source} has {count} outputs, not {len(settings.outputs)}"
            )
        return settings.outputs
    if len(names) != count:
        names = ["score"] if count == 1 else [f"output_{number}" for number in range(count)]
    return tuple(_NOT_IN_NAMES.sub("_", one)[:255] or f"output_{number}" for number, one in enumerate(names))
