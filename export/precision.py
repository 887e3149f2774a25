"""Half precision for a float32 graph, and what is written into a model beside its graph."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator

import onnx
from onnx import helper


def to_fp16(model: onnx.ModelProto, float_nodes: Collection[str] = ()) -> onnx.ModelProto:
    """The model with half-precision weights and arithmetic; inputs and outputs keep their types, and the nodes of those
    names their float32."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half = onnx.ModelProto()
    half.CopyFrom(model)
    with quiet():
        return convert_float_to_float16(half, keep_io_types=True, node_block_list=list(float_nodes))


def set_metadata(model: onnx.ModelProto, entries: dict[str, str]) -> onnx.ModelProto:
    """A copy of the model whose metadata is ``entries`` and nothing else."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    helper.set_model_props(copy, entries)
    return copy


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the advice that the tools log to the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
