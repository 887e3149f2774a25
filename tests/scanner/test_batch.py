"""Several genomes and models: one pass, one table, what fails apart from what works, and what is complete stays."""

import csv
import gzip
import json
import os
import shutil
import subprocess
import threading

import commands
import numpy as np
import pytest
import toys

from genoscan.scanner import workers
from genoscan.scanner.reading import genome as reading


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three genomes and two models, and a sheet that names them."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    for name in ("human", "mouse", "fly"):
        records = [f">{name}{number}\n{''.join(random.choice(list('ACGT'), 3000))}\n" for number in range(3)]
        (tmp_path / f"{name}.fa").write_text("".join(records))
    toys.write(tmp_path / "a.onnx", toys.base_model("A", 64, 16))
    toys.write(tmp_path / "gc.onnx", toys.gc_model(32, 16))
    (tmp_path / "sheet.tsv").write_text(
        "sample\tgenome\tmodels\tregions\n"
        "h\thuman.fa\ta.onnx,gc.onnx\t\n"
        "m\tmouse.fa\ta.onnx\tmouse1:1,001-2,000;mouse0\n"
        "f\tfly.fa\t\t\n"
    )
    return tmp_path


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def batch(*more):
    return commands.invoke("batch", "sheet.tsv", "--out-dir", "tracks", "-m", "gc.onnx", "--device", "cpu", *more)


def alone(genome, model, *more):
    result = commands.invoke("scan", genome, "-m", model, "-q", "--device", "cpu", *more)
    assert result.exit_code == 0
    return result.stdout_bytes


def test_a_sheet(folder):
    result = batch()
    assert result.exit_code == 0, result.stderr
    tracks = {
        "h.base-A": alone("human.fa", "a.onnx"),
        "h.gc": alone("human.fa", "gc.onnx"),
        "m.base-A": alone("mouse.fa", "a.onnx", "--regions", "mouse1:1,001-2,000", "--regions", "mouse0"),
        "f.gc": alone("fly.fa", "gc.onnx"),
    }
    files = [f"{name}.bed.gz{ending}" for name in tracks for ending in ("", ".csi", ".json")]
    assert sorted(os.listdir("tracks")) == sorted([*files, "summary.tsv"])
    for name, expected in tracks.items():
        assert gzip.decompress((folder / "tracks" / f"{name}.bed.gz").read_bytes()) == expected
    rows = table("tracks/summary.tsv")
    assert [(row["sample"], row["genome"], row["model"], row["status"]) for row in rows] == [
        ("h", "human.fa", "base-A", "complete"),
        ("h", "human.fa", "gc", "complete"),
        ("m", "mouse.fa", "base-A", "complete"),
        ("f", "fly.fa", "gc", "complete"),
    ]
    for row in rows:
        lines = [line.split(b"\t") for line in tracks[f"{row['sample']}.{row['model']}"].splitlines()[1:]]
        covered = sum(int(line[2]) - int(line[1]) for line in lines)
        assert row["track"] == f"tracks/{row['sample']}.{row['model']}.bed.gz"
        assert (int(row["bases"]), int(row["calls"])) == (4000 if row["sample"] == "m" else 9000, len(lines))
        assert float(row["covered_share"]) == pytest.approx(covered / int(row["bases"]), abs=1e-6)
        assert float(row["mb_per_second"]) > 0


def test_one_reading_of_a_genome_serves_all_models(folder, monkeypatch):
    read = []
    codes = reading.Genome.codes

    def noted(self, contig, start, end):
        read.append((contig, start, end))
        return codes(self, contig, start, end)

    monkeypatch.setattr(reading.Genome, "codes", noted)
    result = commands.invoke("scan", "human.fa", "-m", "a.onnx", "-m", "gc.onnx", "--out-dir", "t", "-q")
    assert result.exit_code == 0
    assert sorted(contig for contig, _, _ in read) == [0, 1, 2]
    assert (folder / "t" / "human.gc.bed.gz").exists()


def test_what_fails_does_not_stop_the_rest(folder):
    (folder / "mouse.fa").write_text(">m\nACGT\n>n\nAC!T\n")
    (folder / "sheet.tsv").write_text(
        "sample\tgenome\tregions\nh\thuman.fa\t\nm\tmouse.fa\t\nx\tnix.fa\t\nr\tfly.fa\tnowhere\nf\tfly.fa\t\n"
    )
    result = batch("-q")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0] == "genoscan: error: nix.fa: no such file"  # known before any work
    assert lines[1].startswith("genoscan: error: mouse.fa: record 'n' has '!' at position 3")
    assert lines[2].startswith("genoscan: error: region 'nowhere': unknown contig")
    assert lines[3] == "genoscan: error: 3 of 5 genomes failed: nix.fa, mouse.fa, fly.fa; the other tracks are complete"
    assert len(lines) == 4
    found = {row["sample"]: row for row in table("tracks/summary.tsv")}
    assert [(name, row["status"].split(":")[0]) for name, row in found.items()] == [
        ("h", "complete"), ("m", "failed"), ("x", "failed"), ("r", "failed"), ("f", "complete"),
    ]  # fmt: skip
    assert found["x"]["status"] == "failed: nix.fa: no such file"
    assert found["x"]["calls"] == ""
    assert gzip.decompress((folder / "tracks" / "f.gc.bed.gz").read_bytes()) == alone("fly.fa", "gc.onnx")
    assert not [name for name in os.listdir("tracks") if name.startswith(("m.", "x.", "r."))]


def test_a_genome_that_fails_half_way_leaves_the_others(folder):
    """With an index beside it, a bad letter is met only when its piece is read."""
    bad = (folder / "mouse.fa").read_text().replace("\n", "\n").split("\n")
    bad[3] = bad[3][:1500] + "!" + bad[3][1501:]
    (folder / "mouse.fa").write_text("\n".join(bad))
    offsets = [len(">mouse0\n") + number * (len(">mouse0\n") + 3001) for number in range(3)]
    fai = "".join(f"mouse{number}\t3000\t{offset}\t3000\t3001\n" for number, offset in enumerate(offsets))
    (folder / "mouse.fa.fai").write_text(fai)
    result = commands.invoke(
        "scan",
        "human.fa",
        "mouse.fa",
        "fly.fa",
        "-m",
        "a.onnx",
        "--out-dir",
        "tracks",
        "-q",
        "--tile-size",
        "500",
        "--batch-size",
        "4",
    )
    assert result.exit_code == 1
    first, second, third = result.stderr.splitlines()
    assert first.startswith("genoscan: error: mouse.fa: record 'mouse1' has '!' at position 1,501")
    assert " kept in tracks/mouse.pieces: " in second
    assert third.startswith("genoscan: error: 1 of 3 genomes failed: mouse.fa;")
    for name in ("human", "fly"):
        assert gzip.decompress((folder / "tracks" / f"{name}.base-A.bed.gz").read_bytes()) == alone(
            f"{name}.fa", "a.onnx"
        )
    names = os.listdir("tracks")
    assert [name for name in names if name.startswith("mouse")] == ["mouse.pieces"]


def test_resume_leaves_what_is_complete_and_does_what_is_not(folder):
    assert batch("-q").exit_code == 0
    before = commands.contents(folder / "tracks")
    (folder / "tracks" / "m.base-A.bed.gz").unlink()
    stamps = {
        name: os.stat(folder / "tracks" / name).st_mtime_ns
        for name in before
        if name.endswith(".gz") and name[0] != "m"
    }
    result = batch("--resume")
    assert result.exit_code == 0
    said = result.stderr.splitlines()
    assert [line for line in said if "is complete already" in line] == [
        "genoscan: human.fa: is complete already",
        "genoscan: fly.fa: is complete already",
    ]
    after = commands.contents(folder / "tracks")
    assert after["m.base-A.bed.gz"] == before["m.base-A.bed.gz"]
    assert {name: os.stat(folder / "tracks" / name).st_mtime_ns for name in stamps} == stamps
    assert [row["calls"] for row in table("tracks/summary.tsv")] == [
        line.split("\t")[5] for line in before["summary.tsv"].decode().splitlines()[1:]
    ]


@pytest.mark.parametrize("change", ["genome", "touched", "model", "threshold"])
def test_resume_scans_again_what_is_no_longer_the_same(folder, change):
    arguments = ["scan", "human.fa", "-m", "a.onnx", "-o", "x.bed", "--device", "cpu", "--resume"]
    assert commands.invoke(*arguments).exit_code == 0
    (folder / "x.bed.pieces").mkdir()  # killed just before it went
    (folder / "x.bed.pieces" / "lock").touch()
    (folder / "x.bed.pieces" / "manifest.json").write_text("{}")
    again = commands.invoke(*arguments)
    assert not (folder / "x.bed.pieces").exists()
    assert again.stderr == "genoscan: human.fa: is complete already\n"
    if change == "genome":
        text = (folder / "human.fa").read_text()
        (folder / "human.fa").write_text(text[:-10] + "ACGTACGTA\n")
    elif change == "touched":
        os.utime(folder / "human.fa", ns=(1, 1))
    elif change == "model":
        toys.write(folder / "a.onnx", toys.base_model("A", 64, 32))
    else:
        arguments += ["--threshold", "0.9"]
    result = commands.invoke(*arguments)
    assert result.exit_code == 0
    assert ("is complete already" in result.stderr) == (change == "touched")


@pytest.mark.usefixtures("folder")
def test_all_workers_share_the_genomes_of_a_batch(monkeypatch):
    """A genome of one piece leaves nobody idle: pieces of the next are under way at the same time."""
    meeting, met = threading.Barrier(3, timeout=30), []
    run = workers.ThreadWorkers.run

    def together(self, genome, piece, stop):
        met.append(genome.source)
        meeting.wait()  # broken unless three pieces are there at once
        return run(self, genome, piece, stop)

    monkeypatch.setattr(workers.ThreadWorkers, "run", together)
    monkeypatch.setattr("genoscan.scanner.schedule.TILES_PER_SLOT", 1 / 99)
    result = commands.invoke(
        "scan",
        "human.fa",
        "mouse.fa",
        "fly.fa",
        "-m",
        "a.onnx",
        "--out-dir",
        "t",
        "-t",
        "3",
        "-q",
        "--tile-size",
        "20000",
    )
    assert result.exit_code == 0, result.stderr
    assert sorted(met) == ["fly.fa", "human.fa", "mouse.fa"]


def test_summary_and_tracks_please_other_tools(folder):
    assert batch("-q").exit_code == 0
    if shutil.which("bedtools"):
        checked = subprocess.run(
            ["bedtools", "merge", "-i", "tracks/h.base-A.bed.gz"], capture_output=True, check=False
        )
        assert checked.returncode == 0
        assert checked.stderr == b""
    summary = json.loads((folder / "tracks" / "h.gc.bed.gz.json").read_text())
    assert summary["counts"]["bases"] == 9000


@pytest.mark.parametrize("lost", ["sheet", "genome"])
def test_the_summary_does_not_replace_what_is_read(folder, lost):
    sheet = "summary.tsv" if lost == "sheet" else "sheet.tsv"
    genome = "summary.tsv" if lost == "genome" else "fly.fa"
    (folder / "summary.tsv").write_bytes((folder / "fly.fa").read_bytes())
    (folder / sheet).write_text(f"sample\tgenome\nf\t{genome}\n")
    before = commands.contents(folder)
    result = commands.invoke("batch", sheet, "--out-dir", ".", "-m", "gc.onnx", "--device", "cpu")
    assert (result.exit_code, commands.contents(folder)) == (2, before)
    assert "summary.tsv: is an input of this scan" in result.stderr


def test_usage_that_makes_no_sense():
    for arguments, said in [
        (("scan", "-", "-m", "repeats", "--resume"), "--resume needs a file to go on with"),
        (("batch", "nix.tsv", "--out-dir", "t"), "nix.tsv: cannot be read: No such file or directory"),
    ]:
        result = commands.invoke(*arguments)
        assert result.exit_code == 2
        assert said in result.stderr
