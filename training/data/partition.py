"""Splits that do not leak: relatives, neighbours and copies stay on one side, and a check that says so.

The check compares every sequence and its reverse complement with those of the other splits. Equal ones are refused: a
measure on a test set that was trained on means nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...scanner.errors import UsageError
from .splits import MINIMA, assign_splits, canonical_digest, components, similar_pairs, sketch
from .store import LEFT_OUT, SPLITS, Sequences

LARGE = 0.5
RELATED = 0.5
"""Estimated Jaccard similarity of 10-mer sets from which sequences of two splits are counted as relatives."""


class Places(NamedTuple):
    """Where rows lie in a genome: contig int64 (rows,) equal for rows of one contig, start and end in bases,
    half-open."""

    contig: np.ndarray
    start: np.ndarray
    end: np.ndarray


def split_by_group(generator: np.random.Generator, groups: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """uint8 (rows,): places in `SPLITS`; groups int64 (rows,) stay whole. Groups of more than `LARGE` of a split
    train."""
    smallest = min(share for share in shares if share) / sum(shares) * len(groups)
    return assign_splits(generator, groups, shares, max(LARGE, 1 / smallest)).astype(np.uint8)


def split_by_block(
    generator: np.random.Generator, places: Places, shares: tuple[float, ...], block: int, margin: int
) -> np.ndarray:
    """uint8 (rows,): splits of whole blocks of so many bases of the genome, a row's block being that of its middle.

    Rows that come within ``margin`` bases of a block of another split are left out: neighbours share sequence.
    """
    numbers = (places.start + places.end) // 2 // block
    _, groups = np.unique(np.stack([places.contig, numbers], axis=1), axis=0, return_inverse=True)
    splits = assign_splits(generator, groups.ravel(), shares, largest=np.inf).astype(np.uint8)
    of_block = dict(zip(zip(places.contig.tolist(), numbers.tolist(), strict=True), splits.tolist(), strict=True))
    for beside in ((places.start - margin) // block, (places.end + margin - 1) // block):
        for row in np.flatnonzero(beside != numbers).tolist():
            other = of_block.get((int(places.contig[row]), int(beside[row])))
            if other is not None and other != of_block[int(places.contig[row]), int(numbers[row])]:
                splits[row] = LEFT_OUT
    return splits


def related_groups(sequences: Sequences, similarity: float, groups: np.ndarray | None = None) -> np.ndarray:
    """int64 (rows,): clusters of rows whose 10-mers are alike on either strand, of at least so much similarity.

    groups: rows of one group are in one cluster, too. A sketch of 128 bytes a row is held while they are found.
    """
    pairs = similar_pairs(sketches(sequences), similarity)
    if groups is not None:
        order = np.argsort(groups, kind="stable")
        same = groups[order][1:] == groups[order][:-1]
        pairs = np.concatenate([pairs, np.stack([order[:-1][same], order[1:][same]], axis=1)])
    return components(len(sequences), pairs)


def sketches(sequences: Sequences) -> np.ndarray:
    """uint32 (rows, MINIMA): MinHash sketches."""
    found = np.empty((len(sequences), MINIMA), dtype=np.uint32)
    for row in range(len(sequences)):
        found[row] = sketch(sequences.sequence(row))
    return found


def digests(sequences: Sequences) -> np.ndarray:
    """uint64 (rows,): equal for equal sequences and reverse complements."""
    found = np.empty(len(sequences), dtype=np.uint64)
    for row in range(len(sequences)):
        found[row] = canonical_digest(sequences.sequence(row))
    return found


def without_copies(
    sequences: Sequences, splits: np.ndarray, policy: str, source: str, warn: Callable[[str], None]
) -> np.ndarray:
    """The splits, once no two of them share a sequence or its reverse complement.

    policy: ``refuse`` raises `UsageError` that names one such pair, ``warn`` leaves them and says how many, ``drop``
    leaves those out of training that are in validation or test, and those out of validation that are in test.
    """
    found = digests(sequences)
    splits = splits.copy()
    for kept, given in ((2, 1), (2, 0), (1, 0)):
        inside = np.flatnonzero(splits == given)
        shared = inside[np.isin(found[inside], found[splits == kept])]
        if not len(shared):
            continue
        names = f"{SPLITS[given]} and {SPLITS[kept]} share {len(shared):,} sequences or reverse complements"
        if policy == "refuse":
            row = int(shared[0])
            twin = int(np.flatnonzero((found == found[row]) & (splits == kept))[0])
            raise UsageError(
                f"{source}: {names}, such as rows {sequences.lines[row]} and {sequences.lines[twin]}: split by group "
                "or homology, or say what becomes of them with --set data.split.duplicates=drop (or warn)"
            )
        if policy == "drop":
            splits[shared] = LEFT_OUT
            names += f": left out of {SPLITS[given]}"
        warn(f"{source}: {names}")
    return splits


def share_related(sequences: Sequences, splits: np.ndarray) -> dict[str, float]:
    """Share of the validation and the test rows that have relatives in training (`RELATED`, chains of such
    included)."""
    clusters = related_groups(sequences, RELATED)
    trained = np.unique(clusters[splits == 0])
    return {
        name: float(np.isin(clusters[splits == number], trained).mean()) if (splits == number).any() else 0.0
        for number, name in enumerate(SPLITS)
        if number
    }
