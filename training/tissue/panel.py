"""Markers as the simulator needs them: their bases, where their CpGs are, and how unmethylated each cell type is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...scanner.card import Marker, sequence_digest
from ...scanner.errors import GenoscanError, UsageError
from ...scanner.reading.atlas import Atlas, read_atlas
from ...scanner.reading.genome import Genome, open_genome

FLANK = 300
"""Bases read from a genome on either side of a marker."""
_UNKNOWN = 4


class Panel(NamedTuple):
    """An atlas on sequence.

    codes: uint8 (bases,), 0-3 and 4 for N: of all markers, with flanks, one after another. begins: int64 (markers + 1,)
        where each begins. lefts, rights: int64 (markers,), a marker's first base and end, in ``codes``.
    cpgs: int64 (CpGs,), the C of each CpG in ``codes``; cpg_begins: int64 (markers + 1,).
    shares: float64 (markers, cell types), unmethylated reads; what the atlas does not know is the marker's median.
    targets: int64 (markers,), places in cell_types, -1 where the atlas has no target.
    """

    atlas: Atlas
    codes: np.ndarray
    begins: np.ndarray
    lefts: np.ndarray
    rights: np.ndarray
    cpgs: np.ndarray
    cpg_begins: np.ndarray
    shares: np.ndarray
    targets: np.ndarray

    @property
    def cell_types(self) -> tuple[str, ...]:
        return self.atlas.cell_types

    def letters(self, marker: int) -> str:
        """The bases of a marker without its flanks."""
        return "".join("ACGTN"[code] for code in self.codes[self.lefts[marker] : self.rights[marker]].tolist())


def open_panel(path: str | Path, genome: str | Path | None = None) -> Panel:
    """The panel of an atlas file, whose bases are in it or in a FASTA.

    Raises UsageError for an atlas that has no bases where no genome is given, and for one that does not fit the genome.
    """
    atlas = read_atlas(Path(path))
    if genome is not None:
        atlas = atlas._replace(sequences=_sequences(atlas, path, genome), flank=FLANK)
    if atlas.sequences is None:
        raise UsageError(f"{path}: has no column sequence: give the genome that its markers are of")
    return make_panel(atlas, str(path))


def make_panel(atlas: Atlas, source: str = "the atlas") -> Panel:
    """The panel of an atlas with sequences. Markers of which no cell type's share is known are left out.

    `GenoscanError` names a marker without a CpG.
    """
    atlas = _known_markers(atlas, source)
    sizes = [len(letters) for letters in atlas.sequences]
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    table = np.full(256, _UNKNOWN, dtype=np.uint8)
    table[list(b"ACGT")] = range(4)
    codes = table[np.frombuffer("".join(atlas.sequences).encode(), dtype=np.uint8)]
    pairs = (codes[:-1] == 1) & (codes[1:] == 2)
    pairs[begins[1:-1] - 1] = False  # the last base of one marker and the first of the next
    cpgs = np.flatnonzero(pairs).astype(np.int64)
    lefts = begins[:-1] + atlas.flank
    rights = begins[1:] - atlas.flank
    bare = np.flatnonzero(np.searchsorted(cpgs, rights) <= np.searchsorted(cpgs, lefts))
    if len(bare):
        marker = int(bare[0])
        place = f"{atlas.chroms[marker]}:{atlas.starts[marker]}-{atlas.ends[marker]}"
        raise GenoscanError(f"{source}: the marker {place} has no CpG: is the atlas of this genome?")
    shares = atlas.unmethylated.copy()
    rows, _ = np.nonzero(np.isnan(shares))
    shares[np.isnan(shares)] = np.nanmedian(shares, axis=1)[rows]
    numbers = {name: number for number, name in enumerate(atlas.cell_types)}
    targets = np.array([numbers.get(name, -1) for name in atlas.targets], dtype=np.int64)
    return Panel(atlas, codes, begins, lefts, rights, cpgs, np.searchsorted(cpgs, begins), shares, targets)


def panel_markers(panel: Panel) -> tuple[Marker, ...]:
    """The panel's markers, with digests of their bases."""
    atlas = panel.atlas
    return tuple(
        Marker(
            chrom=atlas.chroms[number],
            start=int(atlas.starts[number]),
            end=int(atlas.ends[number]),
            target=atlas.targets[number],
            digest=sequence_digest(panel.letters(number)),
        )
        for number in range(len(atlas.chroms))
    )


def _known_markers(atlas: Atlas, source: str) -> Atlas:
    known = ~np.isnan(atlas.unmethylated).all(axis=1)
    if known.all():
        return atlas
    if not known.any():
        raise GenoscanError(f"{source}: knows no share of any cell type at any marker")

    def chosen(column):
        return column[known] if isinstance(column, np.ndarray) else list(compress(column, known))

    rows = ("chroms", "starts", "ends", "first_cpgs", "last_cpgs", "targets", "directions", "unmethylated", "sequences")
    return atlas._replace(**{name: chosen(getattr(atlas, name)) for name in rows if getattr(atlas, name) is not None})


def _sequences(atlas: Atlas, path: str | Path, genome: str | Path) -> list[str]:
    """Bases of the markers with `FLANK` on either side; N beyond a contig's ends."""
    with open_genome(genome) as opened:
        return [
            _stretch(opened, chrom, start, end, f"{path}: marker {chrom}:{start}-{end}")
            for chrom, start, end in zip(atlas.chroms, atlas.starts.tolist(), atlas.ends.tolist(), strict=True)
        ]


def _stretch(genome: Genome, chrom: str, start: int, end: int, place: str) -> str:
    try:
        contig = genome.number(chrom)
    except KeyError:
        raise UsageError(f"{place}: {genome.source} has no contig '{chrom}'") from None
    length = int(genome.lengths[contig])
    if end > length:
        raise UsageError(f"{place}: ends beyond '{chrom}' of {genome.source}, which has {length:,} bases")
    first, last = max(0, start - FLANK), min(length, end + FLANK)
    letters = "".join("ACGTN"[min(code, 4)] for code in genome.codes(contig, first, last).tolist())
    return "N" * (first - (start - FLANK)) + letters + "N" * (end + FLANK - last)


def blood_types(cell_types: Sequence[str]) -> np.ndarray:
    """bool (cell types,): which are cells of the blood, by their names in UXM's atlases."""
    return np.array([name.startswith(("Blood", "Eryth", "Megakaryocytes")) for name in cell_types])


def prior_of(cell_types: Sequence[str], kind: str, blood_share: float) -> np.ndarray:
    """float64 (cell types,): ``uniform``, or ``blood``: that share for all cells of the blood together, the others
    alike."""
    many = len(cell_types)
    if kind == "uniform":
        return np.full(many, 1 / many)
    blood = blood_types(cell_types)
    if blood.all() or not blood.any():
        raise UsageError("drawing.prior = 'blood' needs an atlas with cells of the blood and with others")
    return np.where(blood, blood_share / blood.sum(), (1 - blood_share) / (~blood).sum())
