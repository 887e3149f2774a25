"""Pieces of a FASTA's letters as base codes, through pyfaidx, from files of which a bounded number is open.

Any number of threads and genomes share the open files. A file is told from another by its path, size and time of last
change.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from pyfaidx import Faidx, IndexRecord

from ..errors import GenoscanError
from .fasta import CODES, NO_CODE, PROTEIN_SAMPLE, Layout, is_protein, letter_error, protein_error

MOST_OPEN = 32
"""Files that are kept open while nobody reads them."""


class FileState(NamedTuple):
    """A file as it is at one time; `size` in bytes, `mtime_ns` in nanoseconds."""

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str | Path) -> FileState:
        about = os.stat(path)
        return cls(str(path), about.st_size, about.st_mtime_ns)

    @classmethod
    def of_open(cls, path: str | Path, file: BinaryIO) -> FileState:
        about = os.fstat(file.fileno())
        return cls(str(path), about.st_size, about.st_mtime_ns)


def changed(source: str) -> GenoscanError:
    return GenoscanError(f"{source}: changed while it was being scanned; run again")


def unreadable(source: str, error: OSError) -> GenoscanError:
    if isinstance(error, FileNotFoundError):
        return GenoscanError(f"{source}: no such file")
    return GenoscanError(f"{source}: cannot be read: {error.strerror or error}")


def open_unchanged(source: str, file: FileState) -> BinaryIO:
    """Open a file to read. Raises GenoscanError if it is no longer in the given state, OSError if it cannot be read."""
    opened = open(file.path, "rb")  # noqa: SIM115 (the caller's to close)
    if FileState.of_open(file.path, opened) != file:
        opened.close()
        raise changed(source)
    return opened


def read_codes(source: str, file: FileState, layout: Layout, record: int, start: int, end: int) -> np.ndarray:
    """Bases [start, end) of a record of the layout as uint8 codes; ``source`` is what messages name.

    Raises IndexError for bounds outside of the record, GenoscanError for a letter that is no nucleotide and for a file
    that changed or cannot be read.
    """
    length = int(layout.lengths[record])
    if not 0 <= start <= end <= length:
        raise IndexError(f"[{start}, {end}) is not within contig '{layout.names[record]}' of {length} bases")
    if start == end:
        return np.empty(0, dtype=np.uint8)
    letters = _read(source, file, layout, record, start, end)
    codes = np.frombuffer(letters.translate(CODES), dtype=np.uint8)
    if codes.max() == NO_CODE:
        first = int(np.argmax(codes == NO_CODE))
        raise letter_error(source, layout.names[record], start + first + 1, letters[first])
    if start == 0 and is_protein(letters):
        sample = min(length, PROTEIN_SAMPLE)
        # A short piece of DNA may just begin oddly.
        if end >= sample or is_protein(_read(source, file, layout, record, 0, sample)):
            raise protein_error(source, layout.names[record])
    return codes


def _read(source: str, file: FileState, layout: Layout, record: int, start: int, end: int) -> bytearray:
    try:
        with _reader(source, file) as reader:
            # pyfaidx holds its own lock from seek to read.
            letters = bytearray(reader.fetch(_index_record(layout, record), start + 1, end), "utf-8")
    except UnicodeDecodeError as error:
        before = len(error.object[: error.start].translate(None, b"\r\n"))
        name, byte = layout.names[record], error.object[error.start]
        raise letter_error(source, name, start + before + 1, byte) from None
    except OSError as error:
        raise unreadable(source, error) from None
    if len(letters) != end - start and letters.isascii():
        raise GenoscanError(
            f"{source}: record '{layout.names[record]}' is shorter than when it was indexed: the file was truncated or "
            "changed; run again (and remake or delete its .fai)"
        )
    return letters


def _index_record(layout: Layout, record: int) -> IndexRecord:
    length, offset, line_bases, line_bytes = (int(column[record]) for column in layout[1:5])
    lines = -(-length // line_bases) if line_bases else 0
    end = offset + length + lines * (line_bytes - line_bases)
    return IndexRecord(rlen=length, offset=offset, lenc=line_bases, lenb=line_bytes, bend=end, prev_bend=0)


class _GivenRecords:
    """An index for pyfaidx whose keys are the records themselves: we know where they lie."""

    def __getitem__(self, record: IndexRecord) -> IndexRecord:
        return record


class _OpenFile:
    """A file as pyfaidx reads it, and how many threads are at it."""

    def __init__(self, file: BinaryIO):
        # Made on nothing and given the file: pyfaidx would look for an index beside it, and take it for compressed by
        # its name.
        self.reader = Faidx(os.devnull, indexname=os.devnull, as_raw=True, build_index=False)
        self.reader.file.close()
        self.reader.file = file
        self.reader.index = _GivenRecords()
        self.users = 0

    def is_removed(self) -> bool:
        return os.fstat(self.reader.file.fileno()).st_nlink == 0


class _OpenFiles:
    """The open files, least recently used first."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a genome that is collected as garbage may close here while this thread opens
        self.files: OrderedDict[FileState, _OpenFile] = OrderedDict()

    def lend(self, source: str, file: FileState) -> _OpenFile:
        with self.lock:
            found = self.files.get(file)
            if found is None:
                found = _OpenFile(open_unchanged(source, file))
                for other in [key for key, one in self.files.items() if one.is_removed()]:
                    self._drop(other)  # a removed file keeps its room on the disk until it is closed
                self.files[file] = found
            self.files.move_to_end(file)
            found.users += 1
            while len(self.files) > MOST_OPEN:
                self._drop(next(iter(self.files)))
            return found

    def take_back(self, file: FileState, lent: _OpenFile) -> None:
        with self.lock:
            lent.users -= 1
            if lent.users == 0 and self.files.get(file) is not lent:
                lent.reader.close()

    def forget(self, file: FileState) -> None:
        with self.lock:
            self._drop(file)

    def _drop(self, file: FileState) -> None:
        dropped = self.files.pop(file, None)
        if dropped is not None and dropped.users == 0:  # else whoever reads it last closes it
            dropped.reader.close()


_open_files = _OpenFiles()


@contextmanager
def _reader(source: str, file: FileState) -> Iterator[Faidx]:
    files = _open_files
    lent = files.lend(source, file)
    try:
        yield lent.reader
    except OSError:  # as when a network file system lost the file: the next try opens it anew
        files.forget(file)
        raise
    finally:
        files.take_back(file, lent)


def open_letters(source: str, file: FileState) -> None:
    """Make sure that the file can be read. Raises GenoscanError if it is in another state, OSError if it cannot."""
    with _reader(source, file):
        pass


def close_letters(file: FileState) -> None:
    """Close the file as soon as nobody reads it."""
    _open_files.forget(file)


def _start_anew() -> None:
    """In a forked child: the parent's open files share their position with ours, and its locks may be taken."""
    global _open_files
    _abandoned.append(_open_files)
    _open_files = _OpenFiles()


_abandoned: list[_OpenFiles] = []  # not to be closed here, which could wait for a lock forever

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
