"""Tables of real reads in MethylBERT's form: k-mers of the reference, a methylation state for each, and a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...scanner.encoding.kmers_methylation import METHYLATED, UNMETHYLATED
from ...scanner.errors import UsageError
from ..data.table import read_table as table_rows

_COLUMNS = ("dna_seq", "methyl_seq", "ctype", "dmr_label")
_UNKNOWN = 4


class ReadTable(NamedTuple):
    """Real reads.

    codes: uint8 (reads, window), marked codes; N beyond a read. labels: int64 (reads,), places in ``classes``, which
    are sorted. regions: of each read.
    """

    codes: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    regions: np.ndarray
    path: Path

    def splits(self, validation: Sequence[str], test: Sequence[str]) -> dict[str, np.ndarray]:
        """Row numbers by split; reads of a region are in one split. `UsageError` names a region that is not there."""
        known = set(self.regions.tolist())
        wrong = [one for one in (*validation, *test) if one not in known]
        if wrong:
            raise UsageError(f"{self.path}: has no region '{wrong[0]}' (column {_COLUMNS[3]})")
        if set(validation) & set(test):
            raise UsageError("data.validation_regions and data.test_regions share a region")
        held = {name: np.isin(self.regions, some) for name, some in (("validation", validation), ("test", test))}
        held["training"] = ~(held["validation"] | held["test"])
        return {name: np.flatnonzero(rows) for name, rows in held.items()}


def read_table(path: Path, window: int, k: int) -> ReadTable:
    """The reads of a table with the columns dna_seq (k-mers, spaces between), methyl_seq (a digit each: 0, 1, or 2 for
    nothing known), ctype (the class) and dmr_label (the region); each in the middle of a window.

    A read longer than the window loses as much at either end. Raises `UsageError` that names file and line.
    """
    codes, names, regions = [], [], []
    for number, (words, states, kin, region) in table_rows(path, _COLUMNS):
        place = f"{path} line {number}"
        if not kin:
            raise UsageError(f"{place}: has no class (column ctype)")
        codes.append(_in_window(_marked(words, states, k, place), window))
        names.append(kin)
        regions.append(region)
    if not codes:
        raise UsageError(f"{path}: holds no reads")
    classes = tuple(sorted(set(names)))
    if len(classes) < 2:
        raise UsageError(f"{path}: has reads of one class alone, {classes[0]}")
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers[name] for name in names], dtype=np.int64)
    return ReadTable(np.stack(codes), labels, classes, np.array(regions), path)


def _marked(text: str, states: str, k: int, place: str) -> np.ndarray:
    """Marked codes uint8 (bases,) of a read."""
    words = text.split()
    if not words or any(len(word) != k for word in words):
        raise UsageError(f"{place}: dna_seq must be {k}-mers with spaces between")
    if len(states) != len(words) or set(states) - set("012"):
        raise UsageError(f"{place}: methyl_seq must have a digit 0, 1 or 2 for each of the {len(words)} k-mers")
    letters = words[0] + "".join(word[-1] for word in words[1:])
    if any(letters[i : i + k] != word for i, word in enumerate(words)):
        raise UsageError(f"{place}: dna_seq: its k-mers do not overlap by {k - 1} bases")
    table = np.full(256, _UNKNOWN, dtype=np.uint8)
    table[list(b"ACGT")] = table[list(b"acgt")] = range(4)
    codes = table[np.frombuffer(letters.encode("latin-1", "replace"), dtype=np.uint8)]
    middle = k // 2
    for i, state in enumerate(states):
        if state == "2":
            continue
        if codes[i + middle] != 1:
            raise UsageError(f"{place}: methyl_seq has a state at k-mer {i + 1}, whose middle base is no C")
        codes[i + middle] += METHYLATED if state == "1" else UNMETHYLATED
    return codes


def _in_window(codes: np.ndarray, window: int) -> np.ndarray:
    out = np.full(window, _UNKNOWN, dtype=np.uint8)
    cut = max(0, (len(codes) - window) // 2)
    kept = codes[cut : cut + window]
    start = (window - len(kept)) // 2
    out[start : start + len(kept)] = kept
    return out
