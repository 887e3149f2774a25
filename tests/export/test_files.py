"""Models too large for one ONNX file, with a limit that is low enough to be tried."""

import json
import os
import subprocess
import sys

import checkpoints
import numpy as np
import onnx
import pytest
from commands import run
from fastas import write

from genoscan.export.export import export_model
from genoscan.export.families import CheckpointSettings
from genoscan.export.files import byte_size, check_graph, cpu_session
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.inference.session import open_model, read_card, read_model, weights_file
from genoscan.training.data.demo import fasta_record

SETTINGS = CheckpointSettings(window=40, strand="forward")
EXPORT = """
import sys
from genoscan.export.export import export_model
from genoscan.export.families import CheckpointSettings
settings = CheckpointSettings(window=40, strand="forward")
export_model(sys.argv[1], sys.argv[2], "int8", windows=4, settings=settings)
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoints.dnabert(tmp_path_factory.mktemp("files") / "bert")


def exported(checkpoint, path, **more):
    said = []
    export_model(checkpoint, path, windows=4, settings=SETTINGS, say=said.append, **more)
    return said


def test_weights_go_beside_a_large_model(checkpoint, tmp_path):
    small, large = tmp_path / "small.onnx", tmp_path / "large.onnx"
    assert not [line for line in exported(checkpoint, small) if "too large" in line]
    (said,) = [line for line in exported(checkpoint, large, largest_file=10_000) if "too large" in line]
    assert said == f"{large}: too large for one ONNX file: its weights are in {large}.data; keep both files together"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.onnx", "large.onnx.data", "small.onnx"]
    assert large.stat().st_size < small.stat().st_size / 2
    tokens = np.random.default_rng(0).integers(5, 69, (2, 40))
    assert (open_model(large, "cpu", 2).run(tokens) == open_model(small, "cpu", 2).run(tokens)).all()
    assert read_card(large).provenance.attention == "fused"
    onnx.checker.check_model(str(large), full_check=True)


def test_a_scan_of_a_large_model_from_another_folder(checkpoint, tmp_path):
    (tmp_path / "models").mkdir()
    exported(checkpoint, tmp_path / "models" / "large.onnx", largest_file=10_000)
    codes = np.random.default_rng(0).integers(0, 4, 4000).astype(np.uint8)
    genome = write(tmp_path, fasta_record("c", codes))
    done = run(
        "scan", genome, "--model", "models/large.onnx", "-o", "track.bed", "-t", 1, "--device", "cpu", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "track.bed.json").read_text())["counts"]["windows"] == 100


def test_the_digest_is_of_the_weights_too(checkpoint, tmp_path):
    path = tmp_path / "m.onnx"
    exported(checkpoint, path, largest_file=10_000)
    before = read_model(path, "cpu").sha256
    weights = bytearray(weights_file(path).read_bytes())
    weights[-8:] = b"\0" * 8
    weights_file(path).write_bytes(bytes(weights))
    assert read_model(path, "cpu").sha256 != before


def test_missing_weights_are_named(checkpoint, tmp_path):
    path = tmp_path / "m.onnx"
    exported(checkpoint, path, largest_file=10_000)
    weights_file(path).unlink()
    with pytest.raises(GenoscanError, match=r"m\.onnx\.data") as caught:
        open_model(path, "cpu")
    assert "\n" not in str(caught.value)


def test_a_smaller_model_takes_old_weights_away(checkpoint, tmp_path):
    path = tmp_path / "m.onnx"
    exported(checkpoint, path, largest_file=10_000)
    exported(checkpoint, path)
    assert [one.name for one in tmp_path.iterdir()] == ["m.onnx"]
    assert open_model(path, "cpu").card.window == 40


def test_graphs_of_any_size_are_checked_and_run(checkpoint, tmp_path):
    exported(checkpoint, tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    assert 10_000 < byte_size(model) < (tmp_path / "m.onnx").stat().st_size
    tokens = np.random.default_rng(0).integers(5, 69, (2, 40))
    check_graph(model, 10_000)
    results = [cpu_session(model, largest=limit).run(None, {"input_ids": tokens})[0] for limit in (10_000, 2**30)]
    assert (results[0] == results[1]).all()


def test_another_process_writes_the_same_bytes(checkpoint, tmp_path):
    """Of int8, because everything that writes fp32 comes before it."""
    exported(checkpoint, tmp_path / "here.onnx", precision="int8")
    subprocess.run(
        [sys.executable, "-c", EXPORT, str(checkpoint), str(tmp_path / "there.onnx")],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert (tmp_path / "here.onnx").read_bytes() == (tmp_path / "there.onnx").read_bytes()
