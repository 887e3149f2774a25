"""Genomes as FASTA: a plain file, gzip, bgzip or a stream, read piece by piece as base codes.

A plain file is read where it lies, with the .fai beside it if that fits; a decompressed copy, where one is needed, is
kept in a temporary folder until the genome is closed. Nothing is left beside the user's file. Other processes that see
the file can read parts of it without an index of their own.
"""

from __future__ import annotations

import stat
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import GenoscanError
from ..temporary import temporary_folder
from .compressed import GZIP, decompressed
from .digest import FileDigest, PassingDigest
from .fai import read_fai
from .fasta import Layout, check_records, read_layout
from .letters import FileState, changed, close_letters, open_letters, read_codes, unreadable
from .names import NameTable
from .streams import arriving, open_pipe, until

_CHUNK = 1 << 20
_PACKED = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd"}

Warn = Callable[[str], None]


def warn_of_genome(text: str) -> None:
    """What is said of a genome where nobody listens: a Python warning."""
    warnings.warn(text, stacklevel=3)


class NotShared(Exception):
    """This machine does not see the file that a part of a genome is in, or sees another file in its place."""


@dataclass(frozen=True, eq=False)
class GenomePart:
    """Some contigs of a genome, for `open_part` in another process. Can be pickled; holds no sequence.

    source: the genome's name in messages.
    file: where the letters lie, and how large and old that file is.
    contigs: int32 (contigs,), the numbers that these contigs have in the genome, ascending.
    layout: where each of them lies in the file.
    """

    source: str
    file: FileState
    contigs: np.ndarray
    layout: Layout


class Genome:
    """The contigs of a FASTA, to be read in pieces by any number of threads. Made by `open_genome`; close it.

    source: the path as it was given, "<stdin>" for standard input.
    names: the contigs' names, in the order of the file.
    lengths: int64 (contigs,), in bases; may be 0.
    """

    def __init__(
        self,
        source: str,
        layout: Layout,
        letters: FileState,
        original: FileState | None,
        digest: str | None,
        resources: ExitStack,
    ):
        self.source = source
        self.names = layout.names
        self.lengths = layout.lengths
        self._layout = layout
        self._letters = letters
        self._original = original
        self._digest: str | FileDigest | None = digest
        self._resources = resources
        open_letters(source, letters)
        resources.callback(close_letters, letters)

    def codes(self, contig: int, start: int, end: int) -> np.ndarray:
        """Bases [start, end) of a contig as uint8: 0 1 2 3 for A C G T (or U) of either case, 4 for other IUPAC.

        Raises GenoscanError for a letter that is no nucleotide, and for a file that changed since it was opened.
        """
        return read_codes(self.source, self._letters, self._layout, contig, start, end)

    @cached_property
    def _table(self) -> NameTable:
        return NameTable(self.names)

    def number(self, name: str) -> int:
        """The number of the contig with this name. Raises KeyError where there is none."""
        number = int(self._table.find([name])[0])
        if number < 0:
            raise KeyError(name)
        return number

    def __contains__(self, name: str) -> bool:
        """Whether a contig has this name."""
        return bool(self._table.find([name])[0] >= 0)

    def share(self, contigs: np.ndarray) -> GenomePart:
        """What another process needs to read these contigs (int array of their numbers) while the genome is open."""
        numbers = np.unique(contigs)
        return GenomePart(self.source, self._letters, numbers.astype(np.int32), self._layout.take(numbers))

    def start_digest(self) -> None:
        """Begin to make the digest beside other work, unless it was made when the file was read on opening."""
        if self._digest is None:
            self._digest = FileDigest(self.source, self._original)
            self._resources.callback(self._digest.stop)

    def digest(self, stop: threading.Event | None = None) -> str:
        """128-bit BLAKE2b in hex: of the file's bytes as they lie on disk, for a stream of its decompressed text.

        Raises GenoscanError for a file that changed since it was opened, Interrupted soon after ``stop`` is set.
        """
        self.start_digest()
        return self._digest if isinstance(self._digest, str) else self._digest.result(stop)

    def require_unchanged(self) -> None:
        """Raise GenoscanError unless the file on disk has the size and time of change that it had on opening."""
        if self._original is None:
            return
        try:
            now = FileState.of(self._original.path)
        except OSError:
            raise changed(self.source) from None
        if now != self._original:
            raise changed(self.source)

    def stamp(self) -> dict[str, int]:
        """Size in bytes and time of change in ns of the user's file, as on opening; nothing for a stream."""
        return {} if self._original is None else {"size": self._original.size, "mtime_ns": self._original.mtime_ns}

    def close(self) -> None:
        """Close the file and remove the temporaries."""
        self._resources.close()

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PartReader:
    """Reads the contigs of a part of a genome, in any number of threads. Made by `open_part`; needs no closing."""

    def __init__(self, part: GenomePart):
        self._part = part

    def codes(self, contig: int, start: int, end: int) -> np.ndarray:
        """As `Genome.codes`, with the genome's numbers of contigs. Raises KeyError for one that is not in the part."""
        part = self._part
        record = int(np.searchsorted(part.contigs, contig))
        if record == len(part.contigs) or part.contigs[record] != contig:
            raise KeyError(f"contig {contig} is not in this part of {part.source}")
        return read_codes(part.source, part.file, part.layout, record, start, end)


def open_part(part: GenomePart) -> PartReader:
    """Read a part of a genome that another process has opened. Cheap: files stay open for the next part.

    Raises NotShared where the file cannot be opened here, or has another size or time of change.
    """
    try:
        if FileState.of(part.file.path) != part.file:
            raise NotShared(f"{part.file.path}: is another file here")
        open_letters(part.source, part.file)
    except OSError as error:
        raise NotShared(f"{part.file.path}: {error.strerror or error}") from None
    except GenoscanError as error:  # changed between the two
        raise NotShared(str(error)) from None
    return PartReader(part)


def open_genome(path: str | Path, warn: Warn = warn_of_genome, stop: threading.Event | None = None) -> Genome:
    """Open a FASTA: plain, gzip or bgzip, a named pipe, or "-" for standard input.

    ``warn`` hears of empty records, of names that bedtools does not take, and of a .fai that cannot be used. Every
    letter is checked here, or when it is read if a .fai was used. Raises GenoscanError, one line that names the file,
    for whatever cannot be read as a genome; Interrupted soon after ``stop`` is set.
    """
    source = "<stdin>" if str(path) == "-" else str(path)
    stop = stop or threading.Event()
    with ExitStack() as resources:
        try:
            if str(path) == "-":
                genome = _open_stream(sys.stdin.buffer, source, resources, stop)
            else:
                genome = _open_path(Path(path), source, warn, resources, stop)
        except OSError as error:
            raise unreadable(source, error) from None
        _warn_of_empty(genome, warn)
        _warn_of_names(genome, warn)
        genome._resources = resources.pop_all()
        return genome


def same_genome(path: str, recorded: Mapping[str, object]) -> bool:
    """Whether the file at ``path`` is the one whose digest and `Genome.stamp` were recorded: by size and time of
    change, and where only the time differs by its digest."""
    try:
        state = FileState.of(Path(path).absolute())
        if state.size != recorded.get("size"):
            return False
        return state.mtime_ns == recorded.get("mtime_ns") or FileDigest(path, state).result() == recorded.get("digest")
    except (OSError, GenoscanError):
        return False


def _open_path(path: Path, source: str, warn: Warn, resources: ExitStack, stop: threading.Event) -> Genome:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise GenoscanError(f"{source}: is a folder: give a FASTA file")
    if not stat.S_ISREG(mode):
        with open_pipe(path) as file:
            return _open_stream(file, source, resources, stop)
    with path.open("rb") as file:
        state = FileState.of_open(path.absolute(), file)
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        layout = None if packed else _layout_beside(path, source, warn)
        letters, digest = state, None
        if layout is None and not packed:
            with PassingDigest() as passing:
                text = until(stop, passing.hashed(_pieces(file)))
                layout = read_layout(_checked_start(text, source), source)
                digest = passing.hexdigest()
        if layout is None or layout.uneven:
            file.seek(0)
            with PassingDigest() as passing:
                text = until(stop, decompressed(passing.hashed(_pieces(file)), source))
                layout, letters = _copied(text, source, resources)
                digest = passing.hexdigest()
        if FileState.of_open(path.absolute(), file) != state:
            raise changed(source)
    return Genome(source, layout, letters, state, digest, resources)


def _open_stream(file: BinaryIO, source: str, resources: ExitStack, stop: threading.Event) -> Genome:
    with PassingDigest() as passing:
        text = until(stop, passing.hashed(decompressed(arriving(file, _CHUNK, stop), source)))
        layout, letters = _copied(text, source, resources)
        return Genome(source, layout, letters, None, passing.hexdigest(), resources)


def _copied(text: Iterable[bytes], source: str, resources: ExitStack) -> tuple[Layout, FileState]:
    """Copy the letters of a FASTA text to a temporary file: where each record lies there, and the file."""
    try:
        folder = resources.enter_context(temporary_folder())
    except GenoscanError as error:
        raise GenoscanError(f"{source}: {error}") from None
    path = folder / "letters"
    with path.open("wb", buffering=0) as copy:

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

        layout = read_layout(_checked_start(text, source), source, write).joined()
    return layout, FileState.of(path)


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


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
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


_SKIPPED = (">", "!", "track", "browser", "visibility")
"""Besides what no reader of BED takes (`check_records`): bedtools 2.30 takes lines that begin so, in letters of either
case, for headers, and "chrom" if it is the whole name."""


def _warn_of_names(genome: Genome, warn: Warn) -> None:
    names, sizes = genome.names, genome.names.sizes
    chrom = names.beginning_with("chrom")
    skipped = np.concatenate([chrom[sizes[chrom] == len("chrom")], *map(names.beginning_with, _SKIPPED)])
    if len(skipped):
        others = f" ({len(skipped):,} such)" if len(skipped) > 1 else ""
        name = names[skipped.min()]
        warn(f"{genome.source}: bedtools skips lines of a contig named '{name}'{others}; rename it to be safe")
