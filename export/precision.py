"""Half precision for a float32 graph, and what is written into a model beside its graph."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator

import onnx
import onnx_ir as ir
from onnx import helper
from onnx_ir.passes.common import RemoveUnusedNodesPass, TopologicalSortPass


def to_fp16(model: onnx.ModelProto, float_nodes: Collection[str] = ()) -> onnx.ModelProto:
    """The model with half-precision weights and arithmetic; inputs and outputs keep their types, and the nodes of those
    names their float32."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half = onnx.ModelProto()
    half.CopyFrom(model)
    with quiet():
        converted = convert_float_to_float16(half, keep_io_types=True, node_block_list=list(float_nodes))
    del converted.graph.value_info[:]  # which has the types wrong of what such nodes give
    _skip_casts_between(converted, set(float_nodes))
    graph = ir.from_proto(converted)
    RemoveUnusedNodesPass()(graph)
    TopologicalSortPass()(graph)  # casts about nodes that stay come last
    return ir.to_proto(graph)


def _skip_casts_between(model: onnx.ModelProto, float_nodes: Collection[str]) -> None:
    """Let nodes that stay float32 hand on float32 to each other: half precision in between would overflow."""
    makers = {output: node for node in model.graph.node for output in node.output}

    def source(name: str) -> str:
        back = makers.get(name)
        there = makers.get(back.input[0]) if back is not None and back.op_type == "Cast" else None
        maker = makers.get(there.input[0]) if there is not None and there.op_type == "Cast" else None
        return there.input[0] if maker is not None and maker.name in float_nodes else name

    for node in model.graph.node:
        if node.name in float_nodes:
            node.input[:] = [source(name) for name in node.input]


def set_metadata(model: onnx.ModelProto, entries: dict[str, str]) -> None:
    """Let the model's metadata be ``entries`` and nothing else. In place: a copy of a large model takes gigabytes."""
    del model.metadata_props[:]
    helper.set_model_props(model, entries)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the advice that the tools log to the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
