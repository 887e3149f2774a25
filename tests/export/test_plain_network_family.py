"""Networks of the user's own: weights in a file and a function that builds the network."""

from pathlib import Path

import numpy as np
import plain_nets
import pytest
import torch
from checkpoints import bases
from commands import invoke, scan_file
from fastas import write
from safetensors.torch import save_file
from torch import nn

from genoscan.export.export import export_model
from genoscan.export.families import CheckpointSettings, open_checkpoint
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.inference.session import open_model, read_card

WINDOW = 96
ONE_HOT = {"input": "one-hot", "window": WINDOW}


@pytest.fixture(autouse=True)
def _among_the_nets(monkeypatch):
    """The working folder is the one of plain_nets.py, as a user's is that of his network."""
    monkeypatch.chdir(Path(plain_nets.__file__).parent)


def saved(folder, name, wrap=lambda weights: weights):
    """The function's network with seeded weights, and the file that they are saved in."""
    torch.manual_seed(2)
    net = getattr(plain_nets, name)().eval()
    torch.save(wrap(net.state_dict()), folder / f"{name}.pt")
    return net, folder / f"{name}.pt"


def one_hot(sequence):
    return torch.tensor(np.equal.outer(np.array(list("ACGT")), np.array(list(sequence))), dtype=torch.float32)[None]


def test_a_scan_gives_the_networks_scores(tmp_path):
    net, weights = saved(tmp_path, "convolutions")
    result = invoke(
        "export", weights, "-o", tmp_path / "m.onnx", "--module", "plain_nets:convolutions", "--input", "one-hot",
        "--window", WINDOW, "--step", 32, "--task", "regression", "--outputs", "activity", "--strand", "forward",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    card = read_card(tmp_path / "m.onnx")
    assert (card.name, card.task, card.output.names) == ("convolutions", "regression", ("activity",))
    sequence = bases(320, 4, (100, 101))
    genome = write(tmp_path, f">c\n{sequence}\n".encode())
    scan_file(genome, tmp_path / "m.onnx", tmp_path / "out.bedgraph", format="bedgraph")
    scores = np.full(320, np.nan)
    for line in (tmp_path / "out.bedgraph").read_text().splitlines():
        if line.startswith("c\t"):
            _, start, end, score = line.split("\t")
            scores[int(start) : int(end)] = float(score)
    for cell in range(32, 288, 32):
        with torch.inference_mode():
            expected = net(one_hot(sequence[cell - 32 : cell + 64])).item()
        assert scores[cell : cell + 32] == pytest.approx(np.full(32, expected), abs=2e-4)
    assert np.nanstd(scores) > 0


@pytest.mark.parametrize(
    ("name", "settings", "task", "shape"),
    [
        ("convolutions", {**ONE_HOT}, "regression", (3, 1)),
        ("convolutions", {**ONE_HOT, "task": "classification"}, "classification", (3, 1)),
        ("two_classes", {**ONE_HOT, "task": "classification"}, "classification", (3, 2)),
        ("per_bin", {"input": "one-hot:last", "window": WINDOW, "task": "segmentation"}, "segmentation", (3, 24, 2)),
        ("long_convolution", {"input": "codes", "window": WINDOW}, "regression", (3, 1)),
    ],
)
def test_networks_of_many_kinds(name, settings, task, shape, tmp_path):
    _, weights = saved(tmp_path, name)
    settings = CheckpointSettings(module=f"plain_nets:{name}", **settings)
    report = export_model(weights, tmp_path / "m.onnx", settings=settings, windows=3)
    assert all(one.largest < 1e-5 for one in report.differences.values())
    model = open_model(tmp_path / "m.onnx", "cpu", 3)
    assert model.card.task == task
    activations = {"regression": "identity", "classification": "sigmoid" if shape[-1] == 1 else "softmax"}
    assert model.card.output.activation == activations.get(task, "softmax")
    codes = np.random.default_rng(1).integers(0, 4, (3, WINDOW)).astype(np.uint8)
    tensor = np.zeros((3, *model.encoder.window_shape(WINDOW)), dtype=model.encoder.dtype)
    model.encoder.encode(codes, tensor)
    assert model.run(tensor).shape == shape


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict"])
def test_weights_beside_other_things(key, tmp_path):
    net, weights = saved(tmp_path, "convolutions", lambda state: {key: state, "epoch": 3})
    source = open_checkpoint(weights, CheckpointSettings(module="plain_nets:convolutions", **ONE_HOT))
    torch.testing.assert_close(source.network.net.layers[0].weight, net.layers[0].weight)


def test_safetensors(tmp_path):
    net, _ = saved(tmp_path, "convolutions")
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    source = open_checkpoint(
        tmp_path / "w.safetensors", CheckpointSettings(module="plain_nets:convolutions", **ONE_HOT)
    )
    torch.testing.assert_close(source.network.net.layers[0].weight, net.layers[0].weight)


def test_a_pickled_network_is_loaded_only_when_the_user_says_so(tmp_path):
    torch.save(plain_nets.Convolutions().eval(), tmp_path / "whole.pt")
    with pytest.raises(GenoscanError):
        open_checkpoint(tmp_path / "whole.pt", CheckpointSettings(**ONE_HOT))
    with pytest.raises(GenoscanError, match="holds more than weights"):
        open_checkpoint(tmp_path / "whole.pt", CheckpointSettings(module="plain_nets:convolutions", **ONE_HOT))
    source = open_checkpoint(tmp_path / "whole.pt", CheckpointSettings(trust_remote_code=True, **ONE_HOT))
    assert isinstance(source.network, nn.Module)
    assert source.card.name == "whole"


@pytest.mark.parametrize(
    ("name", "settings", "kind", "words"),
    [
        ("convolutions", {"input": "one-hot"}, UsageError, "say --window BASES"),
        ("convolutions", {"window": WINDOW}, UsageError, "say --input one-hot, codes or kmer:K:STRIDE"),
        ("convolutions", {"input": "letters", "window": WINDOW}, UsageError, "--input letters: say one-hot"),
        ("convolutions", {"input": "codes", "window": WINDOW}, GenoscanError, "the network fails on two windows of 96"),
        (
            "per_bin",
            {"input": "one-hot:last", "window": 94, "task": "segmentation"},
            UsageError,
            r"scores of shape \[23, 2\] for 94 bases",
        ),
        ("convolutions", {**ONE_HOT, "step": 31}, UsageError, "--step 31: the step lies in the middle"),
        ("convolutions", {**ONE_HOT, "outputs": ("a", "b")}, UsageError, "has 1 outputs, not 2"),
        ("convolutions", {**ONE_HOT, "embeddings": "mean"}, UsageError, "--embeddings is for networks of transformers"),
        ("per_bin", {"input": "one-hot:last", "window": WINDOW}, UsageError, "say --task segmentation"),
        ("with_mamba", {**ONE_HOT}, GenoscanError, "MambaBlock is a state-space model"),
        ("not_a_network", {**ONE_HOT}, UsageError, r"gives a int, not a torch\.nn\.Module"),
        ("absent", {**ONE_HOT}, UsageError, "--module plain_nets:absent: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(name, settings, kind, words, tmp_path):
    file = tmp_path / "w.pt"
    torch.save(getattr(plain_nets, name)().state_dict() if name in ("convolutions", "per_bin") else {}, file)
    with pytest.raises(kind, match=words) as caught:
        open_checkpoint(file, CheckpointSettings(module=f"plain_nets:{name}", **settings))
    assert "\n" not in str(caught.value)


def test_weights_of_another_network(tmp_path):
    _, weights = saved(tmp_path, "two_classes")
    with pytest.raises(GenoscanError, match=r"the weights do not fit the network of --module: size mismatch"):
        open_checkpoint(weights, CheckpointSettings(module="plain_nets:convolutions", **ONE_HOT))
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(GenoscanError, match="holds more than weights, or is damaged"):
        open_checkpoint(tmp_path / "text.pt", CheckpointSettings(module="plain_nets:convolutions", **ONE_HOT))
    with pytest.raises(UsageError, match="--module no_such_module:f: No module named 'no_such_module'"):
        open_checkpoint(weights, CheckpointSettings(module="no_such_module:f", **ONE_HOT))


def test_state_space_packages_are_told_from_missing_ones(tmp_path, monkeypatch):
    (tmp_path / "my_mamba.py").write_text("import mamba_ssm\n")
    monkeypatch.chdir(tmp_path)
    torch.save({}, "w.pt")
    with pytest.raises(GenoscanError, match="needs mamba_ssm is a state-space model"):
        open_checkpoint("w.pt", CheckpointSettings(module="my_mamba:build", **ONE_HOT))


def test_a_program_of_torch_export_is_refused(tmp_path):
    (tmp_path / "net.pt2").write_bytes(b"PK")
    with pytest.raises(GenoscanError, match=r"fixed in its batch: give the weights, and say --module"):
        open_checkpoint(tmp_path / "net.pt2")
