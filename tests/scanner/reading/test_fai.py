"""The index beside a FASTA: used where it fits, and never trusted where it does not."""

import os
import random
from pathlib import Path

import pysam
import pytest
from fastas import failure, index, naive_codes, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading import genome as genome_module
from genoscan.scanner.reading.genome import open_genome


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    lengths=st.lists(st.integers(1, 100), min_size=1, max_size=4),
    width=st.integers(1, 40),
    newline=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_the_index_of_samtools_is_used_and_agrees(tmp_path, monkeypatch, lengths, width, newline, last, seed):
    rng = random.Random(seed)
    sequences = ["".join(rng.choices("ACGTNacgtn", k=length)) for length in lengths]
    text = ""
    for number, sequence in enumerate(sequences):
        lines = [sequence[i : i + width] for i in range(0, len(sequence), width)]
        text += newline.join([f">record{number} text", *lines, ""])
    path = write(tmp_path, text if last else text.rstrip())
    with monkeypatch.context() as forbidden:
        with open_genome(path) as genome:
            own = [genome.codes(contig, 0, length).tolist() for contig, length in enumerate(lengths)]
        pysam.faidx(str(path))
        forbidden.setattr(genome_module, "read_layout", None)  # the index is used: nothing is indexed
        with open_genome(path) as genome:
            for contig, sequence in enumerate(sequences):
                codes = genome.codes(contig, 0, len(sequence)).tolist()
                assert codes == own[contig] == naive_codes(sequence)
                start = rng.randrange(len(sequence))
                assert genome.codes(contig, start, len(sequence)).tolist() == codes[start:]
                assert genome.codes(contig, 0, start).tolist() == codes[:start]
    Path(f"{path}.fai").unlink()


def expect_indexed_anew(path: Path, reason: str) -> None:
    before = Path(f"{path}.fai").read_bytes()
    warned: list[str] = []
    with open_genome(path, warned.append) as genome:
        assert genome.names == ["a", "b"]
        assert genome.codes(1, 0, 3).tolist() == [2, 2, 3]
    assert len(warned) == 1
    assert reason in warned[0]
    assert str(path) in warned[0]
    assert Path(f"{path}.fai").read_bytes() == before  # the user's file is left as it is


def test_stale_index(tmp_path):
    path = write(tmp_path, ">a\nACGT\n>b\nGGT\n")
    fai = index(path)
    os.utime(fai, (1, 1))
    expect_indexed_anew(path, "older")


@pytest.mark.parametrize(
    "fai",
    [
        "",
        "nonsense\n",
        "a\t4\t3\t4\t5\nb\tx\t11\t3\t4\n",
        "a\t4\t3\t4\t5\n",  # a record is missing
        "b\t3\t11\t3\t4\n",
        "a\t4\t3\t4\t5\nc\t3\t11\t3\t4\n",  # another name
        "a\t4\t3\t4\t5\nb\t3\t12\t3\t4\n",
        "a\t4\t3\t4\t5\nb\t300\t11\t3\t4\n",  # beyond the file
        "a\t4\t3\t4\t5\nb\t-3\t11\t3\t4\n",
        "a\t4\t3\t0\t0\nb\t3\t11\t3\t4\n",
        "a\t4\t3\t4\t99999999999999999999\nb\t3\t11\t3\t4\n",
        b"\xff\t4\t3\t4\t5\nb\t3\t11\t3\t4\n",
    ],
)
def test_wrong_index(tmp_path, fai):
    path = write(tmp_path, ">a\nACGT\n>b\nGGT\n")
    write(tmp_path, fai, "genome.fa.fai")
    expect_indexed_anew(path, "indexing")


def test_index_with_a_name_that_samtools_dropped(tmp_path):
    path = write(tmp_path, ">a\nACGT\n>a\nGGT\n")
    write(tmp_path, "a\t4\t3\t4\t5\n", "genome.fa.fai")
    assert "same name 'a'" in failure(path)


def test_letters_are_checked_when_an_index_is_used(tmp_path):
    path = write(tmp_path, ">a\nACGT\nAEGT\n>b\nGG\n")
    index(path)
    with open_genome(path) as genome:
        assert genome.codes(0, 0, 5).tolist() == [0, 1, 2, 3, 0]
        with pytest.raises(GenoscanError, match="record 'a' has 'E' at position 6"):
            genome.codes(0, 2, 8)
    path = write(tmp_path, b">a\nACGT\nA\xffGT\n")
    index(path)
    assert "record 'a' has byte 0xff at position 6" in failure(path)
    path = write(tmp_path, ">a\nACGT\nAéG\n")
    index(path)
    assert "record 'a' has byte 0xc3 at position 6" in failure(path)
    path = write(tmp_path, ">p\nMKVRSDHMKVRSDHMKVRSDHW\n")
    index(path)
    assert "record 'p' looks like protein" in failure(path)


@pytest.mark.parametrize(
    ("text", "fai"),
    [
        (">a\nACGT \nAC \n>b\nGGT\n", "a\t6\t3\t4\t6\nb\t3\t16\t3\t4\n"),  # blanks at the ends of lines
        (">a \nACGT\nAC\t\n>b\nGGT\n", "a\t6\t4\t4\t5\nb\t3\t16\t3\t4\n"),
    ],
)
def test_index_of_lines_with_blanks(tmp_path, text, fai):
    """samtools writes one; pyfaidx would read the blanks as letters."""
    path = write(tmp_path, text)
    write(tmp_path, fai, "genome.fa.fai")
    expect_indexed_anew(path, "does not fit")


@pytest.mark.parametrize(
    ("text", "fai"),
    [
        (b">a\rACGT", "a\t4\t3\t4\t4\n"),
        (b">a\nAC\rGT", "a\t4\t3\t2\t3\n"),
        (b">a\nACGT\n>b\rc", "a\t4\t3\t4\t5\nb\t0\t12\t0\t0\n"),
        (b">a\nACGT\r\t", "a\t4\t3\t4\t5\n"),
    ],
)
def test_no_index_makes_up_for_line_ends_that_are_none(tmp_path, text, fai):
    path = write(tmp_path, text)
    write(tmp_path, fai, "genome.fa.fai")
    assert "carriage returns without line feeds" in failure(path)


def test_no_index_finds_records_in_the_middle_of_a_line(tmp_path):
    path = write(tmp_path, ">a\nACGT\n>b\v>c\n")
    write(tmp_path, "a\t4\t3\t4\t5\nb\t0\t11\t0\t0\nc\t0\t14\t0\t0\n", "genome.fa.fai")
    with open_genome(path, warn=lambda _: None) as genome:
        assert genome.names == ["a", "b"]


@pytest.mark.parametrize("indexed", [False, True])
def test_a_piece_is_not_taken_for_protein_when_its_record_is_dna(tmp_path, indexed):
    path = write(tmp_path, f">a\n{'X' * 25 + 'ACGT' * 10}\n>p\n{'RYKM' * 20 + 'ACGT' * 10}\n")
    if indexed:
        index(path)
    else:
        assert "record 'p' looks like protein" in failure(path)
        path.write_bytes(path.read_bytes().partition(b">p")[0])
    with open_genome(path) as genome:
        assert genome.codes(0, 0, 24).tolist() == [4] * 24
        if indexed:
            with pytest.raises(GenoscanError, match="record 'p' looks like protein"):
                genome.codes(1, 0, 24)
