"""`genoscan check`, and `genoscan export --engine` where there is no TensorRT."""

import checkpoints
import onnx
import pytest
import toys
from commands import invoke

from genoscan.export import engine
from genoscan.scanner.card import CARD_KEY
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.inference import engines, session


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of a checkpoint and its export."""
    folder = tmp_path_factory.mktemp("check")
    checkpoint = checkpoints.dnabert(folder / "bert")
    result = invoke("export", checkpoint, "-o", folder / "m.onnx", "--window", 40, "--compared", 4)
    assert result.exit_code == 0, result.stderr
    return checkpoint, folder / "m.onnx"


def test_a_good_model(exported):
    checkpoint, model = exported
    result = invoke("check", model, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    for words in ('"attention": "fused"', "input_ids int64 ['batch', 40]", "float32 ['batch', 2]", "cpu      runs it"):
        assert words in result.stdout
    assert result.stdout.splitlines()[-1].startswith("scores   ")
    result = invoke("check", model, "--against", checkpoint, "--device", "cpu", "--compared", 4)
    assert result.exit_code == 0, result.stderr
    assert "agreement" in result.stdout
    assert "error" not in result.stderr


def test_the_scores_of_a_genome_s_first_known_window(exported, tmp_path):
    genome = tmp_path / "g.fa"
    genome.write_text(f">a\n{'N' * 40}{'ACGTTGCAAC' * 8}\n")
    scores = [
        invoke("check", exported[1], "--device", "cpu", *more).stdout.splitlines()[-1]
        for more in ((), ("--genome", genome))
    ]
    assert scores[0] != scores[1]
    genome.write_text(f">a\n{'N' * 400}\n")
    result = invoke("check", exported[1], "--device", "cpu", "--genome", genome)
    assert result.exit_code == 1
    assert "no window of 40 known bases" in result.stderr


def test_a_model_that_is_no_longer_its_checkpoint(exported, tmp_path):
    other = checkpoints.dnabert(tmp_path / "other", initializer_range=0.1)
    result = invoke("check", exported[1], "--against", other, "--device", "cpu", "--compared", 4)
    assert result.exit_code == 1
    assert "does not agree with" in result.stderr
    result = invoke("check", exported[1], "--against", other, "--device", "cpu", "--compared", 4, "--max-difference", 1)
    assert result.exit_code == 0
    more = checkpoints.dnabert(tmp_path / "more", num_labels=3)
    result = invoke("check", exported[1], "--against", more, "--device", "cpu")
    assert result.exit_code == 1
    assert "has other outputs: not made of it" in result.stderr


def test_a_wrong_model(exported, tmp_path):
    model = onnx.load(exported[1])
    (entry,) = [one for one in model.metadata_props if one.key == CARD_KEY]
    entry.value = (
        entry.value.replace('"window":40', '"window":41')
        .replace('"step":40', '"step":41')
        .replace('"bin":40', '"bin":41')
    )
    onnx.save(model, tmp_path / "wrong.onnx")
    result = invoke("check", tmp_path / "wrong.onnx", "--device", "cpu")
    assert result.exit_code == 1
    assert "does not match its card" in result.stderr
    assert invoke("check", tmp_path / "absent.onnx").exit_code == 2
    bare = tmp_path / "bare.onnx"
    del model.metadata_props[:]
    onnx.save(model, bare)
    assert "no genoscan card" in invoke("check", bare).stderr


def test_an_engine_needs_tensorrt(exported, tmp_path, monkeypatch):
    checkpoint, _ = exported
    output = tmp_path / "m.onnx"
    result = invoke("export", checkpoint, "-o", output, "--engine", tmp_path / "engines")
    assert (result.exit_code, result.stderr) == (
        2,
        "genoscan: error: --engine: TensorRT needs standard ONNX: add --for tensorrt\n",
    )
    monkeypatch.setattr(session, "tensorrt_version", lambda: None)
    result = invoke("export", checkpoint, "-o", output, "--engine", tmp_path / "engines", "--for", "tensorrt")
    assert result.exit_code == 1
    assert "pip install 'genoscan[cuda,tensorrt]'" in result.stderr
    assert not output.exists()
    with pytest.raises(UsageError):
        engine.require_tensorrt("onnxruntime")


def test_engines_are_keyed_by_model_versions_and_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(engines, "tensorrt_version", lambda: 101200)
    monkeypatch.setattr(engines, "gpu_name", lambda: "NVIDIA H200 / 2")
    first = engines.engine_folder("ab" * 32, tmp_path)
    assert first.parent == tmp_path
    assert first.name.startswith("abababababababab-onnxruntime-")
    assert first.name.endswith("-tensorrt-101200-NVIDIA-H200-2")
    seen = {first, engines.engine_folder("cd" * 32, tmp_path)}
    monkeypatch.setattr(engines, "tensorrt_version", lambda: 101300)
    seen.add(engines.engine_folder("ab" * 32, tmp_path))
    monkeypatch.setattr(engines, "gpu_name", lambda: "other")
    seen.add(engines.engine_folder("ab" * 32, tmp_path))
    assert len(seen) == 4
    monkeypatch.setenv("GENOSCAN_CACHE", str(tmp_path))
    assert engines.engine_folder("ab" * 32) == engines.cache_within(tmp_path) / engines.engine_folder("ab" * 32).name


def test_an_engine_is_built_where_a_scan_looks_for_it(monkeypatch, tmp_path):
    """What ONNX Runtime would do with TensorRT is played: the folders are what is tested."""
    model = toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4))
    opened = []
    monkeypatch.setattr(engine, "open_session", lambda file, root: opened.append((file.device, root)))
    with pytest.raises(GenoscanError, match="no engine was made"):
        engine.build_engine(model, tmp_path)
    file = session.read_model(model, "tensorrt")
    folder = engines.engine_folder(file.sha256, engines.cache_within(tmp_path))
    folder.mkdir(parents=True)
    (folder / "x.engine").touch()
    assert engine.build_engine(model, tmp_path) == folder
    assert opened[-1] == ("tensorrt", engines.cache_within(tmp_path))
    monkeypatch.setenv("GENOSCAN_CACHE", str(tmp_path))
    assert engines.engine_folder(file.sha256) == folder
