"""From marks on the letters of aligned reads to CpGs of the reference: compiled loops over many reads at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from ...errors import GenoscanError
from ..genome import Genome

EITHER, TOP, BOTTOM = 0, 1, 2
"""Which strand of the reference the marks of a read are about: whichever has the C, the forward, the reverse one."""

_C, _G = 1, 2
_ENOUGH_CALLS, _MOST_MISFITS = 200, 0.25


class Alignments(NamedTuple):
    """Some reads on one contig.

    starts: int64 (reads,), first aligned base. strands: uint8 (reads,), EITHER, TOP or BOTTOM.
    marks, mark_offsets: what is said of each letter, uint8, the reads' one after the other: 0 nothing, 1 unmethylated,
        2 methylated, 3 a letter that fits neither.
    operations, operation_offsets: the CIGARs in BAM's encoding (length << 4 | operation), uint32, likewise.
    """

    starts: np.ndarray
    strands: np.ndarray
    marks: np.ndarray
    mark_offsets: np.ndarray
    operations: np.ndarray
    operation_offsets: np.ndarray


class Sites(NamedTuple):
    """CpGs that reads tell of, read by read: their numbers int64, positions int64 of the C, states uint8 0 or 1."""

    reads: np.ndarray
    positions: np.ndarray
    states: np.ndarray


def sites_of(alignments: Alignments, bases: np.ndarray, first: int) -> tuple[Sites, int, int]:
    """The CpGs under the reads' marks, how many marks were looked at, and how many of them do not fit.

    bases: uint8 codes of the reference from ``first`` on; they must reach a base beyond each read on both sides, where
    the contig does. Of reads of one strand, marks at CpGs of that strand are looked at; where the strand is either's,
    all marks are, and one does not fit where the reference has neither C nor G.
    """
    most = int(np.count_nonzero(alignments.marks))
    reads, positions = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    states = np.empty(most, dtype=np.uint8)
    count, looked, misfits = _find(*alignments, bases, first, reads, positions, states)
    return Sites(reads[:count], positions[:count], states[:count]), looked, misfits


def require_fit(source: str, genome: Genome, looked: int, misfits: int) -> None:
    """`GenoscanError` where too many of the CpGs that a sample tells of are none in the genome."""
    if looked >= _ENOUGH_CALLS and misfits > _MOST_MISFITS * looked:
        raise GenoscanError(
            f"{source}: {misfits / looked:.0%} of {looked:,} methylation calls do not fit the bases of "
            f"{genome.source}: the sample is of another assembly; give the genome that it was aligned to"
        )


@njit(nogil=True, cache=True)
def _strand_of_cpg(bases, at):
    """TOP at the C of a CpG, BOTTOM at its G, 0 elsewhere."""
    if at < 0 or at >= len(bases):
        return 0
    if bases[at] == _C and at + 1 < len(bases) and bases[at + 1] == _G:
        return TOP
    if bases[at] == _G and at > 0 and bases[at - 1] == _C:
        return BOTTOM
    return 0


@njit(nogil=True, cache=True)
def _find(starts, strands, marks, mark_offsets, operations, operation_offsets, bases, first, reads, positions, states):
    count, looked, misfits = 0, 0, 0
    for read in range(len(starts)):
        query, at = mark_offsets[read], starts[read] - first
        for number in range(operation_offsets[read], operation_offsets[read + 1]):
            operation, length = operations[number] & 15, np.int64(operations[number] >> 4)
            if operation == 1 or operation == 4:  # insertion, soft clip: letters alone
                query += length
            elif operation == 2 or operation == 3:  # deletion, skip: reference alone
                at += length
            elif operation == 0 or operation == 7 or operation == 8:  # aligned, same, different
                for i in range(length):
                    mark = marks[query + i]
                    if mark == 0:
                        continue
                    cpg = _strand_of_cpg(bases, at + i)
                    if strands[read] == EITHER:
                        looked += 1
                        inside = 0 <= at + i < len(bases)
                        misfits += not inside or (bases[at + i] != _C and bases[at + i] != _G)
                        if cpg == 0:
                            continue
                    else:
                        if cpg != strands[read]:
                            continue
                        looked += 1
                        if mark == 3:
                            misfits += 1
                            continue
                    reads[count] = read
                    positions[count] = at + i + first - (cpg == BOTTOM)
                    states[count] = mark - 1
                    count += 1
                query += length
                at += length
    return count, looked, misfits
