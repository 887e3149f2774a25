"""Multiply-accumulates of small graphs, worked out by hand from their shapes, and of a profile's events."""

import numpy as np
import pytest
import toys
from onnx import TensorProto, helper, numpy_helper

from genoscan.scanner.inference.session import ORT_ERRORS, read_model
from genoscan.scanner.throughput import multiply_accumulates
from genoscan.scanner.throughput.multiply_accumulates import FLOAT, INTEGER, Ran, count, window_multiply_accumulates

FLOATS, BYTES, SIGNED = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8
_DTYPES = {FLOATS: np.float32, BYTES: np.uint8, SIGNED: np.int8}


def counted(tmp_path, operator, inputs, weights=(), output=FLOATS, domain="", **attributes):
    """What a run of one operator is counted as. inputs: (type, shape) of what is fed, and with ``weights`` of what the
    file holds."""
    names = [f"x{number}" for number in range(len(inputs) + len(weights))]
    held = [
        numpy_helper.from_array(np.ones(shape, dtype=_DTYPES[kind]), name)
        for name, (kind, shape) in zip(names[len(inputs) :], weights, strict=True)
    ]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], domain=domain, **attributes)],
        "one",
        [helper.make_tensor_value_info(name, *one) for name, one in zip(names, inputs, strict=False)],
        [helper.make_tensor_value_info("y", output, None)],
        held,
    )
    opsets = [helper.make_opsetid("", 18), *([helper.make_opsetid(domain, 1)] if domain else [])]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    feeds = {name: np.ones(shape, dtype=_DTYPES[kind]) for name, (kind, shape) in zip(names, inputs, strict=False)}
    return count(multiply_accumulates.profiled(content, None, [feeds], tmp_path))


def scales(number):
    """A scale and a zero point, as quantized operators take them."""
    return [(FLOATS, ()), (number, ())]


@pytest.mark.parametrize(
    ("operator", "inputs", "weights", "attributes", "expected"),
    [
        # 10 places a channel, 6 channels, each over 4 channels of 3
        ("Conv", [(FLOATS, (1, 4, 12))], [(FLOATS, (6, 4, 3))], {}, 10 * 6 * 4 * 3),
        # stride 2: places 0, 2, 4, 6, 8 remain
        ("Conv", [(FLOATS, (1, 4, 12))], [(FLOATS, (6, 4, 3))], {"strides": [2]}, 5 * 6 * 4 * 3),
        # dilation 4: the kernel reaches over 9 bases, 4 places remain
        ("Conv", [(FLOATS, (1, 4, 12))], [(FLOATS, (6, 4, 3))], {"dilations": [4]}, 4 * 6 * 4 * 3),
        # two groups: each channel sees half of the input's
        ("Conv", [(FLOATS, (1, 4, 12))], [(FLOATS, (6, 2, 3))], {"group": 2}, 10 * 6 * 2 * 3),
        # three windows, padded to 12 places, in two dimensions of 12 x 1
        ("Conv", [(FLOATS, (3, 4, 12, 1))], [(FLOATS, (6, 4, 3, 1))], {"pads": [1, 0, 1, 0]}, 3 * 12 * 6 * 4 * 3),
        # every one of 4 x 12 inputs is spread over 6 channels of 3
        ("ConvTranspose", [(FLOATS, (1, 4, 12))], [(FLOATS, (4, 6, 3))], {"strides": [2]}, 4 * 12 * 6 * 3),
        ("MatMul", [(FLOATS, (5, 7)), (FLOATS, (7, 11))], [], {}, 5 * 7 * 11),
        # a batch of 2 x 3 products
        ("MatMul", [(FLOATS, (2, 3, 5, 7)), (FLOATS, (2, 3, 7, 11))], [], {}, 6 * 5 * 7 * 11),
        # the second is broadcast over the batch
        ("MatMul", [(FLOATS, (2, 3, 5, 7))], [(FLOATS, (7, 11))], {}, 6 * 5 * 7 * 11),
        # a vector
        ("MatMul", [(FLOATS, (2, 5, 7))], [(FLOATS, (7,))], {}, 2 * 5 * 7),
        ("Gemm", [(FLOATS, (5, 7))], [(FLOATS, (7, 11)), (FLOATS, (11,))], {}, 5 * 7 * 11),
        ("Gemm", [(FLOATS, (7, 5))], [(FLOATS, (11, 7))], {"transA": 1, "transB": 1}, 5 * 7 * 11),
        # 3 steps of 2 sequences; four gates of 5 over inputs of 7 and the state of 5
        ("LSTM", [(FLOATS, (3, 2, 7))], [(FLOATS, (1, 20, 7)), (FLOATS, (1, 20, 5))], {"hidden_size": 5},
         3 * 2 * (20 * 7 + 20 * 5)),
        ("Relu", [(FLOATS, (5, 7))], [], {}, None),
    ],
)  # fmt: skip
def test_floats(tmp_path, operator, inputs, weights, attributes, expected):
    assert counted(tmp_path, operator, inputs, weights, **attributes) == ({FLOAT: expected} if expected else {})


@pytest.mark.parametrize(
    ("operator", "inputs", "weights", "output", "attributes", "expected"),
    [
        ("MatMulInteger", [(BYTES, (2, 5, 7))], [(SIGNED, (7, 11))], TensorProto.INT32, {}, 2 * 5 * 7 * 11),
        ("ConvInteger", [(BYTES, (1, 4, 12))], [(BYTES, (6, 4, 3))], TensorProto.INT32, {}, 10 * 6 * 4 * 3),
        ("QLinearConv", [(BYTES, (1, 4, 12))],
         [*scales(BYTES), (SIGNED, (6, 2, 3)), *scales(SIGNED), *scales(BYTES)], BYTES, {"group": 2},
         10 * 6 * 2 * 3),
        ("QLinearMatMul", [(BYTES, (5, 7))], [*scales(BYTES), (SIGNED, (7, 11)), *scales(SIGNED), *scales(BYTES)],
         BYTES, {}, 5 * 7 * 11),
        ("MatMulIntegerToFloat", [(BYTES, (5, 7))], [(SIGNED, (7, 11)), (FLOATS, ()), (FLOATS, ())], FLOATS,
         {"domain": "com.microsoft"}, 5 * 7 * 11),
    ],
)  # fmt: skip
def test_bytes(tmp_path, operator, inputs, weights, output, attributes, expected):
    assert counted(tmp_path, operator, inputs, weights, output, **attributes) == {INTEGER: expected}


def test_attention_of_onnx_runtime(tmp_path):
    """2 windows of 5 tokens of 8 numbers: 8 x 24 weights a token, then each of 5 queries meets 5 keys and 5 values."""
    found = counted(tmp_path, "Attention", [(FLOATS, (2, 5, 8))], [(FLOATS, (8, 24)), (FLOATS, (24,))],
                    domain="com.microsoft", num_heads=2)  # fmt: skip
    assert found == {FLOAT: 2 * 5 * 8 * 24 + 2 * (2 * 5 * 5 * 8)}


def test_attention_of_several_heads(tmp_path):
    """Queries of 5 tokens meet 6 keys of 8 numbers and 6 values of 4."""
    inputs = [(FLOATS, (2, 5, 8)), (FLOATS, (2, 6, 8)), (FLOATS, (2, 6, 4))]
    found = counted(tmp_path, "MultiHeadAttention", inputs, domain="com.microsoft", num_heads=2)
    assert found == {FLOAT: 2 * 5 * 6 * 8 + 2 * 5 * 6 * 4}


def test_what_cannot_be_counted_is_not_guessed():
    product = Ran("MatMul", [(5, 7), (7, 11)], (5, 11))
    assert count(iter([product, product])) == {FLOAT: 2 * 5 * 7 * 11}
    assert count(iter([product, Ran("Einsum", [(5, 7), (7, 11)], (5, 11))])) is None


def test_a_kmer_bert(tmp_path):
    """2 layers of width 32 over 16 bases: 16 tokens of 3-mers, CLS and SEP. The same for one window and for three."""
    file = read_model(toys.write(tmp_path / "bert.onnx", toys.kmer_bert(window=16)), "cpu")
    tokens = 16 - 3 + 1 + 2
    layer = tokens * (4 + 8) * 32 * 32 + 2 * tokens * tokens * 32
    expected = {FLOAT: 2 * layer + 32 * 32 + 32 * 2}
    for windows in (1, 3):
        codes = np.random.default_rng(0).integers(0, 4, (windows, 16)).astype(np.uint8)
        assert window_multiply_accumulates(file, codes) == expected


def test_a_model_that_a_cpu_cannot_run(tmp_path, monkeypatch):
    def cannot(*_, **__):
        raise ORT_ERRORS[0]("no kernel")

    file = read_model(toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4)), "cpu")
    assert window_multiply_accumulates(file, np.zeros((1, 8), dtype=np.uint8)) == {}
    monkeypatch.setattr(multiply_accumulates.onnxruntime, "InferenceSession", cannot)
    assert window_multiply_accumulates(file, np.zeros((1, 8), dtype=np.uint8)) is None
