"""Models too large for one ONNX file, with a limit that is low enough to be tried."""

import json
import os
import shutil
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


@pytest.fixture(scope="module")
def small(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "m.onnx"
    assert not [line for line in exported(checkpoint, path) if "too large" in line]
    return path


@pytest.fixture(scope="module")
def exported_large(checkpoint, tmp_path_factory):
    """A model whose weights are beside it, and what its export said."""
    path = tmp_path_factory.mktemp("large") / "m.onnx"
    return path, exported(checkpoint, path, largest_file=10_000)


@pytest.fixture
def large(exported_large, tmp_path):
    """A copy of the model whose weights are beside it, alone in a folder."""
    path = tmp_path / "large" / "m.onnx"
    shutil.copytree(exported_large[0].parent, path.parent)
    return path


def test_weights_go_beside_a_large_model(small, large, exported_large):
    path, lines = exported_large
    (said,) = [line for line in lines if "too large" in line]
    assert said == f"{path}: too large for one ONNX file: its weights are in {path}.data; keep both files together"
    assert [path.name for path in small.parent.iterdir()] == ["m.onnx"]
    assert sorted(path.name for path in large.parent.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert large.stat().st_size < small.stat().st_size / 2
    tokens = np.random.default_rng(0).integers(5, 69, (2, 40))
    assert (open_model(large, "cpu", 2).run(tokens) == open_model(small, "cpu", 2).run(tokens)).all()
    assert read_card(large).provenance.attention == "fused"
    onnx.checker.check_model(str(large), full_check=True)


def test_a_scan_of_a_large_model_from_another_folder(large, tmp_path):
    codes = np.random.default_rng(0).integers(0, 4, 4000).astype(np.uint8)
    genome = write(tmp_path, fasta_record("c", codes))
    model = large.relative_to(tmp_path)
    done = run("scan", genome, "--model", model, "-o", "track.bed", "-t", 1, "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "track.bed.json").read_text())["counts"]["windows"] == 100


def test_the_digest_is_of_the_weights_too(large):
    before = read_model(large, "cpu").sha256
    weights = bytearray(weights_file(large).read_bytes())
    weights[-8:] = b"\0" * 8
    weights_file(large).write_bytes(bytes(weights))
    assert read_model(large, "cpu").sha256 != before


def test_missing_weights_are_named(large):
    weights_file(large).unlink()
    with pytest.raises(GenoscanError, match=r"m\.onnx\.data") as caught:
        open_model(large, "cpu")
    assert "\n" not in str(caught.value)


def test_a_smaller_model_takes_old_weights_away(checkpoint, large):
    exported(checkpoint, large)
    assert [one.name for one in large.parent.iterdir()] == ["m.onnx"]
    assert open_model(large, "cpu").card.window == 40


def test_graphs_of_any_size_are_checked_and_run(small):
    model = onnx.load(small)
    assert 10_000 < byte_size(model) < small.stat().st_size
    tokens = np.random.default_rng(0).integers(5, 69, (2, 40))
    check_graph(model, 10_000)
    results = [cpu_session(model, largest=limit).run(None, {"input_ids": tokens})[0] for limit in (10_000, 2**30)]
    assert (results[0] == results[1]).all()


@pytest.mark.long
def test_another_process_writes_the_same_bytes(checkpoint, tmp_path):
    """Of int8, because everything that writes fp32 comes before it."""
    exported(checkpoint, tmp_path / "here.onnx", precision="int8")
    subprocess.run(
        [sys.executable, "-c", EXPORT, str(checkpoint), str(tmp_path / "there.onnx")],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert (tmp_path / "here.onnx").read_bytes() == (tmp_path / "there.onnx").read_bytes()
