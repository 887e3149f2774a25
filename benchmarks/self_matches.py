"""How a stretch of sequence matches itself: the lag at which it does so best, to say what a call looks like."""

from __future__ import annotations

import numpy as np
from numba import njit

CHANCE = 0.28
"""How often two bases of the human genome are the same; not the stretch's own chance, or poly-A would not stand out."""
LONGEST_LAG = 2_000
LONGEST_STRETCH = 20_000


def best_lag(codes: np.ndarray, start: int, end: int) -> dict:
    """The lag whose matches within [start, end) stand out most from chance, with copies (length / lag) and percent of
    matching bases; ``z`` is the z-score of their number against a binomial at CHANCE.

    Of a longer stretch the first 20,000 bases are looked at. Lags to half the length, or to three quarters where no
    shorter one stands out (z below 4), since a call may end before the second copy does.
    """
    stretch = np.ascontiguousarray(codes[start : min(end, start + LONGEST_STRETCH)])
    for part in (0.5, 0.75):
        longest = min(LONGEST_LAG, int(len(stretch) * part))
        if longest < 1:
            continue
        lag, z, share = _best_lag(stretch, longest, CHANCE)
        if z >= 4 or part == 0.75:
            return {
                "period": int(lag),
                "copies": round((end - start) / lag, 1),
                "match": round(100 * share, 1),
                "z": round(z, 1),
            }
    return {"period": 0, "copies": 0.0, "match": 0.0, "z": 0.0}


@njit(nogil=True, cache=True)
def _best_lag(stretch, longest, chance):
    best, best_z, best_share = 1, -1e9, 0.0
    for lag in range(1, longest + 1):
        pairs = stretch.shape[0] - lag
        matches = 0
        for i in range(lag, stretch.shape[0]):
            if stretch[i] == stretch[i - lag] and stretch[i] < 4:
                matches += 1
        z = (matches - pairs * chance) / np.sqrt(pairs * chance * (1 - chance) + 1e-9)
        if z > best_z * 1.02:  # not a multiple of the period for a trifle
            best, best_z, best_share = lag, z, matches / pairs
    return best, best_z, best_share
