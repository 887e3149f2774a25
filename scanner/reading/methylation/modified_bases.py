"""MM and ML tags: the modified bases of a read, as a modification-aware base caller wrote them.

SAM optional fields specification, section "Base modifications" (https://samtools.github.io/hts-specs/SAMtags.pdf). The
tags count along the read as it was sequenced, whatever strand it is aligned to. 5-hydroxymethylcytosine counts as
methylated, because bisulfite, which atlases are made with, does not tell it from 5-methylcytosine.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

METHYL_CODES = frozenset({"m", "27551", "C"})
"""5-methylcytosine: its letter, its ChEBI number, and the letter for any modification of C."""
HYDROXYMETHYL_CODES = frozenset({"h", "76792"})
SURE = 0.67
"""A C is methylated from this probability on and unmethylated from 1 - SURE down; between them nothing is known."""

_GROUP = re.compile(r"([ACGTUN])([-+])([a-z]+|[0-9]+|[ACGTUN])([.?]?)((?:,[0-9]+)*)")
_COMPLEMENT = bytes.maketrans(b"ACGTUacgtu", b"TGCAATGCAA")


class UnusableTags(Exception):
    """The tags are not about the read's bases as they stand: no longer, or never."""


class _Group(NamedTuple):
    """One group of an MM tag: a base, the strand it is modified on, the modifications, and where they are."""

    base: str
    strand: str
    codes: tuple[str, ...]
    skipped_unmodified: bool
    skips: np.ndarray


def _groups(text: str) -> list[_Group]:
    groups = []
    for part in filter(None, text.split(";")):
        match = _GROUP.fullmatch(part)
        if match is None:
            raise UnusableTags(f"'{part[:40]}' in MM is not as the SAM specification has it")
        base, strand, codes, mode, skips = match.groups()
        listed = (codes,) if codes.isdigit() else tuple(codes)
        numbers = np.array(skips.split(",")[1:], dtype=np.int64)
        groups.append(_Group(base, strand, listed, mode != "?", numbers))
    return groups


def methylation_marks(
    letters: bytes, backward: bool, mm: str, ml: np.ndarray | None, length: int | None, clipped: bool
) -> np.ndarray:
    """What the tags say of each letter of a read as an alignment holds it: uint8 (letters,), 0 nothing, 1 unmethylated,
    2 methylated. A C says it of its own strand; a G, of the C opposite.

    letters: the alignment's sequence, upper case. backward: whether that is the reverse complement of what was
    sequenced. mm: the MM tag. ml: the ML tag, uint8; None where there is none: what MM lists is certain then. length:
    the MN tag, how long the sequence was when the tags were made. clipped: whether letters were cut off (hard clips).

    Raises `UnusableTags` where the tags cannot be about these letters.
    """
    if length is not None and length != len(letters):
        raise UnusableTags(f"MN says {length:,} bases, the alignment has {len(letters):,}")
    if length is None and clipped:
        raise UnusableTags("the alignment is hard-clipped and has no MN tag")
    sequenced = np.frombuffer(letters.translate(_COMPLEMENT)[::-1] if backward else letters, dtype=np.uint8)
    total = np.zeros(len(sequenced))
    known = np.zeros(len(sequenced), dtype=bool)
    used = 0
    for group in _groups(mm):
        listed, values = len(group.skips), len(group.skips) * len(group.codes)
        probabilities = np.ones((listed, len(group.codes)))
        if ml is not None:
            if used + values > len(ml):
                raise UnusableTags(f"ML has {len(ml):,} values, MM asks for more")
            probabilities = (ml[used : used + values].astype(float).reshape(listed, len(group.codes)) + 0.5) / 256
        used += values
        bases = _counted(sequenced, group.base)
        numbers = np.cumsum(group.skips + 1) - 1
        if listed and numbers[-1] >= len(bases):
            raise UnusableTags(f"MM counts {numbers[-1] + 1:,} {group.base} in a sequence that has {len(bases):,}")
        _add(group, bases, bases[numbers], probabilities, sequenced, total, known)
    if ml is not None and used != len(ml):
        raise UnusableTags(f"ML has {len(ml):,} values, MM asks for {used:,}")
    marks = np.where(known & (total >= SURE), 2, np.where(known & (total <= 1 - SURE), 1, 0)).astype(np.uint8)
    return marks[::-1] if backward else marks


def _counted(sequenced: np.ndarray, base: str) -> np.ndarray:
    """Where the letters are that a group counts."""
    if base == "N":
        return np.arange(len(sequenced))
    return np.flatnonzero(sequenced == ord("T" if base == "U" else base))


def _add(group, bases, places, probabilities, sequenced, total, known):
    """Add what a group says of the C of its strand to ``total`` and ``known``, if it is about them."""
    letter = ord("C" if group.strand == "+" else "G")
    methyl = [code in METHYL_CODES for code in group.codes]
    wanted = [code in METHYL_CODES | HYDROXYMETHYL_CODES for code in group.codes]
    if not any(wanted) or group.base not in (chr(letter), "N"):
        return
    cytosines = sequenced[places] == letter
    np.add.at(total, places[cytosines], probabilities[cytosines][:, wanted].sum(axis=1))
    if any(methyl):
        known[places[cytosines]] = True
        if group.skipped_unmodified:
            known[bases[sequenced[bases] == letter]] = True
