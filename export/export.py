"""From a checkpoint to a checked .onnx: the composition of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from torch import Tensor

from ..scanner.card import CARD_KEY, ModelCard
from ..scanner.encoding.encoder import encoder, named_tensors
from ..scanner.errors import GenoscanError, UsageError
from .blame import Blame, layer_to_blame, module_to_blame
from .families import PRECISIONS, CheckpointSettings, Precision, Source, open_checkpoint
from .files import LARGEST_FILE, check_graph, save_model
from .fusion import count_attentions, fuse_attention
from .parity import DEFAULT_LIMITS, Limits, ParityReport, compare, runner, sample_windows, tensors
from .precision import set_metadata, to_fp16
from .quantization import choose_float_layers, to_int8, with_float_layers
from .sharing import scores_of_tiles, share_windows, tile_card, windows_of_tiles
from .tracing import OPSET, to_onnx

CALIBRATION_SEED, PARITY_SEED = 1, 2
"""The windows that an int8 model is calibrated on are not those that it is judged by."""
Runtime = Literal["onnxruntime", "tensorrt"]
RUNTIMES: tuple[Runtime, ...] = ("onnxruntime", "tensorrt")
_PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime-gpu", "onnxruntime")
_MOST_FLOAT_NODES = 12


@dataclass(frozen=True)
class Graph:
    """A graph in its precision.

    float32: the same before the precision was lowered. float_layers: what was left in float32 all the same.
    """

    model: onnx.ModelProto
    float32: onnx.ModelProto
    float_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Samples:
    """Windows that a graph is made with (ranges of int8, choice of the layers that stay float32)."""

    card: ModelCard
    windows: Mapping[str, np.ndarray]
    limits: Limits

    def tensors(self) -> list[np.ndarray]:
        """Each window as the model gets it, one a batch."""
        rows = [codes[row : row + 1] for codes in self.windows.values() for row in range(len(codes))]
        return [tensor for codes in rows for _, tensor in tensors(self.card, codes)]


def export_model(
    checkpoint: str | Path,
    output: str | Path,
    precision: Precision = "fp32",
    genome: str | Path | None = None,
    limits: Limits | None = None,
    windows: int | None = None,
    settings: CheckpointSettings | None = None,
    runtime: Runtime = "onnxruntime",
    per_bin: bool = False,
    largest_file: int = LARGEST_FILE,
    say: Callable[[str], None] = lambda _: None,
) -> ParityReport:
    """Write ``checkpoint`` as one ONNX file with its card, once it was shown to be the same model.

    Parameters
    ----------
    genome: a FASTA for windows of real sequence, to compare on (and to calibrate an int8 model with) beside random
        and simulated ones.
    limits: how far the export may be from the checkpoint; by default those of the precision (`DEFAULT_LIMITS`).
    windows: windows of each kind of sequence; by default 8 of a model that scores bins, 64 of one that scores windows.
    settings: what the card shall say where the checkpoint does not say it, or says otherwise.
    runtime: 'onnxruntime' has attention fused to its operators, 'tensorrt' keeps to standard ONNX.
    per_bin: let overlapping windows share their work (`sharing`); bins then have the scores of the windows around them.
    largest_file: weights of more bytes than this are written to a file beside ``output``.
    say: is told of choices that the checkpoint left open, and of what the user should know although it is no error.

    The same checkpoint and arguments give the same bytes. `GenoscanError` when the checkpoint cannot be exported or
    the export does not keep to the limits, with the layer that is to blame; ``output`` is then left as it was.
    """
    output = Path(output)
    _check_arguments(output, precision, runtime)
    source = open_checkpoint(checkpoint, settings)
    for note in source.notes:
        say(note)
    limits = limits or DEFAULT_LIMITS[precision]
    card = tile_card(source.card) if per_bin else source.card
    count = judged_windows(card, windows)
    samples = Samples(card, sample_windows(card, CALIBRATION_SEED, count, genome), limits.halved())
    graph = build(source, precision, runtime, samples, say)
    check_graph(graph.model)
    card = _with_provenance(card, precision, graph)
    judged = sample_windows(card, PARITY_SEED, count, genome)
    report = compare(card, reference_of(source, card), runner(graph.model), judged, limits)
    problems = report.problems()
    if problems:
        blame = _blame(source, graph, precision, example_input(card))
        hint = "set other limits" if precision == "fp32" else "export with --precision fp32, or set other limits"
        raise GenoscanError(
            f"{output}: not written: the {precision} model does not agree with {checkpoint}: "
            f"{'; '.join([*problems, *([str(blame)] if blame else [])])}: {hint}"
        )
    for note in report.notes():
        say(note)
    provenance = card.provenance.model_copy(update={"parity": report.figures()})
    card = card.model_copy(update={"provenance": provenance})
    set_metadata(graph.model, {CARD_KEY: card.to_json()})
    written = save_model(graph.model, output, largest_file)
    if len(written) > 1:
        say(f"{output}: too large for one ONNX file: its weights are in {written[1]}; keep both files together")
    return report


def build(
    source: Source, precision: Precision, runtime: Runtime, samples: Samples, say: Callable[[str], None]
) -> Graph:
    """The graph of a checkpoint in a precision, for a runtime."""
    float32 = trace(source, precision)
    if samples.card.provenance.scored_window is not None:
        shared = share_windows(float32, source.card)
        float32 = shared.model
        if shared.padded:
            say("convolutions pad: near a window's edges they see zeros in the checkpoint, and its neighbours here")
    if runtime == "onnxruntime":
        float32 = fuse_attention(float32, pack=precision != "int8")
        left = count_attentions(float32).unfused
        if left:
            say(f"attention was not recognised in {len(left)} places ({left[0]}): it stays in pieces, slow on GPUs")
    if precision == "fp16":
        return _half(source, float32, samples)
    if precision == "int8" and not source.integers:
        return _integers(source, float32, samples, say)
    return Graph(float32, float32)


def trace(source: Source, precision: Precision) -> onnx.ModelProto:
    """The checkpoint's layout for a precision as a float32 graph."""
    encode = encoder(source.card)
    axes = {0: "batch"}
    if encode.ragged:
        axes[1] = "tokens"
    elif source.card.shortest_window is not None:
        axes[1] = "bins"
    examples = input_tensors(source.card, example_input(source.card))
    return to_onnx(source.layout(precision), examples, axes, encode.names)


def example_input(card: ModelCard) -> np.ndarray:
    """Two windows of bases, encoded."""
    codes = np.resize(np.arange(4, dtype=np.uint8), (2, card.window))
    ((_, tensor),) = tensors(card, codes)
    return tensor


def input_tensors(card: ModelCard, batch: np.ndarray) -> list[Tensor]:
    """The tensors that a network reads of an encoded batch."""
    return [torch.from_numpy(one) for one in named_tensors(batch, encoder(card).names).values()]


def judged_windows(card: ModelCard, windows: int | None) -> int:
    """Windows of each kind of sequence to compare on, where the user does not say."""
    return windows or (8 if card.task == "segmentation" else 64)


def reference_of(source: Source, card: ModelCard) -> Callable[[np.ndarray], np.ndarray]:
    """The checkpoint's own forward pass in PyTorch, from the input of the model with ``card`` to its logits."""

    def reference(tensor: np.ndarray) -> np.ndarray:
        read = input_tensors(card, tensor)
        with torch.inference_mode():
            if card.provenance.scored_window is None:
                return source.network(*read).float().numpy()
            return scores_of_tiles(source.network(windows_of_tiles(*read, card)).float(), card).numpy()

    return reference


def _accepted(source: Source, samples: Samples) -> Callable[[onnx.ModelProto], bool]:
    """Whether a graph agrees with the checkpoint on the samples. What the checkpoint says of them is computed once."""
    known: dict[bytes, np.ndarray] = {}
    reference = reference_of(source, samples.card)

    def remembered(tensor: np.ndarray) -> np.ndarray:
        key = tensor.tobytes()
        if key not in known:
            known[key] = reference(tensor)
        return known[key]

    return lambda model: (
        not compare(samples.card, remembered, runner(model), samples.windows, samples.limits).problems()
    )


def _half(source: Source, float32: onnx.ModelProto, samples: Samples) -> Graph:
    """Half precision but for the nodes that break it: where the graph does not agree, the node to blame stays
    float32."""
    accepted, tensor = _accepted(source, samples), samples.tensors()[1]
    kept: list[str] = []
    while True:
        model = to_fp16(float32, kept)
        if len(kept) == _MOST_FLOAT_NODES or accepted(model):
            return Graph(model, float32, tuple(kept))
        blame = layer_to_blame(float32, model, tensor)
        if blame is None or blame.node in kept:
            return Graph(model, float32, tuple(kept))
        kept.append(blame.node)


def _integers(source: Source, float32: onnx.ModelProto, samples: Samples, say: Callable[[str], None]) -> Graph:
    batches = samples.tensors()
    quantized = to_int8(float32, batches)
    kept = choose_float_layers(quantized, float32, batches, _accepted(source, samples))
    if kept:
        say(f"{len(kept)} layers stay in float32, or int8 would not agree with the checkpoint: {', '.join(kept)}")
        quantized = with_float_layers(quantized, float32, kept)
    return Graph(quantized, float32, kept)


def _blame(source: Source, graph: Graph, precision: Precision, tensor: np.ndarray) -> Blame | None:
    if graph.model is graph.float32:
        return module_to_blame(source.layout(precision).eval(), graph.model, tensor)
    return layer_to_blame(graph.float32, graph.model, tensor)


def _check_arguments(output: Path, precision: str, runtime: str) -> None:
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision '{precision}': choose one of {', '.join(PRECISIONS)}")
    if runtime not in RUNTIMES:
        raise UsageError(f"unknown runtime '{runtime}': choose one of {', '.join(RUNTIMES)}")
    if precision == "int8" and runtime == "tensorrt":
        raise UsageError("--precision int8 is for CPUs: for TensorRT export with --precision fp16")
    if output.is_dir() or not output.parent.is_dir():
        raise UsageError(f"{output}: is a folder, or its folder does not exist: give -o a file name in a folder")


def _with_provenance(card: ModelCard, precision: Precision, graph: Graph) -> ModelCard:
    added = {
        "precision": precision,
        "attention": count_attentions(graph.model).layout,
        "float_layers": graph.float_layers,
        "versions": {"opset": str(OPSET), **{name: version(name) for name in _PACKAGES if _installed(name)}},
    }
    return card.model_copy(update={"provenance": card.provenance.model_copy(update=added)})


def _installed(package: str) -> bool:
    from importlib.metadata import PackageNotFoundError

    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
