"""What of an interrupted scan is taken up, and what is not: another scan's, damaged, or complete already."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import commands
import pytest
import toys
from interrupted_scans import CPU, TRACK, Place, killed, outputs, pieces_of, resumed_bases, slow

from genoscan.scanner import tracks


@pytest.fixture(scope="module")
def cut_short(material, tmp_path_factory) -> Path:
    """The finished pieces that a killed scan has left."""
    place = Place(tmp_path_factory.mktemp("cut-short"), material)
    killed(place, *slow("-t", "2"))
    return place.here / "x.bed.gz.pieces"


@pytest.fixture
def interrupted(place, cut_short) -> Place:
    shutil.copytree(cut_short, place.here / "x.bed.gz.pieces")
    return place


def test_pieces_of_another_scan_are_refused(interrupted, monkeypatch):
    monkeypatch.chdir(interrupted.here)
    before = commands.contents(interrupted.here)
    (interrupted.here / "else.onnx").write_bytes(toys.kmer_bert(layers=4, strand="forward", seed=4))
    for arguments, said in (
        (slow("--resume", genome="small.fa"), "cannot resume: the genome differs (digest "),
        (("scan", "genome.fa", "-m", "else.onnx", "-o", "x.bed.gz", *CPU), "the model kmer-bert-3 differs (SHA-256 "),
        (slow("--threshold", "0.7"), "the options differ (thresholds of kmer-bert-3: [5000, 5000, "),
        (slow("--batch-size", "9"), "the options differ (batch size of kmer-bert-3: 8 then, 9 now)"),
        (slow("--regions", "contig0"), "the options differ (regions: [] then, "),
        (slow("--format", "bedgraph"), "the options differ (format: bed then, bedgraph now)"),
    ):
        result = commands.invoke(*arguments, "--resume")
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith("genoscan: error: x.bed.gz.pieces: cannot resume: the ")
        assert said in line
        assert sum(f"the {one} " in line for one in ("genome", "model", "options")) == 1
    (interrupted.here / "else.onnx").unlink()
    assert commands.contents(interrupted.here) == before


@pytest.mark.parametrize("how", ["a bit", "all of it"])
def test_a_damaged_piece_is_done_again(interrupted, undisturbed, how):
    folder = interrupted.here / "x.bed.gz.pieces"
    kept = pieces_of(folder)
    damaged = folder / sorted(kept)[1]
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 4
    damaged.write_bytes(data if how == "a bit" else b"")
    interrupted.finish(*slow("-t", "2", "--resume"))
    assert interrupted.made() == {*TRACK, "x.bed.gz.json"}
    assert outputs(interrupted.here, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(interrupted.here / "x.bed.gz.json") == sum(kept.values()) - kept[damaged.name]


def test_a_scan_killed_at_its_very_end_is_complete(place, cut_short):
    """Its tracks are there, and besides its pieces and its copy of the genome."""
    scan = ("scan", "small.fa", "-m", "gc.onnx", "-o", "x.bed.gz", "--device", "cpu")
    place.finish(*scan)
    before = commands.contents(place.here)
    shutil.copytree(cut_short, place.here / "x.bed.gz.pieces")
    copy = place.temporary / "genoscan-copy"
    copy.mkdir()
    (copy / "letters").write_text("ACGT")
    (copy / "genoscan.lock").write_text(socket.gethostname())
    assert place.finish(*scan, "--resume") == "genoscan: small.fa: is complete already\n"
    assert commands.contents(place.here) == before
    assert not copy.exists()


def test_a_track_never_has_the_summary_of_another(place, monkeypatch):
    """Ended between the track and its summary: the summary that was there before spoke of the track before."""
    monkeypatch.chdir(place.here)
    scan = ("scan", "small.fa", "-m", "gc.onnx", "-o", "x.bed", "--device", "cpu")
    assert commands.invoke(*scan).exit_code == 0
    before = (place.here / "x.bed").read_bytes()

    def ends(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tracks, "write_beside", ends)
        assert commands.invoke(*scan, "--threshold", "0.7").exit_code == 130
    assert (place.here / "x.bed").read_bytes() != before
    assert not (place.here / "x.bed.json").exists()
    assert commands.invoke(*scan, "--resume").exit_code == 1  # the other scan's pieces are there
    shutil.rmtree(place.here / "x.bed.pieces")
    assert commands.invoke(*scan, "--resume").exit_code == 0
    assert (place.here / "x.bed").read_bytes() == before
