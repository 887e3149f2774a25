"""The regions that a model of reads knows, found in a genome and checked against it; and which reads are of which."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from .card import ModelCard, sequence_digest
from .errors import GenoscanError
from .read_windows import ReadWindows
from .reading.assemblies import genome_assembly, other_naming
from .reading.genome import Genome
from .reading.methylation.reads import MethylationReads, Region
from .reading.tiles import INTERVAL

CLOSE = 1000
"""Regions at most so many bases apart are read together."""
_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)


class Group(NamedTuple):
    """Regions close together: the numbers of the first and of the one after the last, and all that they span."""

    first: int
    end: int
    span: Region


def markers_in(card: ModelCard, genome: Genome, warn: Callable[[str], None]) -> tuple[np.ndarray, np.ndarray]:
    """The card's markers that the genome has, as INTERVAL array in genome order, and their numbers in the card.

    ``warn`` hears of those that are left out. Raises `GenoscanError` where the genome is of another assembly: none of
    the contigs is there, or the bases of most markers are others.
    """
    names = list(dict.fromkeys(marker.chrom for marker in card.markers))
    known = {name: genome.number(name) for name in names if name in genome}
    if not known:
        raise GenoscanError(
            f"{genome.source}: none of the contigs of {card.name}'s markers ({', '.join(names[:3])}, of "
            f"{card.assembly}) is there{other_naming(names, genome)}"
        )
    found = [(known[one.chrom], one.start, one.end, n) for n, one in enumerate(card.markers) if one.chrom in known]
    wrong = [n for contig, start, end, n in found if not _same(card, genome, contig, start, end, n)]
    if 2 * len(wrong) > len(found):
        there, marker = genome_assembly(genome), card.markers[wrong[0]]
        raise GenoscanError(
            f"{genome.source}: is not {card.assembly}, which {card.name}'s markers are of"
            f"{f', but {there}' if there and there != card.assembly else ''}: the bases of {len(wrong):,} of "
            f"{len(found):,} markers are others, as of {marker.chrom}:{marker.start + 1}-{marker.end}"
        )
    absent = len(card.markers) - len(found)
    if absent:
        warn(f"{genome.source}: {absent:,} of {len(card.markers):,} markers are on contigs that it does not have")
    if wrong:
        marker = card.markers[wrong[0]]
        warn(
            f"{genome.source}: {len(wrong):,} of {len(found):,} markers are left out: their bases are not those of "
            f"{card.assembly}, as of {marker.chrom}:{marker.start + 1}-{marker.end}"
        )
    kept = sorted(one for one in found if one[3] not in set(wrong))
    return np.array([one[:3] for one in kept], dtype=INTERVAL), np.array([one[3] for one in kept], dtype=np.int64)


def _same(card: ModelCard, genome: Genome, contig: int, start: int, end: int, number: int) -> bool:
    if end > genome.lengths[contig]:
        return False
    return sequence_digest(_LETTERS[genome.codes(contig, start, end)].tobytes().decode()) == card.markers[number].digest


def groups_of(regions: np.ndarray, genome: Genome) -> list[Group]:
    """INTERVAL regions in genome order, put together where they are `CLOSE`."""
    if not len(regions):
        return []
    # The furthest end so far, on each contig.
    contigs = np.cumsum(np.diff(regions["contig"], prepend=regions["contig"][:1]) != 0)
    stride = int(regions["end"].max()) + CLOSE + 1
    starts, reach = regions["start"] + contigs * stride, np.maximum.accumulate(regions["end"] + contigs * stride)
    borders = [0, *(np.flatnonzero(starts[1:] > reach[:-1] + CLOSE) + 1).tolist(), len(regions)]
    groups = []
    for first, end in zip(borders[:-1], borders[1:], strict=True):
        name = genome.names[int(regions["contig"][first])]
        span = Region(name, int(regions["start"][first]), int(regions["end"][first:end].max()))
        groups.append(Group(first, end, span))
    return groups


def owners_of(reads: MethylationReads, windows: ReadWindows, regions: np.ndarray) -> np.ndarray:
    """int64 (windows,): of some regions of the reads' contig, INTERVAL array ordered by start, the number of that in
    which most of a window's CpGs are, of equals the first; -1 where none is in any."""
    owners = np.full(len(windows.reads), -1, dtype=np.int64)
    starts, ends = np.ascontiguousarray(regions["start"]), np.ascontiguousarray(regions["end"])
    _find_owners(reads.positions, windows.first_sites, windows.end_sites, starts, ends, owners)
    return owners


@njit(nogil=True, cache=True)
def _find_owners(positions, first_sites, end_sites, starts, ends, owners):
    for window in range(len(owners)):
        first, last = positions[first_sites[window]], positions[end_sites[window] - 1]
        most = 0
        for region in range(len(starts)):
            if starts[region] > last:
                break
            if ends[region] <= first:
                continue
            count = 0
            for site in range(first_sites[window], end_sites[window]):
                count += starts[region] <= positions[site] < ends[region]
            if count > most:
                most, owners[window] = count, region
