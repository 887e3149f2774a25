"""Hubs: stanzas by UCSC's rules, files that other readers take, sessions that name them."""

import json
import re
from xml.etree import ElementTree

import commands
import numpy as np
import pyBigWig
import pytest
import toys
from commands import scan_file

from genoscan.results.runs import find_runs
from genoscan.results.tracks import read_calls, read_levels
from genoscan.scanner.card import Calling, Track
from genoscan.scanner.errors import GenoscanError

PEAKS = Calling(threshold=0.5, extend=0.125, prominence=0.25, min_length=9)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    random = np.random.default_rng(3)
    text = "".join(np.array(list("ACGT"))[random.integers(0, 4, 6000)])
    (folder / "genome.fa").write_text(f">chr2\n{text[:4000]}\n>chr1\n{text[4000:]}\n")
    (folder / "other.fa").write_text(f">chr2\n{text[:900]}\n")
    toys.write(folder / "runs.onnx", toys.base_model("G", 128, 16, 8))
    toys.write(folder / "peaks.onnx", toys.base_model("G", 128, 16, 8, strand="both", calling=PEAKS))
    (folder / "tracks").mkdir()
    for model, name in {"runs": "runs.gff3.gz", "peaks": "peaks.bb"}.items():
        scan_file(folder / "genome.fa", folder / f"{model}.onnx", folder / "tracks" / name)
    scan_file(folder / "genome.fa", folder / "peaks.onnx", folder / "tracks" / "strength.bedgraph.gz")
    return folder


def hub(tracks, tmp_path, *more):
    arguments = tracks, "--assembly", "toy1", "--email", "me@example.org", "--out-dir", tmp_path / "hub"
    return commands.invoke("hub", *arguments, *more)


def stanzas(path):
    blocks = path.read_text().strip().split("\n\n")
    return [dict(line.split(" ", 1) for line in block.splitlines()) for block in blocks]


def test_a_hub_keeps_the_rules_of_ucsc(place, tmp_path):
    result = hub(place / "tracks", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert result.output.split() == [
        str(tmp_path / "hub" / name) for name in ("hub.txt", "config.json", "igv.xml", "igv.json")
    ]
    first, genome, *tracks = stanzas(tmp_path / "hub" / "hub.txt")
    assert {"hub", "shortLabel", "longLabel", "useOneFile", "email"} == first.keys()
    assert first["useOneFile"] == "on"
    assert genome == {"genome": "toy1"}
    names = [one["track"] for one in tracks]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z]\w*", name) for name in names)
    assert all(len(one["shortLabel"]) <= 17 and len(one["longLabel"]) <= 76 for one in tracks)
    assert [one["type"] for one in tracks] == ["bigBed 9 +", "bigBed 6 +", "bigWig", "bigWig", "bigWig"]
    container, plus, minus = tracks[-3:]
    assert container["container"] == "multiWig"
    assert plus["parent"] == minus["parent"] == container["track"]
    assert (plus.get("negateValues"), minus.get("negateValues")) == (None, "on")
    assert [one["shortLabel"] for one in tracks] == [
        "peaks", "runs", "strength scores", "strength score +", "strength score -"
    ]  # fmt: skip
    for one in tracks:
        if "bigDataUrl" in one:
            with pyBigWig.open(str(tmp_path / "hub" / one["bigDataUrl"])) as file:
                assert file.isBigBed() == one["type"].startswith("bigBed")


def test_scores_that_may_be_negative_stand_on_no_zero(place, tmp_path):
    """Neither as bars, nor the minus strand upside down; and UCSC's names begin with a letter."""
    track = Track(score_range=(-1.0, 2.0))
    toys.write(tmp_path / "log.onnx", toys.base_model("G", 128, 16, 8, strand="both", track=track))
    scan_file(place / "genome.fa", tmp_path / "log.onnx", tmp_path / "5-utr of all.bw")
    assert hub(tmp_path / "5-utr of all.bw", tmp_path).exit_code == 0
    *_, whole, plus, minus = stanzas(tmp_path / "hub" / "hub.txt")
    assert whole["graphTypeDefault"] == "points"
    assert "negateValues" not in minus
    assert whole["track"] == "t_5_utr_of_all_scores"
    assert (plus["shortLabel"], minus["shortLabel"]) == ("5-utr o.. score +", "5-utr o.. score -")
    assert {one["graphType"] for one in json.loads((tmp_path / "hub" / "igv.json").read_text())["tracks"]} == {"line"}


def test_a_hub_holds_what_the_tracks_hold(place, tmp_path):
    hub(place / "tracks", tmp_path)
    for run in find_runs([str(place / "tracks")]):
        if run.levels:
            for path, channel in run.channel_files().items():
                label = {"+": "plus", "-": "minus"}[channel.strand]
                with pyBigWig.open(str(tmp_path / "hub" / f"strength.{label}.bw")) as file:
                    found = [(name, *one) for name in ("chr2", "chr1") for one in file.intervals(name)]
                levels = list(read_levels(path, run.format))
                assert [one[:3] for one in found] == [one[:3] for one in levels]
                assert np.allclose([one[3] for one in found], [one.score for one in levels], atol=1e-6)
            continue
        with pyBigWig.open(str(tmp_path / "hub" / f"{run.name}.bb")) as file:
            found = [
                (name, *one)
                for name in ("chr2", "chr1")
                for one in file.entries(name, 0, {"chr2": 4000, "chr1": 2000}[name])
            ]
        rows = [
            (row.chrom, row.start, row.end, "\t".join([row.name, str(row.score), row.strand, *row.more]))
            for row in read_calls(run)
        ]
        assert sorted(found) == sorted(rows)
        assert len(rows) > 20


@pytest.mark.parametrize("ending", ["bed", "bb", "gff3", "parquet"])
def test_calls_are_read_back_from_every_format(place, tmp_path, ending):
    scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / f"x.{ending}")
    (expected,) = find_runs([str(place / "tracks" / "peaks.bb")])
    (run,) = find_runs([str(tmp_path / f"x.{ending}")])
    numbers = [
        tuple(f"{float(one):g}" if re.fullmatch(r"[-\d.]+", one) else one for one in row.more)
        for row in read_calls(run)
    ]
    wanted = {row[:6]: row.more for row in read_calls(expected)}
    assert [row[:6] for row in sorted(read_calls(run))] == sorted(wanted)
    assert sorted(numbers) == sorted(
        tuple(f"{float(one):g}" if re.fullmatch(r"[-\d.]+", one) else one for one in more) for more in wanted.values()
    )


def test_sessions_name_the_files_of_the_hub(place, tmp_path):
    hub(place / "tracks", tmp_path)
    folder = tmp_path / "hub"
    files = {path.name for path in folder.iterdir() if path.suffix in (".bb", ".bw")}
    jbrowse = json.loads((folder / "config.json").read_text())
    uris = {next(one for key, one in track["adapter"].items() if key != "type")["uri"] for track in jbrowse["tracks"]}
    assert uris == files == {one["url"] for one in json.loads((folder / "igv.json").read_text())["tracks"]}
    (assembly,) = jbrowse["assemblies"]
    assert {one for track in jbrowse["tracks"] for one in track["assemblyNames"]} == {assembly["name"]} == {"toy1"}
    shown = jbrowse["defaultSession"]["views"][0]["init"]
    assert shown == {"assembly": "toy1", "loc": "chr2:1-4000", "tracks": [one["trackId"] for one in jbrowse["tracks"]]}
    session = ElementTree.parse(folder / "igv.xml").getroot()
    assert {one.get("path") for one in session.iter("Resource")} == files
    assert session.get("genome") == "toy1"
    assert (folder / "chrom.sizes").read_text() == "chr2\t4000\nchr1\t2000\n"


def test_a_genome_of_ones_own(place, tmp_path):
    (tmp_path / "toy.2bit").write_bytes(b"sequence")
    hub(place / "tracks", tmp_path, "--two-bit", tmp_path / "toy.2bit")
    assert stanzas(tmp_path / "hub" / "hub.txt")[1] == {
        "genome": "toy1", "twoBitPath": "toy.2bit", "organism": "toy1", "defaultPos": "chr2:1-4000"
    }  # fmt: skip
    assert (tmp_path / "hub" / "toy.2bit").read_bytes() == b"sequence"
    assert json.loads((tmp_path / "hub" / "igv.json").read_text())["reference"]["twoBitURL"] == "toy.2bit"


def test_what_makes_no_hub_is_one_line(place, tmp_path):
    for more, code, said in (
        (["--genome", place / "other.fa"], 1, "other.fa: is not the genome that was scanned; name that with --genome"),
        (["--genome", place / "gone.fa"], 1, "gone.fa: no such file"),
        ([place / "none.bb"], 1, "none.bb: no such file"),
        (
            [place / "runs.onnx"],
            1,
            "runs.onnx.json: no such file: the summary that genoscan scan writes beside a track",
        ),
        ([tmp_path], 1, "no track of genoscan's in this folder"),
    ):
        result = hub(place / "tracks", tmp_path, *more)
        assert (result.exit_code, result.stderr.count("\n")) == (code, 1), result.stderr
        assert said in result.stderr


def test_names_that_would_be_one_make_no_hub(place, tmp_path):
    """A file's, or one that only UCSC sees; nothing is written before."""
    for first, second, said in (
        ("x.bb", "x.bed", "two tracks would be 'x.bb' in the hub: give one of them, or rename one"),
        ("y_scores.bb", "y.bw", "two tracks would be 'y_scores' in the hub"),
    ):
        for name in (first, second):
            scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / name)
        result = hub(tmp_path / first, tmp_path, tmp_path / second)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert said in result.stderr
        assert not (tmp_path / "hub").exists()


def test_a_hub_among_its_tracks_leaves_them(place, tmp_path):
    scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / "hub.bb")
    before = (tmp_path / "hub.bb").read_bytes()
    result = commands.invoke("hub", tmp_path, "--assembly", "toy1", "--email", "me@x.org", "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "hub.bb").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "chrom.sizes", "config.json", "hub.bb", "hub.bb.json", "hub.txt", "igv.json", "igv.xml"
    ]  # fmt: skip


def test_a_track_that_is_gone_is_named(place, tmp_path):
    scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / "x.bw")
    assert [run.output.name for run in find_runs([str(tmp_path / "x.minus.bw")])] == ["x.bw"]
    (tmp_path / "x.plus.bw").unlink()
    with pytest.raises(GenoscanError, match=r"x.plus.bw: no such file, but 'x.bw.json' tells of it"):
        find_runs([str(tmp_path)])


def test_a_damaged_track_is_named(place, tmp_path):
    scan_file(place / "genome.fa", place / "runs.onnx", tmp_path / "x.bed")
    (tmp_path / "x.bed").write_text("chr1\t5\n")
    (run,) = find_runs([str(tmp_path)])
    with pytest.raises(GenoscanError, match=r"x.bed: cannot be read: .*; scan again"):
        list(read_calls(run))
