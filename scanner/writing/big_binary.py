"""What bigBed and bigWig have in common: contigs sorted by name, an index, and a library that never complains.

pybigtools prints what it cannot write, raises nothing and leaves a file that nobody can read. So the lines are checked
before it sees them, and its file is read to the end before it is put in place. Nor does it write files without lines:
these are written here.

Format: Kent et al., BigWig and BigBed, Bioinformatics 26 (2010), 2204, and its supplement.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError
from .contig_tree import contig_tree, replace_tree
from .output import Write, file_errors
from .target import Target

BIGWIG, BIGBED = 0x888FFC26, 0x8789F2EB
"""The numbers that the files begin with."""
ENDINGS = {BIGWIG: ".bw", BIGBED: ".bb"}
"""What pybigtools tells a format by."""
_DATA_INDEX = 0x2468ACE0
_LONGEST = 2**32 - 1
_STRETCH = 2**21
_LEAST = 64
"""Bytes of a header."""


class _Lines:
    """Lines in a file, in genome order, and where in it each contig's are. ``bases``: of those that were checked."""

    def __init__(self, file: BinaryIO):
        self.bases = self.count = 0
        self._file = file
        self._places: dict[bytes, list[int]] = {}
        self._end = 0

    def add(self, lines: bytes) -> None:
        """Append whole lines."""
        if not lines:
            return
        self._file.write(lines)
        self.count += lines.count(b"\n")
        last = lines[lines.rfind(b"\n", 0, -1) + 1 :]
        if lines[: lines.index(b"\t")] == last[: last.index(b"\t")]:  # as nearly all blocks are
            self._add_stretch(last[: last.index(b"\t")], len(lines))
            return
        for line in lines.splitlines(keepends=True):
            self._add_stretch(line[: line.index(b"\t")], len(line))

    def _add_stretch(self, contig: bytes, size: int) -> None:
        self._places.setdefault(contig, [self._end, self._end])[1] = self._end = self._end + size

    def by_name(self) -> Iterator[bytes]:
        """The lines, contigs sorted by the bytes of their names."""
        self._file.flush()
        for _, (start, end) in sorted(self._places.items()):
            self._file.seek(start)
            while start < end:
                line = self._file.readline()
                start += len(line)
                yield line

    def contigs(self) -> set[str]:
        return {contig.decode() for contig in self._places}


@contextmanager
def write_big_binary(
    kind: int, target: Target, partial: Path, value: Callable[[str], object], autosql: str = "", fields: int = 0
) -> Iterator[Write]:
    """A function that takes lines; they become the file ``partial`` when the context is left normally.

    ``value``: from what follows a line's end column to what pybigtools takes; ``fields``: columns of a bigBed. Errors
    name the target. `OutputError` for lines that the format cannot hold, and where the file cannot be read back.
    """
    waiting = Path(f"{partial}.lines")
    built = Path(f"{partial}{ENDINGS[kind]}")
    final = Path(target.path)
    try:
        with file_errors(final), waiting.open("w+b") as file:
            lines = _Lines(file)

            def add(some: bytes) -> None:
                with file_errors(final):
                    lines.add(some)

            yield add
            names = lines.contigs()
            lengths = {
                name: int(length) for name, length in zip(target.names, target.lengths, strict=True) if name in names
            }
            if lines.count:
                _write(built, final, lengths, _rows(lines, lengths, final, value), autosql)
                _require_there(built, final)
                replace_tree(built, sorted((name.encode(), min(size, _LONGEST)) for name, size in lengths.items()))
                _require_whole(built, final, lines.bases)
            else:
                built.write_bytes(_without_lines(kind, target, autosql, fields))
            os.replace(built, partial)
    finally:
        for leftover in (waiting, built):
            with suppress(OSError):
                leftover.unlink()


def _rows(lines: _Lines, lengths: dict[str, int], final: Path, value: Callable[[str], object]) -> Iterator[tuple]:
    """What pybigtools takes of each line. `OutputError` for a line that it would choke on."""
    contig, before = "", 0
    for line in lines.by_name():
        chrom, start, end, rest = line.decode().rstrip("\n").split("\t", 3)
        row = chrom, int(start), int(end), value(rest)
        before = before if chrom == contig else 0
        contig = chrom
        if not before <= row[1] < row[2] <= min(lengths[chrom], _LONGEST):
            raise OutputError(f"{final}: {chrom}:{start}-{end} is out of order, or beyond what the format can hold")
        before = row[1]
        lines.bases += row[2] - row[1]
        yield row


def _write(partial: Path, final: Path, lengths: dict[str, int], rows: Iterator[tuple], autosql: str) -> None:
    import pybigtools

    trouble: list[BaseException] = []

    def heard() -> Iterator[tuple]:
        try:
            yield from rows
        except BaseException as error:  # Ctrl-C as well: the library would print it and go on
            trouble.append(error)

    try:
        writer = pybigtools.open(str(partial), "w")
        writer.write(lengths, heard(), *([autosql] if autosql else []))
    except (ValueError, RuntimeError) as error:
        raise OutputError(f"{final}: cannot write: {error}") from None
    if trouble:
        raise trouble[0]


def _require_there(partial: Path, final: Path) -> None:
    """`OutputError` unless there is a file, with a header at least."""
    if not partial.exists() or partial.stat().st_size < _LEAST:
        raise OutputError(f"{final}: cannot write: is the disk full?")


def _require_whole(partial: Path, final: Path, bases: int) -> None:
    """`OutputError` unless all lines can be read back."""
    try:
        found = _bases(partial)
    except Exception as error:  # whatever its reader says of a file that is not whole
        raise OutputError(f"{final}: cannot write: is the disk full? ({error})") from None
    if found != bases:
        raise OutputError(f"{final}: cannot write: is the disk full? ({found:,} of {bases:,} bases can be read back)")


def _bases(path: Path) -> int:
    """The bases of all lines, together. A reader remembers what it has read, so it is given up now and then."""
    import pybigtools

    with pybigtools.open(str(path)) as reader:
        lengths = reader.chroms()
    places = [(name, start) for name, length in lengths.items() for start in range(0, length, _STRETCH)]
    found = since = 0
    reader = pybigtools.open(str(path))
    try:
        for name, start in places:
            end = min(lengths[name], start + _STRETCH)
            here = sum(min(end, last) - max(start, first) for first, last, *_ in reader.records(name, start, end))
            found, since = found + here, since + here
            if since > 2 * _STRETCH:
                reader.close()
                reader, since = pybigtools.open(str(path)), 0
    finally:
        reader.close()
    return found


def _without_lines(kind: int, target: Target, autosql: str, fields: int) -> bytes:
    """A file of one contig that has no lines: header, table, summary, contigs, count, empty index."""
    name, length = target.names[0].encode(), min(int(target.lengths[0]), _LONGEST)
    table = f"{autosql}\0".encode() if autosql else b""
    summary = struct.pack("<Q4d", 0, 0.0, 0.0, 0.0, 0.0)
    count = struct.pack("<Q" if kind == BIGBED else "<I", 0)
    summary_at = 64 + len(table)
    tree_at = summary_at + len(summary)
    tree = contig_tree([(name, length)], tree_at)
    count_at = tree_at + len(tree)
    index_at = count_at + len(count)
    index = struct.pack("<2IQ4IQ2I", _DATA_INDEX, 256, 0, 0, 0, 0, 0, index_at, 512, 0) + struct.pack("<BBH", 1, 0, 0)
    places = tree_at, count_at, index_at, fields, fields, 64 if autosql else 0, summary_at
    header = struct.pack("<I2H3Q2H2QIQ", kind, 4, 0, *places, 0, 0)
    return header + table + summary + tree + count + index + struct.pack("<I", kind)
