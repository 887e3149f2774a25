"""BAM and CRAM with methylation, read region by region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pysam

from ...errors import GenoscanError
from ..assemblies import assembly_of, genome_assembly, other_naming
from ..genome import Genome
from .aligned import Alignments, Sites, require_fit, sites_of
from .calls import kind_of_calls, marks_of
from .modified_bases import UnusableTags
from .reads import MethylationReads, Region, Tally
from .reads_of_sites import reads_of_sites

MIN_MAPPING_QUALITY = 10
"""Alignments of a lower one are left out, as MethylDackel and wgbstools do by default."""
UNUSED_FLAGS = pysam.FUNMAP | pysam.FSECONDARY | pysam.FQCFAIL | pysam.FDUP | pysam.FSUPPLEMENTARY
MATE_REACH = 500
"""Mates are put together where both lie within so many bases of what is read."""
PIECE = 1 << 18
"""Bases that are read at a time where a whole file is."""
_TRIED, _SORTED_TRIED = 1000, 10_000
_BATCH = 4096


class AlignmentSample:
    """A BAM or CRAM, sorted and indexed; made by `open_alignments`. ``kind`` as `kind_of_calls` has it."""

    def __init__(self, source: str, file: pysam.AlignmentFile, genome: Genome, kind: str, paired: bool):
        self.source, self.kind, self.tally = source, kind, Tally()
        self._file, self._genome = file, genome
        self._reach = MATE_REACH if paired else 0
        self._looked = self._misfits = 0
        if not file.is_cram:
            self.tally.records = file.mapped

    def reads(self, regions: Iterable[Region] | None = None) -> Iterator[MethylationReads]:
        if regions is not None:
            for region in regions:
                found = self._read(region)
                yield found.take((found.starts < region.end) & (found.ends > region.start))
            return
        for name, length in zip(self._genome.names, self._genome.lengths.tolist(), strict=True):
            if self._file.get_tid(name) < 0 or (not self._file.is_cram and not self._mapped(name)):
                continue
            for start in range(0, length, PIECE):
                region = Region(name, start, min(start + PIECE, length))
                found = self._read(region)
                yield found.take((found.starts >= region.start) & (found.starts < region.end))

    def close(self) -> None:
        with suppress(OSError):  # whatever was wrong has been told
            self._file.close()

    def _mapped(self, contig: str) -> int:
        return next(one.mapped for one in self._file.get_index_statistics() if one.contig == contig)

    def _read(self, region: Region) -> MethylationReads:
        if self._file.get_tid(region.contig) < 0:
            return MethylationReads.empty(region.contig)
        length = self._file.get_reference_length(region.contig)
        start, end = max(0, region.start - self._reach), min(length, region.end + self._reach)
        with reading(self.source):
            owners, bounds, sites = self._gathered(region, start, end)
        if not sites:
            return MethylationReads.empty(region.contig)
        starts, ends = np.array(bounds, dtype=np.int64).T
        found = Sites(*(np.concatenate(column) for column in zip(*sites, strict=True)))
        reads, _ = reads_of_sites(region.contig, np.array(owners, dtype=np.int64), starts, ends, found)
        self.tally.without_cpg += len(set(owners)) - len(reads.starts)
        return reads

    def _gathered(self, region: Region, start: int, end: int) -> tuple[list[int], list[tuple[int, int]], list[Sites]]:
        """Of the alignments in bases [start, end): the read that each is of, its interval, and the CpGs of all."""
        mates: dict[str, int] = {}
        batch, owners, bounds, sites, count = _Batch(), [], [], [], 0
        for read in self._usable(region, start, end):
            owner = mates.pop(read.query_name, None) if read.is_paired else None
            if owner is None:
                owner, count = count, count + 1
                if read.is_paired:
                    mates[read.query_name] = owner
            marks = self._marks(read)
            if marks is None:
                continue
            owners.append(owner)
            bounds.append((read.reference_start, read.reference_end))
            batch.add(read, *marks)
            if len(batch.starts) == _BATCH:
                sites.append(self._sites(region.contig, batch, len(owners)))
                batch = _Batch()
        if batch.starts:
            sites.append(self._sites(region.contig, batch, len(owners)))
        return owners, bounds, sites

    def _usable(self, region: Region, start: int, end: int) -> Iterator[pysam.AlignedSegment]:
        for read in self._file.fetch(region.contig, start, end):
            if read.is_unmapped or read.reference_end is None:  # lies where its mate does
                continue
            inside = read.reference_start < region.end and read.reference_end > region.start
            self.tally.looked_at += inside
            if read.flag & UNUSED_FLAGS or read.mapping_quality < MIN_MAPPING_QUALITY or not read.query_sequence:
                self.tally.low_quality += inside
                continue
            yield read

    def _marks(self, read: pysam.AlignedSegment) -> tuple[np.ndarray, int] | None:
        try:
            marks = marks_of(read, self.kind)
        except UnusableTags as error:
            self.tally.unusable_tags += 1
            self.tally.first_unusable = self.tally.first_unusable or f"read '{read.query_name}': {error}"
            return None
        self.tally.without_calls += marks is None
        return marks

    def _sites(self, contig: str, batch: _Batch, owners: int) -> Sites:
        number = self._genome.number(contig)
        first = max(0, min(batch.starts) - 1)
        bases = self._genome.codes(number, first, min(max(batch.ends) + 1, int(self._genome.lengths[number])))
        found, looked, misfits = sites_of(batch.alignments(), bases, first)
        self._looked, self._misfits = self._looked + looked, self._misfits + misfits
        require_fit(self.source, self._genome, self._looked, self._misfits)
        return found._replace(reads=found.reads + owners - len(batch.starts))


class _Batch:
    """Alignments, gathered one by one."""

    def __init__(self) -> None:
        self.starts, self.ends, self.strands, self.marks, self.operations = [], [], [], [], []

    def add(self, read: pysam.AlignedSegment, marks: np.ndarray, strand: int) -> None:
        self.starts.append(read.reference_start)
        self.ends.append(read.reference_end)
        self.strands.append(strand)
        self.marks.append(marks)
        self.operations.append([length << 4 | operation for operation, length in read.cigartuples])

    def alignments(self) -> Alignments:
        return Alignments(
            np.array(self.starts, dtype=np.int64),
            np.array(self.strands, dtype=np.uint8),
            np.concatenate(self.marks),
            _bounds(self.marks),
            np.array([one for cigar in self.operations for one in cigar], dtype=np.uint32),
            _bounds(self.operations),
        )


def _bounds(parts: list) -> np.ndarray:
    return np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64)


@contextmanager
def reading(source: str) -> Iterator[None]:
    """What htslib says against reading a file becomes one line that names it."""
    verbosity = pysam.set_verbosity(0)
    try:
        yield
    except (OSError, ValueError, AssertionError, NotImplementedError) as error:  # so pysam tells of damaged records
        raise GenoscanError(
            f"{source}: cannot be read: {error}: the file is truncated or damaged; get it anew (samtools quickcheck)"
        ) from None
    finally:
        pysam.set_verbosity(verbosity)


def open_alignments(path: Path, genome: Genome) -> AlignmentSample:
    """Open a BAM or CRAM of this genome's assembly.

    Raises GenoscanError, one line that names the file and what to do, where it is truncated, unsorted, without an
    index, empty, of another assembly, or its reads tell nothing of methylation.
    """
    source, reference = str(path), None
    with path.open("rb") as start:
        if start.read(4) == b"CRAM":
            reference = genome.source  # or htslib would look for it on the net
    if reference is not None and not Path(f"{reference}.fai").is_file():  # or htslib would write one
        raise GenoscanError(f"{source}: a CRAM needs the genome's index: samtools faidx {reference}")
    with reading(source):
        file = pysam.AlignmentFile(source, reference_filename=reference)
    try:
        with reading(source):
            _require_index(source, file)
            _require_assembly(source, file, genome)
            kind, paired = _kind(source, file)
    except BaseException:
        with suppress(OSError):
            file.close()
        raise
    return AlignmentSample(source, file, genome, kind, paired)


def _require_index(source: str, file: pysam.AlignmentFile) -> None:
    indexed = file.has_index()
    order = file.header.to_dict().get("HD", {}).get("SO", "unknown")
    commands = f"samtools sort -o sorted.bam {source} && samtools index sorted.bam"
    if order in ("unsorted", "queryname") or (not indexed and not _in_order(file)):
        raise GenoscanError(f"{source}: is not sorted by position: {commands}")
    if not indexed:
        raise GenoscanError(f"{source}: has no index: samtools index {source}")


def _in_order(file: pysam.AlignmentFile) -> bool:
    last = (0, 0)
    for number, read in enumerate(file.fetch(until_eof=True)):
        if number == _SORTED_TRIED or read.reference_id < 0:
            break
        place = read.reference_id, read.reference_start
        if place < last:
            return False
        last = place
    return True


def _require_assembly(source: str, file: pysam.AlignmentFile, genome: Genome) -> None:
    lengths = dict(zip(file.references, file.lengths, strict=True))
    shared = [name for name in lengths if name in genome]
    if not shared:
        if not lengths:
            raise GenoscanError(f"{source}: its header names no contigs: it is not aligned to a genome")
        raise GenoscanError(
            f"{source}: none of its contigs ({', '.join(list(lengths)[:3])}, ...) is in {genome.source}"
            f"{other_naming(lengths, genome)}"
        )
    for name in shared:
        length = int(genome.lengths[genome.number(name)])
        if lengths[name] != length:
            there, here = assembly_of(lengths), genome_assembly(genome)
            raise GenoscanError(
                f"{source}: is of another assembly{f' ({there})' if there else ''} than {genome.source}"
                f"{f' ({here})' if here else ''}: '{name}' has {lengths[name]:,} bases, not {length:,}"
            )


def _kind(source: str, file: pysam.AlignmentFile) -> tuple[str, bool]:
    """The kind of tags of the first reads that have any, and whether reads have mates."""
    tried, problem = 0, "holds no aligned reads"
    for read in file.fetch(until_eof=True):
        if read.flag & UNUSED_FLAGS:
            continue
        kind = kind_of_calls(read)
        if kind is not None:
            return kind, bool(read.is_paired)
        tried += 1
        problem = f"none of its first {tried:,} reads tells of methylation"
        if tried == _TRIED:
            break
    hint = (
        ""
        if not tried
        else (
            ": they need MM and ML tags (of a modification-aware base caller), XM (Bismark), or YD, XG or ZS "
            "(bwa-meth, BISCUIT, BSMAP)"
        )
    )
    raise GenoscanError(f"{source}: {problem}{hint}")
