"""bedMethyl: counts of methylated and unmethylated reads at each place, without the reads.

Columns 1-11 as ENCODE has them (contig, start, end, name, score, strand, ..., coverage, percent methylated), or those
of modkit with counts (12 modified, 13 canonical, 14 otherwise modified;
https://nanoporetech.github.io/modkit/intro_pileup.html). Each site becomes reads of one CpG: a methylated and an
unmethylated one, with their counts. Of modkit's rows those of 5-methylcytosine are used; other modifications of the
same C count as methylated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numba import njit

from ...errors import GenoscanError
from ..assemblies import other_naming
from ..genome import Genome
from .aligned import require_fit
from .reads import MethylationReads, Region, Tally, joined
from .sorted_text import Parsed, SortedText, number_at

KIND = "bedMethyl: contig, start, end, name, score, strand, 3 columns of colours, coverage, percent methylated"
PIECE = 1 << 18
"""Bases that are read at a time where a whole file is."""
_C, _G = 1, 2
_PROBLEMS = (
    "",
    "expected at least 11 columns",
    "start is no whole number",
    "the coverage is no whole number",
    "the percent methylated is no number from 0 to 100",
    "a count is no whole number",
)


class BedMethylSample:
    """A bedMethyl of a genome's assembly."""

    def __init__(self, source: str, genome: Genome):
        self.source = source
        self._text = SortedText(source, _parse, KIND)
        self._genome = genome
        self._looked = self._misfits = 0
        names = list(self._text.stretches)
        if not any(name in genome for name in names):
            hint = other_naming(names, genome)
            raise GenoscanError(f"{source}: none of its contigs ({', '.join(names[:3])}) is in {genome.source}{hint}")
        for name in names:
            length = int(genome.lengths[genome.number(name)]) if name in genome else None
            if length is not None and self._text.stretches[name].last >= length:
                raise GenoscanError(
                    f"{source}: is of another assembly than {genome.source}: it has a site at "
                    f"{self._text.stretches[name].last:,} of '{name}', which has {length:,} bases there"
                )
        self.tally = Tally(records=sum(one.weight for one in self._text.stretches.values()))

    def reads(self, regions: Iterable[Region] | None = None) -> Iterator[MethylationReads]:
        """As `Sample.reads`."""
        for region in self._pieces() if regions is None else regions:
            parts = [self._sites(region, part) for part in self._text.lines(*region._replace(end=region.end + 1))]
            found = joined(parts) if parts else MethylationReads.empty(region.contig)
            found = found.take((found.starts >= region.start) & (found.starts < region.end))
            order = np.lexsort((found.states, found.starts))
            self.tally.looked_at += int(found.counts.sum())
            yield found.take(order)

    def close(self) -> None:
        self._text.close()

    def _pieces(self) -> Iterator[Region]:
        for name, length in zip(self._genome.names, self._genome.lengths.tolist(), strict=True):
            if name in self._text.stretches:
                for start in range(0, length, PIECE):
                    yield Region(name, start, min(start + PIECE, length))

    def _sites(self, region: Region, part: Parsed) -> MethylationReads:
        """Lines as reads of the CpG that each is at, if it is at one."""
        number = self._genome.number(region.contig)
        first = max(0, int(part.keys[0]) - 1)
        bases = self._genome.codes(number, first, min(int(part.keys[-1]) + 2, int(self._genome.lengths[number])))
        bases = np.concatenate((bases, np.full(int(part.keys[-1]) + 2 - first - len(bases), 4, dtype=np.uint8)))
        at = part.keys - first
        top = (bases[at] == _C) & (bases[at + 1] == _G)
        bottom = (bases[at] == _G) & (bases[at - 1] == _C) & (at > 0)
        self._looked += len(at)
        self._misfits += int(np.count_nonzero((bases[at] != _C) & (bases[at] != _G)))
        require_fit(self.source, self._genome, self._looked, self._misfits)
        methylated, unmethylated = part.columns
        kept = np.flatnonzero(top | bottom)
        positions = np.repeat(part.keys[kept] - bottom[kept], 2)
        counts = np.stack((unmethylated[kept], methylated[kept]), axis=1).reshape(-1)
        states = np.tile(np.array([0, 1], dtype=np.uint8), len(kept))
        self.tally.without_cpg += int(part.weights[~(top | bottom)].sum())
        told = counts > 0
        positions, counts, states = positions[told], counts[told], states[told]
        return MethylationReads(
            region.contig, positions, positions + 2, np.arange(len(positions) + 1), positions, states, counts
        )


def _parse(text: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> tuple[Parsed, int, str]:
    starts, methylated, unmethylated = (np.zeros(len(begins), dtype=np.int64) for _ in range(3))
    wrong, problem = _parse_lines(text, begins, ends, starts, methylated, unmethylated)
    columns = (methylated, unmethylated)
    return Parsed(starts, starts + 1, methylated + unmethylated, columns, text), wrong, _PROBLEMS[problem]


@njit(nogil=True, cache=True)
def _parse_lines(text, begins, ends, starts, methylated, unmethylated):
    fields = np.empty(15, dtype=np.int64)
    for line in range(len(begins)):
        fields[0], found = begins[line], 1
        for i in range(begins[line], ends[line]):
            # modkit once set a space between its counts
            if (text[i] == 9 or (text[i] == 32 and found >= 9)) and found < 15:
                fields[found] = i + 1
                found += 1
        if found < 15:
            fields[found] = ends[line] + 1
        if found < 11:
            return line, 1
        starts[line] = number_at(text, fields[1], fields[2] - 1)
        if starts[line] < 0:
            return line, 2
        if not _methyl(text, fields[3], fields[4] - 1, found >= 14):
            continue
        if found >= 14:
            modified = number_at(text, fields[11], fields[12] - 1)
            canonical = number_at(text, fields[12], fields[13] - 1)
            other = number_at(text, fields[13], fields[14] - 1)
            if modified < 0 or canonical < 0 or other < 0:
                return line, 5
            methylated[line], unmethylated[line] = modified + other, canonical
        else:
            coverage = number_at(text, fields[9], fields[10] - 1)
            if coverage < 0:
                return line, 3
            percent = _decimal(text, fields[10], fields[11] - 1)
            if not 0 <= percent <= 100:
                return line, 4
            methylated[line] = np.int64(np.floor(coverage * percent / 100 + 0.5))
            unmethylated[line] = coverage - methylated[line]
    return -1, 0


@njit(nogil=True, cache=True)
def _methyl(text, begin, end, coded):
    """Whether the name of a row is that of 5-methylcytosine; without modkit's codes, whether it is not another's."""
    for i in range(begin, end):
        if text[i] == 44:  # the code comes before the motif
            end = i
            break
    size = end - begin
    first = text[begin] if size else 0
    if coded:
        chebi = size == 5 and number_at(text, begin, end) == 27551
        return chebi or (size == 1 and (first == 109 or first == 67))  # m, C
    return not (size == 1 and (first == 104 or first == 97))  # h, a


@njit(nogil=True, cache=True)
def _decimal(text, begin, end):
    """The number that text[begin:end] is, digits with a point among them; -1 where it is none."""
    point = begin
    while point < end and text[point] != 46:
        point += 1
    whole = number_at(text, begin, point)
    if point >= end - 1 or whole < 0:
        return float(whole)
    rest = number_at(text, point + 1, end)
    return -1.0 if rest < 0 else whole + rest / 10.0 ** (end - point - 1)
