"""The layout of a FASTA text: where each record's bases lie, found in one fast, checked pass, or read from a .fai.

The pass is a small state machine over chunks of bytes, so that memory is bounded by the chunk whatever the lengths of
lines and records, and the text may come from a file, a decompressor or a pipe. It gives what `samtools faidx` gives
(http://www.htslib.org/doc/faidx.html) and besides checks every letter, and hands out the letters without line ends for
texts whose layout an index cannot describe.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from ..errors import GenoscanError

PLAIN = b"ACGTUNacgtun"
AMBIGUOUS = b"RYSWKMBDHVXryswkmbdhvx"
NO_CODE = 255

PROTEIN_SAMPLE = 10_000
"""Letters of a record that are looked at to tell protein from DNA."""
PROTEIN_SHORTEST = 20
"""Records shorter than this are taken as they are: a short run of IUPAC letters may well be DNA."""

_ONLY_PROTEIN = "EFILPQZJO*"
_HINTS = {
    "-": "remove alignment gaps",
    ".": "remove alignment gaps",
    "~": "remove alignment gaps",
    ";": "remove comment lines",
    "#": "remove comment lines",
    ">": "a record must begin on a line of its own",
}

_KIND_PLAIN, _KIND_AMBIGUOUS, _KIND_LINE_FEED, _KIND_CARRIAGE, _KIND_BLANK, _KIND_OTHER = range(6)
_LINE_START, _IN_NAME, _IN_HEADER, _IN_LINE = range(4)
_NO_PROBLEM, _BAD_LETTER, _PROTEIN, _EMPTY_NAME, _LONE_CARRIAGE, _NO_HEADER = range(6)

_STATE = np.dtype(
    [
        ("where", "i8"),  # one of _LINE_START ... _IN_LINE
        ("passed", "i8"),  # bytes of the text before this chunk
        ("record", "i8"),  # index of the current record, -1 before the first
        ("name_bytes", "i8"),  # bytes of its name so far
        ("offset", "i8"),  # where its first base lies
        ("length", "i8"),  # its bases so far
        ("line_bases", "i8"),  # bases and bytes of its first line
        ("line_bytes", "i8"),
        ("ambiguous", "i8"),  # letters other than ACGTUN among its first PROTEIN_SAMPLE
        ("ended", "i8"),  # a short or blank line was seen: more bases would make the layout uneven
        ("line_start", "i8"),
        ("here_bases", "i8"),  # bases of the current line so far
        ("blanks", "i8"),  # the current line has spaces or tabs
        ("carriage", "i8"),  # the last byte was CR
        ("at_end", "i8"),  # the line feed to come is not in the text
        ("uneven", "i8"),  # some record's layout cannot be described by an index
        ("problem", "i8"),
        ("letter", "i8"),
    ],
    align=True,
)
_ROWS = 1 << 15


class Layout(NamedTuple):
    """Where the records of a text lie: what a .fai says, as arrays of shape (records,).

    names: first word of each header; lengths: bases; offsets: bytes before the first base; line_bases and line_bytes:
    of each full line, without and with its end. `uneven`: lines differ in length, so that the last three do not hold.
    """

    names: list[str]
    lengths: np.ndarray
    offsets: np.ndarray
    line_bases: np.ndarray
    line_bytes: np.ndarray
    uneven: bool = False

    def joined(self) -> Layout:
        """The layout of the same records as bare letters, one after the other, without headers and line ends."""
        offsets = np.cumsum(self.lengths) - self.lengths
        return Layout(self.names, self.lengths, offsets, self.lengths, self.lengths)


def _kinds() -> np.ndarray:
    kinds = np.full(256, _KIND_OTHER, dtype=np.uint8)
    for letters, kind in ((PLAIN, _KIND_PLAIN), (AMBIGUOUS, _KIND_AMBIGUOUS), (b" \t\v\f", _KIND_BLANK)):
        kinds[list(letters)] = kind
    kinds[ord("\n")], kinds[ord("\r")] = _KIND_LINE_FEED, _KIND_CARRIAGE
    return kinds


def _codes() -> bytes:
    codes = np.full(256, NO_CODE, dtype=np.uint8)
    codes[list(PLAIN + AMBIGUOUS)] = 4
    for code, letters in enumerate((b"Aa", b"Cc", b"Gg", b"TtUu")):
        codes[list(letters)] = code
    return codes.tobytes()


_KINDS = _kinds()
CODES = _codes()
"""Translation table of 256 bytes from letters to codes: A C G T (or U) are 0 1 2 3, other IUPAC letters 4."""


@njit(nogil=True, cache=True)
def _begin_record(s):
    s.record += 1
    s.name_bytes = s.offset = s.length = s.line_bases = s.line_bytes = s.ambiguous = s.ended = 0


@njit(nogil=True, cache=True)
def _end_record(s):
    if s.length >= PROTEIN_SHORTEST and 2 * s.ambiguous > min(s.length, PROTEIN_SAMPLE):
        s.problem = _PROTEIN


@njit(nogil=True, cache=True)
def _end_line(s, end):
    """Note whether the line that ends before byte ``end`` of the text fits the record's first line."""
    if s.here_bases > 0:
        line_bytes = end - s.line_start
        if s.line_bases == 0:
            s.line_bases, s.line_bytes = s.here_bases, line_bytes
        elif s.ended or s.here_bases > s.line_bases:
            s.uneven = 1
        elif s.here_bases < s.line_bases:
            s.ended = 1
        elif line_bytes != s.line_bytes and not s.at_end:
            s.uneven = 1
        if s.blanks:
            s.uneven = 1
    elif s.length > 0:
        s.ended = 1
    s.here_bases = s.blanks = 0
    s.where = _LINE_START


@njit(nogil=True, cache=True)
def _scan(data, kinds, state, rows, names, letters):
    """Advance over ``data`` until its end, a problem, or full ``rows``.

    Fills rows int64[:, 4] (offset, length, line bases, line bytes) of finished records, names uint8 (each ended by a
    line feed) and letters uint8; gives the numbers of bytes consumed and of rows, name bytes and letters filled.
    """
    s = state[0]
    n, i, row, named, kept = data.shape[0], 0, 0, 0, 0
    while i < n:
        byte = data[i]
        kind = kinds[byte]
        if s.carriage and kind != _KIND_LINE_FEED and kind != _KIND_CARRIAGE:
            s.problem = _LONE_CARRIAGE
            break
        s.carriage = kind == _KIND_CARRIAGE
        if s.where == _LINE_START:
            s.line_start = s.passed + i
            if byte == 62:  # >
                if s.record >= 0:
                    if row == rows.shape[0]:
                        break
                    _end_record(s)
                    if s.problem:
                        break
                    rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 3] = (
                        s.offset, s.length, s.line_bases, s.line_bytes)  # fmt: skip
                    row += 1
                _begin_record(s)
                s.where = _IN_NAME
                i += 1
                continue
            s.where = _IN_LINE
        if s.where == _IN_LINE:
            if kind == _KIND_LINE_FEED:
                _end_line(s, s.passed + i + 1)
            elif kind == _KIND_BLANK:
                s.blanks = 1
            elif kind != _KIND_CARRIAGE:
                if s.record < 0:
                    s.problem = _NO_HEADER
                    break
                if kind == _KIND_OTHER:
                    s.problem, s.letter = _BAD_LETTER, byte
                    break
                if s.length == 0:
                    s.offset = s.passed + i
                if kind == _KIND_AMBIGUOUS and s.length < PROTEIN_SAMPLE:
                    s.ambiguous += 1
                begin = i
                letters[kept] = byte
                i += 1
                while i < n and kinds[data[i]] == _KIND_PLAIN:
                    letters[kept + i - begin] = data[i]
                    i += 1
                kept += i - begin
                s.length += i - begin
                s.here_bases += i - begin
                continue
        elif kind == _KIND_LINE_FEED:
            if s.name_bytes == 0:
                s.problem = _EMPTY_NAME
                break
            names[named] = 10
            named += 1
            s.where = _LINE_START
        elif s.where == _IN_NAME and kind != _KIND_CARRIAGE:
            if kind != _KIND_BLANK:
                names[named] = byte
                named += 1
                s.name_bytes += 1
            elif s.name_bytes > 0:
                s.where = _IN_HEADER
        i += 1
    s.passed += i
    return i, row, named, kept


def read_layout(chunks: Iterable[bytes], source: str, write: Callable[[np.ndarray], object] | None = None) -> Layout:
    """The layout of a FASTA text that comes in chunks, every letter of it checked.

    ``write`` is given the letters without headers and line ends as uint8 arrays, valid until it returns.

    Raises GenoscanError naming ``source`` and the record: letters that are no nucleotide, protein, no names, names
    twice, lone carriage returns, no bases at all.
    """
    state = np.zeros(1, dtype=_STATE)
    state["record"] = -1
    rows = np.empty((_ROWS, 4), dtype=np.int64)
    found: list[np.ndarray] = []
    names = bytearray()
    name_buffer = letter_buffer = np.empty(0, dtype=np.uint8)

    def feed(data: np.ndarray) -> None:
        nonlocal name_buffer, letter_buffer
        if len(name_buffer) < len(data):
            name_buffer, letter_buffer = np.empty((2, len(data)), dtype=np.uint8)
        while len(data):
            consumed, row, named, kept = _scan(data, _KINDS, state, rows, name_buffer, letter_buffer)
            names.extend(memoryview(name_buffer[:named]))
            if state["problem"][0]:
                _raise_problem(state[0], source, bytes(names))
            if row:
                found.append(rows[:row].copy())
            if write is not None:
                write(letter_buffer[:kept])
            data = data[consumed:]

    for chunk in chunks:
        feed(np.frombuffer(chunk, dtype=np.uint8))
    if state["where"][0] != _LINE_START:
        state["at_end"] = 1
        feed(np.frombuffer(b"\n", dtype=np.uint8))
    _end_record(state[0])
    if state["problem"][0]:
        _raise_problem(state[0], source, bytes(names))
    found.append(np.array([[state[field][0] for field in ("offset", "length", "line_bases", "line_bytes")]]))
    offsets, lengths, line_bases, line_bytes = np.ascontiguousarray(np.concatenate(found).T)
    layout = Layout(
        _decoded(bytes(names), source), lengths, offsets, line_bases, line_bytes, uneven=bool(state["uneven"][0])
    )
    check_records(layout, source)
    return layout


def _decoded(names: bytes, source: str) -> list[str]:
    try:
        return names.decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        ordinal = names.count(b"\n", 0, error.start) + 1
        raise GenoscanError(
            f"{source}: the name of record {ordinal} is not UTF-8 text: save the file as UTF-8 or rename the record"
        ) from None


def _raise_problem(s: np.void, source: str, names: bytes) -> None:
    if s["problem"] == _NO_HEADER:
        raise GenoscanError(f"{source}: is not FASTA: text stands before the first line that begins with '>'")
    if s["problem"] == _LONE_CARRIAGE:
        raise GenoscanError(
            f"{source}: has carriage returns without line feeds (old Mac line ends): "
            "convert it, for example with tr '\\r' '\\n'"
        )
    ordinal = int(s["record"]) + 1
    if s["problem"] == _EMPTY_NAME:
        raise GenoscanError(f"{source}: record {ordinal} has no name: give it one after '>'")
    name = names.split(b"\n")[ordinal - 1].decode(errors="backslashreplace")
    if s["problem"] == _PROTEIN:
        raise protein_error(source, name)
    raise letter_error(source, name, int(s["length"]) + 1, int(s["letter"]))


def letter_error(source: str, name: str, position: int, byte: int) -> GenoscanError:
    """The error for a byte that is no nucleotide at this 1-based position of a record."""
    letter = chr(byte)
    shown = f"'{letter}'" if " " < letter <= "~" else f"byte 0x{byte:02x}"
    hint = "looks like protein" if letter.upper() in _ONLY_PROTEIN else _HINTS.get(letter, "")
    return GenoscanError(
        f"{source}: record '{name}' has {shown} at position {position:,}, which is no nucleotide"
        + (f" ({hint})" if hint else "; only IUPAC letters are read")
    )


def protein_error(source: str, name: str) -> GenoscanError:
    """The error for a record made up of IUPAC letters, few of which are A, C, G, T, U or N."""
    reason = "fewer than half of its letters are A, C, G, T, U or N"
    return GenoscanError(f"{source}: record '{name}' looks like protein: {reason}; give a genome")


def is_protein(letters: bytes) -> bool:
    """Whether a record that begins with these letters is rather protein than DNA."""
    sample = letters[:PROTEIN_SAMPLE]
    plain = len(sample) - len(sample.translate(None, PLAIN))
    return len(sample) >= PROTEIN_SHORTEST and 2 * plain < len(sample)


def check_records(layout: Layout, source: str) -> None:
    """Raise GenoscanError where a name occurs twice or there are no bases at all."""
    if len(set(layout.names)) < len(layout.names):
        seen: dict[str, int] = {}
        for ordinal, name in enumerate(layout.names, 1):
            if name in seen:
                raise GenoscanError(
                    f"{source}: records {seen[name]:,} and {ordinal:,} have the same name '{name}': rename one of them"
                )
            seen[name] = ordinal
    if not layout.lengths.any():
        raise GenoscanError(f"{source}: no bases: every record is empty")


def read_fai(path: Path, fasta: Path) -> Layout:
    """The layout that a .fai states. Raises ValueError saying why it cannot be that of ``fasta``."""
    names: list[str] = []
    numbers = array("q")
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                name, *fields = line.rstrip("\r\n").split("\t")
                if len(fields) != 4:
                    raise ValueError("does not have five columns")
                names.append(name)
                try:
                    numbers.extend(map(int, fields))
                except (ValueError, OverflowError):
                    raise ValueError("has something other than numbers in its columns") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not names:
        raise ValueError("is empty")
    layout = Layout(names, *np.ascontiguousarray(np.array(numbers, dtype=np.int64).reshape(-1, 4).T))
    _check_fit(layout, fasta)
    return layout


_LONGEST_HEADER = 1 << 20
_LINE_ENDS = (b"\n", b"\r\n", b"\r\r\n")
_LONGEST_LINE_END = 3
_CHECKED_RECORDS = 10_000


def _check_fit(layout: Layout, fasta: Path) -> None:
    """Raise ValueError unless just one header, with the right name, stands before each record of the text.

    Of more than 10,000 records that many are looked at, evenly spread.
    """
    size, count = fasta.stat().st_size, len(layout.names)
    columns = np.stack(layout[1:5])
    if (columns < 0).any() or (columns > size + _LONGEST_LINE_END).any():
        raise ValueError("does not fit the file")
    last = np.maximum(layout.lengths - 1, 0)
    full = np.maximum(layout.line_bases, 1)
    line_ends = layout.line_bytes - layout.line_bases
    ends = layout.offsets + last + last // full * line_ends + (layout.lengths > 0)
    begins = np.concatenate([[0], ends])
    if (
        (line_ends < 0).any()
        or (line_ends > _LONGEST_LINE_END).any()
        or ((layout.lengths > 0) & (layout.line_bases == 0)).any()
        or (begins[:-1] > layout.offsets).any()
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
            begin, offset, bases = int(begins[record]), int(layout.offsets[record]), int(layout.line_bases[record])
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
            line_end = between(offset + bases, offset + int(layout.line_bytes[record]))
            if layout.lengths[record] > bases and line_end not in _LINE_ENDS:
                raise ValueError("does not fit the file")
        if between(int(ends[-1]), size).strip(b"\r\n"):
            raise ValueError("does not fit the file")
