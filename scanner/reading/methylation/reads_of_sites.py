"""CpGs that alignments tell of, put together to reads: mates are one."""

from __future__ import annotations

import numpy as np
from numba import njit

from .reads import MethylationReads


def reads_of_sites(
    contig: str, owners: np.ndarray, starts: np.ndarray, ends: np.ndarray, sites
) -> tuple[MethylationReads, np.ndarray]:
    """Reads, ordered by start and end, and of each its number among the owners.

    owners: int64 (alignments,), the number of the read that an alignment is a part of; starts, ends: int64
    (alignments,), its interval; sites: `aligned.Sites` of the alignments. Where parts of a read tell of the same CpG it
    is known where they agree. Reads without a CpG are left out.
    """
    total = int(owners.max()) + 1 if len(owners) else 0
    first = np.full(total, np.iinfo(np.int64).max)
    last = np.zeros(total, dtype=np.int64)
    np.minimum.at(first, owners, starts)
    np.maximum.at(last, owners, ends)
    reads = owners[sites.reads]
    order = np.lexsort((sites.positions, reads))
    reads, positions, states = _agreed(reads[order], sites.positions[order], sites.states[order])
    counts = np.bincount(reads, minlength=total)
    np.minimum.at(first, reads, positions)
    np.maximum.at(last, reads, positions + 1)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
    found = MethylationReads(contig, first, last, offsets, positions, states, np.ones(total, dtype=np.int64))
    told = np.flatnonzero(counts)
    told = told[np.lexsort((last[told], first[told]))]
    return found.take(told), told


@njit(nogil=True, cache=True)
def _agreed(reads, positions, states):
    """Sites sorted by read and position, each once, without those that are told of in both ways."""
    keep = np.zeros(len(reads), dtype=np.bool_)
    i = 0
    while i < len(reads):
        j, same = i + 1, True
        while j < len(reads) and reads[j] == reads[i] and positions[j] == positions[i]:
            same = same and states[j] == states[i]
            j += 1
        keep[i] = same
        i = j
    return reads[keep], positions[keep], states[keep]
