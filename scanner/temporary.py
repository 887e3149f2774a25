"""Temporary folders that are removed when they are done with, or by the next run if the process was killed.

A folder holds a file on which its process keeps a lock (flock). The kernel lets go of it when the process ends, however
it ends, so a folder whose lock is free has no owner left. Standard library only.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from .errors import GenoscanError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_PREFIX = "genoscan-"
_LOCK = "genoscan.lock"

_held: set[int] = set()
"""File descriptors of this process's locks."""


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder genoscan-XXXX in ``parent`` (None: TMPDIR), removed at the end; first removes those that killed
    processes have left.

    Raises GenoscanError where no folder can be made.
    """
    try:
        _sweep(parent or Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    except OSError as error:
        raise GenoscanError(f"cannot make a temporary folder ({error.strerror}): set TMPDIR to one with room") from None
    remove = partial(_finish, folder, _locked(folder), os.getpid())
    atexit.register(remove)  # for a context that is never left
    try:
        yield folder
    finally:
        atexit.unregister(remove)
        remove()


def sweep() -> None:
    """Remove the temporary folders that killed processes have left in TMPDIR. Never fails."""
    with suppress(OSError):
        _sweep(Path(tempfile.gettempdir()))


def _locked(folder: Path) -> int | None:
    """Lock a new folder; the open lock file, None where there are no locks.

    The lock file gets its name when it is locked, so nobody finds it free while the process lives.
    """
    if fcntl is None:
        return None
    unnamed = folder / f"{_LOCK}.new"
    try:
        lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(lock, _host())
        unnamed.rename(folder / _LOCK)
    except OSError:  # a file system without locks, or a full one
        os.close(lock)
        with suppress(OSError):
            unnamed.unlink()
        return None
    _held.add(lock)
    return lock


def _host() -> bytes:
    """Some file systems that machines share keep their locks to each machine: a lock says nothing about another's."""
    return socket.gethostname().encode()


def _finish(folder: Path, lock: int | None, process: int) -> None:
    if os.getpid() != process:  # a forked child, which only passes by
        return
    _remove(folder)
    if lock is not None:
        _held.discard(lock)
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder, its lock file last: what cannot be removed now is left to a later sweep."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != _LOCK:
                with suppress(OSError):
                    os.unlink(entry.path)
        if os.listdir(folder) in ([], [_LOCK]):
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove this user's folders whose lock is free. Never fails."""
    if fcntl is None:
        return
    with suppress(OSError):
        for entry in list(os.scandir(parent)):
            if entry.name.startswith(_PREFIX):
                with suppress(OSError):
                    _sweep_one(Path(entry.path))


def _sweep_one(folder: Path) -> None:
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        return
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.read(lock, 1024) == _host():
            _remove(folder)
    finally:
        os.close(lock)


def _let_go() -> None:
    """In a forked child: its copies of the descriptors would keep the locks when the parent is gone."""
    for lock in _held:
        os.close(lock)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
