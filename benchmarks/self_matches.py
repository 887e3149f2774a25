"""How a stretch of sequence matches itself: the lag at which it does so best, to say what a call looks like."""

from __future__ import annotations

import numpy as np
from numba import njit

LONGEST_LAG = 2_000
LONGEST_STRETCH = 20_000


def best_lag(codes: np.ndarray, start: int, end: int) -> dict:
    """The lag whose matches within [start, end) stand out most from chance (z-score of a binomial at 1/4, or at the
    stretch's own composition where that is poorer), with copies (length / lag) and percent of matching bases.

    Of a longer stretch the first 20,000 bases are looked at. Lags to half the length, or to three quarters where no
    shorter one stands out (z below 4), since a call may end before the second copy does.
    """
    stretch = np.ascontiguousarray(codes[start : min(end, start + LONGEST_STRETCH)])
    known = stretch[stretch < 4]
    shares = np.bincount(known, minlength=4) / max(1, len(known))
    chance = float(max(0.25, (shares**2).sum()))
    for part in (0.5, 0.75):
        longest = min(LONGEST_LAG, int(len(stretch) * part))
        if longest < 1:
            continue
        lag, z, share = _best_lag(stretch, longest, chance)
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
