"""What is said of a peak beside its interval, name, score and strand."""

from __future__ import annotations

import numpy as np

from ..card import ModelCard
from ..inference.stitch import SCORE_UNIT
from .repeats import Column

_FALSE = "falsePerMb"


def peak_columns(card: ModelCard) -> tuple[Column, ...]:
    """The columns after the strand: where what is called starts (BED's thickStart and thickEnd), the summit, the rise
    above what lies beside it, every output at the summit, and how often shuffled sequence has such a peak."""
    columns = [
        Column("thickStart", "uint", "Start of the bin in which it is predicted to start"),
        Column("thickEnd", "uint", "End of the bin in which it is predicted to start"),
        Column("summit", "uint", "Middle of the highest bin, counted from 0"),
        Column("prominence", "float", "Rise of the summit above the lowest bins beside it"),
    ]
    columns += [Column(name, "float", f"{name} at the summit") for name in card.output.names]
    if card.calling.false_rates:
        columns.append(Column(_FALSE, "float", "Peaks as high in a megabase of shuffled sequence"))
    return tuple(columns)


def peak_values(peaks: np.ndarray, card: ModelCard) -> dict[str, np.ndarray]:
    """The values of `peak_columns` by their names: int64, and float64 in the model's units.

    peaks: of `peaks.peak_dtype`.
    """
    found = {
        "thickStart": peaks["thick_start"],
        "thickEnd": peaks["thick_end"],
        "summit": (peaks["summit"] + peaks["summit_end"]) // 2,
        "prominence": peaks["prominence"] / SCORE_UNIT,
    }
    for number, name in enumerate(card.output.names):
        found[name] = peaks[f"output_{number}"] / SCORE_UNIT
    if card.calling.false_rates:
        found[_FALSE] = false_rates(peaks["peak"], card)
    return found


def false_rates(heights: np.ndarray, card: ModelCard) -> np.ndarray:
    """Peaks of so much height (int, ten-thousandths) or more in a megabase of shuffled sequence, float64: as the card's
    highest score that is not above the height has it; infinite below all of them."""
    scores = np.array([round(score * SCORE_UNIT) for score, _ in card.calling.false_rates])
    rates = np.array([np.inf, *(rate for _, rate in card.calling.false_rates)])
    return rates[np.searchsorted(scores, heights, side="right")]
