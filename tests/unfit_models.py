"""Models that are not what their cards say, made from `toys.gc_model(8, 4)`."""

from __future__ import annotations

import json

import onnx
import toys
from onnx import TensorProto, helper

from genoscan.scanner.card import CARD_KEY, ModelCard, parse_card


def proto(model: bytes | None = None) -> onnx.ModelProto:
    return onnx.load_from_string(model or toys.gc_model(8, 4))


def card_of(model: onnx.ModelProto) -> ModelCard:
    return parse_card(next(one.value for one in model.metadata_props if one.key == CARD_KEY), "toy")


def with_card(text: str) -> bytes:
    model = proto()
    helper.set_model_props(model, {CARD_KEY: text})
    return model.SerializeToString()


def changed_card(path: str, value) -> str:
    """The toy's card with one field set (or, for ..., taken away)."""
    card = json.loads(card_of(proto()).to_json())
    *parents, last = path.split(".")
    place = card
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(card)


def without_card() -> bytes:
    model = proto()
    del model.metadata_props[:]
    return model.SerializeToString()


def counting(source_shape=("batch", 4, 8), kind=TensorProto.FLOAT, finish=None, rank=2, **card_fields) -> bytes:
    """A graph that sums its input a window, with the card of `toys.gc_model(8, 4)`; ``finish`` ends it."""
    graph = toys.Graph()
    source = "sequence" if kind == TensorProto.FLOAT else graph("Cast", "sequence", to=TensorProto.FLOAT)
    count = graph("ReduceSum", source, graph.ints(1, 2), keepdims=0)
    output = finish(graph, count) if finish else graph("Unsqueeze", count, graph.ints(1))
    card = card_of(proto()).model_copy(update=card_fields)
    return graph.serialize(card, ("sequence", kind, source_shape), output, [None] * rank)


def two_inputs() -> bytes:
    model = proto(counting())
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch"]))
    return model.SerializeToString()


def output_type(kind: int) -> bytes:
    model = proto(counting())
    last = model.graph.node[-1]
    model.graph.node.remove(last)
    model.graph.node.append(helper.make_node("Cast", last.input, last.output, to=kind))
    model.graph.output[0].type.tensor_type.elem_type = kind
    return model.SerializeToString()


def no_output() -> bytes:
    model = proto(counting())
    del model.graph.output[:]
    return model.SerializeToString()


def unsqueezed(*axes: int):
    return lambda graph, count: graph("Unsqueeze", count, graph.ints(*axes))


def fixed_although_short() -> bytes:
    """A card that promises shorter windows than the graph takes."""
    model = proto(toys.base_model("A", 16, 8))
    card = card_of(model).model_copy(update={"shortest_window": 8})
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return model.SerializeToString()


UNFIT = {
    "window": (lambda: counting(("batch", 4, 16)), "input does not match its card"),
    "input-rank": (
        lambda: counting(("batch", 4, 8, 1), finish=lambda _, count: count),
        "input does not match its card",
    ),
    "input-type": (lambda: counting(kind=TensorProto.DOUBLE), "input does not match its card"),
    "two-inputs": (two_inputs, "input does not match its card.*mask"),
    "no-batch": (lambda: counting((0, 4, 8)), "input does not match its card"),
    "output-rank-1": (lambda: counting(finish=lambda _, count: count, rank=1), "output does not match.*ask for"),
    "output-rank-3": (lambda: counting(finish=unsqueezed(1, 2), rank=3), "output does not match.*ask for"),
    "output-rank-0": (
        lambda: counting(finish=lambda graph, count: graph("ReduceMax", count, keepdims=0), rank=0),
        "output does not match",
    ),
    "output-count": (
        lambda: counting(finish=lambda graph, count: graph("Concat", *[unsqueezed(1)(graph, count)] * 2, axis=1)),
        r"output does not match its card: shape \[\d+, 2\]",
    ),
    "no-output": (no_output, "output does not match its card: the model has none"),
    "output-double": (lambda: output_type(TensorProto.DOUBLE), r"'logits' is tensor\(double\)"),
    "output-integer": (lambda: output_type(TensorProto.INT64), r"'logits' is tensor\(int64\)"),
    "output-text": (lambda: output_type(TensorProto.STRING), r"'logits' is tensor\(string\)"),
    "always-nan": (
        lambda: counting(finish=lambda graph, count: unsqueezed(1)(graph, graph("Log", graph("Neg", count)))),
        "gave NaN or infinite scores",
    ),
    "always-infinite": (
        lambda: counting(finish=lambda graph, count: unsqueezed(1)(graph, graph("Div", count, graph.constant(0)))),
        "gave NaN or infinite scores",
    ),
    "shorter-windows": (fixed_although_short, "failed on a batch of shape"),
}
