"""FASTA files for tests, and what reading them should give."""

import io
import sys
from pathlib import Path

import pysam
import pytest

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading.genome import open_genome


def naive_codes(sequence: str) -> list[int]:
    return [{"A": 0, "C": 1, "G": 2, "T": 3, "U": 3}.get(letter, 4) for letter in sequence.upper()]


def silent(text: str) -> None:
    pass


def write(folder: Path, text: str | bytes, name: str = "genome.fa") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def bgzip(path: Path, text: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(text)
    return path


def bases_read(path) -> int:
    """Open a genome and read all of it."""
    with open_genome(path, silent) as genome:
        return sum(len(genome.codes(contig, 0, length)) for contig, length in enumerate(genome.lengths.tolist()))


def one_line(path, error: pytest.ExceptionInfo) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("<stdin>: " if path == "-" else f"{path}: ")
    return message


def failure(path) -> str:
    """The message that opening or reading a bad genome ends in: one line that begins with the file."""
    with pytest.raises(GenoscanError) as caught:
        bases_read(path)
    return one_line(path, caught)


def feed_stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def index(path: Path) -> Path:
    pysam.faidx(str(path))
    return Path(f"{path}.fai")
