"""Calls as BED lines.

Format: hts-specs BED v1. Six standard columns (chrom, start, end, name, score, strand), 0-based half-open, an integer
score of 0-1000, one tab between columns, no track lines; one header line that starts with '#'. Columns that a kind
of call adds follow the strand, named in the header.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..calling.channels import Channel
from ..inference.stitch import SCORE_UNIT

COLUMNS = ("chrom", "start", "end", "name", "score", "strand")


def bed_header() -> bytes:
    return ("#" + "\t".join(COLUMNS) + "\n").encode()


def bed_scores(calls: np.ndarray, score_range: tuple[float, float]) -> np.ndarray:
    """int64 (calls,): the mean score over each call's scored bases, ``score_range`` spread over 0-1000, rounded."""
    low, high = (round(bound * SCORE_UNIT) for bound in score_range)
    # Integers throughout, so that the rounding is the same on every machine.
    above = calls["total"] - calls["scored"] * low
    width = calls["scored"] * (high - low)
    return np.clip((2000 * above + width) // (2 * width), 0, 1000)


def bed_lines(
    calls: np.ndarray, names: Sequence[str], channels: Sequence[Channel], score_range: tuple[float, float]
) -> bytes:
    """BED lines of a RUN array of calls, in its order."""
    scores = bed_scores(calls, score_range).tolist()
    used = {contig: names[contig] for contig in np.unique(calls["contig"]).tolist()}
    contigs, numbers = calls["contig"].tolist(), calls["channel"].tolist()
    starts, ends = calls["start"].tolist(), calls["end"].tolist()
    rows = [
        f"{used[contig]}\t{start}\t{end}\t{channels[number].name}\t{score}\t{channels[number].strand}\n"
        for contig, number, start, end, score in zip(contigs, numbers, starts, ends, scores, strict=True)
    ]
    return "".join(rows).encode()
