"""From a checkpoint to a checked .onnx: the composition of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch

from ..scanner.card import CARD_KEY, ModelCard
from ..scanner.encoding.encoder import encoder
from ..scanner.errors import GenoscanError, UsageError
from ..training.checkpoint import write_whole
from .families import PRECISIONS, CheckpointSettings, Precision, Source, open_checkpoint
from .parity import DEFAULT_LIMITS, Limits, ParityReport, compare, runner, sample_windows, tensors
from .precision import set_metadata, to_fp16, to_int8
from .tracing import to_onnx

CALIBRATION_SEED, PARITY_SEED = 1, 2
"""The windows that an int8 model is calibrated on are not those that it is judged by."""


def export_model(
    checkpoint: str | Path,
    output: str | Path,
    precision: Precision = "fp32",
    genome: str | Path | None = None,
    limits: Limits | None = None,
    windows: int = 8,
    settings: CheckpointSettings | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> ParityReport:
    """Write ``checkpoint`` as one ONNX file with its card, once it was shown to be the same model.

    Parameters
    ----------
    genome: a FASTA for windows of real sequence, to compare on (and to calibrate an int8 model with) beside random
        and simulated ones.
    limits: how far the export may be from the checkpoint; by default those of the precision (`DEFAULT_LIMITS`).
    windows: windows of each kind of sequence.
    settings: what the card shall say where the checkpoint does not say it, or says otherwise.
    say: is told of choices that the checkpoint left open.

    The same checkpoint and arguments give the same bytes. `GenoscanError` when the checkpoint cannot be exported or
    the export does not keep to the limits; ``output`` is then left as it was.
    """
    output = Path(output)
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision '{precision}': choose one of {', '.join(PRECISIONS)}")
    if output.is_dir() or not output.parent.is_dir():
        raise UsageError(f"{output}: is a folder, or its folder does not exist: give -o a file name in a folder")
    source = open_checkpoint(checkpoint, settings)
    for note in source.notes:
        say(note)
    provenance = source.card.provenance.model_copy(update={"precision": precision})
    card = source.card.model_copy(update={"provenance": provenance})
    model = build(source, precision, genome, windows)
    report = judge(source, card, model, genome, limits or DEFAULT_LIMITS[precision], windows)
    problems = report.problems()
    if problems:
        hint = "set other limits" if precision == "fp32" else "export with --precision fp32, or set other limits"
        raise GenoscanError(
            f"{output}: not written: the {precision} model does not agree with {checkpoint}: "
            f"{'; '.join(problems)}: {hint}"
        )
    provenance = provenance.model_copy(update={"parity": report.figures()})
    model = set_metadata(model, {CARD_KEY: card.model_copy(update={"provenance": provenance}).to_json()})
    write_whole(output, model.SerializeToString(deterministic=True))
    return report


def build(source: Source, precision: Precision, genome: str | Path | None, windows: int) -> onnx.ModelProto:
    """The graph of a checkpoint in a precision, checked by ONNX's own checker."""
    card = source.card
    encode = encoder(card)
    example = torch.from_numpy(example_input(card))
    axes = {0: "batch"}
    if encode.ragged:
        axes[1] = "tokens"
    elif card.shortest_window is not None:
        axes[1] = "bins"
    model = to_onnx(source.layout(precision), example, axes, encode.name)
    if precision == "fp16":
        model = to_fp16(model)
    elif precision == "int8" and not source.integers:
        kinds = sample_windows(card, CALIBRATION_SEED, windows, genome)
        rows = [codes[row : row + 1] for codes in kinds.values() for row in range(len(codes))]
        model = to_int8(model, [tensor for codes in rows for _, tensor in tensors(card, codes)])
    onnx.checker.check_model(model, full_check=True)
    return model


def example_input(card: ModelCard) -> np.ndarray:
    """Two windows of bases, encoded."""
    codes = np.resize(np.arange(4, dtype=np.uint8), (2, card.window))
    ((_, tensor),) = tensors(card, codes)
    return tensor


def judge(
    source: Source, card: ModelCard, model: onnx.ModelProto, genome: str | Path | None, limits: Limits, windows: int
) -> ParityReport:
    """Compare a graph with its checkpoint's own forward pass in PyTorch."""

    def reference(tensor: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return source.network(torch.from_numpy(tensor)).float().numpy()

    samples = sample_windows(card, PARITY_SEED, windows, genome)
    return compare(card, reference, runner(model.SerializeToString()), samples, limits)
