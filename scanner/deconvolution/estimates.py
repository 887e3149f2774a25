"""What a sample is made of, and how it is written down: a line for each sample and tissue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from ..reading.regions import numbered_lines

UNKNOWN = "unknown"
COLUMNS = ("sample", "tissue", "proportion", "low", "high", "reads", "method")
_DIGITS = 6


class Estimate(NamedTuple):
    """A sample's proportions.

    tissues: names, ``unknown`` last if it was estimated; proportions, low, high: float64 (tissues,), the ends of 95 %
    intervals NaN without bootstrap; reads: what they were estimated from (of a table: its reads, or its CpGs).
    """

    sample: str
    method: str
    tissues: tuple[str, ...]
    proportions: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reads: int

    def lines(self) -> list[list[str]]:
        """Its lines, as text in the order of `COLUMNS`, in the order of the tissues."""
        numbers = zip(self.tissues, self.proportions, self.low, self.high, strict=True)
        return [
            [self.sample, tissue, *(number(one) for one in values), str(self.reads), self.method]
            for tissue, *values in numbers
        ]


def number(value: float) -> str:
    """A number with six digits behind the point; NA for NaN."""
    return "NA" if np.isnan(value) else f"{value:.{_DIGITS}f}"


def table_text(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "".join("\t".join(line) + "\n" for line in [header, *lines])


def read_proportions(path: Path) -> tuple[dict[str, dict[str, float]], str]:
    """What `genoscan deconvolve` wrote: proportions by tissue and sample, and the method. `UsageError` for what is
    no such table, naming file and line."""
    lines = numbered_lines(str(path), "a table of proportions")
    _, header = next(lines, (1, ""))
    names = header.split("\t")
    places = {name: names.index(name) for name in ("sample", "tissue", "proportion", "method") if name in names}
    if len(places) < 4:
        raise UsageError(
            f"{path}: is no table of proportions: expected the columns sample, tissue, proportion and method, as "
            "`genoscan deconvolve` writes them"
        )
    found: dict[str, dict[str, float]] = {}
    methods = set()
    for line, text in lines:
        fields = text.split("\t")
        if len(fields) != len(names):
            raise UsageError(f"{path} line {line}: has {len(fields)} columns, its header {len(names)}")
        sample, tissue, proportion, method = (fields[places[name]] for name in places)
        try:
            value = float(proportion)
        except ValueError:
            value = np.nan
        if not 0 <= value <= 1:
            raise UsageError(f"{path} line {line}: proportion '{proportion}' is no number from 0 to 1")
        if sample in found.setdefault(tissue, {}):
            raise UsageError(f"{path} line {line}: has {tissue} of sample {sample} a second time")
        found[tissue][sample] = value
        methods.add(method)
    if not found:
        raise UsageError(f"{path}: holds no proportions")
    if len(methods) > 1:
        raise UsageError(f"{path}: has proportions of several methods: {', '.join(sorted(methods))}")
    return found, methods.pop()
