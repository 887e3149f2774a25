"""Precisions on a tiny graph whose numbers are known, without a network."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from genoscan.export.precision import set_metadata, to_fp16
from genoscan.export.quantization import to_int8


def graph(weights):
    """Bytes (batch, bins, 4) / 32 -> dense, relu -> dense: logits float32."""
    first, second = weights
    constants = [
        numpy_helper.from_array(np.float32(1 / 32), "factor"),
        numpy_helper.from_array(first, "first"),
        numpy_helper.from_array(second, "second"),
    ]
    nodes = [
        helper.make_node("Cast", ["x"], ["cast"], "cast_node", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "factor"], ["scaled"], "mul_node"),
        helper.make_node("MatMul", ["scaled", "first"], ["hidden"], "hidden_node"),
        helper.make_node("Relu", ["hidden"], ["relu"], "relu_node"),
        helper.make_node("MatMul", ["relu", "second"], ["logits"], "last_node"),
    ]
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", "bins", 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "bins", 1])],
        constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.fixture(scope="module")
def weights():
    generator = np.random.default_rng(0)
    return generator.normal(size=(4, 8)).astype(np.float32), generator.normal(size=(8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(1).integers(0, 256, (2, 300, 4), dtype=np.uint8)


def run(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (tensor,) = session.get_inputs()
    assert tensor.type == "tensor(uint8)"
    (result,) = session.run(None, {tensor.name: x})
    assert result.dtype == np.float32
    return result


def exact(weights, x):
    return np.maximum(x.astype(np.float64) / 32 @ weights[0], 0) @ weights[1]


def test_fp16_keeps_types_and_halves_the_weights(weights, inputs):
    model = graph(weights)
    half = to_fp16(model)
    kinds = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert kinds["first"] == kinds["second"] == TensorProto.FLOAT16
    assert {tensor.data_type for tensor in model.graph.initializer} == {TensorProto.FLOAT}
    want = exact(weights, inputs)
    np.testing.assert_allclose(run(half, inputs), want, atol=2e-3 * np.abs(want).max())


def test_int8_leaves_the_last_layer(weights, inputs):
    model = to_int8(graph(weights), [inputs[:1], inputs[1:]])
    onnx.checker.check_model(model, full_check=True)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    np.testing.assert_array_equal(constants["second"], weights[1])
    quantized = [
        one for name, one in constants.items() if name.startswith("first") and one.dtype == np.int8 and one.ndim
    ]
    assert any(
        one.shape == (4, 8) and np.abs(one).max(axis=0).min() in (63, 64) for one in quantized
    )  # a scale a column


def test_int8_is_near(weights, inputs):
    want = exact(weights, inputs)
    got = run(to_int8(graph(weights), [inputs]), inputs)
    apart = np.abs(got - want)
    assert 0 < apart.max() < 0.03 * np.abs(want).max()


def test_int8_range_comes_from_the_batches(weights, inputs):
    """Calibrated on small numbers only, large ones saturate."""
    small = to_int8(graph(weights), [inputs // 8])
    want = exact(weights, inputs)
    assert np.abs(run(small, inputs) - want).max() > 0.2 * np.abs(want).max()


def test_metadata_replaces_what_was_there(weights):
    model = graph(weights)
    set_metadata(model, {"old": "1"})
    set_metadata(model, {"genoscan": "card"})
    assert {entry.key: entry.value for entry in model.metadata_props} == {"genoscan": "card"}


def test_fp16_leaves_layers_inside_in_float(weights, inputs):
    model = graph(weights)
    mixed = to_fp16(model, ["hidden_node", "relu_node"])
    onnx.checker.check_model(mixed, full_check=True)
    constants = {tensor.name: tensor.data_type for tensor in mixed.graph.initializer}
    assert constants["first"] == TensorProto.FLOAT
    assert constants["second"] == TensorProto.FLOAT16
    np.testing.assert_allclose(run(mixed, inputs), exact(weights, inputs), atol=0.05)
