"""int8 in transformers: what is quantized, what stays float, and that windows do not disturb each other."""

import checkpoints
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from genoscan.export import export as export_module
from genoscan.export.export import export_model, trace
from genoscan.export.families import CheckpointSettings, open_checkpoint
from genoscan.export.fusion import fuse_attention
from genoscan.export.parity import Limits
from genoscan.export.quantization import choose_float_layers, layers, sensitivities, to_int8, with_float_layers
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.inference.session import open_model, read_card

SETTINGS = CheckpointSettings(window=40, strand="forward")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoints.dnabert(tmp_path_factory.mktemp("int8") / "bert", num_hidden_layers=2, initializer_range=0.2)


@pytest.fixture(scope="module")
def graphs(checkpoint):
    """The float graph, the quantized one, and batches of tokens."""
    model = fuse_attention(trace(open_checkpoint(checkpoint, SETTINGS), "fp32"), pack=False)
    batches = [np.random.default_rng(seed).integers(5, 69, (1, 40)) for seed in range(8)]
    return model, to_int8(model, batches), batches


def run(model, batch):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input_ids": batch})[0]


def byte_weights(model):
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer if one.data_type == 3 and one.dims}


def test_every_product_with_weights_but_the_last_is_on_bytes(graphs):
    model, quantized, _ = graphs
    assert len(layers(model)) == 2 * 6 + 1  # of each layer six, and the pooler
    matrices = [one for one in byte_weights(quantized).values() if one.ndim == 2]
    assert len(matrices) == len(layers(model))
    for one in matrices:
        assert one.dtype == np.int8
        assert np.abs(one.astype(int)).max() <= 64  # seven bits: no overflow on processors without VNNI


def test_a_scale_for_each_output_channel(graphs):
    _, quantized, _ = graphs
    scales = [one for one in quantized.graph.initializer if one.name.endswith("_scale") and list(one.dims) == [32]]
    assert scales
    assert len(np.unique(numpy_helper.to_array(scales[0]))) > 16


def test_layers_go_back_to_float(graphs):
    model, quantized, batches = graphs
    expected = run(model, batches[0])
    nothing_left = with_float_layers(quantized, model, layers(model))
    assert not [one for one in byte_weights(nothing_left).values() if one.ndim == 2]
    np.testing.assert_allclose(run(nothing_left, batches[0]), expected, atol=1e-5)
    one_back = with_float_layers(quantized, model, layers(model)[:1])
    assert len([one for one in byte_weights(one_back).values() if one.ndim == 2]) == len(layers(model)) - 1
    onnx.checker.check_model(one_back, full_check=True)


def test_the_fewest_layers_that_suffice(graphs):
    model, quantized, batches = graphs
    ranked = [name for name, _ in sensitivities(quantized, model, batches)]
    assert sorted(ranked) == sorted(layers(model))

    def needs(count):
        wanted = set(ranked[:count])
        return lambda graph: (
            wanted
            <= {
                node.name
                for node in graph.graph.node
                if node.op_type in ("MatMul", "Gemm") and "Dequ" not in node.input[1]
            }
        )

    assert choose_float_layers(quantized, model, batches, needs(0)) == ()
    for count in (1, 3, 6):
        assert choose_float_layers(quantized, model, batches, needs(count)) == tuple(ranked[:count])


def test_sensitivity_is_the_result_s_move(graphs):
    model, quantized, batches = graphs
    (name, moved), *_ = sensitivities(quantized, model, batches)
    alone = with_float_layers(quantized, model, [one for one in layers(model) if one != name])
    apart = np.concatenate([run(alone, batch) - run(model, batch) for batch in batches])
    assert moved == pytest.approx(np.sqrt(np.mean(apart.astype(np.float64) ** 2)), rel=1e-3)


def test_a_window_s_score_does_not_depend_on_its_batch(checkpoint, tmp_path):
    output = tmp_path / "m.onnx"
    export_model(checkpoint, output, "int8", limits=Limits(), windows=8, settings=SETTINGS)
    tokens = np.random.default_rng(1).integers(5, 69, (8, 40))
    whole, alone = open_model(output, "cpu", 8), open_model(output, "cpu", 1)
    one_by_one = np.concatenate([alone.run(tokens[row : row + 1]) for row in range(8)])
    np.testing.assert_allclose(whole.run(tokens), one_by_one, atol=1e-6)
    assert one_by_one.std() > 1e-3


def test_what_stays_float_is_said_and_on_the_card(checkpoint, tmp_path, monkeypatch):
    chosen = {}

    def first_two(_quantized, model, *_):
        chosen["names"] = tuple(layers(model)[:2])
        return chosen["names"]

    monkeypatch.setattr(export_module, "choose_float_layers", first_two)
    said, output = [], tmp_path / "m.onnx"
    export_model(checkpoint, output, "int8", limits=Limits(), windows=4, settings=SETTINGS, say=said.append)
    assert read_card(output).provenance.float_layers == chosen["names"]
    (line,) = [line for line in said if "stay in float32" in line]
    assert line.endswith(", ".join(chosen["names"]))


def test_int8_that_does_not_agree_names_a_layer(checkpoint, tmp_path):
    with pytest.raises(GenoscanError, match=r"does not agree with .*layer .* adds most to the difference"):
        export_model(checkpoint, tmp_path / "m.onnx", "int8", limits=Limits(mean=1e-9), windows=4, settings=SETTINGS)
    assert not (tmp_path / "m.onnx").exists()


def test_half_precision_keeps_in_float_what_overflows(tmp_path):
    """A layer whose results pass 65,504 goes back to float32 by itself."""
    folder = checkpoints.dnabert(tmp_path / "bert")
    from transformers import BertForSequenceClassification

    net = BertForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        net.bert.encoder.layer[0].output.dense.weight *= 1e6
        net.bert.encoder.layer[0].output.dense.bias *= 1e6
    net.save_pretrained(folder)
    report = export_model(folder, tmp_path / "half.onnx", "fp16", windows=8, settings=SETTINGS)
    assert all(one.finite and one.largest < 0.01 for one in report.differences.values())
    kept = read_card(tmp_path / "half.onnx").provenance.float_layers
    assert any("output.dense" in name for name in kept)
