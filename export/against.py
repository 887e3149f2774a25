"""A model file against the checkpoint that it was made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx

from ..scanner.card import ModelCard
from ..scanner.inference.session import read_card
from .export import PARITY_SEED, judged_windows, reference_of
from .families import CheckpointSettings, open_checkpoint
from .families.runs import CLASSIFIER_RUN, TRAINING_RUN
from .parity import DEFAULT_LIMITS, Limits, ParityReport, compare, runner, sample_windows


def compare_with_checkpoint(
    model: str | Path,
    checkpoint: str | Path,
    settings: CheckpointSettings | None = None,
    genome: str | Path | None = None,
    limits: Limits | None = None,
    windows: int | None = None,
) -> ParityReport:
    """Compare as `export_model` does, on the same windows. What the checkpoint does not say of itself is taken from the
    model's card where ``settings`` does not say it. Errors as of `open_checkpoint` and `read_card`."""
    card = read_card(model)
    source = open_checkpoint(checkpoint, _settings(Path(checkpoint), card, settings or CheckpointSettings()))
    samples = sample_windows(card, PARITY_SEED, judged_windows(card, windows), genome)
    limits = limits or DEFAULT_LIMITS[card.provenance.precision]
    return compare(card, reference_of(source, card), runner(onnx.load(model)), samples, limits)


def _settings(checkpoint: Path, card: ModelCard, given: CheckpointSettings) -> CheckpointSettings:
    if any(family.recognises(checkpoint, given) for family in (TRAINING_RUN, CLASSIFIER_RUN)):
        return given  # its card is in its recipe
    window, per_bin = card.provenance.scored_window, card.task == "segmentation"
    known = {
        "window": window or card.window,
        "step": card.output.bin if window else card.step,
        "bin": card.output.bin if per_bin and not window else None,
        "outputs": card.output.names,
        "activation": card.output.activation,
        "task": None if window else card.task,
    }
    return replace(given, **{name: value for name, value in known.items() if not getattr(given, name)})
