"""The .pat of wgbstools: reads as CpG numbers and letters, without sequence or positions.

Columns: contig, number of the first CpG, a letter for each CpG from there on (C methylated, T unmethylated, H
hydroxymethylated, . not known), how many reads are alike; others may follow
(https://github.com/nloyfer/wgbs_tools/blob/master/docs/pat_format.md). H counts as methylated, as bisulfite has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numba import njit

from ...errors import GenoscanError
from ..assemblies import other_naming
from ..genome import Genome
from .cpg_numbers import CpgNumbers
from .reads import MethylationReads, Region, Tally, joined
from .sorted_text import Parsed, SortedText, number_at

KIND = ".pat: contig, number of the first CpG, letters C, T, H or . for each CpG, count"
PIECE = 1 << 13
"""CpGs that are read at a time where a whole file is."""
_PROBLEMS = (
    "",
    "expected at least four columns, separated by tabs",
    "the number of the first CpG is no whole number from 1",
    "a letter other than C, T, H and .",
    "the count is no whole number",
)


class PatSample:
    """A .pat; its CpG numbers become positions where ``genome`` is the one that they were counted on."""

    def __init__(self, source: str, genome: Genome | None = None):
        self.source = source
        self._text = SortedText(source, _parse, KIND)
        self._genome = genome
        self._numbers = None if genome is None else _checked_numbers(source, self._text, genome)
        self.tally = Tally(records=sum(one.weight for one in self._text.stretches.values()))

    def reads(self, regions: Iterable[Region] | None = None) -> Iterator[MethylationReads]:
        """As `Sample.reads`. A read covers the bases from its first CpG to its last."""
        if self._numbers is None:
            raise GenoscanError(
                f"{self.source}: CpG numbers have places only on a genome: give the one it was made with"
            )
        for region in self._pieces() if regions is None else regions:
            if self._numbers.of_contig(region.contig) is None:
                yield MethylationReads.empty(region.contig)
                continue
            first, end = (self._numbers.before(region.contig, one) for one in (region.start, region.end))
            found = self._numbered(Region(region.contig, first, end))
            if regions is None:  # reads that begin in the piece, so that each comes once
                found = found.take(found.starts >= first)
            yield self._placed(found)

    def cpg_reads(self, regions: Iterable[Region]) -> Iterator[MethylationReads]:
        """The reads with a CpG in each region, where regions and reads are in CpG numbers instead of positions: CpGs
        [start, end), counted from 1."""
        for region in regions:
            yield self._numbered(region)

    @property
    def contigs(self) -> list[str]:
        """The contigs that it has reads of, in the order of the file."""
        return list(self._text.stretches)

    def close(self) -> None:
        self._text.close()

    def _pieces(self) -> Iterator[Region]:
        """Regions that cover each contig, in the genome's order, about `PIECE` CpGs each."""
        for name in self._genome.names:
            numbers = self._numbers.of_contig(name)
            if name not in self._text.stretches or numbers is None:
                continue
            length = int(self._genome.lengths[self._genome.number(name)])
            cuts = range(numbers[0] + PIECE, numbers[1], PIECE)
            starts = [0, *(int(self._numbers.positions(name, cut, cut + 1)[0]) for cut in cuts)]
            for start, end in zip(starts, [*starts[1:], length], strict=True):
                yield Region(name, start, end)

    def _numbered(self, region: Region) -> MethylationReads:
        parts = [_reads(region.contig, part) for part in self._text.lines(*region)]
        found = joined(parts) if parts else MethylationReads.empty(region.contig)
        told = np.diff(found.offsets) > 0
        self.tally.looked_at += int(found.counts.sum())
        self.tally.without_cpg += int(found.counts[~told].sum())
        return found.take(told)

    def _placed(self, found: MethylationReads) -> MethylationReads:
        """Reads in positions instead of CpG numbers."""
        if not len(found.starts):
            return found
        low, high = int(found.starts.min()), int(found.ends.max())
        places = self._numbers.positions(found.contig, low, high)
        return found._replace(
            starts=places[found.starts - low],
            ends=places[found.ends - 1 - low] + 2,
            positions=places[found.positions - low],
        )


def _checked_numbers(source: str, text: SortedText, genome: Genome) -> CpgNumbers:
    """The genome's CpG numbers, once it is known that the file's can be these."""
    numbers = CpgNumbers(genome)
    known = [name for name in text.stretches if numbers.of_contig(name) is not None]
    if not known:
        listed = list(text.stretches)
        hint = other_naming(listed, genome)
        raise GenoscanError(f"{source}: none of its contigs ({', '.join(listed[:3])}) is in {genome.source}{hint}")
    for name in known:
        stretch, (first, end) = text.stretches[name], numbers.of_contig(name)
        if stretch.lowest < first or stretch.highest > end:
            wrong = stretch.lowest if stretch.lowest < first else stretch.highest - 1
            owner = numbers.owner(wrong)
            raise GenoscanError(
                f"{source}: is of another assembly than {genome.source}: CpG {wrong:,} is on '{name}' in the one, "
                f"{f'on {owner!r}' if owner else 'nowhere'} in the other; give the whole genome that it was made with"
            )
    return numbers


def _parse(text: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> tuple[Parsed, int, str]:
    firsts, lasts, counts = (np.zeros(len(begins), dtype=np.int64) for _ in range(3))
    letters = np.zeros(len(begins), dtype=np.int64)
    wrong, problem = _parse_lines(text, begins, ends, firsts, lasts, counts, letters)
    return Parsed(firsts, lasts, counts, (letters,), text), wrong, _PROBLEMS[problem]


@njit(nogil=True, cache=True)
def _parse_lines(text, begins, ends, firsts, lasts, counts, letters):
    fields = np.empty(5, dtype=np.int64)
    for line in range(len(begins)):
        fields[0], found = begins[line], 1
        for i in range(begins[line], ends[line]):
            if text[i] == 9 and found < 5:
                fields[found] = i + 1
                found += 1
        if found < 4:
            return line, 1
        if found == 4:
            fields[4] = ends[line] + 1
        firsts[line] = number_at(text, fields[1], fields[2] - 1)
        if firsts[line] < 1:
            return line, 2
        letters[line] = fields[2]
        lasts[line] = firsts[line] + fields[3] - 1 - fields[2]
        for i in range(fields[2], fields[3] - 1):
            if text[i] != 67 and text[i] != 84 and text[i] != 72 and text[i] != 46:
                return line, 3
        if fields[3] - 1 == fields[2]:
            return line, 3
        counts[line] = number_at(text, fields[3], fields[4] - 1)
        if counts[line] < 0:
            return line, 4
    return -1, 0


def _reads(contig: str, part: Parsed) -> MethylationReads:
    """Lines as reads in CpG numbers; those that tell of no CpG among them."""
    (letters,) = part.columns
    sizes = part.ends - part.keys
    within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    found = part.text[np.repeat(letters, sizes) + within]
    known = found != ord(".")
    owners = np.repeat(np.arange(len(sizes)), sizes)[known]
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(np.bincount(owners, minlength=len(sizes)))))
    return MethylationReads(
        contig,
        part.keys,
        part.ends,
        offsets,
        (np.repeat(part.keys, sizes) + within)[known],
        (found[known] != ord("T")).astype(np.uint8),
        part.weights,
    )
