"""benchmarks/README.md holds what benchmarks/tables.py makes of the results, and says where and when."""

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def tables():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("tables")


def test_the_readme_is_up_to_date(tables):
    """Else: python benchmarks/tables.py."""
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    assert tables.with_tables(text) == text


def test_every_result_has_a_table(tables):
    found = {path.stem for path in (BENCHMARKS / "results").glob("*.json")}
    assert found <= set(tables.SECTIONS)


def test_every_result_has_a_day(tables):
    for path in (BENCHMARKS / "results").glob("*.json"):
        assert tables.origin(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"date": "2026-01-02", "machine": {"processor": "P", "threads": 2, "gpus": [{"name": "G"}]}},
         "P, 2 threads, G; 2026-01-02"),
        ({"date_committed": "2026-01-02", "machine": "x86_64", "cpus": 2}, "x86_64, 2 CPUs; committed 2026-01-02"),
        ({"date_committed": "2026-01-02"}, "machine not recorded; committed 2026-01-02"),
    ],
)  # fmt: skip
def test_where_and_when(tables, result, said):
    assert tables.origin(result) == said


def test_only_what_lies_between_the_markers_is_made(tables, monkeypatch):
    monkeypatch.setattr(tables, "tables", lambda: "made")
    text = f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n"
    assert tables.with_tables(text) == f"before\n{tables.BEGIN}\n\nmade\n\n{tables.END}\nafter\n"


def test_the_section_of_a_gpu(tables):
    """What benchmarks/gpu.py will leave: rows that ran, without those that failed."""
    row = {
        "model": "a-fp16.onnx", "device": "cuda", "workers": 2, "threads": 8, "batch_size": 256,
        "windows_per_second": {"scan": 5000.0}, "mb_per_second": {"scan": 100.0}, "share_of_session": 0.9,
        "share_of_matrix_rate": 0.25, "human_genome_seconds": 31.0,
    }  # fmt: skip
    made = tables.SECTIONS["gpu"]({"sweep": {"settings": [row, {"error": "out of memory"}]}})
    assert made.splitlines()[-1] == "| a-fp16.onnx | cuda | 2 | 8 | 256 | 5,000 | 100 | 90 % | 25 % | 31 s |"
