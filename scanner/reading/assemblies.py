"""Telling assemblies apart: by the length of a contig, and how contigs are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .genome import Genome

_FIRST_CHROMOSOME = {
    247_249_719: "hg18",
    249_250_621: "hg19",
    248_956_422: "hg38",
    248_387_328: "T2T-CHM13",
    197_195_432: "mm9",
    195_471_971: "mm10",
    195_154_279: "mm39",
}
"""Bases of chromosome 1, from the assemblies' tables of chromosome sizes at UCSC."""


def assembly_of(lengths: Mapping[str, int]) -> str:
    """The name of the assembly whose chromosome 1 has this length; empty where it is not known."""
    return _FIRST_CHROMOSOME.get(lengths.get("chr1", lengths.get("1", 0)), "")


def genome_assembly(genome: Genome) -> str:
    """As `assembly_of`, of an open genome."""
    first = [name for name in ("chr1", "1") if name in genome]
    return assembly_of({name: int(genome.lengths[genome.number(name)]) for name in first})


def other_naming(names: Iterable[str], genome: Genome) -> str:
    """What to say where contigs are there under another name: " (it is '1' there: ...)"; empty where they are not."""
    for name in names:
        other = name.removeprefix("chr") if name.startswith("chr") else f"chr{name}"
        other = {"M": "MT", "chrMT": "chrM"}.get(other, other)
        if other in genome:
            return f" ('{name}' is '{other}' there: rename the contigs of one of the two)"
    return ""
