"""Disks, folders and genomes that fail half way: one line, and the scan goes on when they are back."""

from __future__ import annotations

import resource
import shutil
import subprocess

import commands
import pysam
import pytest
from interrupted_scans import CPU, TRACK, ended, error_line, outputs, pieces_of, resumed_bases, slow, wait_for_pieces

from genoscan.scanner import batch
from genoscan.scanner.errors import OutputError


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB with all but 12 kB, which is three small files, taken by a file `ballast`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=256k", "genoscan-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(options, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        (folder / "ballast").write_bytes(bytes((256 - 12) << 10))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_the_scan_goes_on(place, undisturbed, small_disk):
    scan = slow("-t", "1", output=str(small_disk / "x.bed.gz"))
    line = error_line(ended(place.start(*scan)))
    assert ": cannot write: No space left on device; free some space" in line
    assert line.startswith(f"genoscan: error: {small_disk / 'x.bed.gz'}")
    kept = pieces_of(small_disk / "x.bed.gz.pieces")
    assert f"; {len(kept)} finished piece" in line
    assert {path.name for path in small_disk.iterdir()} == {"ballast", "x.bed.gz.pieces"}
    (small_disk / "ballast").unlink()
    place.finish(*scan, "--resume")
    assert outputs(small_disk, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(small_disk / "x.bed.gz.json") == sum(kept.values())
    assert {path.name for path in small_disk.iterdir()} == {*TRACK, "x.bed.gz.json"}


@pytest.mark.parametrize("output", ["x.bedgraph", "x.bedgraph.gz"])
def test_a_limit_on_files_is_one_line_and_the_scan_goes_on(place, output):
    scan = ("scan", "genome.fa", "-m", "base.onnx", "--format", "bedgraph", *CPU, "-t", "1", "-o")
    limit = 30_000

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    line = error_line(ended(place.start(*scan, output, preexec_fn=limited)))
    assert line.startswith(f"genoscan: error: {output}")
    assert ": cannot write: " in line
    kept = pieces_of(place.here / f"{output}.pieces")
    assert kept
    place.finish(*scan, output, "--resume")
    assert resumed_bases(place.here / f"{output}.json") == sum(kept.values())
    place.finish(*scan, f"other.{output}")
    assert (place.here / output).read_bytes() == (place.here / f"other.{output}").read_bytes()
    assert len((place.here / output).read_bytes()) > limit
    assert place.temporary.exists()
    assert not list(place.here.glob("*.pieces"))


@pytest.mark.parametrize("back", [True, False])
def test_an_output_folder_that_goes_away(place, undisturbed, back):
    tracks_folder, gone = place.here / "tracks", place.here / "gone"
    tracks_folder.mkdir()
    scan = slow("-t", "1", output="tracks/x.bed.gz")
    process = place.start(*scan)
    wait_for_pieces(process, tracks_folder / "x.bed.gz.pieces")
    tracks_folder.rename(gone)
    line = error_line(ended(process))
    assert line.startswith("genoscan: error: tracks/x.bed.gz")
    assert line.endswith(": cannot write: No such file or directory")  # nothing is said to be kept
    kept = pieces_of(gone / "x.bed.gz.pieces")
    if back:
        gone.rename(tracks_folder)
    else:
        tracks_folder.mkdir()
        shutil.rmtree(gone)
    place.finish(*scan, "--resume")
    assert outputs(tracks_folder, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(tracks_folder / "x.bed.gz.json") == (sum(kept.values()) if back else 0)
    assert place.made() == {"tracks"}
    assert len(list(tracks_folder.iterdir())) == 3


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("harm", ["truncated", "altered"])
def test_a_genome_that_changes_half_way(place, undisturbed, indexed, harm):
    genome = place.here / "genome.fa"
    text = genome.read_bytes()
    if indexed:
        pysam.faidx(str(genome))
        place.given.add("genome.fa.fai")
    process = place.start(*slow("-t", "1"))
    wait_for_pieces(process, place.here / "x.bed.gz.pieces", 2)
    with genome.open("r+b") as file:
        if harm == "truncated":
            file.truncate(len(text) // 4)
        else:  # other bases everywhere, in as many bytes
            file.write(text.replace(b"G", b"A"))
    line = error_line(ended(process))
    assert line.startswith("genoscan: error: genome.fa: ")
    assert "changed" in line
    assert place.made() == {"x.bed.gz.pieces"}
    kept = pieces_of(place.here / "x.bed.gz.pieces")
    assert len(kept) >= 2
    genome.write_bytes(text)
    said = place.finish(*slow("-t", "2", "--resume"))
    assert ("genome.fa.fai: is older than the file" in said) == indexed
    assert outputs(place.here, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(place.here / "x.bed.gz.json") == sum(kept.values())
    assert place.made() == {*TRACK, "x.bed.gz.json"}


def test_the_table_of_a_batch_does_not_hide_what_ended_it(place, monkeypatch):
    monkeypatch.chdir(place.here)

    def ends(*_):
        raise KeyboardInterrupt

    def full(*_):
        raise OutputError("summary.tsv: cannot write: No space left on device")

    monkeypatch.setattr(batch, "_scan_one", ends)
    monkeypatch.setattr(batch, "write_table", full)
    result = commands.invoke("scan", "small.fa", "-m", "gc.onnx", "--out-dir", "out", "--device", "cpu")
    assert (result.exit_code, result.stderr) == (130, "genoscan: interrupted\n")
