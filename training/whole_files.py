"""Files and folders that are written whole or not at all; without torch, so that making data sets needs none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

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


def write_png(path: Path, figure: Any) -> None:
    """`write_whole` of a figure of matplotlib as a PNG, the same bytes for the same figure."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=120, metadata={"Software": None})
    write_whole(path, content.getvalue())


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of ``folder`` at the end of the block.

    A kill in between leaves the old one, or, for a moment, the old and the new one under other names.
    """
    partial, aside = (folder.with_name(f"{folder.name}.{name}") for name in ("partial", "old"))
    for one in (partial, aside):
        shutil.rmtree(one, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    if folder.exists():
        folder.rename(aside)
    partial.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
