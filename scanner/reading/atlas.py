"""Methylation atlases: regions that tell cell types apart, and how unmethylated each cell type is there."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from .regions import numbered_lines

_CONTIG = ("chrom", "chr", "#chrom", "#chr")
_KNOWN = ("start", "end", "startCpG", "endCpG", "target", "name", "direction", "flank", "cpgs_in_sequence", "sequence")
_MISSING = ("", "na", "nan", "n/a", ".")
_LETTERS = re.compile(r"[ACGTNacgtn]*")
_LARGEST = 2**53


class Atlas(NamedTuple):
    """Marker regions and cell types.

    chroms, starts, ends: regions, 0-based half-open, int64 (markers,).
    first_cpgs, last_cpgs: int64 (markers,) numbers of CpGs in the genome, the first CpG being 1, half-open; None where
        the atlas does not say them.
    targets: the cell type that a marker is for ("" where the atlas does not say), directions: "U" or "M", whether it is
        unmethylated or methylated there.
    unmethylated: float64 (markers, cell types), the share of a cell type's reads that are unmethylated; NaN: not known.
    sequences: upper-case bases of each region with ``flank`` bases on either side, or None.
    """

    chroms: list[str]
    starts: np.ndarray
    ends: np.ndarray
    first_cpgs: np.ndarray | None
    last_cpgs: np.ndarray | None
    targets: list[str]
    directions: list[str]
    cell_types: tuple[str, ...]
    unmethylated: np.ndarray
    sequences: list[str] | None
    flank: int


def read_atlas(path: Path) -> Atlas:
    """The atlas in a table, plain or gzip: tab-separated, a marker a line, below a line of column names.

    The form of UXM (Loyfer et al. 2023, https://doi.org/10.1038/s41586-022-05580-6): chr (or chrom), start, end and, if
    they are there, startCpG with endCpG, target, name, direction; every other column is a cell type, whose values are
    shares from 0 to 1, or NA. With the columns sequence and flank it has the bases of its markers, too.

    Raises `UsageError` that names the file and the line or column.
    """
    lines = numbered_lines(str(path), "an atlas (a table of markers)")
    _, header = next(lines, (1, ""))
    names = header.split("\t")
    columns = _columns(path, names)
    rows: list[tuple[int, list[str]]] = []
    for number, line in lines:
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(names):
            raise UsageError(f"{path} line {number}: has {len(fields)} columns, its header {len(names)}")
        rows.append((number, fields))
    if not rows:
        raise UsageError(f"{path}: holds no markers: an atlas has a line for each")

    def whole(name: str) -> np.ndarray:
        return np.array([_whole(path, number, name, fields[columns[name]]) for number, fields in rows], dtype=np.int64)

    def text(name: str, absent: str) -> list[str]:
        return [fields[columns[name]] for _, fields in rows] if name in columns else [absent] * len(rows)

    starts, ends = whole("start"), whole("end")
    _require_order(path, rows, starts, ends, "end")
    first = last = None
    if "startCpG" in columns:
        first, last = whole("startCpG"), whole("endCpG")
        _require_order(path, rows, first, last, "endCpG")
    types = {name: place for place, name in enumerate(names) if place not in set(columns.values())}
    shares = np.array(
        [[_share(path, number, name, fields[place]) for name, place in types.items()] for number, fields in rows]
    )
    sequences, flank = _sequences(path, rows, columns, ends - starts, whole)
    return Atlas(
        chroms=text("chrom", ""),
        starts=starts,
        ends=ends,
        first_cpgs=first,
        last_cpgs=last,
        targets=text("target", ""),
        directions=_directions(path, rows, text("direction", "U")),
        cell_types=tuple(types),
        unmethylated=shares,
        sequences=sequences,
        flank=flank,
    )


def _columns(path: Path, names: list[str]) -> dict[str, int]:
    """Places of the columns that are no cell types."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: has two columns '{twice}'")
    if "" in names[1:]:
        raise UsageError(f"{path}: column {names.index('') + 1} has no name")
    contig = next((name for name in _CONTIG if name in names), None)
    columns = {name: names.index(name) for name in _KNOWN if name in names}
    if contig is None or not {"start", "end"} <= columns.keys():
        raise UsageError(
            f"{path}: is no atlas: expected tab-separated columns chr, start and end, and one for each cell type"
        )
    for one, other in (("startCpG", "endCpG"), ("endCpG", "startCpG"), ("sequence", "flank")):
        if one in columns and other not in columns:
            raise UsageError(f"{path}: has a column {one} and no {other}")
    columns["chrom"] = names.index(contig)
    if len(names) - len(columns) < 2:
        raise UsageError(f"{path}: has columns for fewer than two cell types")
    return columns


def _whole(path: Path, number: int, name: str, field: str) -> int:
    if not (field.isascii() and field.isdigit()) or int(field) > _LARGEST:
        raise UsageError(f"{path} line {number}: {name} '{field}' is no whole number")
    return int(field)


def _share(path: Path, number: int, name: str, field: str) -> float:
    if field.strip().lower() in _MISSING:
        return math.nan
    try:
        value = float(field)
    except ValueError:
        value = math.inf
    if not 0 <= value <= 1:
        raise UsageError(f"{path} line {number}: column {name}: '{field}' is no share of reads (0 to 1, or NA)")
    return value


def _require_order(path: Path, rows: list, starts: np.ndarray, ends: np.ndarray, name: str) -> None:
    wrong = np.flatnonzero(starts >= ends)
    if len(wrong):
        row = int(wrong[0])
        raise UsageError(f"{path} line {rows[row][0]}: {name} {ends[row]} is not behind its start {starts[row]}")


def _directions(path: Path, rows: list, found: list[str]) -> list[str]:
    for (number, _), direction in zip(rows, found, strict=True):
        if direction not in ("U", "M"):
            raise UsageError(f"{path} line {number}: direction '{direction}' is neither U nor M")
    return found


def _sequences(path: Path, rows: list, columns: dict[str, int], widths: np.ndarray, whole) -> tuple:
    if "sequence" not in columns:
        return None, 0
    flanks = whole("flank")
    sequences = []
    for (number, fields), width, flank in zip(rows, widths.tolist(), flanks.tolist(), strict=True):
        letters = fields[columns["sequence"]]
        if flank != flanks[0]:
            raise UsageError(f"{path} line {number}: flank {flank} is not that of the first marker, {flanks[0]}")
        if len(letters) != width + 2 * flank:
            raise UsageError(
                f"{path} line {number}: sequence has {len(letters)} bases; the region and its flanks have "
                f"{width + 2 * flank}"
            )
        if not _LETTERS.fullmatch(letters):
            raise UsageError(f"{path} line {number}: sequence has a letter other than A, C, G, T and N")
        sequences.append(letters.upper())
    return sequences, int(flanks[0])
