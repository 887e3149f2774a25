"""Model cards that are wrong, and files that are no models: one line that names the field or the file."""

from __future__ import annotations

import numpy as np
import pytest
import toys
from mistakes import SEQUENCE, one_error, scan
from unfit_models import changed_card, with_card, without_card

CARDS = [
    ("name", "../gc"),
    ("name", ...),
    ("task", "segmentatoin"),
    ("input.kind", "kmers"),
    ("input.layout", "two-hot"),
    ("window", 100),
    ("window", "eight"),
    ("window", 10**20),
    ("step", 0),
    ("step", ...),
    ("windw", 8),
    ("shortest_window", 0),
    ("shortest_window", 8),
    ("strand", "reverse"),
    ("max_unknown", 1.5),
    ("output.names", []),
    ("output.names", ["a\tb"]),
    ("output.bin", 3),
    ("output.called", ["other"]),
    ("calling.extend", 0.6),
    ("calling.threshold", float("nan")),
    ("calling.threshold", 1e300),
    ("calling.gap", -1),
    ("track.score_range", [1, 1]),
    ("track.color", "red"),
]


@pytest.mark.parametrize(("field", "value"), CARDS, ids=lambda one: str(one)[:20])
def test_a_wrong_card_names_the_field(folder, field, value):
    (folder / "bad.onnx").write_bytes(with_card(changed_card(field, value)))
    line = one_error(folder, *scan(model="bad.onnx"))
    said = "input: " if field == "input.kind" else field
    assert line.startswith(f"genoscan: error: bad.onnx: wrong model card: {said.removesuffix('.layout')}"), line


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"gc"'])
def test_a_card_that_is_none(folder, text):
    (folder / "bad.onnx").write_bytes(with_card(text))
    assert "bad.onnx: wrong model card: " in one_error(folder, *scan(model="bad.onnx"))
    assert "bad.onnx: wrong model card: " in one_error(folder, "models", "show", "bad.onnx")


FILES = {
    "no-card": (without_card, "has no genoscan card"),
    "empty": (lambda: b"", "bad.onnx: "),
    "random": (lambda: np.random.default_rng(1).bytes(5000), "not a readable ONNX model"),
    "truncated": (lambda: toys.kmer_bert(window=32)[:-5000], "not a readable ONNX model"),
    "half": (lambda: (lambda model: model[: len(model) // 2])(toys.gc_model(8, 4)), "bad.onnx: "),
    "a-genome": (lambda: f">one\n{SEQUENCE}\n".encode(), "not a readable ONNX model"),
    "a-pickle": (lambda: b"PK\x03\x04" + bytes(400), "not a readable ONNX model"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_model_file_that_is_none(folder, name):
    make, said = FILES[name]
    (folder / "bad.onnx").write_bytes(make())
    assert said in one_error(folder, *scan(model="bad.onnx"))


@pytest.mark.parametrize("model", ["nix", "nix.onnx", "some/nix.onnx", ".", "", "x" * 300])
def test_a_model_that_is_not_there(folder, model):
    line = one_error(folder, *scan(model=model), code=2)
    assert f"'{model}'" in line
    assert "bundled models: " in line
