"""Real sequences and reference intervals for the benchmarks: FASTA with its soft mask, BED, masks over bases."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

LINE = 100
CODES = np.full(256, 4, dtype=np.uint8)
CODES[np.frombuffer(b"ACGTacgt", dtype=np.uint8)] = [0, 1, 2, 3, 0, 1, 2, 3]
LOWER = 97

Sequences = dict[str, np.ndarray]
"""Letters of each record as uint8, lower case kept."""


def read_letters(path: Path) -> Sequences:
    """All records of a FASTA file, plain or gzip; names end at white space."""
    opener = gzip.open if path.suffix == ".gz" else open
    records: Sequences = {}
    with opener(path, "rb") as file:
        for record in file.read().split(b">")[1:]:
            header, _, lines = record.partition(b"\n")
            records[header.split()[0].decode()] = np.frombuffer(b"".join(lines.split()), dtype=np.uint8)
    return records


def write_plain(records: Sequences, path: Path) -> Path:
    """One plain FASTA, upper case: what every tool reads alike."""
    with path.open("wb") as file:
        for name, letters in records.items():
            text = letters.tobytes().upper()
            file.write(b">" + name.encode() + b"\n")
            file.writelines(text[at : at + LINE] + b"\n" for at in range(0, len(text), LINE))
    return path


def base_count(records: Sequences) -> int:
    return sum(map(len, records.values()))


def known_count(records: Sequences) -> int:
    """Bases that are A, C, G or T."""
    return sum(int((CODES[letters] < 4).sum()) for letters in records.values())


class Interval(NamedTuple):
    start: int
    end: int


def read_bed(path: Path, chrom: str) -> list[Interval]:
    """The intervals of one chromosome of a BED file, plain or gzip."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        columns = (line.split("\t") for line in lines if line.startswith(f"{chrom}\t"))
        return [Interval(int(start), int(end)) for _, start, end, *_ in columns]


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Overlapping or touching intervals joined, sorted."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(end, joined[-1].end))
        else:
            joined.append(Interval(start, end))
    return joined


def mask_of(intervals: Iterable[Interval], length: int) -> np.ndarray:
    """bool (length,): the bases inside of intervals."""
    mask = np.zeros(length, dtype=bool)
    for start, end in intervals:
        mask[start:end] = True
    return mask


def intervals_of(mask: np.ndarray) -> list[Interval]:
    """The runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [Interval(start, end) for start, end in edges.reshape(-1, 2).tolist()]
