"""Real sequence whose order is destroyed and whose dinucleotides are kept, exactly: a control without repeats.

A reversed sequence keeps its repeats, a Markov chain keeps dinucleotides only on average. Here every sequence with the
same first and last base and the same dinucleotide counts is equally likely: a random Eulerian path through the
multigraph of the dinucleotides (Altschul and Erickson, Mol. Biol. Evol. 2:526, 1985), its last exits drawn as a uniform
random arborescence (Wilson, STOC 1996) rather than by rejection.
"""

from __future__ import annotations

import numpy as np
from numba import njit

UNKNOWN = 4


def shuffled(generator: np.random.Generator, codes: np.ndarray, window: int | None = None) -> np.ndarray:
    """A dinucleotide shuffle of uint8 codes; bases above 3 stay where they are and bound what is shuffled.

    With ``window``, stretches of so many bases are shuffled each on its own, so that composition stays local, as
    isochores and islands have it; the dinucleotides that span two stretches stay too, since the ends do.
    """
    result = np.array(codes, dtype=np.uint8)
    known = np.flatnonzero(np.diff(np.concatenate(([0], (result < UNKNOWN).astype(np.int8), [0]))))
    for start, end in known.reshape(-1, 2).tolist():
        step = window or end - start
        for begin in range(start, end, step):
            result[begin : min(begin + step, end)] = _shuffle(generator, result[begin : min(begin + step, end)])
    return result


@njit(nogil=True, cache=True)
def _last_exits(generator, counts, final):
    """For each base but the final one the base that its last occurrence is followed by (Wilson's algorithm)."""
    exits = np.full(4, -1, dtype=np.int64)
    in_tree = np.zeros(4, dtype=np.bool_)
    in_tree[final] = True
    for root in range(4):
        if counts[root].sum() == 0:
            continue
        base = root
        while not in_tree[base]:
            draw = generator.integers(0, counts[base].sum())
            follower = 0
            while draw >= counts[base, follower]:
                draw -= counts[base, follower]
                follower += 1
            exits[base] = follower
            base = follower
        base = root
        while not in_tree[base]:
            in_tree[base] = True
            base = exits[base]
    return exits


@njit(nogil=True, cache=True)
def _shuffle(generator, codes):
    size = codes.shape[0]
    if size < 3:
        return codes.copy()
    counts = np.zeros((4, 4), dtype=np.int64)
    for i in range(size - 1):
        counts[codes[i], codes[i + 1]] += 1
    exits = _last_exits(generator, counts, codes[-1])
    starts = np.zeros(5, dtype=np.int64)
    for base in range(4):
        starts[base + 1] = starts[base] + counts[base].sum()
    followers = np.empty(size - 1, dtype=np.uint8)
    for base in range(4):
        at, end = starts[base], starts[base + 1]
        last = exits[base] if base != codes[-1] and end > at else -1
        for follower in range(4):
            copies = counts[base, follower] - (1 if follower == last else 0)
            followers[at : at + copies] = follower
            at += copies
        for i in range(at - 1, starts[base], -1):
            j = generator.integers(starts[base], i + 1)
            followers[i], followers[j] = followers[j], followers[i]
        if last >= 0:
            followers[end - 1] = last
    out = np.empty(size, dtype=np.uint8)
    out[0] = codes[0]
    place = starts[:4].copy()
    for i in range(1, size):
        base = out[i - 1]
        out[i] = followers[place[base]]
        place[base] += 1
    return out
