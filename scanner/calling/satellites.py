"""Known satellites: the bundled library, the user's own, and which of them a unit is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from ..catalogue import MODELS
from ..errors import GenoscanError, one_line
from ..reading.fasta import CODES, NO_CODE
from .alignment import align, saved_bits
from .period import LONGEST_PERIOD
from .unit import same_ring

LIBRARY = MODELS / "satellites.fa"

SHORT = 16
"""Satellites and units below this many bases are the same only if their bases are, whatever the rotation and strand."""

WORD = 6
"""Bases of the words by which satellites are chosen that are worth an alignment."""

IDENTITY = 0.70
"""Share of the alignment's columns that must match for a unit to carry a satellite's name."""

BITS = 30.0
"""Bits that the satellite must save in telling the unit (see `saved_bits`), so that short units need more identity."""


@dataclass(frozen=True)
class Satellites:
    """Satellites that units are compared with, and their words.

    names: what calls are named by. Several sequences may share a name: variants of one satellite.
    rings: uint8[bases], all sequences one behind the other, each followed by its reverse complement; bounds:
        int64[rings + 1], where each begins; owners: int64[rings], index into ``names``.
    words: int64[4**WORD + 1] and holders: int32[...]: the rings that hold a word, sorted by word; each ring once a
    word.
    """

    names: tuple[str, ...]
    rings: np.ndarray
    bounds: np.ndarray
    owners: np.ndarray
    words: np.ndarray
    holders: np.ndarray

    def digest(self) -> str:
        """128-bit BLAKE2b in hex of names and sequences, in their order."""
        digest = hashlib.blake2b("\n".join(self.names).encode(), digest_size=16)
        for part in (self.rings, self.bounds, self.owners):
            digest.update(b"\0" + part.tobytes())
        return digest.hexdigest()


def load_satellites(extra: str | None = None) -> Satellites:
    """The bundled library, with the satellites of the FASTA ``extra`` before it.

    A record's name is that of the satellite; records of one name are variants of it, also of a bundled one. IUPAC
    letters other than A, C, G, T match nothing. Raises GenoscanError that names file and record.
    """
    records = (read_satellites(extra) if extra is not None else []) + read_satellites(str(LIBRARY))
    names = tuple(dict.fromkeys(name for name, _ in records))
    rings, owners = [], []
    for name, codes in records:
        complement = np.where(codes < 4, 3 - codes, 4).astype(np.uint8)[::-1]
        rings += [codes, complement]
        owners += [names.index(name)] * 2
    bounds = np.cumsum([0, *map(len, rings)])
    pairs = sorted({(word, ring) for ring, codes in enumerate(rings) for word in ring_words(codes).tolist()})
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    words = np.searchsorted(found[:, 0], np.arange(4**WORD + 1))
    holders = found[:, 1].astype(np.int32)
    return Satellites(names, np.concatenate(rings), bounds, np.array(owners, dtype=np.int64), words, holders)


def read_satellites(path: str) -> list[tuple[str, np.ndarray]]:
    """Names and codes (uint8: 0-3, 4 for other IUPAC letters) of a FASTA's records, in their order.

    Raises GenoscanError for a file that cannot be read or holds no record, and for a record without a name or without
    bases, with a letter that is no nucleotide, or longer than LONGEST_PERIOD bases.
    """
    source = one_line(path)
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise GenoscanError(f"{source}: cannot be read: {error.strerror or error}") from None
    first, *parts = (b"\n" + text.replace(b"\r", b"\n")).split(b"\n>")
    if first.strip() or not parts:
        raise GenoscanError(f"{source}: no FASTA: give satellites as records that begin with '>NAME'")
    return [_read_record(source, number, part) for number, part in enumerate(parts, 1)]


def _read_record(source: str, number: int, part: bytes) -> tuple[str, np.ndarray]:
    header, _, body = part.partition(b"\n")
    name = one_line((header.split() or [b""])[0].decode("utf-8", "replace"))
    if not name or header[:1].isspace():
        raise GenoscanError(f"{source}: record {number} has no name: write it right behind the '>'")
    letters = b"".join(body.split())
    codes = np.frombuffer(letters.translate(CODES), dtype=np.uint8)
    if not len(codes):
        raise GenoscanError(f"{source}: record '{name}' has no bases: give it a sequence or take it out")
    wrong = np.flatnonzero(codes == NO_CODE)
    if len(wrong):
        letter = one_line(letters[wrong[0] : wrong[0] + 1].decode("latin-1"))
        raise GenoscanError(f"{source}: record '{name}' has the letter '{letter}', which is no nucleotide")
    if len(codes) > LONGEST_PERIOD:
        raise GenoscanError(
            f"{source}: record '{name}' has {len(codes):,} bases: give one unit, of at most {LONGEST_PERIOD:,}"
        )
    return name, codes


@njit(nogil=True, cache=True)
def ring_words(codes):
    """int64[...]: the words of WORD known bases of a ring, one for each place where one begins."""
    p = codes.shape[0]
    words = np.empty(p, dtype=np.int64)
    size = 0
    for start in range(p):
        word = np.int64(0)
        known = True
        for k in range(WORD):
            code = codes[(start + k) % p]
            known &= code < 4
            word = word * 4 + code
        if known:
            words[size] = word
            size += 1
    return words[:size]


@njit(nogil=True, cache=True, inline="always")
def find_satellite(unit, rings, bounds, owners, words, holders):
    """Index into the names of the satellite that ``unit`` uint8[p] is, -1 for none. The rest is of `Satellites`."""
    p = unit.shape[0]
    if p < SHORT:
        for ring in range(owners.shape[0]):
            first, last = bounds[ring], bounds[ring + 1]
            if last - first == p and same_ring(unit, rings[first:last]):
                return owners[ring]
        return -1
    shared = np.zeros(owners.shape[0], dtype=np.int64)
    for word in ring_words(unit):
        for k in range(words[word], words[word + 1]):
            shared[holders[k]] += 1
    best, most = -1, 0.0
    for _ in range(3):
        ring = int(np.argmax(shared))
        if 12 * shared[ring] < p:
            break
        shared[ring] = 0
        sequence = rings[bounds[ring] : bounds[ring + 1]]
        size = sequence.shape[0]
        repeated = np.empty(p * max(1, size // p), dtype=np.uint8)
        for i in range(repeated.shape[0]):
            repeated[i] = unit[i % p]
        _, events = align(repeated, sequence)
        identity = events[0] / events.sum()
        if identity >= IDENTITY and identity > most and saved_bits(events, 0) * p / repeated.shape[0] >= BITS:
            best, most = owners[ring], identity
    return best
