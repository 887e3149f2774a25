"""Regions as a user writes them, on the command line or in a BED file, as intervals of contigs."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UsageError


class Interval(NamedTuple):
    contig: int
    start: int
    end: int


_NAMES_SHOWN = 5
_RANGE = re.compile(r"(?P<start>[0-9][0-9,]{0,30})?(?P<dash>-)?(?P<end>[0-9][0-9,]{0,30})?")


def parse_regions(
    texts: Sequence[str], names: Sequence[str], lengths: np.ndarray, source: str = "the genome"
) -> list[Interval]:
    """The intervals that all the texts together cover, in genome order, overlapping or abutting ones joined.

    A text is the name of a contig (even one with ':' in it), a region as samtools takes it ("chr1:1,001-2,000", 1-based
    and both ends included; "chr1:5" or "chr1:5-" to the contig's end; "chr1:-5" from its start), or a BED file, plain
    or gzip (0-based half-open). What comes first in this order wins.

    Raises UsageError naming the text, or the BED file and line, for contigs that are not in the genome (``source`` in
    messages), for bounds outside of the contig, for what cannot be parsed, and if there is no base in all of them.
    """
    contigs = {name: contig for contig, name in enumerate(names)}
    found: list[Interval] = []
    for text in texts:
        stem, colon, tail = text.rpartition(":")
        if text in contigs:
            found.append(Interval(contigs[text], 0, int(lengths[contigs[text]])))
        elif colon and stem in contigs:
            found.append(_region(text, tail, stem, contigs[stem], int(lengths[contigs[stem]])))
        elif _is_file(text):
            found.extend(_bed_intervals(text, contigs, lengths, source))
        else:
            raise UsageError(f"region '{text}': {_unknown(stem if colon else text, contigs, source)}")
    merged = merge_intervals(found)
    if not merged:
        raise UsageError(f"the regions hold no bases of {source}: {', '.join(texts)}")
    return merged


def merge_intervals(intervals: Iterable[Interval]) -> list[Interval]:
    """The same bases in genome order, with overlapping and abutting intervals joined and empty ones left out."""
    merged: list[Interval] = []
    for interval in sorted(interval for interval in intervals if interval.start < interval.end):
        if merged and merged[-1].contig == interval.contig and interval.start <= merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return merged


def _region(text: str, tail: str, name: str, contig: int, length: int) -> Interval:
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
    return Interval(contig, start - 1, end)


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists() and not Path(text).is_dir()
    except (OSError, ValueError):  # not a possible name of a file
        return False


def _unknown(name: str, contigs: Mapping[str, int], source: str) -> str:
    shown = list(contigs)[:_NAMES_SHOWN]
    listed = ", ".join(shown) + (", ..." if len(contigs) > len(shown) else "")
    return f"unknown contig '{name}' in {source}; contigs are: {listed} ({len(contigs):,} in all)"


def _bed_intervals(path: str, contigs: Mapping[str, int], lengths: np.ndarray, source: str) -> Iterator[Interval]:
    for number, line in _lines(path):
        fields = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or line.startswith("#") or fields[0].split(" ")[0] in ("track", "browser"):
            continue
        place = f"{path} line {number}"
        if len(fields) < 3:
            raise UsageError(f"{place}: expected at least three columns (contig, start, end), as in BED")
        name, *bounds = (field.strip() for field in fields[:3])
        if name not in contigs:
            raise UsageError(f"{place}: {_unknown(name, contigs, source)}")
        for bound in bounds:
            if not (bound.isascii() and bound.isdigit() and len(bound) < 20):
                raise UsageError(f"{place}: '{bound}' is not a position: BED has whole numbers, counted from 0")
        start, end = map(int, bounds)
        length = int(lengths[contigs[name]])
        if start > end:
            raise UsageError(f"{place}: starts at {start}, after its end at {end}")
        if end > length:
            raise UsageError(f"{place}: ends at {end:,}, beyond the end of '{name}', which has {length:,} bases")
        yield Interval(contigs[name], start, end)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """Numbered lines of a text file, plain or gzip, without their ends."""
    try:
        with open(path, "rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            with gzip.open(file) if packed else file as lines:
                for number, line in enumerate(lines, 1):
                    yield number, line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not a text file: expected a BED file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{path}: the gzip data are truncated or corrupt ({error})") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
