"""How alignments say which cytosines are methylated: three kinds of tags, and marks on letters made from each."""

from __future__ import annotations

import numpy as np
import pysam

from .aligned import BOTTOM, EITHER, TOP
from .modified_bases import UnusableTags, methylation_marks

MIN_BASE_QUALITY = 5
"""Letters of a lower quality are not compared with the reference; as MethylDackel has it by default."""

_HARD_CLIP = 5


def _table(marks: dict[str, int]) -> bytes:
    table = bytearray(256)
    for letters, mark in marks.items():
        for letter in letters:
            table[ord(letter)] = mark
    return bytes(table)


_BISMARK = _table({"z": 1, "Z": 2})
_COMPARED = {TOP: _table({"T": 1, "C": 2, "AG": 3}), BOTTOM: _table({"A": 1, "G": 2, "CT": 3})}


def kind_of_calls(read: pysam.AlignedSegment) -> str | None:
    """ "MM", "XM" or "letters" (compared with the reference); None for a read that tells nothing of methylation."""
    if read.has_tag("MM") or read.has_tag("Mm"):
        return "MM"
    if read.has_tag("XM"):
        return "XM"
    return "letters" if converted_strand(read) else None


def converted_strand(read: pysam.AlignedSegment) -> int:
    """The strand of the reference that a bisulfite-converted read is of, `TOP` or `BOTTOM`; 0 where no tag says it.

    YD of bwa-meth and BISCUIT (f, r), XG of Bismark (CT, GA), ZS of BSMAP (its first sign).
    """
    for tag, top, bottom in (("YD", "f", "r"), ("XG", "CT", "GA"), ("ZS", "+", "-")):
        if read.has_tag(tag):
            value = str(read.get_tag(tag))
            return TOP if value.startswith(top) else BOTTOM if value.startswith(bottom) else 0
    return 0


def marks_of(read: pysam.AlignedSegment, kind: str) -> tuple[np.ndarray, int] | None:
    """What is said of each letter of a read, uint8 as `aligned.Alignments` has it, and which strand it is about.

    None for a read without tags of this kind. Raises `UnusableTags` where they cannot be about its letters.
    """
    if kind == "letters":
        strand = converted_strand(read)
        return (_compared(read, strand), strand) if strand else None
    if kind == "XM":
        if not read.has_tag("XM"):
            return None
        calls = str(read.get_tag("XM"))
        if len(calls) != read.query_length:
            raise UnusableTags(f"XM has {len(calls):,} letters, the alignment {read.query_length:,}")
        return np.frombuffer(calls.encode("ascii", "replace").translate(_BISMARK), dtype=np.uint8), EITHER
    for mm, ml in (("MM", "ML"), ("Mm", "Ml")):
        if read.has_tag(mm):
            values = np.asarray(read.get_tag(ml), dtype=np.uint8) if read.has_tag(ml) else None
            length = int(read.get_tag("MN")) if read.has_tag("MN") else None
            clipped = any(operation == _HARD_CLIP for operation, _ in read.cigartuples or ())
            letters = read.query_sequence.upper().encode()
            return methylation_marks(letters, read.is_reverse, str(read.get_tag(mm)), values, length, clipped), EITHER
    return None


def _compared(read: pysam.AlignedSegment, strand: int) -> np.ndarray:
    marks = np.frombuffer(read.query_sequence.upper().encode().translate(_COMPARED[strand]), dtype=np.uint8)
    if read.query_qualities is None:
        return marks
    return np.where(np.frombuffer(read.query_qualities, dtype=np.uint8) < MIN_BASE_QUALITY, 0, marks).astype(np.uint8)
