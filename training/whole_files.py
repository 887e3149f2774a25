"""Files that are written whole or not at all; without torch, so that making data sets needs none."""

from __future__ import annotations

import os
from pathlib import Path

from ..scanner.errors import GenoscanError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk and rename it; `GenoscanError` when that fails."""
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise GenoscanError(f"{path}: cannot write: {error.strerror}") from None
