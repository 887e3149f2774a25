"""Which settings a sweep tries, what becomes of those that fail, and which is recommended."""

import contextlib

import ends
import pytest
import toys

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.throughput import sweep as sweeping
from genoscan.scanner.throughput.apart import apart
from genoscan.scanner.throughput.stages import Setting, Throughput
from genoscan.scanner.throughput.sweep import (
    Choices,
    Row,
    choices,
    doubling,
    fastest,
    measured_apart,
    recommended,
    scan_flags,
    sweep,
)


def found(scan, name="toy", batch_size=4, mb_per_window=0.001, **fields):
    figures = {"session": 2 * scan, "encoding": 4 * scan, "scan": scan, "bound": 4 / 3 * scan}
    return Throughput(name, "1", "fp32", "0" * 64, batch_size, mb_per_window, **figures,
                      **{"multiply_accumulates": {"fp32": 1e6}, "matrix_rates": {"fp32": 1e10},
                         "share_of_matrix_rate": scan / 1e4, "memory_mb": 100.0, "gpu_memory_mib": None} | fields
                      )  # fmt: skip


def test_numbers_of_threads():
    assert [doubling(most) for most in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_one_dimension_after_the_other(monkeypatch):
    """Batch sizes on most threads, then threads at the fastest size (16), then workers, which share out 8 threads."""
    monkeypatch.setattr(sweeping, "available_threads", lambda: 8)
    tried = []

    def measured(setting):
        tried.append((setting.batch_size, setting.threads, setting.workers))
        if setting.batch_size == 64:
            return Row(setting, error="out of memory")
        return Row(setting, found(setting.batch_size + setting.threads + 100 * setting.workers))

    rows = list(sweep("m", "cuda", Choices([4, 16, 64], [1, 4, 8], [1, 2]), measured))
    assert tried == [(4, 8, 1), (16, 8, 1), (64, 8, 1), (16, 1, 1), (16, 4, 1), (16, 4, 2)]
    assert [row.error for row in rows] == [None, None, "out of memory", None, None, None]
    assert fastest(rows).setting == Setting("m", "cuda", 2, 4, 16)


def test_what_is_given_is_kept(monkeypatch):
    """Three threads were asked for: they are each worker's."""
    monkeypatch.setattr(sweeping, "available_threads", lambda: 8)
    rows = list(sweep("m", "cuda", Choices([None], [3], [1, 2]), lambda setting: Row(setting, error="no")))
    assert [(row.setting.threads, row.setting.workers) for row in rows] == [(3, 1), (3, 2)]
    assert fastest(rows) is None


def test_nothing_is_measured_twice(monkeypatch):
    monkeypatch.setattr(sweeping, "available_threads", lambda: 2)
    rows = list(sweep("m", "cpu", Choices([2, 2], [2, 2], [1]), lambda setting: Row(setting, found(1.0))))
    assert [row.setting for row in rows] == [Setting("m", "cpu", 1, 2, 2)]


def test_choices(monkeypatch, tmp_path):
    """The toy's default is 32 kb of windows of 8 bases, at most 512."""
    model = str(toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4)))
    monkeypatch.setattr(sweeping, "available_threads", lambda: 4)
    monkeypatch.setattr(sweeping, "cuda_device_count", lambda: 2)
    assert choices(model, "cpu", None) == Choices([128, 512, 2048], [1, 2, 4], [1])
    assert choices(model, "cpu", 3) == Choices([1, 3, 12], [1, 2, 4], [1])
    assert choices(model, "cuda", 64) == Choices([16, 64, 256], [1, 2, 4], [1, 2, 4, 8])
    assert choices(model, "tensorrt", 64).batch_sizes == [64]
    reads = str(toys.write(tmp_path / "reads.onnx", toys.read_model()))
    assert choices(reads, "cuda", 64).workers == [1]


def test_cuda_is_probed_and_tensorrt_takes_what_was_found(monkeypatch, tmp_path):
    """Without a GPU: its rows and the probe are made up."""
    model = str(toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4)))
    probed = []

    def made_up(work, *arguments, limit):
        assert limit == sweeping.LIMIT
        if work is sweeping.best_batch_size:
            probed.append(arguments)
            return 64, {32: 900.0, 64: 1000.0}
        return found(float(arguments[0].batch_size or 1), batch_size=arguments[0].batch_size or 512)

    monkeypatch.setattr(sweeping, "apart", made_up)
    told, probes, nothing = [], [], {"batch_sizes": [], "threads": [], "workers": []}

    def telling(text):
        told.append(text)
        return contextlib.nullcontext()

    rows = list(sweeping.rows_of([model], ["cpu", "cuda", "tensorrt"], nothing, False, "g.fa", 2.0, probes, telling))
    assert probed == [(model, "cuda", 0.5)]
    assert [(row.setting.device, row.setting.batch_size) for row in rows] == [
        ("cpu", None), ("cuda", 64), ("tensorrt", 64),
    ]  # fmt: skip
    assert probes == [
        {"model": model, "device": "cuda", "batch_size": 64, "session_windows_per_second": {32: 900.0, 64: 1000.0}}
    ]
    assert told[1] == f"{model} on cuda: which batch size?"
    rows = list(sweeping.rows_of([model], ["cuda"], {**nothing, "batch_sizes": [8]}, True, "g.fa", 2.0, probes))
    assert len(probed) == 1
    assert {row.setting.batch_size for row in rows} == {8}


def test_precisions_of_one_network_compete_and_other_networks_do_not():
    def row(model, speed, name, device="cpu", workers=1):
        return Row(Setting(model, device, workers, 2, None), found(speed, name))

    rows = [row("a.fp32.onnx", 1.0, "a"), row("a.int8.onnx", 3.0, "a"), row("b.onnx", 2.0, "b", "cuda", 4)]
    rows.append(Row(Setting("c.onnx", "cpu", 1, 2, None), error="no"))
    assert [scan_flags(one) for one in recommended(rows)] == [
        "--model a.int8.onnx --device cpu --threads 2 --batch-size 4",
        "--model b.onnx --device cuda --workers 4 --threads 2 --batch-size 4",
    ]


def test_json_of_rows():
    setting = Setting("m.onnx", "cpu", 1, 2, None)
    made = Row(setting, found(1000.0)).to_dict()
    assert made["windows_per_second"] == {
        "session": 2000.0, "encoding": 4000.0, "scan": 1000.0, "bound": pytest.approx(4000 / 3),
    }  # fmt: skip
    assert made["mb_per_second"]["scan"] == pytest.approx(1.0)
    assert made["human_genome_seconds"] == pytest.approx(3100.0)
    assert (made["batch_size"], made["share_of_session"], made["share_of_bound"]) == (4, 0.5, pytest.approx(0.75))
    of_reads = Row(setting, found(1000.0, mb_per_window=None)).to_dict()
    assert (of_reads["mb_per_second"], of_reads["human_genome_seconds"]) == (None, None)
    failed = Row(setting, error="no").to_dict()
    assert failed == {
        "model": "m.onnx", "device": "cpu", "workers": 1, "threads": 2, "batch_size": None, "error": "no",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("memory", r"its process was ended by SIGKILL \(out of memory\?\)"),
        ("exit", "its process ended with exit code 7"),
        ("error", "ValueError: line one line two"),
        ("usage", "--what: no"),
        ("late", "stopped after 0 s"),
    ],
)
def test_no_end_of_a_process_is_the_end(how, said):
    with pytest.raises(GenoscanError, match=said):
        apart(ends.end, how, limit=0.3 if how == "late" else 60)


def test_a_setting_that_cannot_run_is_a_row(tmp_path):
    row = measured_apart(Setting(str(tmp_path / "nix.onnx"), "cpu", 1, 1, 1), "genome.fa", 0.1)
    assert row.found is None
    assert "no such file" in row.error
