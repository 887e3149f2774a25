"""8-bit integers for a float32 graph: weights in int8, one scale an output channel; what they are multiplied with in
uint8, its range calibrated on sequence.

Ranges are fixed when the model is made and not taken from each batch: a window's score must not depend on what it
shares a batch with.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from ..scanner.encoding.encoder import named_tensors
from .files import cpu_session, inputs_of
from .precision import quiet

PRODUCTS = ("Conv", "MatMul", "Gemm")
CONVOLUTIONAL = ("Add", "Clip", "Concat", "Conv", "MatMul", "Gemm", "Mul", "Relu", "Slice", "Transpose")
"""Operators that run on bytes in an int8 network of convolutions. What lies between two of them must be one too, or
each loses time."""
_COMPUTED_ALONE = 32
"""Windows that tell how much a layer matters."""


def to_int8(model: onnx.ModelProto, batches: Sequence[np.ndarray]) -> onnx.ModelProto:
    """The model with its products on bytes, ranges taken from ``batches``; the last layer stays as it is, because
    logits in 255 steps would lose what lies about the threshold.

    batches: inputs of the model, of the kinds of sequence that it will see; the ranges are their extremes.

    In a network of convolutions what lies between them is on bytes, too; elsewhere (transformers) only the matrix
    products with weights: softmax, normalization and GELU are floating point, as their results would lose too much.
    Weights have 7 bits, so that processors without VNNI, which add two products in 16 bits, cannot overflow.

    Written as QDQ: the runtime fuses it to QLinearConv and MatMulIntegerToFloat, and other providers than the CPU's can
    use it.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    convolutional = _is_convolutional(model)
    options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    if not convolutional:
        options["OpTypesToExcludeOutputQuantization"] = list(PRODUCTS)
    with tempfile.TemporaryDirectory(prefix="genoscan") as folder, quiet():
        prepared, quantized = Path(folder, "prepared.onnx"), Path(folder, "quantized.onnx")
        onnx.save(model, prepared)
        if convolutional:
            quant_pre_process(str(prepared), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(prepared)
        _forget_shapes_of_weights(graph)
        quantize_static(
            graph,
            str(quantized),
            _reader([one.name for one in graph.graph.input], batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(CONVOLUTIONAL if convolutional else PRODUCTS),
            nodes_to_quantize=None if convolutional else layers(graph),
            nodes_to_exclude=_last_layer(graph),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options=options,
        )
        made = onnx.load(quantized)
    if convolutional:
        return made
    # The quantizer gives the same bytes to whoever reads what a product reads: residual sums, too, which need not lose.
    products = set(layers(graph))
    others = [node.name for node in graph.graph.node if node.name and node.name not in products]
    return with_float_layers(made, graph, others)


def _is_convolutional(model: onnx.ModelProto) -> bool:
    """Whether convolutions are what the network is made of, and not what makes patches for a transformer."""
    kinds = {node.op_type for node in model.graph.node}
    return "Conv" in kinds and not any("LayerNormalization" in kind for kind in kinds)


def layers(model: onnx.ModelProto) -> list[str]:
    """Names of the products with weights, the last one aside."""
    constants, last = {tensor.name for tensor in model.graph.initializer}, _last_layer(model)
    return [
        node.name
        for node in model.graph.node
        if node.op_type in PRODUCTS and node.input[1] in constants and node.name not in last
    ]


def with_float_layers(quantized: onnx.ModelProto, model: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """The quantized model with some nodes reading what they read in ``model``."""
    originals = {node.name: node for node in model.graph.node if node.name in names}
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    mixed = onnx.ModelProto()
    mixed.CopyFrom(quantized)
    present = {tensor.name for tensor in mixed.graph.initializer}
    present.update(name for node in mixed.graph.node for name in node.output)  # biases are made under their own name
    for node in mixed.graph.node:
        if node.name in originals:
            node.input[:] = originals[node.name].input
            missing = [weights[one] for one in node.input if one in weights and one not in present]
            mixed.graph.initializer.extend(missing)
            present.update(tensor.name for tensor in missing)
    graph = ir.from_proto(mixed)
    RemoveUnusedNodesPass()(graph)
    return ir.to_proto(graph)


def choose_float_layers(
    quantized: onnx.ModelProto,
    model: onnx.ModelProto,
    batches: Sequence[np.ndarray],
    accepted: Callable[[onnx.ModelProto], bool],
) -> tuple[str, ...]:
    """The fewest layers that must stay in floating point for ``accepted`` to say yes to the model: none, or those whose
    quantization alone moves the results most, up to half of all. Half of all where even that is not enough.
    """
    if accepted(quantized):
        return ()
    ranked = [name for name, _ in sensitivities(quantized, model, batches)]
    low, high = 0, max(1, len(ranked) // 2)
    while high - low > 1:
        middle = (low + high) // 2
        if accepted(with_float_layers(quantized, model, ranked[:middle])):
            high = middle
        else:
            low = middle
    return tuple(ranked[:high])


def sensitivities(
    quantized: onnx.ModelProto, model: onnx.ModelProto, batches: Sequence[np.ndarray]
) -> list[tuple[str, float]]:
    """Layers and how far the results move when that layer alone is quantized (root mean square), most first."""
    present = {node.name for node in quantized.graph.node}
    names, some = [name for name in layers(model) if name in present], batches[:_COMPUTED_ALONE]
    expected = _results(model, some)
    moved = {}
    for name in names:
        alone = with_float_layers(quantized, model, [other for other in names if other != name])
        apart = [got - want for got, want in zip(_results(alone, some), expected, strict=True)]
        moved[name] = math.sqrt(np.mean([np.mean(one.astype(np.float64) ** 2) for one in apart]))
    return sorted(moved.items(), key=lambda entry: -entry[1])


def _results(model: onnx.ModelProto, batches: Sequence[np.ndarray]) -> list[np.ndarray]:
    session = cpu_session(model)
    return [session.run(None, inputs_of(session, batch))[0] for batch in batches]


def _forget_shapes_of_weights(model: onnx.ModelProto) -> None:
    """The quantizer transposes some and trips over what is noted of them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    others = [one for one in model.graph.value_info if one.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(others)


def _last_layer(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes from the last matrix product or convolution to the output."""
    makers = {output: node for node in model.graph.node for output in node.output}
    names, node = [], makers.get(model.graph.output[0].name)
    while node is not None:
        names.append(node.name)
        if node.op_type in PRODUCTS:
            return names
        node = next((makers[name] for name in node.input if name in makers), None)
    return names


def _reader(names: Sequence[str], batches: Sequence[np.ndarray]):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.rest, None)
            return None if batch is None else named_tensors(batch, names)

    return Reader()
