"""Regions as a user writes them, on the command line or in a BED file, as intervals of contigs."""

from __future__ import annotations

import gzip
import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from ..errors import UsageError
from .names import Names, NameTable
from .tiles import INTERVAL

_NAMES_SHOWN = 5
LINES_IN_BLOCK = 1 << 17
"""Lines of a BED that are looked up together."""
_RANGE = re.compile(r"(?P<start>[0-9][0-9,]{0,30})?(?P<dash>-)?(?P<end>[0-9][0-9,]{0,30})?")


def parse_regions(texts: Sequence[str], names: Names, lengths: np.ndarray, source: str = "the genome") -> np.ndarray:
    """The intervals that all the texts together cover: INTERVAL (intervals,) as `merge_intervals` gives them.

    A text is the name of a contig (even one with ':' in it), a region as samtools takes it ("chr1:1,001-2,000", 1-based
    and both ends included; "chr1:5" or "chr1:5-" to the contig's end; "chr1:-5" from its start), or a BED file, plain
    or gzip (0-based half-open). What comes first in this order wins.

    Raises UsageError naming the text, or the BED file and line, for contigs that are not in the genome (``source`` in
    messages), for bounds outside of the contig, for what cannot be parsed, and if there is no base in all of them.
    """
    genome = Contigs.of(names, lengths, source)
    stems = [text.rpartition(":") for text in texts]
    whole = genome.table.find(texts).tolist()
    part = genome.table.find([stem for stem, _, _ in stems]).tolist()
    found = [np.empty(0, dtype=INTERVAL)]
    for text, (stem, colon, tail), contig, part_of in zip(texts, stems, whole, part, strict=True):
        if contig >= 0:
            found.append(np.array([(contig, 0, lengths[contig])], dtype=INTERVAL))
        elif colon and part_of >= 0:
            start, end = _bounds(text, tail, stem, int(lengths[part_of]))
            found.append(np.array([(part_of, start, end)], dtype=INTERVAL))
        elif _is_file(text):
            found.extend(bed_intervals(text, genome))
        else:
            raise UsageError(f"region '{text}': {genome.unknown(stem if colon else text)}")
    merged = merge_intervals(np.concatenate(found))
    if not len(merged):
        raise UsageError(f"the regions hold no bases of {source}: {', '.join(texts)}")
    return merged


def merge_intervals(intervals: np.ndarray) -> np.ndarray:
    """The bases of an INTERVAL array in genome order, overlapping and abutting ones joined and empty ones left out."""
    merged = intervals[intervals["start"] < intervals["end"]]
    merged = merged[np.lexsort((merged["start"], merged["contig"]))]
    return merged[: _join(merged)]


@njit(nogil=True, cache=True)
def _join(intervals):
    """Join sorted intervals in place; how many are left."""
    count = 0
    for one in intervals:
        if count:
            last = intervals[count - 1]
            if one.contig == last.contig and one.start <= last.end:
                last.end = max(last.end, one.end)
                continue
        into = intervals[count]
        into.contig, into.start, into.end = one.contig, one.start, one.end
        count += 1
    return count


class Contigs(NamedTuple):
    """The contigs of a genome that intervals are checked against; ``source`` is what messages call it."""

    names: Names
    lengths: np.ndarray
    source: str
    table: NameTable

    @classmethod
    def of(cls, names: Names, lengths: np.ndarray, source: str = "the genome") -> Contigs:
        return cls(names, lengths, source, NameTable(names))

    def unknown(self, name: str) -> str:
        shown = self.names[:_NAMES_SHOWN]
        listed = ", ".join(shown) + (", ..." if len(self.names) > len(shown) else "")
        return f"unknown contig '{name}' in {self.source}; contigs are: {listed} ({len(self.names):,} in all)"


def _bounds(text: str, tail: str, name: str, length: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(tail)
    if match is None or not (match["start"] or match["end"]):
        raise UsageError(f"region '{text}': expected {name}:START-END, counted from 1, both ends included")
    start = _number(match["start"]) if match["start"] else 1
    end = _number(match["end"]) if match["end"] else length
    if start < 1:
        raise UsageError(f"region '{text}': positions are counted from 1, so it cannot start at {start}")
    if start > length or end > length:
        raise UsageError(f"region '{text}': reaches beyond the end of '{name}', which has {length:,} bases")
    if start > end:
        raise UsageError(f"region '{text}': starts after its end ('{name}' has {length:,} bases)")
    return start - 1, end


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists() and not Path(text).is_dir()
    except (OSError, ValueError):  # not a possible name of a file
        return False


class Block:
    """Some lines of a file of intervals, in columns: line numbers, contig names, 0-based half-open bounds."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.numbers, self.starts, self.ends = array("q"), array("q"), array("q")

    def add(self, number: int, name: str, start: int, end: int) -> None:
        self.names.append(name)
        self.numbers.append(number)
        self.starts.append(start)
        self.ends.append(end)


def bed_intervals(path: str, genome: Contigs) -> Iterator[np.ndarray]:
    """The intervals of a BED, plain or gzip, one a line: INTERVAL arrays in the order of the file, unmerged.

    Raises UsageError naming file and line for what is no BED or does not lie in the genome.
    """
    block = Block()
    for number, line in numbered_lines(path):
        fields = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or line.startswith("#") or fields[0].split(" ")[0] in ("track", "browser"):
            continue
        problem = None
        try:
            block.add(number, *_bed_fields(fields))
        except ValueError as error:
            problem = f"{path} line {number}: {error}"
            if len(fields) >= 3:
                block.add(number, fields[0].strip(), 0, 0)  # of its problems an unknown contig is told first
        if problem or len(block.names) == LINES_IN_BLOCK:
            yield checked_block(block, path, genome)
            block = Block()
        if problem:
            raise UsageError(problem)
    yield checked_block(block, path, genome)


def _bed_fields(fields: list[str]) -> tuple[str, int, int]:
    if len(fields) < 3:
        raise ValueError("expected at least three columns (contig, start, end), as in BED")
    name, *bounds = (field.strip() for field in fields[:3])
    for bound in bounds:
        if not (bound.isascii() and bound.isdigit() and len(bound) < 19):
            raise ValueError(f"'{bound}' is not a position: BED has whole numbers, counted from 0")
    return name, int(bounds[0]), int(bounds[1])


def checked_block(block: Block, path: str, genome: Contigs) -> np.ndarray:
    """The intervals of some lines, INTERVAL (lines,).

    Raises UsageError for the first whose contig is not there or has no such bases.
    """
    found = np.empty(len(block.names), dtype=INTERVAL)
    found["contig"] = genome.table.find(block.names)
    found["start"], found["end"] = block.starts, block.ends
    unknown = found["contig"] < 0
    length = np.where(unknown, 0, genome.lengths[found["contig"]])
    wrong = np.flatnonzero(unknown | (found["start"] > found["end"]) | (found["end"] > length))
    if not len(wrong):
        return found
    row = int(wrong[0])
    place, name = f"{path} line {block.numbers[row]}", block.names[row]
    if unknown[row]:
        raise UsageError(f"{place}: {genome.unknown(name)}")
    _, start, end = found[row].tolist()
    if start > end:
        raise UsageError(f"{place}: starts at {start}, after its end at {end}")
    raise UsageError(f"{place}: ends at {end:,}, beyond the end of '{name}', which has {length[row]:,} bases")


def numbered_lines(path: str, kind: str = "a BED file") -> Iterator[tuple[int, str]]:
    """Numbered lines of a text file, plain or gzip, without their ends; ``kind`` is what messages say was expected.

    Raises UsageError naming the file where it cannot be read as text.
    """
    try:
        with open(path, "rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            with gzip.open(file) if packed else file as lines:
                for number, line in enumerate(lines, 1):
                    yield number, line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not a text file: expected {kind}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{path}: the gzip data are truncated or corrupt ({error})") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
