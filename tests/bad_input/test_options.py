"""Options that mean nothing and places that cannot be written: one line, and every file as it was."""

from __future__ import annotations

import commands
import pytest
import toys
from mistakes import SEQUENCE, one_error, scan


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300"])
def test_a_threshold_that_is_no_score(folder, value):
    assert f"--threshold {float(value)}" in one_error(
        folder, *scan("genome.fa", "model.onnx", "--threshold", value), code=2
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--threshold", "high"),
        ("--min-length", "0"),
        ("--tile-size", "-5"),
        ("--batch-size", "0"),
        ("-t", "0"),
        ("-t", "100000"),
        ("--batch-size", "10000000"),
        ("--device", "gpu"),
        ("--format", "gff"),
        ("--unknown",),
    ],
    ids=" ".join,
)
def test_options_that_click_refuses(folder, options):
    before = commands.contents(folder)
    result = commands.invoke(*scan("genome.fa", "model.onnx", *options))
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert options[0] in result.stderr.splitlines()[-1]
    assert commands.contents(folder) == before


@pytest.mark.usefixtures("folder")
def test_a_measurement_that_would_not_end():
    for seconds in ("inf", "1e300"):
        result = commands.invoke("bench", "-m", "model.onnx", "--genome", "genome.fa", "--seconds", seconds)
        assert result.exit_code == 2
        assert "--seconds" in result.stderr


def test_a_batch_that_no_memory_holds(folder):
    toys.write(folder / "long.onnx", toys.gc_model(10_000, 5000))
    line = one_error(folder, *scan("genome.fa", "long.onnx", "--batch-size", "1000000"), code=2)
    assert "--batch-size 1000000 is too large for windows of 10,000 bases" in line


def test_a_device_that_is_not_there(folder, monkeypatch):
    monkeypatch.setattr("genoscan.scanner.inference.session.cuda_device_count", lambda: 0)
    for device in ("cuda", "tensorrt"):
        line = one_error(folder, "scan", "genome.fa", "-m", "model.onnx", "-o", "out.bed", "--device", device)
        assert line.startswith(f"genoscan: error: --device {device}: ")


PLACES = [
    (("-o", "nix/out.bed"), 1, "the folder 'nix' does not exist"),
    (("-o", "genome.fa/out.bed"), 1, "does not exist"),
    (("-o", "."), 1, "is a folder"),
    (("-o", "x" * 300), 1, "File name too long"),
    (("-o", "genome.fa"), 2, "genome.fa: is an input of this scan"),
    (("-o", "../here/genome.fa"), 2, "is an input of this scan"),
    (("-o", "link.fa"), 2, "link.fa: is an input of this scan"),
    (("-o", "model.onnx"), 2, "model.onnx: is an input of this scan"),
    (("-o", "some.bed", "--regions", "some.bed"), 2, "some.bed: is an input of this scan"),
    (("-o", "some", "--regions", "some.json"), 2, "some.json: is an input of this scan"),
    (("-o", "x.bed", "--out-dir", "tracks"), 2, "not both"),
    (("--out-dir", "genome.fa"), 1, "genome.fa: cannot make the folder"),
    (("--out-dir", "genome.fa/x"), 1, "cannot make the folder"),
    (("copy/genome.fa", "-o", "x.bed"), 2, "2 genomes and 1 model: name a folder for their tracks with --out-dir"),
    (("copy/genome.fa", "--out-dir", "tracks"), 2, "tracks/genome.gc.bed.gz: two of the genomes or models"),
    (("-m", "twin.onnx"), 2, "1 genome and 2 models"),
    (("-m", "twin.onnx", "--out-dir", "tracks"), 2, "two of the genomes or models"),
    (("-m", "model.onnx", "--out-dir", "tracks"), 2, "two of the genomes or models"),
    (("genome.fa", "--out-dir", "tracks"), 2, "genome 'genome.fa' is given twice"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "code", "said"), PLACES, ids=lambda one: str(one)[:40])
def test_places_that_cannot_be_written(folder, options, code, said):
    (folder / "copy").mkdir()
    for name in ("copy/genome.fa", "some.bed", "some.json"):
        (folder / name).write_text(f">one\n{SEQUENCE}\n" if name.endswith("fa") else "one\t0\t50\n")
    (folder / "link.fa").symlink_to("genome.fa")
    (folder / "twin.onnx").write_bytes((folder / "model.onnx").read_bytes())
    assert said in one_error(folder, "scan", "genome.fa", "-m", "model.onnx", *options, code=code)


def test_a_folder_without_permission(folder, monkeypatch):
    """Asked of the system rather than tried: the superuser may write everywhere."""
    (folder / "locked").mkdir()
    monkeypatch.setattr("genoscan.scanner.writing.output.os.access", lambda *_: False)
    assert "the folder 'locked' is not writable" in one_error(
        folder, "scan", "genome.fa", "-m", "model.onnx", "-o", "locked/x.bed"
    )


@pytest.mark.parametrize("arguments", [("bench", "-m", "model.onnx", "--genome", "nix.fa"),
                                       ("bench", "-m", "nix.onnx"), ("models", "show", "nix"),
                                       ("demo", "--no-scan", "-o", "genome.fa")])  # fmt: skip
def test_the_other_commands_say_one_line_too(folder, arguments):
    line = one_error(folder, *arguments, code=1 if "genome.fa" in arguments or "nix.fa" in arguments else 2)
    assert arguments[-1] in line


def test_devices_and_pipes_are_written_to_and_not_replaced(folder):
    expected = commands.invoke("scan", "genome.fa", "-m", "model.onnx", "-q").stdout_bytes
    (folder / "stdout").symlink_to("/proc/self/fd/1")  # what /dev/stdout is
    before = commands.contents(folder)
    with (folder.parent / "redirected").open("wb") as redirected:
        result = commands.run("scan", "genome.fa", "-m", "model.onnx", "-q", "-o", "stdout", stdout=redirected)
    assert (result.returncode, result.stderr) == (0, b"")
    assert (folder.parent / "redirected").read_bytes() == expected
    assert (folder / "stdout").is_symlink()
    (folder / "stdout").unlink()
    del before["stdout"]
    assert commands.contents(folder) == before
