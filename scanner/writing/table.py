"""The summary of a batch as a tab-separated table: a row for each genome and model."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .output import write_beside


class SummaryRow(NamedTuple):
    """One track. covered_share: called bases / bases; what is not known is empty."""

    sample: str
    genome: str
    model: str
    track: str
    bases: int | str = ""
    calls: int | str = ""
    covered_share: str = ""
    mb_per_second: str = ""
    status: str = "complete"

    @classmethod
    def complete(
        cls, sample: str, genome: str, model: str, track: str | None, bases: int, calls: int, called: int, speed: float
    ) -> SummaryRow:
        share = f"{called / bases:.6f}" if bases else ""
        return cls(sample, genome, model, track or "-", bases, calls, share, f"{speed:.3f}")


def write_table(path: Path, rows: Sequence[SummaryRow]) -> None:
    """Write the rows with a header line, in one step."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(SummaryRow._fields)
    writer.writerows(rows)
    write_beside(path, text.getvalue())
