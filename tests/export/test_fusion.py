"""Attention in graphs: without masks that mask nothing, as one operator for ONNX Runtime and in pieces for TensorRT."""

import sys
from collections import Counter
from contextlib import suppress
from types import SimpleNamespace

import checkpoints
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from genoscan.export.attention import plain_attention
from genoscan.export.export import export_model, trace
from genoscan.export.families import CheckpointSettings, open_checkpoint
from genoscan.export.fusion import count_attentions, fuse_attention
from genoscan.export.tracing import to_onnx
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.inference import session
from genoscan.scanner.inference.session import open_model, read_card

LAYERS = 2
SETTINGS = CheckpointSettings(window=60, strand="forward")


def rotary(folder):
    return checkpoints.nucleotide_transformer(folder, num_hidden_layers=LAYERS, position_embedding_type="rotary")


def alibi(folder):
    return checkpoints.dnabert2(folder, num_hidden_layers=LAYERS)


def bert(folder):
    return checkpoints.dnabert(folder, num_hidden_layers=LAYERS)


@pytest.fixture(scope="module", params=[bert, rotary, alibi], ids=lambda make: make.__name__)
def traced(request, tmp_path_factory):
    """The family's name, its source, and its graph as it was traced."""
    folder = request.param(tmp_path_factory.mktemp("checkpoint") / request.param.__name__)
    source = open_checkpoint(folder, SETTINGS)
    return request.param.__name__, source, trace(source, "fp32")


def kinds(model):
    return Counter(node.op_type for node in model.graph.node)


def run(model, tensor):
    held = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return held.run(None, {held.get_inputs()[0].name: tensor})[0]


def test_full_windows_have_no_mask(traced):
    """k-mers fill their windows: a softmax reads products of queries and keys, and nothing that was added to them."""
    name, _, model = traced
    makers = {output: node for node in model.graph.node for output in node.output}
    read = [makers[node.input[0]].op_type for node in model.graph.node if node.op_type == "Softmax"]
    assert read == ["Add" if name == "alibi" else "MatMul" if name == "rotary" else "Mul"] * LAYERS
    within = [node.op_type for node in model.graph.node if ".attention" in node.name]
    assert not {"Where", "IsNaN", "And", "Not", "Equal"} & set(within)
    if name == "bert":
        assert not {"Where", "IsNaN", "And", "Not", "Equal"} & set(kinds(model))


def test_every_attention_becomes_one_operator(traced):
    _, source, model = traced
    assert len(count_attentions(model).unfused) == LAYERS
    assert {node.domain for node in model.graph.node} == {""}
    for pack in (True, False):
        fused = fuse_attention(model, pack)
        onnx.checker.check_model(fused, full_check=True)
        assert (count_attentions(fused).fused, count_attentions(fused).unfused) == (LAYERS, ())
        assert "Softmax" not in kinds(fused)
        tokens = np.random.default_rng(3).integers(5, 60, (3, 20 if traced[0] != "bert" else 60))
        with torch.inference_mode():
            expected = source.network(torch.from_numpy(tokens)).numpy()
        assert expected.std() > 1e-3
        np.testing.assert_allclose(run(fused, tokens), expected, atol=2e-5)


def test_weights_are_packed_as_constants_and_rotary_positions_are_one_operator(traced):
    name, _, model = traced
    found = kinds(fuse_attention(model))
    assert "Softmax" not in found
    if name == "bert":
        assert found["Attention"] == LAYERS
        assert "Concat" not in found
    if name == "rotary":
        assert found["RotaryEmbedding"] == 2 * LAYERS
        assert "Neg" not in found


class Heads(nn.Module):
    """Attention of a user's own network over one-hot bases."""

    def __init__(self, odd):
        super().__init__()
        torch.manual_seed(0)
        self.mix, self.out, self.odd = nn.Linear(4, 24), nn.Linear(8, 1), odd

    def forward(self, sequence):
        query, key, value = self.mix(sequence.transpose(1, 2)).unflatten(2, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(2, 3) * 0.5
        weights = (scores.tanh() * 3).softmax(-1) if self.odd else scores.softmax(-1)
        return self.out((weights @ value).transpose(1, 2).flatten(2).mean(1))


@pytest.mark.parametrize("odd", [False, True])
def test_a_network_of_the_users_own(odd):
    model = to_onnx(Heads(odd), (torch.rand(2, 4, 30),), {0: "batch"}, ("sequence",))
    found = count_attentions(fuse_attention(model))
    assert (found.fused, len(found.unfused)) == ((0, 1) if odd else (1, 0))


def test_what_is_not_recognised_is_said(tmp_path, monkeypatch):
    nets = SimpleNamespace(build=lambda: Heads(odd=True))
    torch.save(nets.build().state_dict(), tmp_path / "odd.pt")
    monkeypatch.setitem(sys.modules, "odd_nets", nets)
    said = []
    settings = CheckpointSettings(input="one-hot", window=30, task="regression", module="odd_nets:build")
    export_model(tmp_path / "odd.pt", tmp_path / "odd.onnx", settings=settings, windows=4, say=said.append)
    assert [line for line in said if line.startswith("attention was not recognised in 1 places (")]
    assert read_card(tmp_path / "odd.onnx").provenance.attention == "unfused"


@pytest.mark.parametrize(("runtime", "layout"), [("onnxruntime", "fused"), ("tensorrt", "unfused")])
def test_the_card_says_which_layout(tmp_path, runtime, layout, monkeypatch):
    output = tmp_path / "m.onnx"
    said = []
    export_model(bert(tmp_path / "c"), output, settings=SETTINGS, windows=4, runtime=runtime, say=said.append)
    assert read_card(output).provenance.attention == layout
    domains = {node.domain for node in onnx.load(output).graph.node}
    assert domains == ({"", "com.microsoft"} if layout == "fused" else {""})
    assert not [line for line in said if "not recognised" in line]
    monkeypatch.setattr(session, "require_device", lambda _: None)
    problem = "export it with --for tensorrt" if layout == "fused" else "could not start|cannot run"
    monkeypatch.setattr(session, "tensorrt_version", lambda: 101200)
    monkeypatch.setenv("GENOSCAN_CACHE", str(tmp_path))
    with pytest.raises(GenoscanError, match=problem):
        open_model(output, "tensorrt")


def test_int8_is_not_for_tensorrt(tmp_path):
    with pytest.raises(UsageError, match="int8 is for CPUs"):
        export_model(tmp_path, tmp_path / "m.onnx", "int8", runtime="tensorrt")


def test_attention_is_as_it_was_after_tracing(tmp_path):
    source = open_checkpoint(bert(tmp_path / "c"), SETTINGS)
    configs = [one.config for one in source.network.modules() if hasattr(one, "config")]
    before = [config._attn_implementation for config in configs]
    with suppress(RuntimeError), plain_attention(source.network):
        assert {config._attn_implementation for config in configs} == {"genoscan"}
        raise RuntimeError
    assert [config._attn_implementation for config in configs] == before
