"""Which file a model's name and a device mean."""

from pathlib import Path

import pytest

from genoscan.scanner import catalogue
from genoscan.scanner.catalogue import MODELS, bundled_models, find_model, for_device
from genoscan.scanner.errors import UsageError


def test_names_and_files(tmp_path, monkeypatch):
    assert "repeats" in bundled_models()
    assert find_model("repeats") == find_model("repeats.onnx") == MODELS / "repeats.onnx"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repeats.onnx").write_bytes(b"mine")
    assert find_model("repeats.onnx") == Path("repeats.onnx")
    with pytest.raises(UsageError, match=r"no such model: 'nothing'; bundled models: .*repeats"):
        find_model("nothing")
    with pytest.raises(UsageError, match=r"no such file: 'nothing\.onnx'"):
        find_model("nothing.onnx")


def test_gpus_get_the_half_precision_variant_of_a_bundled_model(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "MODELS", tmp_path)
    (tmp_path / "gpu").mkdir()
    for name in ("a.onnx", "b.onnx", "gpu/a.onnx"):
        (tmp_path / name).write_bytes(b"")
    assert for_device(tmp_path / "a.onnx", "cpu") == tmp_path / "a.onnx"
    assert for_device(tmp_path / "a.onnx", "cuda") == tmp_path / "gpu" / "a.onnx"
    assert for_device(tmp_path / "a.onnx", "tensorrt") == tmp_path / "gpu" / "a.onnx"
    assert for_device(tmp_path / "b.onnx", "cuda") == tmp_path / "b.onnx"
    other = tmp_path / "elsewhere" / "a.onnx"
    assert for_device(other, "cuda") == other
