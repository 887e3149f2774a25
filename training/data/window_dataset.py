"""A data set of labelled sequences on disk: DIR/train.tsv.gz, validation.tsv.gz, test.tsv.gz and dataset.json."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...scanner.errors import GenoscanError, UsageError
from ...scanner.reading.fasta import CODES, NO_CODE
from ...scanner.reading.regions import numbered_lines

SPLITS = ("train", "validation", "test")
COLUMNS = ("sequence", "label", "contig", "start", "end", "group", "left", "right")
DESCRIPTION = "dataset.json"

_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)


class Window(NamedTuple):
    """A labelled sequence and what lies beside it.

    codes: uint8, 0-3 for A, C, G, T. label: 1 for a repeat. contig, start, end: where it is from, 0-based half-open.
    group: equal for relatives, which are all in one split. left, right: uint8 codes of the flanks, up to the contig's
    ends. left_repeat, right_repeat: bool, flank bases that a catalogue calls a repeat.
    """

    codes: np.ndarray
    label: int
    contig: str
    start: int
    end: int
    group: int
    left: np.ndarray
    right: np.ndarray
    left_repeat: np.ndarray
    right_repeat: np.ndarray


def split_file(folder: Path, split: str) -> Path:
    return folder / f"{split}.tsv.gz"


def write_split(folder: Path, split: str, windows: Iterable[Window]) -> int:
    """Write one table, row by row, and return how many rows it has. Flank bases in a known repeat are lower case.

    The same rows give the same bytes. `GenoscanError` when the disk refuses.
    """
    path, rows = split_file(folder, split), 0
    partial = path.with_name(path.name + ".partial")
    try:
        with (
            open(partial, "wb") as file,
            gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as table,
        ):
            table.write("\t".join(COLUMNS) + "\n")
            for one in windows:
                rows += 1
                table.write(
                    f"{_text(one.codes)}\t{one.label}\t{one.contig}\t{one.start}\t{one.end}\t{one.group}\t"
                    f"{_text(one.left, one.left_repeat)}\t{_text(one.right, one.right_repeat)}\n"
                )
        os.replace(partial, path)
    except OSError as error:
        raise GenoscanError(f"{path}: cannot write: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
    return rows


def read_split(folder: str | Path, split: str) -> list[Window]:
    """The rows of one table. `UsageError` names file and line of what is wrong."""
    path = split_file(Path(folder), split)
    if not path.is_file():
        raise UsageError(f"{path}: no such file: make the data set with `genoscan data repeats -o {folder}`")
    windows = []
    for number, line in numbered_lines(str(path), "a table of `genoscan data`"):
        fields = line.split("\t")
        if number == 1:
            if tuple(fields) != COLUMNS:
                raise UsageError(f"{path} line 1: expected the columns {', '.join(COLUMNS)}")
            continue
        try:
            windows.append(_window(fields))
        except ValueError as error:
            raise UsageError(f"{path} line {number}: {error}") from None
    if not windows:
        raise UsageError(f"{path}: has no sequences")
    return windows


def read_description(folder: str | Path) -> dict[str, Any]:
    """What dataset.json says; `UsageError` where it is not there or damaged."""
    path = Path(folder) / DESCRIPTION
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file: {folder} is no data set of `genoscan data`") from None
    except (OSError, ValueError):
        raise UsageError(f"{path}: damaged: make the data set anew with `genoscan data`") from None


def _window(fields: list[str]) -> Window:
    if len(fields) != len(COLUMNS):
        raise ValueError(f"has {len(fields)} columns, expected {len(COLUMNS)}")
    sequence, label, contig, start, end, group, left, right = fields
    if label not in ("0", "1"):
        raise ValueError(f"label '{label}' is neither 0 nor 1")
    if not sequence:
        raise ValueError("has no sequence")
    if not all(one.isascii() and one.isdigit() for one in (start, end, group)):
        raise ValueError("start, end and group must be whole numbers")
    codes, left_codes, right_codes = _codes(sequence), _codes(left), _codes(right)
    lower = (np.frombuffer(one.encode(), dtype=np.uint8) >= ord("a") for one in (left, right))
    return Window(codes, int(label), contig, int(start), int(end), int(group), left_codes, right_codes, *lower)


def _codes(text: str) -> np.ndarray:
    if not text.isascii():
        raise ValueError("has letters that are no nucleotides")
    codes = np.frombuffer(text.encode().translate(CODES), dtype=np.uint8)
    if len(codes) and codes.max() == NO_CODE:
        raise ValueError("has letters that are no nucleotides")
    return codes


def _text(codes: np.ndarray, lower: np.ndarray | None = None) -> str:
    letters = _LETTERS[np.minimum(codes, 4)]
    if lower is not None:
        letters = np.where(lower, letters | 0x20, letters)
    return letters.tobytes().decode()
