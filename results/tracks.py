"""Tracks read back, whatever their format: calls as the columns of the BED, raw scores as levels. Streams."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pysam

from ..scanner.calling.annotations import columns_of
from ..scanner.errors import GenoscanError
from ..scanner.writing.gff3 import escaped_seqid
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


class Place(NamedTuple):
    """Bases [start, end) of a contig."""

    chrom: str
    start: int
    end: int

    def holds(self, one: Row | Level) -> bool:
        """Whether a line has a base here."""
        return one.chrom == self.chrom and one.start < self.end and self.start < one.end


def read_calls(run: Run, place: Place | None = None) -> Iterator[Row]:
    """The calls of a run, in the order of its file; those that have a base in a place, without reading all of a file
    that has an index. `GenoscanError` names a file that is damaged."""
    readers = {"bed": _from_bed, "bigbed": _from_bigbed, "gff3": _from_gff3, "parquet": _from_parquet}
    with _damage(run.output):
        yield from (row for row in readers[run.format](run, place) if place is None or place.holds(row))


def read_levels(file: Path, format_: str, place: Place | None = None) -> Iterator[Level]:
    """The levels of a bedGraph or bigWig, in the order of the file. Place and errors as for `read_calls`."""
    with _damage(file):
        if format_ == "bigwig":
            yield from (Level(chrom, *rest) for chrom, *rest in _records(file, place))
            return
        for line in text_lines(file, place):
            chrom, start, end, score = line.split("\t")
            level = Level(chrom, int(start), int(end), float(score))
            if place is None or place.holds(level):
                yield level


class _damage:
    """What a reader says of a damaged file becomes a `GenoscanError` that names it."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, EOFError, ValueError, KeyError, StopIteration)):
            raise GenoscanError(f"{self.path}: cannot be read: {error or kind.__name__}; scan again") from None


def text_lines(path: Path, place: Place | None = None) -> Iterator[str]:
    """The lines of a text, in gzip where its name says so, without those that are comments; of a text with an index
    those of a place."""
    index = Path(f"{path}.csi")
    if place is not None and index.exists():
        with pysam.TabixFile(str(path), index=str(index), encoding="utf-8") as track:
            if place.chrom in track.contigs:
                yield from track.fetch(*place)
        return
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            if not line.startswith("#"):
                yield line.rstrip("\n")


def _records(path: Path, place: Place | None) -> Iterator[tuple]:
    """The records of a bigBed or bigWig: (contig, start, end, further fields)."""
    import pybigtools

    with pybigtools.open(str(path)) as track:
        lengths = track.chroms()
        if place is not None:
            chosen = {place.chrom: (place.start, min(place.end, lengths.get(place.chrom, 0)))}
        else:
            chosen = {name: (0, length) for name, length in lengths.items()}
        for chrom, (start, end) in chosen.items():
            if start < end:
                yield from ((chrom, *record) for record in track.records(chrom, start, end))


def _from_bed(run: Run, place: Place | None) -> Iterator[Row]:
    for line in text_lines(run.output, place):
        chrom, start, end, name, score, strand, *more = line.split("\t")
        yield Row(chrom, int(start), int(end), name, int(score), strand, tuple(more))


def _from_bigbed(run: Run, place: Place | None) -> Iterator[Row]:
    for chrom, start, end, name, score, strand, *more in _records(run.output, place):
        yield Row(chrom, start, end, name, int(score), strand, tuple(more))


def _from_gff3(run: Run, place: Place | None) -> Iterator[Row]:
    keys = [f"{column.name[:1].lower()}{column.name[1:]}" for column in columns_of(run.card)]
    escaped = place and place._replace(chrom=escaped_seqid(place.chrom))
    for line in text_lines(run.output, escaped):
        seqid, _, _, start, end, score, strand, _, attributes = line.split("\t")
        said = dict(one.split("=", 1) for one in attributes.split(";"))
        more = tuple(unquote(said.get(key, "")) for key in keys)
        yield Row(unquote(seqid), int(start) - 1, int(end), unquote(said["Name"]), int(score), strand, more)


def _from_parquet(run: Run, place: Place | None) -> Iterator[Row]:  # noqa: ARG001 (as the others)
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(run.output) as file:
        for batch in file.iter_batches():
            for (*fixed,) in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Row(
                    *fixed[:6], tuple(f"{value:g}" if isinstance(value, float) else str(value) for value in fixed[6:])
                )
