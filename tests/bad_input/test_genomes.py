"""Genomes and regions that are none: one line that says what, the right exit code, and every file as it was."""

from __future__ import annotations

import gzip
import re

import commands
import pytest
from mistakes import SEQUENCE, one_error, scan

PROTEIN = ">p\nMKVLAAGIVGLCAKAYLEHPEFKLLMQPRSTVWYEFIL\n"
GENOMES = {
    "empty": (b"", "is empty"),
    "protein": (PROTEIN.encode(), "record 'p'.*protein"),
    "fastq": (b"@read\nACGT\n+\nIIII\n", "FASTQ"),
    "text": (b"hello world\n", "not FASTA"),
    "truncated-gzip": (gzip.compress(SEQUENCE.encode() * 1000, mtime=0)[:60], "truncated"),
    "gzip-of-nothing": (gzip.compress(b""), "is empty"),
    "duplicate-names": (b">one\nACGT\n>two\nACGT\n>one x\nACGT\n", "1 and 3 have the same name 'one'"),
    "no-bases": (b">one\n>two\n", "no bases"),
    "no-name": (b">\nACGT\n", "record 1 has no name"),
    "odd-letter": (b">one\nACGT\n>two\nACG!\n", "record 'two' has '!' at position 4"),
}


@pytest.mark.parametrize("name", GENOMES)
@pytest.mark.parametrize("given", ["file", "stdin"])
def test_a_genome_that_is_none(folder, name, given):
    content, said = GENOMES[name]
    (folder / "bad.fa").write_bytes(content)
    if given == "file":
        line = one_error(folder, *scan("bad.fa"))
        assert "bad.fa: " in line
    else:
        line = one_error(folder, *scan("-"), stdin=content)
        assert "<stdin>: " in line
    assert re.search(said, line), line


@pytest.mark.parametrize(
    ("genome", "said"),
    [("nix.fa", "nix.fa: no such file"), (".", ".: is a folder"), ("x" * 300, "File name too long"),
     ("genome.fa/x", "Not a directory"), ("", "no such file")],
)  # fmt: skip
def test_a_genome_that_cannot_be_read(folder, genome, said):
    assert said in one_error(folder, *scan(genome))


def test_an_empty_record_is_one_warning_and_the_rest_is_scanned(folder):
    (folder / "genome.fa").write_text(f">hole\n>one\n{SEQUENCE}\n")
    result = commands.invoke(*scan("genome.fa", "model.onnx", "-q"))
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("genoscan: warning: genome.fa: record 'hole' is empty")
    assert b"one\t" in (folder / "out.bed").read_bytes()


def test_names_with_control_characters_stay_within_their_line(folder):
    (folder / "odd\x1b[31m\nname\u2028.fa").write_text(f">hole\n>one\n{SEQUENCE}\n")
    shown = "odd\\x1b[31m\\nname\\u2028.fa: "
    result = commands.invoke(
        "scan", "odd\x1b[31m\nname\u2028.fa", "-m", "model.onnx", "-o", "out.bed", "--device", "cpu"
    )
    warning, summary = result.stderr.splitlines()
    assert warning.startswith(f"genoscan: warning: {shown}record 'hole' is empty")
    assert summary.startswith(f"genoscan: {shown}")
    assert f"genoscan: error: {shown}no such file" in one_error(folder, *scan("x/odd\x1b[31m\nname\u2028.fa")).replace(
        "x/", ""
    )


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("one:1-97", "region 'one:1-97': reaches beyond the end of 'one', which has 96 bases"),
        ("one:97", "beyond the end of 'one'"),
        ("three:1-5", "unknown contig 'three'"),
        ("three", "unknown contig 'three'"),
        ("one:0-5", "counted from 1"),
        ("one:9-5", "starts after its end"),
        ("one:a-b", "expected one:START-END"),
        ("empty.bed", "the regions hold no bases of genome.fa"),
        ("comment.bed", "the regions hold no bases of genome.fa"),
        ("beyond.bed", "beyond.bed line 2: ends at 97"),
        ("unknown.bed", "unknown.bed line 1: unknown contig 'three'"),
        ("model.onnx", "model.onnx"),
    ],
)
def test_regions_that_mean_nothing(folder, region, said):
    beds = {"empty": "", "comment": "#chrom\n\n", "beyond": "one\t0\t5\none\t0\t97\n", "unknown": "three\t0\t1\n"}
    for name, text in beds.items():
        (folder / f"{name}.bed").write_text(text)
    assert said in one_error(folder, *scan("genome.fa", "model.onnx", "--regions", region), code=2)


@pytest.mark.data
def test_the_collected_oddities(data_folder, folder):
    """Each of them is scanned or refused in one line; none ends in a traceback or leaves anything."""
    scanned = []
    before = commands.contents(folder)
    for path in sorted((data_folder / "genomes" / "oddities").iterdir()):
        result = commands.invoke("scan", path, "-m", "model.onnx", "-q", "--device", "cpu")
        assert result.exit_code in (0, 1), path
        assert result.exception is None or isinstance(result.exception, SystemExit), path
        errors = [line for line in result.stderr.splitlines() if "error: " in line]
        assert len(errors) == result.exit_code, path
        if result.exit_code:
            assert path.name in errors[0]
        else:
            scanned.append(path)
    assert scanned
    assert commands.contents(folder) == before
    assert not list((folder.parent / "temporary").iterdir())
