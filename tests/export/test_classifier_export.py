"""A trained window classifier as .onnx: its card, that it is the checkpoint, and that it scans."""

import json

import numpy as np
import onnx
import pytest
import torch
from classifiers import tiny_data, tiny_recipe
from commands import invoke, scan_file
from fastas import write

from genoscan.export.export import export_model
from genoscan.export.families import open_checkpoint
from genoscan.scanner.card import CARD_KEY, parse_card
from genoscan.scanner.inference.session import open_model
from genoscan.training.classify import BEST, predict, save_network, train_classifier
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.window_dataset import read_split
from genoscan.training.data.window_examples import tokens_of


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run whose network was then sharpened, so that scores lie on both sides of the threshold."""
    out = tmp_path_factory.mktemp("runs") / "run"
    train_classifier(tiny_recipe(epochs=1), data, out, "cpu", 1, log=lambda _: None)
    source = open_checkpoint(out)
    net = source.network.net
    with torch.no_grad():
        net.classifier.weight *= 40
        tokens = torch.from_numpy(tokens_of([one.codes for one in read_split(data, "train")], source.card.input))
        net.classifier.bias -= source.network(tokens).median(dim=0).values
    save_network(net, out / BEST)
    return out


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "classifier.onnx"
    return path, export_model(run, path)


def test_the_export_is_the_checkpoint(exported):
    for one in exported[1].differences.values():
        assert one.largest <= 1e-4
        assert one.agreement == 1


def test_half_precision(run, tmp_path):
    report = export_model(run, tmp_path / "half.onnx", "fp16")
    assert all(one.largest <= 0.01 for one in report.differences.values())


def test_the_card(exported, run):
    model = onnx.load(exported[0])
    card = parse_card({entry.key: entry.value for entry in model.metadata_props}[CARD_KEY], "model")
    assert (card.task, card.window, card.step, card.context) == ("classification", 64, 16, 24)
    assert card.input.kind == "kmer"
    assert card.output.called == ("tandem_repeat",)
    epoch = json.loads((run / "metrics.jsonl").read_text())
    assert card.provenance.metrics["sequences_mcc"] == epoch["sequences_mcc"]
    assert not [name for name in card.provenance.metrics if "second" in name or "runtime" in name]
    assert card.provenance.date == json.loads((run / "run.json").read_text())["sessions"][0]["date"]


def test_the_same_network_gives_the_same_bytes(exported, run, tmp_path):
    export_model(run / BEST, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == exported[0].read_bytes()


def test_short_contigs_are_scored_as_sequences_by_themselves(exported, run, data, tmp_path):
    rows = [one.codes for one in read_split(data, "train") if 26 <= len(one.codes) <= 64][:30]
    genome = write(tmp_path, b"".join(fasta_record(f"c{i}", codes) for i, codes in enumerate(rows)))
    scan_file(genome, exported[0], tmp_path / "calls.bedgraph", format="bedgraph")
    found = {}
    for line in (tmp_path / "calls.bedgraph").read_text().splitlines():
        if not line.startswith(("#", "track")):
            name, _, _, score = line.split("\t")
            found.setdefault(name, set()).add(float(score))
    expected = predict(run, rows, "cpu")
    assert 3 < (expected > 0.5).sum() < 27
    assert len(found) == len(rows)
    for number, score in enumerate(expected.tolist()):
        assert all(abs(one - score) < 2e-4 for one in found[f"c{number}"])


def test_a_window_s_middle_gets_its_score(exported, run, tmp_path):
    codes = np.random.default_rng(2).integers(0, 4, 640).astype(np.uint8)
    model = open_model(exported[0], "cpu")
    genome = write(tmp_path, fasta_record("c", codes))
    scan_file(genome, exported[0], tmp_path / "scores.bedgraph", format="bedgraph")
    scores = np.full(640, np.nan)
    for line in (tmp_path / "scores.bedgraph").read_text().splitlines():
        if line.startswith("c\t"):
            _, start, end, score = line.split("\t")
            scores[int(start) : int(end)] = float(score)
    starts = np.arange(2 * 16 - 24, 640 - 64 + 1, model.card.step)
    expected = predict(run, [codes[start : start + 64] for start in starts], "cpu")
    for start, score in zip(starts.tolist(), expected.tolist(), strict=True):
        middle = scores[start + 24 : start + 24 + 16]
        assert middle == pytest.approx(np.full(16, score), abs=2e-4)


def test_the_commands(run, tmp_path):
    result = invoke("export", run, "-o", tmp_path / "x.onnx")
    assert result.exit_code == 0, result.stderr
    genome = write(tmp_path, fasta_record("c", np.random.default_rng(2).integers(0, 4, 5000).astype(np.uint8)))
    result = invoke(
        "scan", genome, "--model", tmp_path / "x.onnx", "-o", tmp_path / "x.bed", "-t", 1, "--device", "cpu"
    )
    assert result.exit_code == 0, result.stderr
    rows = [line.split("\t") for line in (tmp_path / "x.bed").read_text().splitlines() if not line.startswith("#")]
    assert rows
    assert {row[3] for row in rows} == {"tandem_repeat"}
