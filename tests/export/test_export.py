"""From a checkpoint to an .onnx: a tiny network with random weights all the way through."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from genoscan.export import export as export_module
from genoscan.export.export import export_model
from genoscan.export.families import open_checkpoint
from genoscan.export.parity import Limits, encode_windows, sample_windows
from genoscan.export.spectrum_layouts import SpectrumFloatLayout, SpectrumIntegerLayout
from genoscan.export.tracing import to_onnx
from genoscan.scanner.card import CARD_KEY, parse_card
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.inference.session import open_model
from genoscan.training.checkpoint import Checkpoint, build_net, save_checkpoint
from genoscan.training.recipe import load_recipe

DATE = "2025-01-02T03:04:05+00:00"


def recipe():
    bundled = load_recipe("repeats")
    net = bundled.net.model_copy(update={"lags": 64, "width": 8, "dilations": (1, 2, 4)})
    sizes = {"window": 1024, "step": 768, "context": 128, "shortest_window": 256}
    return bundled.model_copy(update={"net": net, "card": bundled.card.model_copy(update=sizes)})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A run folder with a best.pt of random weights, scaled so that scores fall on both sides of the threshold."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(1)
    net = build_net(recipe())
    with torch.no_grad():
        net.out.weight *= 8
    history = [
        {"epoch": 1, "step": 10, "mcc": 0.5, "seconds": 3.0, "slope": 5.0, "offset": 5.0},
        {"epoch": 2, "step": 20, "mcc": 0.75, "seconds": 3, "slope": 1.5, "offset": 0.25},
    ]
    state = Checkpoint(recipe(), net.state_dict(), {}, torch.get_rng_state(), 20, "0.0.9", history=history)
    save_checkpoint(folder / "best.pt", state)
    sessions = [{"date": DATE, "from_step": 0}, {"date": "2026-01-01T00:00:00+00:00", "from_step": 20}]
    (folder / "run.json").write_text(json.dumps({"backgrounds": [], "sessions": sessions}))
    return folder / "best.pt"


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    """Precision to (file, report)."""
    folder = tmp_path_factory.mktemp("exported")
    return {
        precision: (
            folder / f"{precision}.onnx",
            export_model(checkpoint, folder / f"{precision}.onnx", precision, windows=4),
        )
        for precision in ("fp32", "fp16", "int8")
    }


@pytest.mark.parametrize("layout", [SpectrumFloatLayout, SpectrumIntegerLayout])
def test_layouts_compute_what_the_network_computes(checkpoint, layout):
    source = open_checkpoint(checkpoint)
    example = torch.zeros(2, 64, source.network.net.stem.in_channels, dtype=torch.uint8)
    graph = to_onnx(layout(source.network.net), (example,), {0: "batch", 1: "bins"}, ("spectrum",))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    for windows in sample_windows(source.card, 3, 3).values():
        windows[1, 500:540] = 4  # unknown bases inside, that fill no bin at either end
        features = encode_windows(source.card, windows)
        with torch.no_grad():
            expected = source.network(torch.from_numpy(features)).numpy()
        np.testing.assert_allclose(session.run(None, {"spectrum": features})[0], expected, atol=2e-4, rtol=1e-4)
        assert expected.std() > 0.5


def test_integer_products_have_byte_weights(checkpoint):
    net = open_checkpoint(checkpoint).network.net
    example = torch.zeros(2, 64, net.stem.in_channels, dtype=torch.uint8)
    graph = to_onnx(SpectrumIntegerLayout(net), (example,), {0: "batch", 1: "bins"}, ("spectrum",)).graph
    products = [node for node in graph.node if node.op_type == "MatMulIntegerToFloat"]
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    shapes = [constants[node.input[1]].shape for node in products]
    assert sorted(shapes) == sorted([(net.stem.in_channels, net.width), (3 * net.local.in_channels, net.width)])
    for node in products:
        assert constants[node.input[1]].dtype == np.int8
        assert np.abs(constants[node.input[1]].astype(int)).max() == 63


def test_the_checkpoint_has_both_labels(checkpoint):
    source = open_checkpoint(checkpoint)
    features = torch.from_numpy(encode_windows(source.card, sample_windows(source.card, 2, 4)["random"]))
    with torch.no_grad():
        share = (source.network(features) > 0).float().mean()
    assert 0.05 < share < 0.95


def test_parity_holds(exported):
    assert set(exported["fp32"][1].differences) == {"random", "simulated"}
    for one in exported["fp32"][1].differences.values():
        assert one.largest <= 1e-4
        assert one.agreement > 0.9995
    for one in exported["fp16"][1].differences.values():
        assert 0 < one.largest <= 1e-2
    for one in exported["int8"][1].differences.values():
        assert one.largest <= 1e-4  # whole numbers lose nothing


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_card_says_where_the_model_comes_from(exported, precision):
    path, report = exported[precision]
    model = onnx.load(path)
    card = parse_card({entry.key: entry.value for entry in model.metadata_props}[CARD_KEY], str(path))
    assert card.name == "repeats"
    assert card.input.lags == 64
    assert (card.window, card.step, card.context, card.shortest_window) == (1024, 768, 128, 256)
    provenance = card.provenance
    assert provenance.metrics == {"step": 20, "epoch": 2, "mcc": 0.75, "slope": 1.5, "offset": 0.25}
    assert provenance.licence == "MIT"
    assert provenance.code_version == "0.0.9"
    assert provenance.date == DATE  # of the session that did the steps, not of one that found nothing to do
    assert provenance.precision == precision
    assert provenance.parity == report.figures()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_file_is_whole_and_silent_about_its_maker(exported, precision):
    path, _ = exported[precision]
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path, load_external_data=False)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert [entry.key for entry in model.metadata_props] == [CARD_KEY]
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert not any(words in path.read_bytes() for words in (b"tracing.py", b"site-packages", b"forward"))
    assert max(one.version for one in model.opset_import if one.domain == "") >= 18
    assert [path.name for path in path.parent.glob("*.partial*")] == []


def test_the_scanner_opens_it_and_gives_the_networks_scores(checkpoint, exported):
    source = open_checkpoint(checkpoint)
    tensor = encode_windows(source.card, sample_windows(source.card, 9, 2)["simulated"])
    with torch.no_grad():
        expected = source.network(torch.from_numpy(tensor)).numpy()
    model = open_model(exported["fp32"][0], device="cpu", batch_size=2)
    np.testing.assert_allclose(model.run(tensor), expected, atol=1e-3)
    assert model.encoder.names[0] == onnx.load(exported["fp32"][0]).graph.input[0].name


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_batch_and_bins_are_free(exported, precision):
    session = onnxruntime.InferenceSession(exported[precision][0], providers=["CPUExecutionProvider"])
    (tensor,) = session.get_inputs()
    features = tensor.shape[2]
    for batch, bins in [(1, 2), (3, 18), (2, 64)]:
        (scores,) = session.run(None, {tensor.name: np.zeros((batch, bins, features), dtype=np.uint8)})
        assert scores.shape == (batch, bins * 16, 1)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_same_input_gives_the_same_bytes(checkpoint, exported, tmp_path, precision):
    again = tmp_path / "again.onnx"
    export_model(checkpoint.parent, again, precision, limits=Limits(), windows=4)
    assert again.read_bytes() == exported[precision][0].read_bytes()


def test_a_genome_is_compared_on_too(checkpoint, tmp_path):
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">a\n" + "ACGTTGCAAC" * 300 + "\n")
    report = export_model(checkpoint, tmp_path / "m.onnx", "int8", genome=fasta, windows=2)
    assert set(report.differences) == {"random", "simulated", "real"}


def test_a_perturbed_export_is_refused_and_nothing_is_overwritten(checkpoint, tmp_path, monkeypatch):
    trace = export_module.trace

    def perturbed(*arguments):
        model = trace(*arguments)
        tensor = max(model.graph.initializer, key=lambda one: np.prod(one.dims, dtype=int))
        values = numpy_helper.to_array(tensor).copy()
        values.flat[: values.size // 2] *= 1.5
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return model

    monkeypatch.setattr(export_module, "trace", perturbed)
    output = tmp_path / "model.onnx"
    output.write_bytes(b"what was there")
    with pytest.raises(GenoscanError) as caught:
        export_model(checkpoint, output, "fp32", windows=2)
    message = str(caught.value)
    assert message.startswith(
        f"{output}: not written: the fp32 model does not agree with {checkpoint}: random sequence: "
    )
    assert "largest difference" in message
    assert "\n" not in message
    assert output.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [output]
    report = export_model(checkpoint, output, "fp32", limits=Limits(), windows=2)  # whoever insists
    assert max(one.largest for one in report.differences.values()) > 1e-4


def test_unknown_checkpoints(checkpoint, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a checkpoint")
    other = tmp_path / "other.pt"
    torch.save({"model": torch.zeros(2)}, other)
    folder = tmp_path / "folder"
    folder.mkdir()
    wide = tmp_path / "wide.pt"
    weights = torch.load(checkpoint, weights_only=True)["weights"]
    weights["stem.bias"] = torch.zeros(9)
    save_checkpoint(wide, Checkpoint(recipe(), weights, {}, torch.get_rng_state(), 1, "0"))
    output = tmp_path / "out.onnx"
    for path, kind, words in [
        (tmp_path / "absent.pt", UsageError, "no such checkpoint"),
        (text, GenoscanError, r"not a checkpoint that can be exported; these can: best\.pt or last\.pt"),
        (folder, GenoscanError, "not a checkpoint that can be exported"),
        (other, GenoscanError, "not a checkpoint of `genoscan train`"),
        (wide, GenoscanError, "weights do not fit its own recipe"),
    ]:
        with pytest.raises(kind, match=words) as caught:
            export_model(path, output)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not output.exists()


def test_wrong_arguments(checkpoint, tmp_path):
    with pytest.raises(UsageError, match="unknown precision 'fp8'"):
        export_model(checkpoint, tmp_path / "m.onnx", "fp8")
    for output in (tmp_path, tmp_path / "absent" / "m.onnx"):
        with pytest.raises(UsageError, match="give -o a file name"):
            export_model(checkpoint, output)
