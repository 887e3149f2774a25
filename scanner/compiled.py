"""A place for compiled functions where an installation cannot be written to.

Numba keeps compiled functions next to their source or in the user's cache folder, and refuses to define them when it
can write to neither (a system-wide installation, a container run by a user without a home). Standard library only:
this runs when the package is imported.
"""

from __future__ import annotations

import getpass
import os
import stat
import sys
import tempfile
from pathlib import Path


def provide_cache_folder() -> None:
    """Set NUMBA_CACHE_DIR where it is needed and the environment does not set it. Never fails."""
    if os.environ.get("NUMBA_CACHE_DIR") or _writable(Path(__file__).parent / "__pycache__"):
        return
    folder = next(filter(_writable, _candidates()), None)
    if folder is None:
        return  # Numba will say what is wrong, in its own words
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    numba = sys.modules.get("numba")
    if numba is not None:  # it has read its environment already
        numba.config.CACHE_DIR = str(folder)


def _candidates():
    """Folders to try: the user's cache, then a folder of the user's own among the temporary files."""
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no home folder can be found
        pass
    else:
        yield Path(os.environ.get("GENOSCAN_CACHE") or caches / "genoscan") / "numba"
    folder = Path(tempfile.gettempdir()) / f"genoscan-{_user()}"
    if _private(folder):
        yield folder


def _user() -> str:
    if hasattr(os, "getuid"):
        return str(os.getuid())
    return getpass.getuser()


def _private(folder: Path) -> bool:
    """Whether the folder can be made or is the user's own: code is loaded from it, and /tmp is open to everybody."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(about.st_mode):
        return False
    return not hasattr(os, "getuid") or (about.st_uid == os.getuid() and not about.st_mode & 0o022)


def _writable(folder: Path) -> bool:
    """Whether the folder exists or can be made, and takes a file: Numba's own test."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
