"""Measured promoters of a bacterial genome as a table to learn from, split by stretches of the genome."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...scanner.errors import GenoscanError, UsageError
from ...scanner.reading.fasta import CODES
from ..whole_files import write_whole
from .table import read_table

K = 30
"""Bases that a promoter for training may not have in common, on either strand, with one that is held out."""
COLUMNS = ("contig", "start", "end", "strand", "strength", "split")
_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


class Blocks(NamedTuple):
    """Stretches [start, end) of the genome that are held out, and bases around them that nothing else may touch."""

    validation: Sequence[tuple[int, int]]
    test: Sequence[tuple[int, int]]
    excluded: Sequence[tuple[int, int]] = ()
    margin: int = 1000


def parse_block(text: str) -> tuple[int, int]:
    """START-END, 0-based half-open; `UsageError` for anything else."""
    start, dash, end = text.replace(",", "").partition("-")
    if not (dash and start.isdecimal() and end.isdecimal() and int(start) < int(end)):
        raise UsageError(f"{text}: say START-END, two numbers of bases, the second one larger")
    return int(start), int(end)


def write_promoters(source: str | Path, contig: str, blocks: Blocks, out: str | Path) -> dict[str, int]:
    """Write the table that a recipe with ``split.by = "column"`` reads; rows a split.

    source: a table with sequence, expression, start, end (0-based half-open, of the forward strand) and strand; what is
    measured as below 0, in the assay's noise, becomes 0. Rows that touch a block are held out, on both strands; those
    within the margin of one, and those that share `K` bases with one that is held out, are left out, as are all that
    touch an excluded block. `GenoscanError` names a line that is wrong.
    """
    source = Path(source)
    rows, codes, places = [], [], []
    for line, fields in read_table(source, ("sequence", "expression", "start", "end", "strand")):
        sequence, expression, start, end, strand = fields
        try:
            place, measured = (int(start), int(end)), float(expression)
        except ValueError:
            raise GenoscanError(f"{source} line {line}: start, end and expression must be numbers") from None
        if strand not in ("+", "-") or measured != measured or not 0 <= place[0] < place[1]:
            raise GenoscanError(f"{source} line {line}: needs a strand, + or -, a measured number and bases to be at")
        places.append(place)
        codes.append(np.frombuffer(sequence.encode("ascii", "replace").translate(CODES), dtype=np.uint8))
        rows.append(f"{contig}\t{start}\t{end}\t{strand}\t{max(measured, 0.0):.6g}")
    splits = split_by_blocks(np.array(places, dtype=np.int64).reshape(-1, 2), blocks)
    held = {word for row in np.flatnonzero(splits >= 1) for word in _words(codes[row])}
    for row in np.flatnonzero(splits == 0):
        if not held.isdisjoint(_words(codes[row])):
            splits[row] = -1
    names = {0: "train", 1: "validation", 2: "test"}
    lines = [f"{row}\t{names[split]}" for row, split in zip(rows, splits.tolist(), strict=True) if split >= 0]
    write_whole(Path(out), ("\n".join(["\t".join(COLUMNS), *lines]) + "\n").encode())
    return {name: int((splits == number).sum()) for number, name in names.items()}


def split_by_blocks(places: np.ndarray, blocks: Blocks) -> np.ndarray:
    """int64 (rows,): 0 training, 1 validation, 2 test, -1 left out. places: int64 (rows, 2), [start, end)."""
    splits = np.zeros(len(places), dtype=np.int64)
    held = [*blocks.validation, *blocks.test, *blocks.excluded]
    splits[_inside(places, held, blocks.margin)] = -1
    splits[_inside(places, blocks.validation)] = 1
    splits[_inside(places, blocks.test)] = 2
    splits[_inside(places, blocks.excluded)] = -1
    return splits


def _inside(places: np.ndarray, blocks: Sequence[tuple[int, int]], margin: int = 0) -> np.ndarray:
    """bool (rows,): which come within ``margin`` bases of a block."""
    found = np.zeros(len(places), dtype=bool)
    for start, end in blocks:
        found |= (places[:, 0] < end + margin) & (places[:, 1] > start - margin)
    return found


def _words(codes: np.ndarray) -> set[bytes]:
    """All `K` bases in a row, of both strands."""
    found: set[bytes] = set()
    for strand in (codes, _COMPLEMENT[np.minimum(codes, 4)[::-1]]):
        text = strand.tobytes()
        found.update(text[at : at + K] for at in range(len(text) - K + 1))
    return found
