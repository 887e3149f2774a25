"""A scan with the position weight matrices of sigma-70's two boxes: what one does without a trained model.

Log odds of the shares of consensus bases in promoters (Hawley and McClure 1983, as `training.nets.promoter_net` has
them), the two boxes 14 to 21 bases apart at the cost of the distance's rarity; of each start the best distance counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.training.nets.promoter_net import (
    BOX,
    CONSENSUS_10,
    CONSENSUS_35,
    SHARES_10,
    SHARES_35,
    SPACER_LOGS,
    SPACERS,
    TO_START,
    log_odds,
)

APART = 40
"""Bases between two hits at least: of nearer ones the best is kept."""


class Hits(NamedTuple):
    """Predicted starts of transcription: 0-based positions, strands and scores, of equal length."""

    places: np.ndarray
    strands: np.ndarray
    scores: np.ndarray


def scan_sigma70(codes: np.ndarray, apart: int = APART) -> Hits:
    """The hits on both strands of a sequence of uint8 codes, at least ``apart`` bases apart on a strand."""
    forward = _strand_scores(codes)
    backward = _strand_scores(reverse_complement(codes[None])[0])[::-1]
    places, strands, scores = [], [], []
    for sign, found in (("+", forward), ("-", backward)):
        best = _summits(found, apart)
        places.append(best)
        strands.append(np.full(len(best), sign))
        scores.append(found[best])
    return Hits(np.concatenate(places), np.concatenate(strands), np.concatenate(scores))


def _strand_scores(codes: np.ndarray) -> np.ndarray:
    """float64 (bases,): the score of a start at each base; -inf where the boxes do not fit into the sequence."""
    upstream = _matches(codes, CONSENSUS_35, SHARES_35)
    downstream = _matches(codes, CONSENSUS_10, SHARES_10)
    found = np.full(len(codes), -np.inf)
    for spacer, cost in zip(SPACERS, SPACER_LOGS, strict=True):
        distance = spacer + BOX
        together = upstream[: len(upstream) - distance] + downstream[distance:] + cost
        starts = np.arange(len(together)) + distance + TO_START
        inside = starts < len(codes)
        found[starts[inside]] = np.maximum(found[starts[inside]], together[inside])
    return found


def _matches(codes: np.ndarray, consensus: str, shares: tuple[float, ...]) -> np.ndarray:
    """float64 (bases - 5,): the log odds of six bases; unknown ones count nothing."""
    weights = np.vstack([log_odds(consensus, shares).numpy().astype(np.float64), np.zeros(BOX)])
    codes = np.minimum(codes, 4)
    return sum(weights[codes[i : len(codes) - BOX + 1 + i], i] for i in range(BOX))


def _summits(scores: np.ndarray, apart: int) -> np.ndarray:
    """int64: places that no higher one (of equals, no earlier one) is within ``apart`` bases of."""
    padded = np.pad(scores, apart, constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * apart + 1)
    highest = np.concatenate([part.argmax(axis=1) for part in np.array_split(around, max(1, len(scores) // 100_000))])
    return np.flatnonzero((highest == apart) & np.isfinite(scores))
