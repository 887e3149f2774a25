"""The .fai that lies beside a FASTA (http://www.htslib.org/doc/faidx.html), read and checked against it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit

from .fasta import Columns, Layout
from .names import Names

_CHUNK = 1 << 22
_LONGEST_HEADER = 1 << 20
_LINE_ENDS = (b"\n", b"\r\n", b"\r\r\n")
_LONGEST_LINE_END = 3
_CHECKED_RECORDS = 10_000
_MOST_DIGITS = 18
"""Of a number in the file: all such fit into int64."""

_NO_PROBLEM, _NOT_FIVE, _NO_NUMBER = range(3)
_PROBLEMS = {_NOT_FIVE: "does not have five columns", _NO_NUMBER: "has something other than numbers in its columns"}


def read_fai(path: Path, fasta: Path) -> Layout:
    """The layout that a .fai states. Raises ValueError saying why it cannot be that of ``fasta``."""
    lines, columns = bytearray(), Columns()
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            whole, feed, rest = (rest + chunk).rpartition(b"\n")
            _add_lines(whole + feed, lines, columns)
    if rest:
        _add_lines(rest + b"\n", lines, columns)
    try:
        names = Names.from_lines(lines)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not len(names):
        raise ValueError("is empty")
    if not names.sizes.all():
        raise ValueError("has a record without a name")
    layout = columns.layout(names)
    _check_fit(layout, fasta)
    return layout


def _add_lines(text: bytes, lines: bytearray, columns: Columns) -> None:
    data = np.frombuffer(text, dtype=np.uint8)
    count = text.count(b"\n")
    rows, names = np.empty((count, 4), dtype=np.int64), np.empty(len(data), dtype=np.uint8)
    problem, named = _parse(data, rows, names)
    if problem:
        raise ValueError(_PROBLEMS[problem])
    lines.extend(memoryview(names[:named]))
    columns.add(rows)


@njit(nogil=True, cache=True)
def _parse(data, rows, names):
    """Fill rows int64 (lines, 4) and names uint8 (each ended by a line feed); the problem and bytes of names."""
    i, named = 0, 0
    for row in range(rows.shape[0]):
        while data[i] != 9:  # tab
            if data[i] == 10:
                return _NOT_FIVE, named
            names[named] = data[i]
            named += 1
            i += 1
        names[named] = 10
        named += 1
        for column in range(4):
            i += 1
            value, digits, number = 0, 0, True
            while data[i] != 9 and data[i] != 10:
                digit = np.int64(data[i]) - 48
                if 0 <= digit <= 9 and digits < _MOST_DIGITS:
                    value = value * 10 + digit
                    digits += 1
                elif not (data[i] == 13 and data[i + 1] == 10):
                    number = False
                i += 1
            if (data[i] == 10) != (column == 3):
                return _NOT_FIVE, named
            if not number or digits == 0:
                return _NO_NUMBER, named
            rows[row, column] = value
        i += 1
    return _NO_PROBLEM, named


def _check_fit(layout: Layout, fasta: Path) -> None:
    """Raise ValueError unless just one header, with the right name, stands before each record of the text.

    Of more than 10,000 records that many are looked at, evenly spread.
    """
    size, count = fasta.stat().st_size, len(layout.names)
    lengths, offsets = layout.lengths, layout.offsets
    line_bases, line_bytes = (column.astype(np.int64) for column in (layout.line_bases, layout.line_bytes))
    if max(column.max() for column in (lengths, offsets, line_bases, line_bytes)) > size + _LONGEST_LINE_END:
        raise ValueError("does not fit the file")
    last = np.maximum(lengths - 1, 0)
    line_ends = line_bytes - line_bases
    ends = offsets + last + last // np.maximum(line_bases, 1) * line_ends + (lengths > 0)
    begins = np.concatenate([[0], ends])
    if (
        (line_ends < 0).any()
        or (line_ends > _LONGEST_LINE_END).any()
        or ((lengths > 0) & (line_bases == 0)).any()
        or (begins[:-1] > offsets).any()
        or ends[-1] > size
    ):
        raise ValueError("does not fit the file")
    with fasta.open("rb") as file:

        def between(begin: int, end: int) -> bytes:
            if end - begin > _LONGEST_HEADER:
                raise ValueError("does not fit the file")
            file.seek(begin)
            return file.read(end - begin)

        for record in np.unique(np.linspace(0, count - 1, min(count, _CHECKED_RECORDS)).astype(np.int64)).tolist():
            begin, offset, bases = int(begins[record]), int(offsets[record]), int(line_bases[record])
            before, _, header = between(begin, offset).partition(b">")
            words = header.split(maxsplit=1)
            if (
                before.strip(b"\r\n")
                or (begin > 0 and b"\n" not in before)
                or len(header.rstrip(b"\r\n").splitlines()) > 1
                or not (header.endswith(b"\n") or offset == size)
                or not words
                or words[0] != layout.names[record].encode()
            ):
                raise ValueError("does not fit the file")
            # Blanks at the ends of lines would be read as letters, and what are no line ends must not be left out.
            line_end = between(offset + bases, offset + int(line_bytes[record]))
            if lengths[record] > bases and line_end not in _LINE_ENDS:
                raise ValueError("does not fit the file")
        if between(int(ends[-1]), size).strip(b"\r\n"):
            raise ValueError("does not fit the file")
