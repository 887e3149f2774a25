"""Pictures of regions: which calls and scores are drawn, and what is said where they cannot be."""

import re
from xml.etree import ElementTree

import commands
import matplotlib.image
import numpy as np
import pytest
import toys
from commands import scan_file

from genoscan.results import plot
from genoscan.results.runs import find_runs
from genoscan.results.tracks import Level, Place, Row, read_calls, read_levels
from genoscan.scanner.card import Calling

PEAKS = Calling(threshold=0.5, extend=0.125, prominence=0.25, min_length=9)
ENDINGS = ("bed", "bed.gz", "bb", "gff3.gz", "gff3", "parquet")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plot")
    letters = np.array(list("ACGT"))[np.random.default_rng(3).integers(0, 4, 9000)]
    (folder / "genome.fa").write_text(f">one\n{''.join(letters[:3000])}\n>two;x\n{''.join(letters[3000:])}\n")
    toys.write(folder / "peaks.onnx", toys.base_model("G", 128, 16, 8, strand="both", calling=PEAKS))
    for ending in (*ENDINGS, "bw", "bedgraph.gz", "bedgraph"):
        scan_file(folder / "genome.fa", folder / "peaks.onnx", folder / f"x.{ending}")
    return folder


@pytest.mark.parametrize("ending", ENDINGS)
def test_calls_of_a_place_are_those_that_have_a_base_there(place, ending):
    (run,) = find_runs([str(place / f"x.{ending}")])
    everything = list(read_calls(run))
    for wanted in (Place("two;x", 1000, 2003), Place("one", 0, 3000), Place("one", 5, 6), Place("none", 0, 9)):
        inside = [
            row for row in everything if row.chrom == wanted.chrom and row.start < wanted.end and wanted.start < row.end
        ]
        assert list(read_calls(run, wanted)) == inside
        assert (len(inside) > 5) == (wanted.end > 1000)


@pytest.mark.parametrize("ending", ["bw", "bedgraph", "bedgraph.gz"])
def test_scores_of_a_place(place, ending):
    (run,) = find_runs([str(place / f"x.{ending}")])
    for path in run.channel_files():
        inside = [
            one for one in read_levels(path, run.format) if one.chrom == "one" and one.end > 100 and one.start < 203
        ]
        found = list(read_levels(path, run.format, Place("one", 100, 203)))
        assert (found[0].end, found[-1].start) == (inside[0].end, inside[-1].start)
        assert [one.score for one in found] == [one.score for one in inside]


def test_a_picture_of_calls_runs_the_model_and_one_with_scores_does_not(place, tmp_path, monkeypatch):
    pictures = {}
    for name, tracks in {"again": ["x.bb"], "given": ["x.bb", "x.bw"]}.items():
        if name == "given":
            monkeypatch.setattr(plot, "scan_samples", None)
        out = tmp_path / f"{name}.svg"
        arguments = [place / one for one in tracks]
        result = commands.invoke("plot", *arguments, "--region", "two;x:1,001-1,400", "-o", out)
        assert (result.exit_code, result.output) == (0, f"{out}\n"), result.output
        root = ElementTree.parse(out).getroot()
        assert root.tag.endswith("svg")
        text = out.read_text()
        assert re.search(r"<!-- two;x:1,001-1,400 -->", text)
        pictures[name] = sorted(re.findall(r'd="(M [^"]*)"', text), key=len)[-2:]
    assert pictures["again"] == pictures["given"]  # the same curves


def test_a_png_is_drawn_with_the_colour_of_the_track(place, tmp_path):
    assert commands.invoke("plot", place / "x.bw", "--region", "one", "-o", tmp_path / "x.png").exit_code == 0
    picture = matplotlib.image.imread(tmp_path / "x.png")
    assert picture.shape[1] == 1650
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 10


def test_calls_are_never_over_one_another():
    rows = [Row("a", start, start + 30, "x", 1, ".", ()) for start in (0, 10, 30, 45, 200)]
    assert [line for _, line in plot._packed(rows, Place("a", 0, 200))] == [0, 1, 2, 0, 0]


def test_names_of_calls_are_never_over_one_another():
    rows = [Row("a", start, start + 2, "tandem_repeat", 1, ".", ()) for start in (0, 10, 20)]
    assert [line for _, line in plot._packed(rows, Place("a", 0, 200))] == [0, 1, 0]  # 15 letters are 18 bases here
    many = [Row("a", 9 * number, 9 * number + 2, "x" * 9, 1, ".", ()) for number in range(31)]
    assert {line for _, line in plot._packed(many, Place("a", 0, 300))} == {0}  # these have no names


def test_steps_have_gaps_where_there_is_no_score():
    x, y = plot._steps([Level("a", 0, 5, 1.0), Level("a", 5, 9, 2.0), Level("a", 20, 30, 3.0)])
    assert x == [0, 5, 5, 9, 20, 20, 30]
    assert np.array_equal(y, [1, 1, 2, 2, np.nan, 3, 3], equal_nan=True)


@pytest.mark.parametrize(
    ("region", "output", "code", "said"),
    [
        ("one:5-9", "x.gif", 2, "x.gif: name a picture that ends in .png, .svg, .pdf"),
        ("three", "x.png", 2, "three"),
        ("one:9-99999", "x.png", 2, "99999"),
        ("one", "none/x.png", 1, "the folder"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(place, tmp_path, region, output, code, said):
    result = commands.invoke("plot", place / "x.bw", "--region", region, "-o", tmp_path / output)
    assert (result.exit_code, result.stderr.count("\n")) == (code, 1), result.stderr
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_has_changed_is_not_run(place, tmp_path):
    for name in ("genome.fa", "peaks.onnx"):
        (tmp_path / name).write_bytes((place / name).read_bytes())
    scan_file(tmp_path / "genome.fa", tmp_path / "peaks.onnx", tmp_path / "x.bed")
    toys.write(tmp_path / "peaks.onnx", toys.base_model("C", 128, 16, 8, strand="both", calling=PEAKS))
    result = commands.invoke("plot", tmp_path / "x.bed", "--region", "one", "-o", tmp_path / "x.png")
    assert result.exit_code == 1
    assert "its genome or its model has changed since; give the track of raw scores" in result.stderr
    (tmp_path / "peaks.onnx").unlink()
    result = commands.invoke("plot", tmp_path / "x.bed", "--region", "one", "-o", tmp_path / "x.png")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "give the track of raw scores (--format bigwig) of the same scan too" in result.stderr
