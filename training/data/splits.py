"""Which sequences belong together, and which split each group goes to: no locus or its homologue in two splits.

Sequences are grouped where they lie close to each other or share k-mers on either strand. Shared k-mers are estimated
by MinHash (Broder 1997): the share of equal minima estimates the Jaccard similarity of two sets of k-mers. Because sets
do not count copies, arrays of one unit are alike whatever their number of copies.
"""

from __future__ import annotations

import numpy as np
from numba import njit

K = 10
"""Bases of the k-mers that homologues share."""
MINIMA, BAND = 32, 2
"""Minima of a sketch, and how many of them at least must agree in a row for two sketches to be compared."""
LARGEST_SHARE = 0.1
"""A group larger than this share of validation or test goes to training: one family should not decide a measure."""


@njit(nogil=True, cache=True)
def _mixed(word):
    """A bijection of 64-bit words that spreads them (the finaliser of SplitMix64, Steele et al. 2014)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@njit(nogil=True, cache=True)
def sketch(codes):
    """MinHash sketch of a uint8 sequence: uint32 (MINIMA,), the same for its reverse complement.

    k-mers with N are passed over; a sequence without k-mers has the sketch of no other.
    """
    minima = np.full(MINIMA, np.uint64(0xFFFFFFFFFFFFFFFF))
    forward, backward, known = np.uint64(0), np.uint64(0), 0
    mask = np.uint64(4**K - 1)
    for code in codes:
        if code > 3:
            known = 0
            continue
        forward = ((forward << np.uint64(2)) | np.uint64(code)) & mask
        backward = (backward >> np.uint64(2)) | (np.uint64(3 - code) << np.uint64(2 * K - 2))
        known += 1
        if known >= K:
            word = _mixed(min(forward, backward) + np.uint64(1))
            for i in range(MINIMA):
                value = _mixed(word + np.uint64(i) * np.uint64(0x9E3779B97F4A7C15))
                if value < minima[i]:
                    minima[i] = value
    return (minima >> np.uint64(32)).astype(np.uint32)


@njit(nogil=True, cache=True)
def canonical_digest(codes):
    """uint64 of a uint8 sequence that its reverse complement shares; FNV-1a over the bases, both strands added."""
    prime, start = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
    forward, backward, size = start, start, codes.shape[0]
    for i in range(size):
        forward = (forward ^ np.uint64(codes[i])) * prime
        code = codes[size - 1 - i]
        backward = (backward ^ np.uint64(3 - code if code < 4 else code)) * prime
    return _mixed(forward) + _mixed(backward)


def similar_pairs(sketches: np.ndarray, similarity: float) -> np.ndarray:
    """Pairs of sketches, uint32 (sketches, MINIMA), whose estimated Jaccard similarity is at least so much.

    int64 (pairs, 2). Not all such pairs, but enough that they connect what belongs together: within each set of
    sketches that agree in a band, each is compared with the one before it and with the first.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in range(0, MINIMA, BAND):
        keys = np.ascontiguousarray(sketches[:, band : band + BAND]).view(np.uint64)[:, 0]
        order = np.argsort(keys, kind="stable")
        same = np.concatenate(([False], keys[order][1:] == keys[order][:-1]))
        place = np.arange(len(order))
        first = np.maximum.accumulate(np.where(same, 0, place))
        for other in (place - 1, first):
            pairs = np.stack([order[other[same]], order[same]], axis=1)
            agreeing = (sketches[pairs[:, 0]] == sketches[pairs[:, 1]]).mean(axis=1)
            found.append(pairs[agreeing >= similarity])
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def near_pairs(intervals: np.ndarray, distance: int) -> np.ndarray:
    """Pairs int64 (pairs, 2) of neighbours on a contig with at most ``distance`` bases between them.

    intervals: INTERVAL, in any order; they may overlap.
    """
    order = np.lexsort((intervals["start"], intervals["contig"]))
    places = intervals[order]
    begins = places["contig"].astype(np.int64) << 40
    reach = np.maximum.accumulate(begins + places["end"]) if len(places) else begins
    near = (begins + places["start"])[1:] - reach[:-1] <= distance
    near &= places["contig"][1:] == places["contig"][:-1]
    return np.stack([order[:-1][near], order[1:][near]], axis=1)


@njit(nogil=True, cache=True)
def components(count, pairs):
    """int64 (count,): for each of so many items the smallest item that pairs int64 (pairs, 2) connect it with."""
    parent = np.arange(count)
    for row in range(pairs.shape[0]):
        one, other = pairs[row, 0], pairs[row, 1]
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        while parent[other] != other:
            parent[other] = parent[parent[other]]
            other = parent[other]
        if one < other:
            parent[other] = one
        else:
            parent[one] = other
    for item in range(count):
        parent[item] = parent[parent[item]]
    return parent


def assign_splits(
    generator: np.random.Generator, groups: np.ndarray, shares: tuple[float, ...], largest: float = LARGEST_SHARE
) -> np.ndarray:
    """int64 (items,): the split of each item, so that groups stay whole and the splits get their shares of the items.

    groups: int64 (items,). Groups larger than the share ``largest`` of a split's target go to the first split; the
    others come in random order, each to the split that lacks the largest part of its target.
    """
    names, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    targets = np.array(shares) / sum(shares) * len(groups)
    room = targets.copy()
    chosen = np.zeros(len(names), dtype=np.int64)
    large = sizes > largest * targets[targets > 0].min()
    room[0] -= sizes[large].sum()
    for group in generator.permutation(np.flatnonzero(~large)).tolist():
        split = int(np.argmax(np.divide(room, targets, out=np.full(len(targets), -np.inf), where=targets > 0)))
        chosen[group] = split
        room[split] -= sizes[group]
    return chosen[group_of]
