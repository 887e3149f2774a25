"""A negative for every positive: of the same length, in the same split, and related to nothing in another split."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...scanner.reading.sequence import Reader
from .negatives import draw_windows, holds_tandem_repeat
from .splits import MINIMA, canonical_digest, components, near_pairs, similar_pairs, sketch

ROUNDS = 12
"""Times that a place is drawn for a positive that has no negative yet."""


class Relations(NamedTuple):
    """What makes two sequences of one group: bases between neighbours at most, least share of common k-mers."""

    distance: int
    similarity: float


class Sequences(NamedTuple):
    """Sequences of a genome: INTERVAL (n,), their sketches uint32 (n, MINIMA) and digests uint64 (n,)."""

    intervals: np.ndarray
    sketches: np.ndarray
    digests: np.ndarray

    def take(self, chosen: np.ndarray) -> Sequences:
        """Those of these numbers, or where bool (n,) is set."""
        return Sequences(*(column[chosen] for column in self))

    def joined(self, other: Sequences) -> Sequences:
        """These and then the others."""
        return Sequences(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def described(reader: Reader, intervals: np.ndarray, negative: bool) -> tuple[Sequences, np.ndarray]:
    """The intervals' sketches and digests, and bool (n,): which can be examples.

    None can that holds an unknown base, and of negatives none that matches itself as a tandem repeat does.
    """
    sketches = np.empty((len(intervals), MINIMA), dtype=np.uint32)
    digests = np.empty(len(intervals), dtype=np.uint64)
    usable = np.empty(len(intervals), dtype=bool)
    for row, (contig, start, end) in enumerate(intervals.tolist()):
        codes = reader.codes(contig, start, end)
        sketches[row], digests[row] = sketch(codes), canonical_digest(codes)
        usable[row] = codes.max(initial=0) < 4 and not (negative and holds_tandem_repeat(codes))
    return Sequences(intervals, sketches, digests), usable


def groups_of(sequences: Sequences, relations: Relations) -> np.ndarray:
    """int64 (n,): equal for sequences that lie close to each other or are alike, by chains of such pairs."""
    pairs = [
        near_pairs(sequences.intervals, relations.distance),
        similar_pairs(sequences.sketches, relations.similarity),
    ]
    return components(len(sequences.intervals), np.concatenate(pairs))


def matched_negatives(
    generator: np.random.Generator,
    reader: Reader,
    runs: np.ndarray,
    positives: Sequences,
    splits: np.ndarray,
    relations: Relations,
) -> tuple[Sequences, np.ndarray]:
    """Negatives from ``runs`` (INTERVAL), and int64 (negatives,): the number of the positive that each is for.

    Each has the length of its positive and goes to its split (int64 (positives,)). Drawn anew, up to `ROUNDS` times, is
    one that overlaps with another or equals one, that is no negative on closer look, or that would connect two splits.
    """
    lengths = positives.intervals["end"] - positives.intervals["start"]
    taken, owners = positives, np.arange(len(lengths))
    for _ in range(ROUNDS):
        waiting = np.setdiff1d(np.arange(len(lengths)), owners[len(lengths) :])
        if not len(waiting):
            break
        drawn = draw_windows(generator, runs, lengths[waiting])
        waiting, drawn = waiting[drawn["contig"] >= 0], drawn[drawn["contig"] >= 0]
        apart = ~_overlapping(taken.intervals, drawn)
        candidates, usable = described(reader, drawn[apart], negative=True)
        usable &= ~np.isin(candidates.digests, taken.digests)
        usable &= _first_of_each(candidates.digests)
        candidates, waiting = candidates.take(usable), waiting[apart][usable]
        both = taken.joined(candidates)
        split = splits[np.concatenate((owners, waiting))]
        group = groups_of(both, relations)
        least, most = np.full(len(group), len(group)), np.full(len(group), -1)
        np.minimum.at(least, group, split)
        np.maximum.at(most, group, split)
        accepted = (least == most)[group[len(owners) :]]
        taken, owners = taken.joined(candidates.take(accepted)), np.concatenate((owners, waiting[accepted]))
    chosen = np.arange(len(lengths), len(owners))
    return taken.take(chosen), owners[chosen]


def _first_of_each(values: np.ndarray) -> np.ndarray:
    first = np.zeros(len(values), dtype=bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first


def _overlapping(taken: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """bool (drawn,): those that share a base with a taken interval or with another drawn one."""
    both = np.concatenate((taken, drawn))
    order = np.lexsort((both["start"], both["contig"]))
    begins = both["contig"][order].astype(np.int64) << 40
    reach = np.maximum.accumulate(begins + both["end"][order])
    wrong = np.zeros(len(both), dtype=bool)
    touching = (begins + both["start"][order])[1:] < reach[:-1]
    wrong[order[1:]] = touching
    wrong[order[:-1]] |= touching  # the one on the left may be the drawn one
    return wrong[len(taken) :]
