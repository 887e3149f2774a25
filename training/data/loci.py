"""Loci of tandem repeats as others publish them: a VCF of VNTRs, a BED, or what TRF prints.

The VCF of VNTRseek (Benson Laboratory, https://github.com/Benson-Genomics-Lab/VNTRseek) is one record a VNTR: REF is
the array in the reference, INFO has RC (reference copies), RPL (pattern length), RAL (array length) and RCP (consensus
pattern). It counts POS from 0 where the VCF specification counts from 1, so the place of its records is told by where
REF matches the genome. The header names no contigs, and htslib tells no line numbers, so its few columns are read here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from ...scanner.errors import UsageError
from ...scanner.reading.fasta import CODES
from ...scanner.reading.genome import Genome
from ...scanner.reading.regions import (
    LINES_IN_BLOCK,
    Block,
    Contigs,
    bed_intervals,
    checked_block,
    numbered_lines,
)
from ...scanner.reading.tiles import INTERVAL

_KIND = "a VCF, a BED or the output of TRF"
_TRF_COLUMNS = 13
_POS, _REF, _ALT, _INFO = 1, 3, 4, 7


def read_loci(path: str, genome: Genome) -> np.ndarray:
    """The loci of a file, plain or gzip: INTERVAL (loci,), one a record, in the order of the file.

    A VCF is told by its first line; TRF's -ngs or .dat output by '@' or its title; all else is read as BED, of which
    the first three columns count. Raises UsageError naming file and line for a record that is malformed, does not lie
    in the genome, or whose REF is not what the genome has there, and for a file without records.
    """
    contigs = Contigs.of(genome.names, genome.lengths, genome.source)
    first = next((line for _, line in numbered_lines(path, _KIND) if line.strip()), "")
    if first.startswith("##fileformat=VCF"):
        loci = _vcf_loci(path, contigs, genome)
    elif first.startswith(("@", "Tandem Repeats Finder")):
        loci = np.concatenate([np.empty(0, dtype=INTERVAL), *_trf_loci(path, contigs)])
    else:
        loci = np.concatenate([np.empty(0, dtype=INTERVAL), *bed_intervals(path, contigs)])
    if not len(loci):
        raise UsageError(f"{path}: has no records: expected {_KIND}")
    return loci


def _trf_loci(path: str, contigs: Contigs) -> Iterator[np.ndarray]:
    name, block = "", Block()
    for number, line in numbered_lines(path, _KIND):
        if line.startswith("@"):
            name = (line[1:].split() or [""])[0]
        elif line.startswith("Sequence:"):
            name = (line.removeprefix("Sequence:").split() or [""])[0]
        elif line[:1].isdigit():
            fields = line.split()
            if not name or len(fields) < _TRF_COLUMNS or not all(map(_is_number, fields[:2])) or int(fields[0]) < 1:
                raise UsageError(f"{path} line {number}: is no row of TRF below the name of its sequence")
            block.add(number, name, int(fields[0]) - 1, int(fields[1]))
            if len(block.names) == LINES_IN_BLOCK:
                yield checked_block(block, path, contigs)
                block = Block()
    yield checked_block(block, path, contigs)


class _VcfRows:
    """Where the records of a VCF lie by the specification and one base further on, and where REF matches."""

    def __init__(self) -> None:
        self.numbers, self.contigs, self.starts, self.ends = (array("q") for _ in range(4))
        self.matches: tuple[bytearray, bytearray] = (bytearray(), bytearray())


def _vcf_loci(path: str, contigs: Contigs, genome: Genome) -> np.ndarray:
    rows = _VcfRows()
    counts_from_zero = False
    for number, line in numbered_lines(path, _KIND):
        if line.startswith("#"):
            counts_from_zero |= line.lower().startswith(("##source=vntrseek", '##source="vntr'))
        elif line.strip():
            try:
                name, start, end, ref = _vcf_fields(line)
            except ValueError as error:
                raise UsageError(f"{path} line {number}: {error}") from None
            _place(rows, f"{path} line {number}", number, name, start, end, ref, contigs, genome)
    here, further = (np.frombuffer(found, dtype=bool) for found in rows.matches)
    shift = int(further.sum() > here.sum() or (counts_from_zero and further.sum() == here.sum()))
    loci = np.empty(len(rows.numbers), dtype=INTERVAL)
    loci["contig"] = np.frombuffer(rows.contigs, dtype=np.int64)
    loci["start"] = np.frombuffer(rows.starts, dtype=np.int64) + shift
    loci["end"] = np.frombuffer(rows.ends, dtype=np.int64) + shift
    _check_places(path, rows, loci, (here, further)[shift], contigs)
    return loci


def _vcf_fields(line: str) -> tuple[str, int, int, str]:
    """Contig, start and end by the specification, and REF ('' where it does not say the array). Raises ValueError."""
    fields = line.split("\t", 8)
    if len(fields) <= _INFO:
        raise ValueError(f"has {len(fields)} columns separated by tabs: a record of a VCF has 8 or more")
    if not _is_number(fields[_POS]):
        raise ValueError(f"'{fields[_POS]}' is not a position (column POS)")
    ref = fields[_REF].upper()
    if ref != "." and not (ref and set(ref) <= set("ACGTURYSWKMBDHVN")):
        raise ValueError(f"'{fields[_REF][:20]}' is no sequence (column REF)")
    info = dict(entry.partition("=")[::2] for entry in fields[_INFO].split(";"))
    for key in ("END", "RAL"):
        if key in info and not _is_number(info[key]):
            raise ValueError(f"'{info[key]}' is not a number (INFO {key})")
    start = int(fields[_POS]) - 1
    if fields[_ALT].startswith("<") and len(ref) == 1 and "END" in info:  # REF is the base before the array
        return fields[0], start + 1, int(info["END"]), ""
    if ref == ".":
        if "RAL" in info:
            return fields[0], start, start + int(info["RAL"]), ""
        if "END" in info:
            return fields[0], start, int(info["END"]), ""
        raise ValueError("says neither by REF nor by INFO END or RAL how long the array is")
    return fields[0], start, start + len(ref), ref


def _place(
    rows: _VcfRows, place: str, number: int, name: str, start: int, end: int, ref: str, contigs: Contigs, genome: Genome
) -> None:
    contig = int(contigs.table.find([name])[0])
    if contig < 0:
        raise UsageError(f"{place}: {contigs.unknown(name)}")
    if end <= start:
        raise UsageError(f"{place}: ends at {end}, not after its start")
    length = int(contigs.lengths[contig])
    expected = np.frombuffer(ref.encode().translate(CODES), dtype=np.uint8)
    low, high = max(start, 0), min(end + 1, length)
    found = genome.codes(contig, low, high) if ref and low < high else np.empty(0, dtype=np.uint8)
    for shift in (0, 1):
        inside = start + shift >= 0 and end + shift <= length
        part = found[start + shift - low :][: len(expected)] if inside else found[:0]
        same = inside and bool(((part == expected) | (part > 3) | (expected > 3)).all())
        rows.matches[shift].append(same)
    for column, value in zip((rows.numbers, rows.contigs, rows.starts, rows.ends), (number, contig, start, end),
                             strict=True):  # fmt: skip
        column.append(value)


def _check_places(path: str, rows: _VcfRows, loci: np.ndarray, matches: np.ndarray, contigs: Contigs) -> None:
    if matches.all():
        return
    wrong = int(np.argmin(matches))
    contig, start, end = loci[wrong].tolist()
    place, name, length = f"{path} line {rows.numbers[wrong]}", contigs.names[contig], int(contigs.lengths[contig])
    if end > length:
        raise UsageError(f"{place}: ends at {end:,}, beyond the end of '{name}', which has {length:,} bases")
    raise UsageError(
        f"{place}: REF is not what {contigs.source} has at {name}:{start + 1:,}-{end:,}: "
        "give the genome that the VCF is of"
    )


def distinct_loci(loci: np.ndarray, shortest: int) -> np.ndarray:
    """Of loci that overlap one, the longest (of those the first), in genome order; those under ``shortest`` left out.

    Overlap is taken transitively, so no two that are left share a base.
    """
    loci = loci[loci["end"] - loci["start"] >= shortest]
    loci = loci[np.lexsort((loci["end"], loci["start"], loci["contig"]))]
    if not len(loci):
        return loci
    reach = np.maximum.accumulate(loci["contig"].astype(np.int64) * 2**40 + loci["end"])
    begins = loci["contig"].astype(np.int64) * 2**40 + loci["start"]
    cluster = np.cumsum(np.concatenate(([True], begins[1:] >= reach[:-1])))
    order = np.lexsort((loci["start"], -(loci["end"] - loci["start"]), cluster))
    first = np.concatenate(([True], np.diff(cluster[order]) > 0))
    return loci[np.sort(order[first])]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
