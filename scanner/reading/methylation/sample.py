"""Samples of methylation, of whatever format, opened to be read region by region."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from ...errors import GenoscanError
from ..compressed import decompressed
from ..genome import Genome
from .alignments import open_alignments
from .bedmethyl import BedMethylSample
from .pat import PatSample
from .reads import MethylationReads, Region, Tally

_PAT = re.compile(rb"[^\t]+\t[0-9]+\t[CTH.]+\t[0-9]+(\t.*)?")
_BED_METHYL = re.compile(rb"[^\t]+\t[0-9]+\t[0-9]+\t[^\t]*\t[^\t]*\t[-+.]\t[^\t]*\t[^\t]*\t[^\t]*[\t ].*")
_HEAD = 1 << 16


class Sample(Protocol):
    """A sample's reads by region. Close it after use.

    source: its path as it was given. tally: what has become of its records so far.
    """

    source: str
    tally: Tally

    def reads(self, regions: Iterable[Region] | None = None) -> Iterator[MethylationReads]:
        """The reads of each region, in this order: those that overlap with it. None: every read once, contig by contig
        in the genome's order, in pieces.

        Raises `GenoscanError` naming the file, and the record, for what cannot be read or is of another assembly.
        """

    def close(self) -> None: ...


def open_sample(path: str | Path, genome: Genome) -> Sample:
    """Open a BAM or CRAM with methylation, a .pat or a bedMethyl, plain or gzip, told by what is in it.

    ``genome``: the assembly that the sample is of. Raises `GenoscanError`, one line that names the file and what to do,
    for what is none of these, is damaged, empty or unsorted, lacks an index, or is of another assembly.
    """
    source = str(path)
    head = _head(source)
    if head.startswith((b"BAM\x01", b"CRAM")):
        return open_alignments(Path(path), genome)
    if head.startswith((b"@HD\t", b"@SQ\t", b"@RG\t", b"@PG\t")):
        raise GenoscanError(f"{source}: is SAM text: samtools sort -o sorted.bam {source} && samtools index sorted.bam")
    line = next((one for one in head.splitlines() if one.strip() and not one.startswith(b"#")), b"")
    if not line:
        raise GenoscanError(f"{source}: is empty: give a BAM, CRAM, .pat or bedMethyl")
    if _PAT.fullmatch(line):
        return PatSample(source, genome)
    if _BED_METHYL.fullmatch(line):
        return BedMethylSample(source, genome)
    raise GenoscanError(f"{source}: is no BAM, CRAM, .pat or bedMethyl: it begins with {ascii(line[:40])[1:]}")


def _head(source: str) -> bytes:
    """The first bytes of a file, or of what is packed in it."""
    try:
        with open(source, "rb") as file:
            return next(decompressed(iter(lambda: file.read(_HEAD), b""), source), b"")
    except OSError as error:
        raise GenoscanError(f"{source}: cannot be read: {error.strerror or error}") from None
