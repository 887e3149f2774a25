"""What is said of a peak beside its interval, name, score and strand."""

from __future__ import annotations

import re

import numpy as np

from ..card import ModelCard
from ..inference.stitch import SCORE_UNIT
from .columns import Column

NOT_KNOWN = -1.0
"""The rate where the card does not tell it."""
_TAKEN = frozenset(
    ["chrom", "start", "end", "name", "score", "strand", "peak", "chromstart", "chromend", "thickstart", "thickend",
     "itemrgb", "summit", "prominence", "shuffledpermb"]
)  # fmt: skip
"""Names of other columns of calls, of tracks in any format or in Python, in small letters."""


def peak_columns(card: ModelCard) -> tuple[Column, ...]:
    """The columns after the strand: BED's thickStart and thickEnd (where it starts) and itemRgb, the summit,
    its rise above what lies beside it, how often shuffled sequence has such a peak, and every output at the summit,
    named by `output_columns`.

    With the first six these are more than twelve: readers take lines of exactly twelve columns for BED12.
    """
    named = output_columns(card)
    return (
        Column("thickStart", "uint", "Start of the bin in which it is predicted to start"),
        Column("thickEnd", "uint", "End of the bin in which it is predicted to start"),
        Column("itemRgb", "string", "Colour"),
        Column("summit", "uint", "Middle of the highest bin, counted from 0"),
        Column("prominence", "float", "Rise of the summit above the lowest bins beside it"),
        Column("shuffledPerMb", "float", "Peaks as high in a megabase of shuffled sequence; -1: not known"),
        *(Column(column, "float", f"{name} at the summit") for name, column in named.items()),
        *(
            Column(f"{named[name]}Linear", "float", f"{name} in the assay's units, no logarithm")
            for name in _logarithms(card)
        ),
    )


def output_columns(card: ModelCard) -> dict[str, str]:
    """For every output the name of its column: the output's own, as all formats can hold it (letters, digits and _),
    with "Score" behind it where another column is called so (start, name)."""
    named: dict[str, str] = {}
    taken = set(_TAKEN)
    for name in card.output.names:
        column = re.sub(r"\W", "_", name, flags=re.ASCII)
        column = column if column[0].isalpha() else f"_{column}"
        while taken & {column.lower(), f"{column}linear".lower()}:
            column += "Score"
        taken |= {column.lower(), f"{column}linear".lower()}
        named[name] = column
    return named


def _logarithms(card: ModelCard) -> tuple[str, ...]:
    """Outputs that are logarithms of what an assay measures."""
    return () if card.output.pseudocount is None else card.output.called or card.output.names


def peak_values(peaks: np.ndarray, card: ModelCard) -> dict[str, np.ndarray]:
    """The values of `peak_columns` by their names: int64, float64 in the model's units, and texts (object).

    peaks: of `peaks.peak_dtype`.
    """
    found = {
        "thickStart": peaks["thick_start"],
        "thickEnd": peaks["thick_end"],
        "itemRgb": np.full(len(peaks), card.track.color, dtype=object),
        "summit": (peaks["summit"] + peaks["summit_end"]) // 2,
        "prominence": peaks["prominence"] / SCORE_UNIT,
        "shuffledPerMb": shuffled_rates(peaks["peak"], card),
    }
    named = output_columns(card)
    found |= {column: peaks[f"output_{number}"] / SCORE_UNIT for number, column in enumerate(named.values())}
    linear = (named[name] for name in _logarithms(card))
    return found | {f"{name}Linear": 10 ** found[name] - card.output.pseudocount for name in linear}


def shuffled_rates(heights: np.ndarray, card: ModelCard) -> np.ndarray:
    """Peaks of so much height (int, ten-thousandths) or more in a megabase of shuffled sequence, float64: what the card
    says of its highest score that is not above the height; `NOT_KNOWN` below all of them."""
    scores = np.array([round(score * SCORE_UNIT) for score, _ in card.calling.shuffled_rates])
    rates = np.array([NOT_KNOWN, *(rate for _, rate in card.calling.shuffled_rates)])
    return rates[np.searchsorted(scores, heights, side="right")]
