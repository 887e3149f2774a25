"""Peaks as BED lines: eight standard columns, of which thickStart and thickEnd are where it starts, and named ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..calling.channels import Channel
from ..calling.peak_columns import peak_columns, peak_values
from ..card import ModelCard
from .bed import bed_scores


def peak_lines(peaks: np.ndarray, names: Sequence[str], channels: Sequence[Channel], card: ModelCard) -> bytes:
    """BED lines of peaks (`calling.peaks.peak_dtype`), in their order; the score is that of the summit."""
    values = peak_values(peaks, card)
    columns = [
        [names[contig] for contig in peaks["contig"].tolist()],
        map(str, peaks["start"].tolist()),
        map(str, peaks["end"].tolist()),
        [channels[number].name for number in peaks["channel"].tolist()],
        map(str, bed_scores(peaks, card.track.score_range).tolist()),
        [channels[number].strand for number in peaks["channel"].tolist()],
        *(_texts(values[column.name]) for column in peak_columns(card)),
    ]
    return "".join("\t".join(fields) + "\n" for fields in zip(*columns, strict=True)).encode()


def _texts(values: np.ndarray) -> list[str]:
    """Whole numbers and texts as they are, others with four decimals at most, as scores have them."""
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    return [f"{value:.4f}".rstrip("0").rstrip(".") for value in values.tolist()]
