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
def open_output(path: str | None, folder: Path | None = None, stale: Sequence[Path] = ()) -> Iterator[Write]:
    """A function that appends bytes to the output at ``path`` (None or '-': standard output).

    '.gz' paths become bgzip with ``path.csi`` beside them. The file grows in ``folder``, which must be on the same file
    system (None: beside its place, hidden). Leaving the context normally puts the file in place, to stay there even
    after a reboot, and first removes ``stale`` files, which speak of the one that is replaced; leaving it by an
    exception removes what was written. `GenoscanError` names the file when a folder is missing or not writable or the
    disk is full.
    """
    if path is None or path == "-":
        yield _write_stdout
        _flush_stdout()
        return
    final, stream = Path(path), is_stream(path)
    if not stream:
        require_place(final)
    hidden = final.with_name(f".{final.name}.{os.getpid()}.partial")
    partial = final if stream else hidden if folder is None else folder / f"{final.name}.partial"
    leftovers = [] if stream else [partial, Path(f"{partial}.csi")]
    verbosity = pysam.set_verbosity(0)  # errors are ours to report
    try:
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
        if not stream:
            with file_errors(final):
                if final.suffix == ".gz":
                    pysam.tabix_index(str(partial), preset="bed", csi=True, force=True)
                    _sync(leftovers[1])
                _sync(partial)
                for path_beside in stale:
                    path_beside.unlink(missing_ok=True)
                if final.suffix == ".gz":
                    os.replace(leftovers[1], f"{final}.csi")
                os.replace(partial, final)
                with suppress(OSError):  # not every file system knows how
                    _sync(final.parent)
    finally:
        pysam.set_verbosity(verbosity)
        for leftover in leftovers:
            with suppress(OSError):
                leftover.unlink()


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
