"""Whatever ends a scan half way: the same command with --resume gives the bytes of an undisturbed run, nothing that was
finished is done again, and nothing is left over."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from commands import LIMIT
from interrupted_scans import (
    CPU,
    KEPT,
    TRACK,
    ended,
    ended_by,
    killed,
    outputs,
    pieces_of,
    resumed_bases,
    slow,
    summary,
    wait_for,
    wait_for_pieces,
)


@pytest.mark.parametrize(
    ("number", "code", "first", "again"),
    [
        (signal.SIGKILL, -9, ("-t", "1"), ("-t", "2")),
        (signal.SIGTERM, 143, ("-t", "1"), ("-t", "1", "--tile-size", "9000")),
        pytest.param(signal.SIGINT, 130, ("-t", "2"), ("-t", "2"), marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, 129, ("-t", "1"), ("-t", "3", "--tile-size", "300000"), marks=pytest.mark.long),
    ],
    ids=["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"],
)
def test_a_scan_that_was_ended_goes_on(place, undisturbed, number, code, first, again):
    process = place.start(*slow(*first))
    folder = place.here / "x.bed.gz.pieces"
    wait_for_pieces(process, folder)
    result = ended_by(process, number)
    assert result.returncode == code
    assert place.processes() == []
    assert place.made() == {"x.bed.gz.pieces"}
    kept = pieces_of(folder)
    assert len(kept) >= 3
    if number != signal.SIGKILL:
        said = {signal.SIGINT: "interrupted"}.get(number, f"ended by {signal.Signals(number).name}")
        assert result.stderr == f"genoscan: {said}; {KEPT.format(len(kept))}\n"
        assert {path.name for path in folder.iterdir()} == {"lock", "manifest.json", *kept}
    finished = ended(place.start(*slow(*again, "--resume")))
    assert finished.returncode == 0
    assert len(finished.stderr.splitlines()) == 1
    assert place.made() == {*TRACK, "x.bed.gz.json"}
    assert outputs(place.here, *TRACK) == outputs(undisturbed, *TRACK)
    there, expected = (summary(one / "x.bed.gz.json") for one in (place.here, undisturbed))
    for one in (there, expected):
        one.pop("workers")
        one["options"].pop("tile_size")
        one["genome"].pop("mtime_ns")
    assert there == expected
    assert resumed_bases(place.here / "x.bed.gz.json") == sum(kept.values())


@pytest.mark.parametrize(
    ("genome", "stdin"), [("genome.gzip.fa.gz", None), ("genome.bgzip.fa.gz", None), ("-", "genome.gzip.fa.gz")]
)
def test_any_kind_of_genome_goes_on_and_its_copy_is_swept(place, undisturbed, genome, stdin):
    scan = slow("-t", "2", genome=genome)
    kept = killed(place, *scan, stdin=stdin)
    (left,) = list(place.temporary.iterdir())  # SIGKILL leaves it, and the next run takes it away
    assert left.name.startswith("genoscan-")
    packed = (place.here / stdin).read_bytes() if stdin else b""
    place.finish(*scan, "--resume", stdin=packed)
    assert place.made() == {*TRACK, "x.bed.gz.json"}
    assert outputs(place.here, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(place.here / "x.bed.gz.json") == sum(kept.values())


def test_a_bedgraph_goes_on(place, undisturbed):
    scan = slow("-t", "2", "--format", "bedgraph", output="x.bedgraph")
    kept = killed(place, *scan, folder="x.bedgraph.pieces")
    place.finish(*scan, "--resume")
    assert place.made() == {"x.bedgraph", "x.bedgraph.json"}
    assert outputs(place.here, "x.bedgraph") == outputs(undisturbed, "x.bedgraph")
    assert resumed_bases(place.here / "x.bedgraph.json") == sum(kept.values())


def test_two_models_go_on(place, undisturbed):
    scan = ("scan", "genome.fa", "-m", "slow.onnx", "-m", "gc.onnx", "--out-dir", "out", *CPU, "-t", "2")
    killed(place, *scan, folder="out/genome.pieces")
    place.finish(*scan, "--resume")
    expected = {
        f"genome.{model}.bed.gz{ending}": (undisturbed / f"{name}.bed.gz{ending}").read_bytes()
        for model, name in {"kmer-bert-3": "x", "gc": "gc"}.items()
        for ending in ("", ".csi")
    }
    assert outputs(place.here / "out", *expected) == expected
    assert set(os.listdir(place.here / "out")) == {
        *expected, "genome.gc.bed.gz.json", "genome.kmer-bert-3.bed.gz.json", "summary.tsv"
    }  # fmt: skip


def test_a_batch_goes_on_and_what_is_complete_is_left_alone(place, undisturbed):
    rows = (("first", "small.fa"), ("second", "genome.fa"), ("third", "small.fa"))
    text = "".join(f"{sample}\t{genome}\tslow.onnx\n" for sample, genome in rows)
    (place.here / "sheet.tsv").write_text("sample\tgenome\tmodels\n" + text)
    scan, out = ("batch", "sheet.tsv", "--out-dir", "out", *CPU, "-t", "2"), place.here / "out"
    process, first = place.start(*scan), out / "first.kmer-bert-3.bed.gz"
    wait_for(Path(f"{first}.json").exists, process)
    wait_for_pieces(process, out / "second.pieces")
    process.kill()
    assert ended(process).returncode == -signal.SIGKILL
    kept = pieces_of(out / "second.pieces")
    before = first.stat()
    lines = place.finish(*scan, "--resume").splitlines()
    assert lines[0] == "genoscan: small.fa: is complete already"
    assert [line.split(": ")[1] for line in lines] == ["small.fa", "genome.fa", "small.fa"]
    assert first.stat() == before
    ending = ".kmer-bert-3.bed.gz"
    for sample, name in {"first": "small.bed.gz", "second": "x.bed.gz", "third": "small.bed.gz"}.items():
        assert (out / f"{sample}{ending}").read_bytes() == (undisturbed / name).read_bytes()
        assert (out / f"{sample}{ending}.csi").read_bytes() == (undisturbed / f"{name}.csi").read_bytes()
    assert len(list(out.iterdir())) == 3 * 3 + 1
    assert resumed_bases(out / f"second{ending}.json") == sum(kept.values())
    table = [line.split("\t") for line in (out / "summary.tsv").read_text().splitlines()]
    assert [(row[0], row[-1]) for row in table[1:]] == [(sample, "complete") for sample, _ in rows]


@pytest.mark.long
def test_a_killed_ray_driver_leaves_no_process_and_goes_on(place, undisturbed):
    scan = slow("--workers", "2", "-t", "1")
    process = place.start(*scan)
    wait_for_pieces(process, place.here / "x.bed.gz.pieces", 1)
    process.kill()
    ended(process)
    deadline = time.monotonic() + LIMIT
    while place.processes() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert place.processes() == []
    kept = pieces_of(place.here / "x.bed.gz.pieces")
    place.finish(*slow("-t", "2", "--resume"))
    assert outputs(place.here, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(place.here / "x.bed.gz.json") == sum(kept.values())
