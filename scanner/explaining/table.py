"""Explanations as a tidy table: a line for each substitution."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from .mutagenesis import Explanation

COLUMNS = ("chrom", "start", "end", "strand", "call", "offset", "reference", "alternative", "score", "effect")
_LETTERS = "ACGT"


def table_header() -> bytes:
    """The line of column names."""
    return ("\t".join(COLUMNS) + "\n").encode()


def table_lines(explained: Explanation, names: Sequence[str]) -> bytes:
    """Lines of one explanation, along the strand that is read. Bases [start, end) are the one that is replaced; call
    is the place, counted from 1, both ends included; bases are those of the strand; effect is the score with the
    alternative minus that without."""
    place = explained.summit.place
    chrom, text = names[place.contig], io.StringIO()
    call = f"{chrom}:{place.start + 1}-{place.end}"
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    rows, others = np.nonzero(~np.isnan(explained.scores) & (np.arange(4) != explained.codes[:, None]))
    offsets = explained.offsets
    for row, other in zip(rows.tolist(), others.tolist(), strict=True):
        at, score = int(explained.positions[row]), explained.scores[row, other]
        letters = _LETTERS[explained.codes[row]], _LETTERS[other]
        numbers = f"{score:.4f}", f"{score - explained.reference:.4f}"
        writer.writerow((chrom, at, at + 1, place.strand, call, int(offsets[row]), *letters, *numbers))
    return text.getvalue().encode()
