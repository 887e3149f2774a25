"""Text tables of a sample, sorted by place within each contig, read in one pass: plain, gzip or bgzip, of any size.

A pass over the whole file checks it and notes where each contig begins; then the lines of a contig's intervals are
found by reading on from there. Lines are parsed by compiled code, many at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numba import njit

from ...errors import GenoscanError
from ..compressed import decompressed

_CHUNK = 1 << 20


class Parsed(NamedTuple):
    """Some whole lines of one contig.

    keys, ends: int64 (lines,): what a line is about, [key, end); keys ascend. weights: int64 (lines,), reads that a
    line stands for. columns: what else the format has, arrays of one entry a line. text: what they may point into.
    """

    keys: np.ndarray
    ends: np.ndarray
    weights: np.ndarray
    columns: tuple[np.ndarray, ...]
    text: np.ndarray


class Stretch(NamedTuple):
    """A contig's lines: where they begin in the text in bytes, the number of the first, how many there are, the reads
    that they stand for, the lowest key and the highest, the highest end, and the longest line's end - key."""

    begin: int
    first_line: int
    lines: int
    weight: int
    lowest: int
    last: int
    highest: int
    longest: int


Parse = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[Parsed, int, str]]
"""From text uint8, and where its lines begin and end (int64), to lines; the number of the first wrong line among them,
-1 where there is none; and what is wrong with it."""


class SortedText:
    """A table that was checked as a whole. ``stretches``: by contig, in the order of the file."""

    def __init__(self, source: str, parse: Parse, kind: str):
        self.source, self._parse, self._kind = source, parse, kind
        self.stretches: dict[str, Stretch] = {}
        self._open: tuple[str, int, Iterator[Parsed], list[Parsed]] | None = None
        last = None
        for name, begin, line, parsed in self._parsed_from(0, 1):
            if name != last and name in self.stretches:
                raise GenoscanError(
                    f"{source} line {line}: '{name}' comes again after '{last}': sort the file by contig and place"
                )
            here = self.stretches.get(name, Stretch(begin, line, 0, 0, int(parsed.keys[0]), 0, 0, 0))
            steps = np.diff(parsed.keys, prepend=here.last if name == last else 0)
            if (steps < 0).any():
                line += int(np.argmax(steps < 0))
                raise GenoscanError(f"{source} line {line}: is out of order: sort the file by contig and place")
            last = name
            self.stretches[name] = here._replace(
                lines=here.lines + len(parsed.keys),
                weight=here.weight + int(parsed.weights.sum()),
                last=int(parsed.keys[-1]),
                highest=max(here.highest, int(parsed.ends.max())),
                longest=max(here.longest, int((parsed.ends - parsed.keys).max())),
            )
        if not self.stretches:
            raise GenoscanError(f"{source}: holds no lines: it is empty")

    def lines(self, contig: str, low: int, high: int) -> list[Parsed]:
        """The lines of a contig that overlap with [low, high), in parts. Asked in ascending order of places, a contig
        is read once."""
        if contig not in self.stretches:
            return []
        stretch = self.stretches[contig]
        if self._open is None or self._open[0] != contig or low < self._open[1]:
            stream = (part[3] for part in self._parsed_from(stretch.begin, stretch.first_line, contig))
            self._open = (contig, low, stream, [])
        _, _, stream, held = self._open
        held[:] = [part for part in held if part.keys[-1] + stretch.longest > low]
        while not held or held[-1].keys[-1] < high:
            part = next(stream, None)
            if part is None:
                break
            if part.keys[-1] + stretch.longest > low:
                held.append(part)
        self._open = (contig, low, stream, held)
        found = []
        for part in held:
            begin, end = np.searchsorted(part.keys, (low - stretch.longest, high))
            rows = np.arange(begin, end)[part.ends[begin:end] > low]
            if len(rows):
                found.append(take(part, rows))
        return found

    def close(self) -> None:
        self._open = None

    def _parsed_from(self, begin: int, line: int, only: str | None = None) -> Iterator[tuple[str, int, int, Parsed]]:
        """Contig, first byte, first line number and lines, many at a time; of one contig alone where ``only`` says."""
        for at, text in _whole_lines(self.source, begin):
            letters = np.frombuffer(text, dtype=np.uint8)
            ends = np.flatnonzero(letters == ord("\n"))
            begins = np.concatenate(([0], ends[:-1] + 1))
            numbers = line + np.arange(len(ends))
            line += len(ends)
            ends -= (ends > begins) & (letters[ends - 1] == ord("\r"))
            told = (ends > begins) & (letters[begins] != ord("#"))
            begins, ends, numbers = begins[told], ends[told], numbers[told]
            borders = np.flatnonzero(_new_names(letters, begins)) if len(begins) else begins
            for first, last in zip(borders.tolist(), [*borders[1:].tolist(), len(begins)], strict=False):
                name = text[begins[first] : ends[first]].split(b"\t", 1)[0].decode("utf-8", "replace")
                if only is not None and name != only:
                    return
                parsed, wrong, problem = self._parse(letters, begins[first:last], ends[first:last])
                if wrong >= 0:
                    raise GenoscanError(f"{self.source} line {numbers[first + wrong]}: {problem} ({self._kind})")
                yield name, at + int(begins[first]), int(numbers[first]), parsed


def take(part: Parsed, rows: np.ndarray) -> Parsed:
    """Some of the lines."""
    return Parsed(
        part.keys[rows], part.ends[rows], part.weights[rows], tuple(one[rows] for one in part.columns), part.text
    )


def _whole_lines(source: str, begin: int) -> Iterator[tuple[int, bytes]]:
    """The text from a byte on, in pieces of whole lines, each with where it begins. The last line has its end."""
    rest, at = b"", begin
    try:
        with open(source, "rb") as file:
            for piece in _from(decompressed(iter(lambda: file.read(_CHUNK), b""), source), begin):
                text = rest + piece
                end = text.rfind(b"\n") + 1
                if end:
                    yield at, text[:end]
                    at += end
                rest = text[end:]
    except OSError as error:
        raise GenoscanError(f"{source}: cannot be read: {error.strerror or error}") from None
    if rest:
        yield at, rest + b"\n"


def _from(pieces: Iterator[bytes], begin: int) -> Iterator[bytes]:
    for piece in pieces:
        if begin < len(piece):
            yield piece[begin:] if begin else piece
        begin = max(0, begin - len(piece))


@njit(nogil=True, cache=True)
def _new_names(text, begins):
    """Whether each line's first column is another than that of the line before; so the first line's is."""
    new = np.ones(len(begins), dtype=np.bool_)
    for line in range(1, len(begins)):
        a, b = begins[line - 1], begins[line]
        while text[a] == text[b] and text[a] != 9 and text[a] != 10:
            a, b = a + 1, b + 1
        new[line] = text[a] != text[b]
    return new


@njit(nogil=True, cache=True)
def number_at(text, begin, end):
    """The whole number that text[begin:end] is; -1 where it is none, or has more than 18 digits."""
    if end <= begin or end - begin > 18:
        return -1
    value = 0
    for i in range(begin, end):
        if text[i] < 48 or text[i] > 57:
            return -1
        value = 10 * value + np.int64(text[i] - 48)
    return value
