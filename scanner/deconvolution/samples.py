"""Samples of reads, opened and read on an atlas' markers or through a model of reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np

from ..errors import GenoscanError, UsageError
from ..inference.session import Model
from ..markers import markers_in
from ..read_likelihoods import region_likelihoods
from ..reading.assemblies import other_naming
from ..reading.atlas import Atlas
from ..reading.genome import Genome
from ..reading.methylation.pat import PatSample
from ..reading.methylation.reads import Region
from ..reading.methylation.sample import open_sample
from .marker_reads import MarkerReads, marker_reads

_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)


class ReadEvidence(NamedTuple):
    """What a model says of a sample's reads: log_likelihoods float32 (windows, classes), counts int64 (windows,)."""

    log_likelihoods: np.ndarray
    counts: np.ndarray


def atlas_reads(path: str, atlas: Atlas, source: str, genome: Genome | None) -> MarkerReads:
    """A sample's reads clipped to the markers of an atlas (``source``: its path).

    Without a genome the sample must be a .pat and the atlas must have CpG numbers, of the same assembly. Raises
    `UsageError` where something is missing for that, `GenoscanError` where no read tells of a marker's CpG.
    """
    if genome is not None:
        require_assembly(atlas, source, genome)
        starts, ends = atlas.starts, atlas.ends
        with closing(open_sample(path, genome)) as sample:
            found = marker_reads(sample.reads(_regions(atlas.chroms, starts, ends)), starts, ends)
    else:
        if atlas.first_cpgs is None:
            raise UsageError(f"{source}: has no columns startCpG and endCpG: give the genome with --genome")
        if not path.removesuffix(".gz").endswith(".pat"):
            raise UsageError(f"{path}: is read on a genome: give the one it was aligned to with --genome")
        starts, ends = atlas.first_cpgs, atlas.last_cpgs
        with closing(PatSample(path)) as sample:
            found = marker_reads(sample.cpg_reads(_regions(atlas.chroms, starts, ends)), starts, ends)
    if not found.counts.sum():
        raise GenoscanError(f"{path}: no read tells of a CpG in the markers of {source}: is it of the same assembly?")
    return found


def model_reads(path: str, model: Model, genome: Genome, threads: int, warn: Callable[[str], None]) -> ReadEvidence:
    """A sample's reads on the markers of a model's card, each counted once, through the model.

    `GenoscanError` where there are none.
    """
    markers, _ = markers_in(model.card, genome, warn)
    with closing(open_sample(path, genome)) as sample:
        parts = [part for part, _ in region_likelihoods(model, genome, sample, markers, threads=threads)]
    if not sum(int(part.counts.sum()) for part in parts):
        raise GenoscanError(f"{path}: no read tells of a CpG in the markers of {model.card.name}")
    return ReadEvidence(
        np.concatenate([part.log_likelihoods for part in parts]), np.concatenate([part.counts for part in parts])
    )


def require_assembly(atlas: Atlas, source: str, genome: Genome) -> None:
    """`GenoscanError` where a genome cannot be the one that an atlas is of: by contigs, and by bases if it has any."""
    absent = [name for name in dict.fromkeys(atlas.chroms) if name not in genome]
    if absent:
        raise GenoscanError(
            f"{genome.source}: lacks the contig '{absent[0]}' of {source}{other_naming(absent[:1], genome)}; give the "
            "genome that the atlas is of"
        )
    places = list(zip(atlas.chroms, atlas.starts.tolist(), atlas.ends.tolist(), strict=True))
    for chrom, _, end in places:
        length = int(genome.lengths[genome.number(chrom)])
        if end > length:
            raise GenoscanError(
                f"{genome.source}: '{chrom}' has {length:,} bases, a marker of {source} ends at {end:,}; give the "
                "genome that the atlas is of"
            )
    if atlas.sequences is None:
        return
    pairs = zip(places, atlas.sequences, strict=True)
    other = [place for place, letters in pairs if not _same(genome, place, letters, atlas.flank)]
    if other:
        chrom, start, end = other[0]
        raise GenoscanError(
            f"{genome.source}: the bases of {len(other):,} of {len(places):,} markers are not those of {source}, as of "
            f"{chrom}:{start + 1}-{end}; give the genome that the atlas is of"
        )


def _same(genome: Genome, place: tuple[str, int, int], letters: str, flank: int) -> bool:
    chrom, start, end = place
    there = _LETTERS[np.minimum(genome.codes(genome.number(chrom), start, end), 4)].tobytes().decode()
    return there == letters[flank : len(letters) - flank]


def _regions(chroms: list[str], starts: np.ndarray, ends: np.ndarray) -> Iterator[Region]:
    return map(Region, chroms, starts.tolist(), ends.tolist())
