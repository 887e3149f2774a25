"""Where a track's bytes go: standard output, a file, or a bgzip file with a CSI index. Complete or absent.

A file is written under another name beside its place and renamed when it is whole. What cannot be replaced by a file
(a device, a named pipe, /dev/stdout) takes the bytes as they come. The index is CSI because a .tbi ends at 512 Mb.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pysam

from ..errors import ClosedPipe, GenoscanError, OutputError

Write = Callable[[bytes], None]


@contextmanager
def open_output(
    path: str | None, folder: Path | None = None, stale: Sequence[Path] = (), preset: str = "bed"
) -> Iterator[Write]:
    """A function that appends bytes to the output at ``path`` (None or '-': standard output).

    '.gz' paths become bgzip with ``path.csi`` beside them, indexed by tabix's columns of the ``preset``. Otherwise as
    `placed`. `GenoscanError` names the file when a folder is missing or not writable or the disk is full.
    """
    if path is None or path == "-":
        yield _write_stdout
        _flush_stdout()
        return
    final = Path(path)
    verbosity = pysam.set_verbosity(0)  # errors are ours to report
    try:
        if is_stream(path):
            with _appending(final, final) as write:
                yield write
        else:
            indexed = final.suffix == ".gz"
            with placed(final, folder, stale, [".csi"] if indexed else []) as partial:
                with _appending(final, partial) as write:
                    yield write
                if indexed:
                    with file_errors(final):
                        pysam.tabix_index(str(partial), preset=preset, csi=True, force=True)
    finally:
        pysam.set_verbosity(verbosity)


@contextmanager
def placed(
    final: Path, folder: Path | None = None, stale: Sequence[Path] = (), beside: Sequence[str] = ()
) -> Iterator[Path]:
    """Where to write the file that is to be at ``final``, and with it those that have the endings ``beside`` after its
    name.

    They grow in ``folder``, which must be on the same file system (None: beside their place, hidden; what belongs to
    this file alone may be written there under its name and a further ending, too). Leaving the context normally puts
    them in place, to stay there even after a reboot, and first removes ``stale`` files, which speak of the one that is
    replaced; leaving it by an exception removes what was written. `GenoscanError` as for `require_place`, `OutputError`
    when the disk is full.
    """
    require_place(final)
    hidden = final.with_name(f".{final.name}.{os.getpid()}.partial")
    partial = hidden if folder is None else folder / f"{final.name}.partial"
    written = [Path(f"{partial}{ending}") for ending in (*beside, "")]
    try:
        yield partial
        with file_errors(final):
            for one in written:
                _sync(one)
            for path in stale:
                path.unlink(missing_ok=True)
            for one, ending in zip(written, (*beside, ""), strict=True):
                os.replace(one, f"{final}{ending}")
            with suppress(OSError):  # not every file system knows how
                _sync(final.parent)
    finally:
        for leftover in written:
            with suppress(OSError):
                leftover.unlink()


@contextmanager
def _appending(final: Path, partial: Path) -> Iterator[Write]:
    """A function that appends to ``partial``, in bgzip where ``final`` says so; errors name ``final``."""
    with file_errors(final):
        handle = pysam.BGZFile(str(partial), "wb") if final.suffix == ".gz" else partial.open("wb")

    def write(data: bytes) -> None:
        with file_errors(final):
            handle.write(data)

    try:
        yield write
    except BaseException:
        with suppress(OSError):  # the first trouble is the one to tell
            _close(handle)
        raise
    with file_errors(final):
        _close(handle)


def _close(handle: pysam.BGZFile | BinaryIO) -> None:
    """Close a file also where its last bytes cannot be written. OSError in that case."""
    try:
        handle.close()
    except OSError:
        with suppress(OSError):  # a BGZFile that cannot be flushed stays open at first
            handle.close()
        raise


def is_stream(path: str | None) -> bool:
    """Whether the output at ``path`` takes bytes as they come and cannot be replaced by a file: standard output, a
    device, a named pipe, an open descriptor (/dev/stdout, /dev/fd/3)."""
    if path is None or path == "-":
        return True
    try:
        if os.path.islink(path) and os.readlink(path).startswith("/proc/"):
            return True
        if os.path.realpath(os.path.dirname(path) or ".").startswith("/proc/"):
            return True
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk itself. OSError where that fails."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, data: bytes, folder: Path | None = None) -> None:
    """Write a small file in one step: complete or absent, even after a reboot. OSError where that fails.

    ``folder``: where it is while it is not complete, on the same file system; None: beside its place, hidden.
    """
    partial = (folder or path.parent) / f".{path.name}.{os.getpid()}.partial"
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise


def write_beside(path: Path, text: str, folder: Path | None = None) -> None:
    """Write a small text file in one step: complete or absent. ``folder`` as for `write_synced`."""
    with file_errors(path):
        # File names need not be UTF-8; their odd bytes become JSON's own escapes.
        write_synced(path, text.encode("utf-8", errors="backslashreplace"), folder)


def require_place(path: Path) -> None:
    """`GenoscanError` when a file cannot be put at ``path``: asked before hours of work, not after."""
    folder = path.parent
    with file_errors(path):
        there = folder.is_dir()
        is_folder = path.is_dir()
    if not there:
        raise GenoscanError(f"{path}: the folder '{folder}' does not exist; make it first")
    if is_folder:
        raise GenoscanError(f"{path}: is a folder; name a file, or use --out-dir")
    if not os.access(folder, os.W_OK):
        raise GenoscanError(f"{path}: the folder '{folder}' is not writable")


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """What the system says against writing to ``path`` becomes an `OutputError` that names it."""
    try:
        yield
    except OSError as error:
        hint = "; free some space and run again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        reason = error.strerror or str(error)
        if error.errno is None or error.errno < 0:  # htslib does not say why
            reason = "is the disk full?" if path.parent.is_dir() else os.strerror(errno.ENOENT)
        raise OutputError(f"{path}: cannot write: {reason}{hint}") from None


def _write_stdout(data: bytes) -> None:
    if sys.stdout is None:
        raise OutputError("<stdout>: is closed; name an output with -o")
    try:
        sys.stdout.buffer.write(data)
    except BrokenPipeError:
        raise ClosedPipe from None
    except OSError as error:
        raise OutputError(f"<stdout>: cannot write: {error.strerror or error}") from None


def _flush_stdout() -> None:
    _write_stdout(b"")
    try:
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ClosedPipe from None
    except OSError as error:
        raise OutputError(f"<stdout>: cannot write: {error.strerror or error}") from None
