"""Labelled sequences on disk, mapped into memory: what training reads takes no memory, however many there are.

A folder of flat NumPy files, all of one set of rows: bases as codes one after another, where each sequence begins, and
what is known of each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...scanner.errors import GenoscanError
from ..whole_files import write_whole

SPLITS = ("train", "validation", "test")
LEFT_OUT = 255
"""Split of a row that is in none."""
DESCRIPTION = "data.json"
_FILES = {"codes": np.uint8, "begins": np.int64, "targets": np.float32, "keys": np.int64, "lines": np.int64}


class Row(NamedTuple):
    """A labelled sequence as it is written.

    codes: uint8 (bases,). targets: float32 (outputs,), NaN what was not measured; a class's number for classification.
    key: equal for rows of one group. line: in the table, from 1.
    """

    codes: np.ndarray
    targets: np.ndarray
    key: int
    line: int


@dataclass(frozen=True)
class Sequences:
    """Labelled sequences, memory-mapped.

    codes: uint8 (all bases,). begins: int64 (rows + 1,). targets: float32 (rows, outputs). keys, lines: int64 (rows,).
    splits: uint8 (rows,), places in `SPLITS` or `LEFT_OUT`. described: what data.json says.
    """

    codes: np.ndarray
    begins: np.ndarray
    targets: np.ndarray
    keys: np.ndarray
    lines: np.ndarray
    splits: np.ndarray
    described: dict[str, Any]

    def __len__(self) -> int:
        return len(self.begins) - 1

    def sequence(self, row: int) -> np.ndarray:
        """Codes uint8 (bases,) of one row."""
        return self.codes[self.begins[row] : self.begins[row + 1]]

    def rows(self, split: str) -> np.ndarray:
        """Row numbers int64 of a split."""
        return np.flatnonzero(self.splits == SPLITS.index(split))

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Bases int64 of these rows."""
        return self.begins[rows + 1] - self.begins[rows]


def write_rows(folder: Path, rows: Iterable[Row]) -> int:
    """Write rows as they come and return how many there were; `GenoscanError` when the disk refuses."""
    count, at = 0, 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = {name: open(folder / f"{name}.bin", "wb") for name in _FILES}  # noqa: SIM115 (closed below)
        try:
            files["begins"].write(np.int64(0).tobytes())
            for one in rows:
                at += len(one.codes)
                count += 1
                files["codes"].write(one.codes.tobytes())
                files["begins"].write(np.int64(at).tobytes())
                files["targets"].write(np.asarray(one.targets, dtype=np.float32).tobytes())
                files["keys"].write(np.int64(one.key).tobytes())
                files["lines"].write(np.int64(one.line).tobytes())
        finally:
            for file in files.values():
                file.close()
    except OSError as error:
        raise GenoscanError(f"{folder}: cannot write the data set: {error.strerror or error}") from None
    return count


def write_splits(folder: Path, splits: np.ndarray, described: dict[str, Any]) -> None:
    """Write the splits and, last, the description: where it is, the set is whole."""
    write_whole(folder / "splits.bin", np.asarray(splits, dtype=np.uint8).tobytes())
    write_whole(folder / DESCRIPTION, (json.dumps(described, indent=2) + "\n").encode())


def open_sequences(folder: Path, outputs: int) -> Sequences:
    """The data set in a folder, its splits all left out before `write_splits`."""
    found = {name: _mapped(folder / f"{name}.bin", dtype) for name, dtype in _FILES.items()}
    found["targets"] = found["targets"].reshape(-1, outputs)
    rows = len(found["begins"]) - 1
    written = folder / "splits.bin"
    splits = _mapped(written, np.uint8) if written.exists() else np.full(rows, LEFT_OUT, dtype=np.uint8)
    described = read_description(folder) or {}
    return Sequences(**found, splits=splits, described=described)


def read_description(folder: Path) -> dict[str, Any] | None:
    """What data.json says; None where no whole set is."""
    try:
        return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _mapped(path: Path, dtype: type) -> np.ndarray:
    if path.stat().st_size == 0:
        return np.empty(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")
