"""Small BAMs for tests, and genomes that their reads lie on."""

from __future__ import annotations

from pathlib import Path

import pysam

FLAGS = {"+": 0, "-": 16}


def read(name, sequence, start, contig=0, *, flag=0, cigar=None, quality=60, tags=(), qualities=None, mate=None):
    """An alignment; ``start`` is 0-based, ``cigar`` as text (all aligned where it is left out)."""
    segment = pysam.AlignedSegment()
    segment.query_name, segment.flag, segment.reference_id = name, flag, contig
    segment.reference_start, segment.mapping_quality = start, quality
    segment.query_sequence = sequence
    segment.cigarstring = cigar or f"{len(sequence)}M"
    segment.query_qualities = pysam.qualitystring_to_array(chr(33 + (qualities or 40)) * len(sequence))
    if mate is not None:
        segment.next_reference_id, segment.next_reference_start = contig, mate
    segment.set_tags(list(tags))
    return segment


def write_bam(path: Path, contigs: dict[str, int], reads, *, order="coordinate", index=True) -> Path:
    """A BAM of the reads in their order."""
    header = {"HD": {"VN": "1.6", "SO": order}, "SQ": [{"SN": name, "LN": size} for name, size in contigs.items()]}
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for one in reads:
            file.write(one)
    if index:
        pysam.index(str(path))
    return path


def write_fasta(path: Path, contigs: dict[str, str]) -> Path:
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items()))
    return path


def told(reads) -> list[tuple[int, int, dict[int, int], int]]:
    """Of each of `MethylationReads`: start, end, state by position, count."""
    rows = []
    for number in range(len(reads.starts)):
        sites = slice(reads.offsets[number], reads.offsets[number + 1])
        states = dict(zip(reads.positions[sites].tolist(), reads.states[sites].tolist(), strict=True))
        rows.append((int(reads.starts[number]), int(reads.ends[number]), states, int(reads.counts[number])))
    return rows
