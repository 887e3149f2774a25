"""What is to be explained: lines of a BED with their strands, and regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..calling.channels import STRANDS
from ..card import ModelCard
from ..errors import UsageError
from ..reading.genome import Genome
from ..reading.regions import Contigs, bed_intervals, numbered_lines, parse_regions

_STRAND_COLUMN = 5


class Place(NamedTuple):
    """Bases [start, end) of a contig (its number) on a strand: '+', '-', or '.' for models whose answer has none."""

    contig: int
    start: int
    end: int
    strand: str


def places_of_track(path: str | Path, genome: Genome, card: ModelCard) -> list[Place]:
    """The lines of a BED (plain or gzip) in their order, each on its own strand; where that is not said, on all strands
    that the model reads. Empty lines' intervals are left out.

    `UsageError` names file and line for what is no BED, does not lie in the genome, or has a strand that the model does
    not read.
    """
    contigs = Contigs.of(genome.names, genome.lengths, genome.source)
    intervals = [tuple(one) for block in bed_intervals(str(path), contigs) for one in block.tolist()]
    known = tuple(sign for sign, _ in STRANDS[card.strand])
    found: list[Place] = []
    for (number, sign), (contig, start, end) in zip(_strands(str(path)), intervals, strict=True):
        signs = known if sign == "." or known == (".",) else (sign,)
        if not set(signs) <= set(known):
            raise UsageError(f"{path} line {number}: strand '{sign}': model {card.name} reads {' and '.join(known)}")
        found += [Place(contig, start, end, one) for one in signs if start < end]
    return found


def places_of_regions(texts: Sequence[str], genome: Genome, card: ModelCard) -> list[Place]:
    """Regions as `parse_regions` takes them, on all strands that the model reads; its errors."""
    intervals = parse_regions(texts, genome.names, genome.lengths, genome.source).tolist()
    return [Place(*interval, sign) for interval in intervals for sign, _ in STRANDS[card.strand]]


def places_within(places: Sequence[Place], regions: Sequence[Place]) -> list[Place]:
    """Those places that overlap a region, on whichever strand."""
    return [
        one
        for one in places
        if any(one.contig == other.contig and one.start < other.end and other.start < one.end for other in regions)
    ]


def _strands(path: str) -> list[tuple[int, str]]:
    """Line number and strand of each line of a BED that holds an interval."""
    found = []
    for number, line in numbered_lines(path):
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        if not line.strip() or line.startswith("#") or fields[0].split(" ")[0] in ("track", "browser"):
            continue
        sign = fields[_STRAND_COLUMN] if len(fields) > _STRAND_COLUMN else "."
        if sign not in ("+", "-", "."):
            raise UsageError(f"{path} line {number}: '{sign}' is no strand: the sixth column of a BED is +, - or .")
        found.append((number, sign))
    return found
