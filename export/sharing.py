"""Overlapping windows that share their work: a window classifier of convolutions and a pooling becomes a model that
scores bins of long tiles.

Where windows of 1,000 bases lie 100 bases apart every base is convolved ten times over. Convolutions do not know where
a window begins, so their features of a long stretch are those of all windows in it; what belongs to a window, its
pooling and what follows, is then done window by window on the features. Scores are the windows' own but for the order
of sums, except where convolutions pad: a window's edge sees zeros and a stretch's inside sees its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from ..scanner.card import ModelCard, NucleotideInput
from ..scanner.errors import GenoscanError

WINDOWS_LONG = 8
"""A tile's scored bases in windows. What is read twice where tiles meet, up to a window, is an eighth of that."""
_ALIKE = frozenset(  # ruff would have a list of 32 lines
    """Relu LeakyRelu PRelu Elu Celu Selu Gelu Sigmoid HardSigmoid Tanh Erf Exp Log Softplus Softsign HardSwish Mish Sqrt
    Abs Neg Clip Cast Identity Dropout BatchNormalization Add Sub Mul Div Pow Min Max""".split()  # noqa: SIM905
)
"""Operators that do to each position the same, whatever its neighbours are."""
_SLIDING = ("Conv", "MaxPool", "AveragePool")
_POOLS = {
    "GlobalAveragePool": "AveragePool",
    "ReduceMean": "AveragePool",
    "GlobalMaxPool": "MaxPool",
    "ReduceMax": "MaxPool",
}


@dataclass(frozen=True)
class Shared:
    """The graph and card of a tile model. padded: convolutions pad, so windows' edges are not what they were."""

    model: onnx.ModelProto
    card: ModelCard
    padded: bool


@dataclass(frozen=True)
class _Along:
    """A tensor that runs along the window: its axis of positions and the bases from one position to the next."""

    axis: int
    bases: int


@dataclass
class _Rewriting:
    """A graph on its way to tiles.

    margin: bases of a tile before its first window. cells: windows in a tile. flat: tensors with an axis of one more to
    what they are without it.
    """

    card: ModelCard
    margin: int
    cells: int
    shapes: dict[str, list[int]]
    constants: dict[str, np.ndarray]
    along: dict[str, _Along]
    flat: dict[str, str] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    added: list[onnx.TensorProto] = field(default_factory=list)
    padded: bool = False

    def constant(self, values: Iterable[int] | np.ndarray) -> str:
        name = f"shared_{len(self.added)}"
        self.added.append(numpy_helper.from_array(np.asarray(values, dtype=np.int64), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str | None = None, **attributes) -> str:
        output = output or f"shared_{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], f"windows/{kind}.{len(self.nodes)}", **attributes))
        return output


def tile_card(card: ModelCard) -> ModelCard:
    """The card of the tile model: a bin a step, and a context that is whole bins."""
    step = card.step
    context = -(-card.context // step) * step
    core = -(-WINDOWS_LONG * card.window // step) * step
    provenance = card.provenance.model_copy(update={"scored_window": card.window})
    return ModelCard.model_validate(
        {
            **card.model_dump(),
            "task": "segmentation",
            "window": core + 2 * context,
            "step": core,
            "context": context,
            "output": {**card.output.model_dump(), "bin": step},
            "provenance": provenance.model_dump(),
        }
    )


def share_windows(model: onnx.ModelProto, card: ModelCard) -> Shared:
    """The tile model of a window classifier's graph; `GenoscanError` says why there is none."""
    if card.task == "segmentation":
        raise GenoscanError(f"model {card.name}: --per-bin: it scores bins already")
    if not isinstance(card.input, NucleotideInput):
        raise GenoscanError(
            f"model {card.name}: --per-bin: only networks that read bases can share windows, this one reads "
            f"{card.input.kind}"
        )
    tiles = tile_card(card)
    graph = onnx.shape_inference.infer_shapes(model).graph
    work = _Rewriting(
        card,
        tiles.context - card.context,
        tiles.step // card.step,
        {one.name: _sizes(one) for one in (*graph.input, *graph.value_info, *graph.output)},
        {one.name: numpy_helper.to_array(one) for one in graph.initializer},
        {graph.input[0].name: _Along(2 if card.input.layout == "one-hot" else 1, 1)},
    )
    for node in graph.node:
        _rewrite(work, node)
    _finish(work, graph.output[0].name, tiles)
    return Shared(_assembled(model, work, tiles), tiles, work.padded)


def windows_of_tiles(tensor: torch.Tensor, card: ModelCard) -> torch.Tensor:
    """The windows that a tile model scores: (tiles, ..., window) of its input to (tiles * bins, ..., scored window)."""
    size, bin_size = card.provenance.scored_window, card.output.bin
    first = (card.window - card.step) // 2 - (size - bin_size) // 2
    cut = tensor[..., first : first + card.step - bin_size + size].unfold(-1, size, bin_size)
    return cut.movedim(-2, 1).flatten(0, 1)


def scores_of_tiles(scores: torch.Tensor, card: ModelCard) -> torch.Tensor:
    """Windows' logits (tiles * bins, outputs) as the tile model gives them, zero in the context."""
    side = card.context // card.output.bin
    return torch.nn.functional.pad(scores.unflatten(0, (-1, card.step // card.output.bin)), (0, 0, side, side))


def _rewrite(work: _Rewriting, node: onnx.NodeProto) -> None:
    """Take a node over, or in its place what does the same to every window of a tile."""
    running = [name for name in node.input if name in work.along]
    if not running:
        work.nodes.append(node)
        return
    place = work.along[running[0]]
    kind = node.op_type
    if (
        (kind in _ALIKE and _keeps_positions(work, node, place))
        or (kind == "Gather" and node.input[0] in work.constants and _attribute(node, "axis", 0) == 0)
        or (kind == "Gather" and node.input[0] in work.constants and _attribute(node, "axis", 0) == 0)
    ):
        _carry(work, node, place)
    elif kind == "Transpose":
        _carry(work, node, _Along(list(_attribute(node, "perm", ())).index(place.axis), place.bases))
    elif kind == "Unsqueeze" and place.axis == 2 and _axes(work, node, 4) == [2]:  # how AdaptiveAvgPool1d begins
        _carry(work, node, _Along(3, place.bases))
        work.flat[node.output[0]] = node.input[0]
    elif kind in _SLIDING and place.axis == 2 and len(work.shapes[node.output[0]]) == 3:
        _slide(work, node, place)
    elif kind in _POOLS and (kind.startswith("Global") or place.axis in _axes(work, node)):
        _pool(work, node)
    elif kind in ("Flatten", "Reshape") and len(work.shapes[node.output[0]]) == 2:
        _flatten(work, node)
    else:
        _refuse(work, node)


def _carry(work: _Rewriting, node: onnx.NodeProto, place: _Along) -> None:
    work.nodes.append(node)
    work.along[node.output[0]] = place


def _keeps_positions(work: _Rewriting, node: onnx.NodeProto, place: _Along) -> bool:
    """Whether all that a node reads either runs along the window in the same way or is the same at every position."""
    rank = len(work.shapes[node.output[0]])
    for name in node.input:
        if not name:
            continue
        if name in work.along:
            if work.along[name] != place:
                return False
            continue
        if name not in work.constants:
            return False
        shape = work.constants[name].shape
        if node.op_type != "BatchNormalization":
            behind = rank - place.axis
            if len(shape) >= behind and shape[-behind] != 1:
                return False
    return True


def _slide(work: _Rewriting, node: onnx.NodeProto, place: _Along) -> None:
    if _attribute(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or _attribute(node, "ceil_mode", 0):
        _refuse(work, node)
    work.padded |= any(_attribute(node, "pads", ()))
    _carry(work, node, _Along(2, place.bases * next(iter(_attribute(node, "strides", (1,))))))


def _features(work: _Rewriting, name: str) -> tuple[str, int, int]:
    """The features (batch, channels, positions) of a tile's windows, a window's positions, and those between windows.
    ``name``: where they come from."""
    place = work.along[name]
    if work.card.step % place.bases or work.margin % place.bases:
        raise GenoscanError(
            f"model {work.card.name}: --per-bin: its features are {place.bases} bases apart, which must divide the "
            f"step ({work.card.step}) and half of window minus step ({work.card.context}): choose others"
        )
    size, stride = work.shapes[name][place.axis], work.card.step // place.bases
    first = work.margin // place.bases
    last = first + (work.cells - 1) * stride + size
    if place.axis == 1:
        name = work.node("Transpose", [name], perm=[0, 2, 1])
    limits = [work.constant([one]) for one in (first, last, 2)]
    return work.node("Slice", [name, *limits]), size, stride


def _pool(work: _Rewriting, node: onnx.NodeProto) -> None:
    name = work.flat.get(node.input[0], node.input[0])
    axes = [work.along[node.input[0]].axis] if node.op_type.startswith("Global") else _axes(work, node)
    extra = [2] if name != node.input[0] else []
    if len(work.shapes[name]) != 3 or sorted(axes) != [*extra, work.along[node.input[0]].axis]:
        _refuse(work, node)
    features, size, stride = _features(work, name)
    pooled = work.node(_POOLS[node.op_type], [features], kernel_shape=[size], strides=[stride])
    rows = work.node("Transpose", [pooled], perm=[0, 2, 1])
    shape = [-1, *work.shapes[node.output[0]][1:]]
    work.node("Reshape", [rows, work.constant(shape)], node.output[0])


def _flatten(work: _Rewriting, node: onnx.NodeProto) -> None:
    if work.along[node.input[0]].axis != 2 or len(work.shapes[node.input[0]]) != 3:
        _refuse(work, node)
    features, size, stride = _features(work, node.input[0])
    places = np.arange(work.cells)[:, None] * stride + np.arange(size)
    windows = work.node("Gather", [features, work.constant(places)], axis=2)
    rows = work.node("Transpose", [windows], perm=[0, 2, 1, 3])
    work.node("Reshape", [rows, work.constant([-1, work.shapes[node.output[0]][1]])], node.output[0])


def _finish(work: _Rewriting, output: str, tiles: ModelCard) -> None:
    """Rows of windows back to tiles, and zeros where a tile's context has no score."""
    if output in work.along:
        raise GenoscanError(f"model {work.card.name}: --per-bin: it pools nothing over its window: nothing to share")
    names, side = len(tiles.output.names), tiles.context // tiles.output.bin
    for node in work.nodes:
        node.output[:] = ["window_logits" if name == output else name for name in node.output]
    scores = work.node("Reshape", ["window_logits", work.constant([-1, work.cells, names])])
    work.node("Pad", [scores, work.constant([0, side, 0, 0, side, 0])], output)


def _assembled(model: onnx.ModelProto, work: _Rewriting, tiles: ModelCard) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    del graph.node[:], graph.value_info[:]
    graph.node.extend(work.nodes)
    graph.initializer.extend(work.added)
    graph.input[0].type.tensor_type.shape.dim[-1].dim_value = tiles.window
    shape = ["batch", tiles.window // tiles.output.bin, len(tiles.output.names)]
    graph.output[0].CopyFrom(helper.make_tensor_value_info(graph.output[0].name, onnx.TensorProto.FLOAT, shape))
    return onnx.shape_inference.infer_shapes(made)


def _refuse(work: _Rewriting, node: onnx.NodeProto) -> None:
    raise GenoscanError(
        f"model {work.card.name}: --per-bin: {node.name or node.op_type} ({node.op_type}) does not do the same at "
        "every position of a window: only convolutions and what acts on each position, then a pooling over the "
        "window, can share windows; leave out --per-bin"
    )


def _attribute(node: onnx.NodeProto, name: str, default):
    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == name), default)


def _axes(work: _Rewriting, node: onnx.NodeProto, rank: int | None = None) -> list[int]:
    """The axes that a node names, counted from the front of a tensor of ``rank`` (its input's)."""
    given = work.constants.get(node.input[1]) if len(node.input) > 1 else _attribute(node, "axes", ())
    rank = rank or len(work.shapes[node.input[0]])
    return [int(one) % rank for one in np.atleast_1d(given)] if given is not None else []


def _sizes(value: onnx.ValueInfoProto) -> list[int]:
    """Sizes of a tensor's axes; 0 where they are free."""
    return [one.dim_value for one in value.type.tensor_type.shape.dim]
