"""Genomes as FASTA: a plain file, gzip, bgzip or a stream, read piece by piece as base codes.

A plain file is read where it lies, with the .fai beside it if that fits; what else is needed (an index, a decompressed
copy) lives in a temporary folder until the genome is closed. Nothing is ever left beside the user's file.
"""

from __future__ import annotations

import gzip
import hashlib
import stat
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pyfaidx import Faidx, IndexRecord

from ..errors import GenoscanError
from .fasta import (
    CODES,
    NO_CODE,
    PROTEIN_SAMPLE,
    Layout,
    check_records,
    is_protein,
    letter_error,
    protein_error,
    read_fai,
    read_layout,
)

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BGZF_HEADER = 18
_PACKED = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd"}
# Names from which pyfaidx concludes that a file is compressed, whatever is in it.
_MISLEADING = (".gz", ".bgz", ".bz2", ".zip")

Warn = Callable[[str], None]


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


class Genome:
    """The contigs of a FASTA, to be read in pieces by any number of threads. Made by `open_genome`; close it.

    source: the path as it was given, "<stdin>" for standard input.
    names: the contigs' names, in the order of the file.
    lengths: int64 (contigs,), in bases; may be 0.
    """

    def __init__(self, source: str, layout: Layout, letters: Faidx, digest: str | Path, resources: ExitStack):
        self.source = source
        self.names = layout.names
        self.lengths = layout.lengths
        self._letters = letters
        self._digest = digest
        self._resources = resources

    def codes(self, contig: int, start: int, end: int) -> np.ndarray:
        """Bases [start, end) of a contig as uint8: 0 1 2 3 for A C G T (or U) of either case, 4 for other IUPAC.

        Raises GenoscanError for a letter that is no nucleotide, and for a file that changed since it was opened.
        """
        if not 0 <= start <= end <= self.lengths[contig]:
            raise IndexError(f"[{start}, {end}) is not within contig {contig} of {self.lengths[contig]} bases")
        if start == end:
            return np.empty(0, dtype=np.uint8)
        letters = self._read(contig, start, end)
        codes = np.frombuffer(letters.translate(CODES), dtype=np.uint8)
        if codes.max() == NO_CODE:
            first = int(np.argmax(codes == NO_CODE))
            raise letter_error(self.source, self.names[contig], start + first + 1, letters[first])
        if start == 0 and is_protein(letters):
            sample = min(int(self.lengths[contig]), PROTEIN_SAMPLE)
            if end >= sample or is_protein(self._read(contig, 0, sample)):  # a short piece may just begin oddly
                raise protein_error(self.source, self.names[contig])
        return codes

    def _read(self, contig: int, start: int, end: int) -> bytearray:
        name = self.names[contig]
        try:
            # pyfaidx holds its own lock from seek to read.
            letters = bytearray(self._letters.fetch(contig, start + 1, end), "utf-8")
        except UnicodeDecodeError as error:
            before = len(error.object[: error.start].translate(None, b"\r\n"))
            raise letter_error(self.source, name, start + before + 1, error.object[error.start]) from None
        except OSError as error:
            raise _unreadable(self.source, error) from None
        if len(letters) != end - start and letters.isascii():
            raise GenoscanError(
                f"{self.source}: record '{name}' is shorter than when it was indexed: the file was truncated or "
                "changed; run again (and remake or delete its .fai)"
            )
        return letters

    def digest(self) -> str:
        """128-bit BLAKE2b in hex: of the file's bytes as they lie on disk, for a stream of its decompressed text."""
        if isinstance(self._digest, Path):
            try:
                with self._digest.open("rb") as file:
                    self._digest = hashlib.file_digest(file, _new_digest).hexdigest()
            except OSError as error:
                raise _unreadable(self.source, error) from None
        return self._digest

    def close(self) -> None:
        """Close the file and remove the temporaries."""
        self._resources.close()

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_genome(path: str | Path, warn: Warn = _warn) -> Genome:
    """Open a FASTA: plain, gzip or bgzip, a named pipe, or "-" for standard input.

    ``warn`` hears of empty records and of a .fai that cannot be used. Every letter is checked here, or when it is read
    if a .fai was used. Raises GenoscanError, one line that names the file, for whatever cannot be read as a genome.
    """
    source = "<stdin>" if str(path) == "-" else str(path)
    with ExitStack() as resources:
        try:
            if str(path) == "-":
                genome = _open_stream(sys.stdin.buffer, source, None, resources)
            else:
                genome = _open_path(Path(path), source, warn, resources)
        except OSError as error:
            raise _unreadable(source, error) from None
        _warn_of_empty(genome, warn)
        genome._resources = resources.pop_all()
        return genome


def _open_path(path: Path, source: str, warn: Warn, resources: ExitStack) -> Genome:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise GenoscanError(f"{source}: is a folder: give a FASTA file")
    with path.open("rb") as file:
        if not stat.S_ISREG(mode):
            return _open_stream(file, source, None, resources)
        start = file.read(len(_GZIP))
        file.seek(0)
        if start == _GZIP:
            return _open_stream(file, source, path, resources)
        layout = _layout_beside(path, source, warn)
        if layout is None:
            layout = read_layout(_checked_start(_pieces(file, source), source), source)
        if layout.uneven:
            file.seek(0)
            return _open_stream(file, source, path, resources)
    folder = _temporary_folder(resources)
    letters = path.absolute()
    if letters.name.lower().endswith(_MISLEADING):
        letters = folder / "letters"
        letters.symlink_to(path.absolute())
    return _genome(source, layout, letters, folder, path.absolute(), resources)


def _open_stream(file: BinaryIO, source: str, path: Path | None, resources: ExitStack) -> Genome:
    """Copy the letters of a FASTA, decompressed if need be, to a temporary file and read them there.

    ``path`` is where the FASTA lies on disk; None for a stream, which is hashed on its way.
    """
    folder = _temporary_folder(resources)
    digest = _new_digest() if path is None else None
    with (folder / "letters").open("wb", buffering=0) as copy:

        def write(letters: np.ndarray) -> None:
            try:
                rest = memoryview(letters)
                while rest:
                    rest = rest[copy.write(rest) :]
            except OSError as error:
                raise GenoscanError(
                    f"{source}: cannot be copied to the temporary folder {folder}: {error.strerror}; "
                    "set TMPDIR to a folder with more room"
                ) from None

        pieces = _checked_start(_hashed(_pieces(file, source), digest), source)
        layout = read_layout(pieces, source, write).joined()
    hashed = digest.hexdigest() if path is None else path.absolute()
    return _genome(source, layout, folder / "letters", folder, hashed, resources)


def _genome(
    source: str, layout: Layout, letters: Path, folder: Path, digest: str | Path, resources: ExitStack
) -> Genome:
    # An empty index of our own, so that pyfaidx neither looks for nor writes one beside the user's file.
    nothing = folder / "empty.fai"
    nothing.touch()
    reader = resources.enter_context(Faidx(letters, indexname=nothing, as_raw=True, build_index=False))
    reader.index = _Index(layout)
    return Genome(source, layout, reader, digest, resources)


class _Index:
    """A layout as pyfaidx looks it up, by contig number.

    Its records are made when they are asked for: to hold those of a million contigs costs it 6 seconds and 400 MB.
    """

    def __init__(self, layout: Layout):
        self.layout = layout

    def __getitem__(self, contig: int) -> IndexRecord:
        length, offset, line_bases, line_bytes = (int(column[contig]) for column in self.layout[1:5])
        lines = -(-length // line_bases) if line_bases else 0
        end = offset + length + lines * (line_bytes - line_bases)
        return IndexRecord(rlen=length, offset=offset, lenc=line_bases, lenb=line_bytes, bend=end, prev_bend=0)


def _layout_beside(path: Path, source: str, warn: Warn) -> Layout | None:
    """The layout in the .fai beside a file, None if there is none that can be used."""
    fai = Path(f"{path}.fai")
    try:
        if fai.stat().st_mtime_ns < path.stat().st_mtime_ns:
            raise ValueError("is older than the file")
        layout = read_fai(fai, path)
    except FileNotFoundError:
        return None
    except OSError as error:
        warn(f"{fai}: cannot be read ({error.strerror}); indexing {source} anew")
        return None
    except ValueError as error:
        warn(f"{fai}: {error}; indexing {source} anew")
        return None
    check_records(layout, source)
    return layout


class _Compressed:
    """A stream for `gzip` to read: begins with ``head``, which was read before, and remembers its last bytes."""

    def __init__(self, head: bytes, file: BinaryIO):
        self.head, self.file, self.tail = head, file, b""

    def read(self, size: int = -1) -> bytes:
        data = self.head[:size] if self.head else self.file.read(size)
        self.head = self.head[len(data) :]
        self.tail = (self.tail + data)[-len(_BGZF_END) :]
        return data


def _pieces(file: BinaryIO, source: str) -> Iterator[bytes]:
    """A stream's text in chunks, decompressed if it is gzip or bgzip."""
    head = file.read(_BGZF_HEADER)
    if not head.startswith(_GZIP):
        while head:
            yield head
            head = file.read(_CHUNK)
        return
    blocked = head[3:4] == b"\x04" and head[12:14] == b"BC"
    compressed = _Compressed(head, file)
    try:
        with gzip.GzipFile(fileobj=compressed, mode="rb") as text:
            while chunk := text.read(_CHUNK):
                yield chunk
    except EOFError:
        raise GenoscanError(f"{source}: the gzip data end too early: the file is truncated, get it anew") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise GenoscanError(f"{source}: the gzip data are corrupt ({error}): get the file anew") from None
    if blocked and compressed.tail != _BGZF_END:
        raise GenoscanError(f"{source}: the bgzip end marker is missing: the file is truncated, get it anew")


def _hashed(pieces: Iterable[bytes], digest: hashlib.blake2b | None) -> Iterator[bytes]:
    for piece in pieces:
        if digest is not None:
            digest.update(piece)
        yield piece


def _checked_start(pieces: Iterable[bytes], source: str) -> Iterator[bytes]:
    """The same pieces; raises GenoscanError if the text they hold does not begin as FASTA."""
    begun = False
    for piece in pieces:
        start = piece if begun else piece.lstrip()
        if start and not begun:
            begun = True
            _check_start(start[:12], source)
        yield piece
    if not begun:
        raise GenoscanError(f"{source}: is empty: give a FASTA file with at least one record")


def _check_start(start: bytes, source: str) -> None:
    if start.startswith(b">"):
        return
    if start.startswith(b"@"):
        raise GenoscanError(f"{source}: looks like FASTQ (it begins with '@'): give a genome as FASTA")
    if start.startswith((b";", b"#")):
        raise GenoscanError(f"{source}: begins with a comment line ('{start[:1].decode()}'): remove comment lines")
    for magic, packer in _PACKED.items():
        if start.startswith(magic):
            raise GenoscanError(f"{source}: is packed with {packer}: unpack it, or pack it with bgzip or gzip")
    raise GenoscanError(f"{source}: is not FASTA: it begins with {ascii(start)[1:]}, not with '>'")


def _warn_of_empty(genome: Genome, warn: Warn) -> None:
    empty = np.flatnonzero(genome.lengths == 0)
    if len(empty) == 1:
        warn(f"{genome.source}: record '{genome.names[empty[0]]}' is empty; nothing is scanned there")
    elif len(empty):
        others = f"{len(empty) - 1:,} other{'s' if len(empty) > 2 else ''}"
        warn(f"{genome.source}: record '{genome.names[empty[0]]}' is empty, as are {others}; nothing is scanned there")


def _temporary_folder(resources: ExitStack) -> Path:
    try:
        return Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="genoscan-")))
    except OSError as error:
        raise GenoscanError(f"cannot make a temporary folder ({error.strerror}): set TMPDIR to one with room") from None


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _unreadable(source: str, error: OSError) -> GenoscanError:
    if isinstance(error, FileNotFoundError):
        return GenoscanError(f"{source}: no such file")
    return GenoscanError(f"{source}: cannot be read: {error.strerror or error}")
