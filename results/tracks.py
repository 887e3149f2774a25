"""Tracks read back, whatever their format: calls as the columns of the BED, raw scores as levels. Streams."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from ..scanner.calling.annotations import columns_of
from ..scanner.errors import GenoscanError
from .runs import Run


class Row(NamedTuple):
    """A line of a track of calls: bases [start, end), 0-based half-open; score 0 to 1000; further columns as texts."""

    chrom: str
    start: int
    end: int
    name: str
    score: int
    strand: str
    more: tuple[str, ...]

    def line(self) -> bytes:
        """The line of BED."""
        return ("\t".join([*map(str, self[:-1]), *self.more]) + "\n").encode()


class Level(NamedTuple):
    """Bases [start, end) that share a raw score."""

    chrom: str
    start: int
    end: int
    score: float


def read_calls(run: Run) -> Iterator[Row]:
    """The calls of a run, in the order of its file. `GenoscanError` names a file that is damaged."""
    readers = {"bed": _from_bed, "bigbed": _from_bigbed, "gff3": _from_gff3, "parquet": _from_parquet}
    with _damage(run.output):
        yield from readers[run.format](run)


def read_levels(file: Path, format_: str) -> Iterator[Level]:
    """The levels of a bedGraph or bigWig, in the order of the file. Errors as `read_calls`."""
    with _damage(file):
        if format_ == "bigwig":
            import pybigtools

            with pybigtools.open(str(file)) as track:
                for chrom in track.chroms():
                    for start, end, score in track.records(chrom):
                        yield Level(chrom, start, end, score)
            return
        for line in text_lines(file):
            chrom, start, end, score = line.split("\t")
            yield Level(chrom, int(start), int(end), float(score))


class _damage:
    """What a reader says of a damaged file becomes a `GenoscanError` that names it."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, EOFError, ValueError, KeyError, StopIteration)):
            raise GenoscanError(f"{self.path}: cannot be read: {error or kind.__name__}; scan again") from None


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text, in gzip where its name says so, without those that are comments."""
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            if not line.startswith("#"):
                yield line.rstrip("\n")


def _from_bed(run: Run) -> Iterator[Row]:
    for line in text_lines(run.output):
        chrom, start, end, name, score, strand, *more = line.split("\t")
        yield Row(chrom, int(start), int(end), name, int(score), strand, tuple(more))


def _from_bigbed(run: Run) -> Iterator[Row]:
    import pybigtools

    with pybigtools.open(str(run.output)) as track:
        for chrom in track.chroms():
            for start, end, name, score, strand, *more in track.records(chrom):
                yield Row(chrom, start, end, name, int(score), strand, tuple(more))


def _from_gff3(run: Run) -> Iterator[Row]:
    keys = [f"{column.name[:1].lower()}{column.name[1:]}" for column in columns_of(run.card)]
    for line in text_lines(run.output):
        seqid, _, _, start, end, score, strand, _, attributes = line.split("\t")
        said = dict(one.split("=", 1) for one in attributes.split(";"))
        more = tuple(unquote(said.get(key, "")) for key in keys)
        yield Row(unquote(seqid), int(start) - 1, int(end), unquote(said["Name"]), int(score), strand, more)


def _from_parquet(run: Run) -> Iterator[Row]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(run.output) as file:
        for batch in file.iter_batches():
            for (*fixed,) in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Row(
                    *fixed[:6], tuple(f"{value:g}" if isinstance(value, float) else str(value) for value in fixed[6:])
                )
