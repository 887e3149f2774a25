"""Smaller numbers for a float32 graph: half precision, and 8-bit integers calibrated on sequence."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

QUANTIZED = ("Add", "Clip", "Concat", "Conv", "MatMul", "Gemm", "Mul", "Relu", "Slice", "Transpose")
"""Operators that run on bytes in an int8 model. What lies between two of them must be one too, or each loses time."""


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with half-precision weights and arithmetic; inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half = onnx.ModelProto()
    half.CopyFrom(model)
    with _quiet():
        return convert_float_to_float16(half, keep_io_types=True)


def to_int8(model: onnx.ModelProto, batches: Sequence[np.ndarray]) -> onnx.ModelProto:
    """The model with int8 weights (one scale an output channel) and uint8 activations, ranges taken from ``batches``.

    batches: inputs of the model, of the kinds of sequence that it will see; the ranges are their extremes.

    Written as QDQ: the runtime fuses it to QLinearConv in channels-last order, other providers than the CPU's can use
    it, and it was as fast as the QOperator form (5 % faster on one core). The last layer stays in float32, because
    logits in 255 steps would lose what lies about the threshold.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="genoscan") as folder, _quiet():
        prepared, quantized = Path(folder, "prepared.onnx"), Path(folder, "quantized.onnx")
        onnx.save(model, prepared)
        quant_pre_process(str(prepared), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(prepared)
        quantize_static(
            graph,
            str(quantized),
            _reader(graph.graph.input[0].name, batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            nodes_to_exclude=_last_layer(graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantized)


def _last_layer(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes from the last matrix product or convolution to the output."""
    makers = {output: node for node in model.graph.node for output in node.output}
    names, node = [], makers.get(model.graph.output[0].name)
    while node is not None:
        names.append(node.name)
        if node.op_type in ("MatMul", "Gemm", "Conv"):
            return names
        node = next((makers[name] for name in node.input if name in makers), None)
    return names


def _reader(name: str, batches: Sequence[np.ndarray]):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.rest, None)
            return None if batch is None else {name: batch}

    return Reader()


def set_metadata(model: onnx.ModelProto, entries: dict[str, str]) -> onnx.ModelProto:
    """A copy of the model whose metadata is ``entries`` and nothing else."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    helper.set_model_props(copy, entries)
    return copy


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The tools log advice to the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
