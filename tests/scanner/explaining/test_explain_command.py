"""`genoscan explain`: its table, its logos, and what it refuses."""

import csv

import numpy as np
import pytest
import toys
from commands import invoke

from genoscan.scanner.explaining.logo import most_important

COLUMNS = ["chrom", "start", "end", "strand", "call", "offset", "reference", "alternative", "score", "effect"]


@pytest.fixture
def files(tmp_path):
    """A genome with three stretches of G, the model of their share, and a track of them."""
    toys.write(tmp_path / "g.onnx", toys.base_model("G", 64, 16, 8, strand="both"))
    text = "A" * 64 + "GGAAAAAA" + "A" * 56 + "GAAAAAAA" + "A" * 56 + "GGGAAAAA" + "A" * 56
    (tmp_path / "genome.fa").write_text(f">one\n{text}\n")
    lines = [f"one\t{start}\t{start + 8}\tg\t0\t+\n" for start in (64, 128, 192)]
    (tmp_path / "track.bed").write_text("".join(lines))
    return tmp_path


def explain(files, *arguments):
    return invoke("explain", *arguments, "-m", files / "g.onnx", "--device", "cpu", "-t", "1")


def rows_of(text):
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def test_a_line_for_each_substitution(files):
    out = files / "why.tsv"
    result = explain(files, files / "track.bed", files / "genome.fa", "--flank", 2, "-o", out)
    assert result.exit_code == 0, result.output
    rows = rows_of(out.read_text())
    assert list(rows[0]) == COLUMNS
    assert len(rows) == 3 * 12 * 3
    first = {"chrom": "one", "start": "62", "end": "63", "strand": "+", "call": "one:65-72", "offset": "-6"}
    assert rows[0] == first | {"reference": "A", "alternative": "C", "score": "0.2500", "effect": "0.0000"}
    losses = [(row["start"], row["reference"]) for row in rows if row["effect"] == "-0.1250"]
    assert losses == [(str(place), "G") for place in (64, 65, 128, 192, 193, 194) for _ in range(3)]
    gains = [row for row in rows if row["effect"] == "0.1250"]
    assert {row["alternative"] for row in gains} == {"G"}
    assert len(gains) == 24 - 6


def test_top_and_regions_choose(files):
    top = rows_of(explain(files, files / "track.bed", files / "genome.fa", "--top", 1).output)
    assert {row["call"] for row in top} == {"one:193-200"}
    chosen = explain(files, files / "track.bed", files / "genome.fa", "--regions", "one:130-140")
    assert {row["call"] for row in rows_of(chosen.output)} == {"one:129-136"}
    alone = rows_of(explain(files, files / "genome.fa", "--regions", "one:100-150").output)
    assert {row["call"] for row in alone} == {"one:100-150"}
    assert {row["strand"] for row in alone} == {"+", "-"}


@pytest.mark.parametrize("name", ["why.png", "why.svg"])
def test_logos_are_drawn(files, name):
    pytest.importorskip("matplotlib")
    result = explain(files, files / "track.bed", files / "genome.fa", "--logo", files / name)
    assert result.exit_code == 0, result.output
    content = (files / name).read_bytes()
    assert content.startswith(b"\x89PNG") if name.endswith("png") else b"</svg>" in content
    assert len(content) > 5000


def test_the_stretch_that_is_shown():
    importance = np.array([0, 1, 0, -2, 2, 0, 1.0])
    assert most_important(importance, 2) == slice(3, 5)
    assert most_important(importance, 3) == slice(2, 5)
    assert most_important(importance, 9) == slice(0, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["genome.fa"], "say what to explain"),
        (["track.bed", "genome.fa", "genome.fa"], "not 3 files"),
        (["track.bed", "genome.fa", "-o", "x.tsv.gz"], "pipe it through gzip"),
        (["track.bed", "genome.fa", "--logo", "x.bmp"], "name it .png, .pdf or .svg"),
        (["track.bed", "genome.fa", "--score", "C"], "--score C: model base-G has G"),
        (["genome.fa", "--regions", "two"], "unknown contig 'two'"),
    ],
)
def test_what_cannot_be_is_one_line(files, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    result = explain(files, *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_nothing_to_explain_is_an_error(files):
    (files / "unknown.fa").write_text(">one\n" + "N" * 300 + "\n")
    result = explain(files, files / "track.bed", files / "unknown.fa")
    assert result.exit_code == 1
    assert "no call with a score" in result.stderr
