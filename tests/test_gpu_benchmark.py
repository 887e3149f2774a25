"""benchmarks/gpu.py: what it does without a GPU, its helpers by hand, and all of it on the CPU at small size."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytest.importorskip("onnx")


@pytest.fixture(scope="module", autouse=True)
def scripts_on_path():
    """The script and its siblings import each other plainly, as they do when the script is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture
def gpu():
    return importlib.import_module("gpu")


@pytest.fixture
def machine():
    return importlib.import_module("gpu_machine")


@pytest.fixture
def measure():
    return importlib.import_module("gpu_measure")


@pytest.fixture
def models():
    return importlib.import_module("gpu_models")


@pytest.fixture
def scans():
    return importlib.import_module("gpu_scan_sections")


@pytest.mark.parametrize(
    ("offered", "devices", "said"),
    [
        (["CPUExecutionProvider"], 1, "has no CUDAExecutionProvider: install onnxruntime-gpu"),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], 0, "no CUDA device is visible"),
    ],
)
def test_without_gpu_it_ends_with_one_line(gpu, machine, monkeypatch, capsys, tmp_path, offered, devices, said):
    monkeypatch.setattr(machine.onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(machine, "cuda_device_count", lambda: devices)
    assert gpu.main(["--out", str(tmp_path / "gpu.json")]) == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.count("\n") == 1
    assert said in written.err
    assert list(tmp_path.iterdir()) == []


def test_each_provider_is_asked_for(machine, monkeypatch):
    monkeypatch.setattr(machine.onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(machine, "cuda_device_count", lambda: 1)
    assert machine.missing_gpu(["cuda"]) is None
    assert "TensorrtExecutionProvider" in machine.missing_gpu(["cuda", "tensorrt"])
    assert machine.missing_gpu(["cpu"]) is None


def test_attempt_keeps_an_error_as_one_line(measure):
    def fails():
        raise RuntimeError("first\n  second " + "x" * 500)

    error = measure.attempt(fails)["error"]
    assert error.startswith("RuntimeError: first second x")
    assert len(error) == 300
    assert measure.attempt(lambda: {"a": 1}) == {"a": 1}


def test_compared_tracks(scans):
    cpu = b"c1\t0\t10\trepeat\t900\t.\nc1\t20\t30\trepeat\t800\t.\nc1\t40\t50\trepeat\t700\t.\n"
    got = b"c1\t0\t10\trepeat\t900\t.\nc1\t20\t31\trepeat\t800\t.\nc1\t40\t50\trepeat\t701\t.\n"
    assert scans.compared_tracks(cpu, cpu) == {
        "calls_on_cpu": 3,
        "calls_placed_differently": 0,
        "calls_scored_differently": 0,
    }
    found = scans.compared_tracks(cpu, got)
    assert found["calls_placed_differently"] == 2  # 20-30 on one side, 20-31 on the other
    assert found["calls_scored_differently"] == 2  # 40-50 with 700 and with 701
    assert scans.compared_tracks(cpu, b"")["calls_placed_differently"] == 3


def test_versions_of_absent_libraries_and_tools(machine, monkeypatch):
    assert machine.library_version("libno-such-library.so.1", "version") is None
    monkeypatch.setenv("PATH", "")
    assert machine.gpu_memory_mb() is None


def test_cuda_folders_are_found_on_the_whole_path(machine, monkeypatch, tmp_path):
    wanted = tmp_path / "nvidia" / "cu99" / "lib"
    wanted.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert wanted in list(machine.cuda_folders())


def test_genome_repeats_after_new_contigs(models, tmp_path):
    path = tmp_path / "genome.fa"
    assert models.write_genome(path, 30_000) == {"bases": 30_000}
    text = path.read_text()
    assert text.startswith(">contig0\n")
    assert sum(len(line) for line in text.splitlines() if line[0] != ">") == 30_000


def test_table_and_errors(gpu):
    result = {
        "machine": {},
        "models": {
            "a-fp32:cuda": {"session": {"mb_per_second": 12.5, "chosen_batch_size": 8}, "tracks": {"error": "no"}},
            "a-fp16:cuda": {"error": "ended with exit code -11: boom"},
        },
    }
    header, first, second, *rest = gpu.table(result).splitlines()
    assert first.split()[0] == "a-fp32:cuda"
    assert first.split()[header.split().index("session")] == "12.50"
    assert set(second.split()[1:]) == {"-"}
    assert rest == ["models.a-fp32:cuda.tracks: no", "models.a-fp16:cuda: ended with exit code -11: boom"]


def test_a_task_that_fails_or_hangs_is_recorded(gpu, tmp_path):
    arguments = ["--folder", str(tmp_path), "--task", "absent-fp32:nowhere", "--providers", "cpu"]
    found = gpu.run_child(arguments, tmp_path / "a.json", 60, lambda _: None)
    assert found["error"].startswith("ended with exit code 1: KeyError")
    found = gpu.run_child(arguments, tmp_path / "b.json", 0.0, lambda _: None)
    assert found["error"].startswith("stopped after 0 s")


@pytest.mark.parametrize("models", [["repeats"], pytest.param(["repeats", "kmer-bert"], marks=pytest.mark.long)])
def test_whole_script_on_the_cpu(gpu, machine, tmp_path, models):
    """Every section of every model runs, and what must hold on one device with itself holds."""
    out = tmp_path / "results" / "gpu.json"
    command = [sys.executable, BENCHMARKS / "gpu.py", "--out", out, "--providers", "cpu", "--small", "--seconds", ".05"]
    done = subprocess.run([*command, "--models", *models], capture_output=True, text=True, timeout=250, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert result["machine"]["onnxruntime"] == machine.onnxruntime.__version__
    assert set(result["models"]) == {f"{model}-{precision}:cpu" for model in models for precision in ("fp32", "fp16")}
    if "kmer-bert" in models and importlib.util.find_spec("torch") is None:
        assert "torch" in result["prepared"]["kmer-bert-fp32"]["error"]
        del result["prepared"], result["models"]["kmer-bert-fp32:cpu"], result["models"]["kmer-bert-fp16:cpu"]
    (row,) = result["sweep"]["settings"]
    assert (row["model"], row["device"], row["batch_size"]) == ("repeats-fp32.onnx", "cpu", 1)
    assert row["human_genome_seconds"] > 0
    assert result["sweep"]["fastest"] == ["--model repeats-fp32.onnx --device cpu --threads 1 --batch-size 1"]
    assert list(gpu.errors(result)) == []
    for name, found in result["models"].items():
        assert set(found) == {"gpu_memory_before_mb", *(section.__name__ for section in gpu.SECTIONS)}
        assert set(found["placement"]["nodes"]) == {"CPUExecutionProvider"}
        assert found["parity"]["finite"]
        assert found["parity"]["largest"] <= (1e-5 if "fp32" in name else 3e-2)
        assert 0 < found["parity"]["share_above_threshold"] < 1
        assert found["session"]["mb_per_second"] > 0
        assert found["scan"]["bases"] > 0
        assert 0 < found["scan"]["share_of_slowest_stage"] < 3
        tracks = found["tracks"]
        assert tracks["calls_on_cpu"] > 0
        assert tracks["same_bytes_with_other_tiles"]
        assert tracks["same_bytes_again"]
        if "fp32" in name:
            assert tracks["calls_placed_differently"] == 0
        assert name in done.stdout
