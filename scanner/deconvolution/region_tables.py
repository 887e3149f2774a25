"""Tables of regions or CpGs x samples: arrays, and sequencing that is summed up by region.

Two forms, plain or gzip, separated by tabs or commas, below a line of column names:

- shares: a name (of a CpG, a region), then a column of methylated shares from 0 to 1 for each sample (meth_atlas);
- counts: chrom, start, end, then NAME_meth and NAME_depth for each sample: methylated reads and all reads (CelFiE). A
  second chrom, start, end on the same line begin the columns of a reference.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from ..reading.regions import numbered_lines

_PLACE = ["chrom", "start", "end"]
_MISSING = ("", "na", "nan", "n/a", ".")


class RegionTable(NamedTuple):
    """Methylation of regions, by column (a sample, or a cell type of a reference).

    source: the file; regions: names, of counts 'chrom:start-end' with start 0-based; columns: names.
    shares: float64 (regions, columns), methylated share, NaN where not known.
    depths: float64 (regions, columns), reads; None of a table of shares.
    """

    source: str
    regions: tuple[str, ...]
    columns: tuple[str, ...]
    shares: np.ndarray
    depths: np.ndarray | None


def is_region_table(path: Path) -> bool:
    """Whether a file begins as a table of regions does, rather than as reads do. False for what is no text."""
    try:
        _, header = next(numbered_lines(str(path), "a sample"), (1, ""))
    except UsageError:
        return False
    names = _fields(header)
    if len(names) < 2 or header.startswith("#") or not all(name.isprintable() for name in names):
        return False
    return _is_counts(names) or not any(_is_number(name) for name in names[1:])


def read_region_table(path: Path) -> tuple[RegionTable, RegionTable | None]:
    """The table in a file, and the reference in the same file, if there is one.

    Raises `UsageError` that names the file and the line or column.
    """
    lines = numbered_lines(str(path), "a table of regions")
    _, header = next(lines, (1, ""))
    names = _fields(header)
    rows = [(number, _fields(line)) for number, line in lines if line.strip()]
    for number, fields in rows:
        if len(fields) != len(names):
            raise UsageError(f"{path} line {number}: has {len(fields)} columns, its header {len(names)}")
    if not rows:
        raise UsageError(f"{path}: holds no regions: a table has a line for each")
    if not _is_counts(names):
        return _shares(path, names, rows), None
    low = [name.lower() for name in names]
    again = next((place for place in range(3, len(names)) if low[place : place + 3] == _PLACE), len(names))
    table = _counts(path, names, rows, 0, again)
    return table, _counts(path, names, rows, again, len(names)) if again < len(names) else None


def matched(table: RegionTable, reference: RegionTable) -> tuple[RegionTable, RegionTable]:
    """Both with the regions that both have, in the order of the first; of a region that stands several times (arrays
    have CpGs that are markers of two cell types) the first with the first, and so on. `UsageError` where there are
    none."""
    places = {name: place for place, name in enumerate(_numbered(reference.regions))}
    both = [(place, places[name]) for place, name in enumerate(_numbered(table.regions)) if name in places]
    if not both:
        raise UsageError(
            f"{table.source}: none of its regions ('{table.regions[0]}' and on) is in {reference.source} "
            f"('{reference.regions[0]}' and on); name the reference of these samples with --atlas"
        )
    ours, theirs = (np.array(one) for one in zip(*both, strict=True))
    return _taken(table, ours), _taken(reference, theirs)


def _numbered(names: Sequence[str]) -> list[tuple[str, int]]:
    """Each name with how often it was there before."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        numbered.append((name, seen[name]))
        seen[name] += 1
    return numbered


def _taken(table: RegionTable, rows: np.ndarray) -> RegionTable:
    depths = None if table.depths is None else table.depths[rows]
    return table._replace(regions=tuple(table.regions[row] for row in rows), shares=table.shares[rows], depths=depths)


def _fields(line: str) -> list[str]:
    return [field.strip() for field in line.split("\t" if "\t" in line else ",")]


def _is_counts(names: list[str]) -> bool:
    return [name.lower() for name in names[:3]] == _PLACE and len(names) > 3 and names[3].endswith("_meth")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(path: Path, line: int, name: str, field: str) -> float:
    if field.lower() in _MISSING:
        return math.nan
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not (value >= 0 and math.isfinite(value)):
        raise UsageError(f"{path} line {line}: column {name}: '{field}' is no number from 0 on, or NA")
    return value


def _require_distinct(path: Path, names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise UsageError(f"{path}: has two columns '{twice}'")


def _shares(path: Path, names: list[str], rows: list[tuple[int, list[str]]]) -> RegionTable:
    _require_distinct(path, names[1:])
    regions = [fields[0] for _, fields in rows]
    values = np.array(
        [
            [_number(path, line, name, field) for name, field in zip(names[1:], fields[1:], strict=True)]
            for line, fields in rows
        ]
    )
    wrong = np.argwhere(values > 1)
    if len(wrong):
        row, column = wrong[0]
        place = f"{path} line {rows[row][0]}: column {names[column + 1]}"
        raise UsageError(f"{place}: {values[row, column]:g} is no share (0 to 1, or NA)")
    return RegionTable(str(path), tuple(regions), tuple(names[1:]), values, None)


def _counts(path: Path, names: list[str], rows: list[tuple[int, list[str]]], first: int, last: int) -> RegionTable:
    columns = names[first + 3 : last]
    stems = [name.removesuffix("_meth") for name in columns[::2]]
    for place, stem in enumerate(stems):
        pair = columns[2 * place : 2 * place + 2]
        if pair != [f"{stem}_meth", f"{stem}_depth"]:
            raise UsageError(f"{path}: columns {', '.join(pair)}: expected {stem}_meth and {stem}_depth")
    _require_distinct(path, stems)
    regions = []
    values = np.empty((len(rows), len(columns)))
    for row, (line, fields) in enumerate(rows):
        chrom, start, end = fields[first : first + 3]
        regions.append(f"{chrom}:{start}-{end}")
        for column, name in enumerate(columns):
            values[row, column] = _number(path, line, name, fields[first + 3 + column])
    methylated, depths = np.nan_to_num(values[:, ::2]), np.nan_to_num(values[:, 1::2])
    wrong = np.argwhere(methylated > depths)
    if len(wrong):
        row, column = wrong[0]
        raise UsageError(
            f"{path} line {rows[row][0]}: {stems[column]}: {methylated[row, column]:g} methylated of "
            f"{depths[row, column]:g} reads"
        )
    shares = np.where(depths > 0, methylated / np.where(depths > 0, depths, 1), np.nan)
    return RegionTable(str(path), tuple(regions), tuple(stems), shares, depths)
