"""Simulated genomes with known tandem repeats, which all tools are tested on. Seeds that training never uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from shuffling import shuffled

from genoscan.scanner.reading.genome import open_genome
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import (
    PERIOD_CLASSES,
    TRUTH,
    RepeatSimulation,
    draw_length,
    is_primitive,
    label_bases,
    markov_sequence,
    markov_table,
    simulate,
    tandem_array,
)

SEED = (2_026_112_1, 77)
"""Training and validation draw from seed sequences that begin with the recipe's seed (1) and a split number."""
DIVERGENCES = (0.0, 0.02, 0.05, 0.10, 0.15, 0.20)
GRID_PERIODS = PERIOD_CLASSES[:4]
"""Smallest and largest period of the rows of the grid."""
SHORT_LENGTHS = (26, 30, 40, 50)
CLEAN_CASES = ((2.0, 0.0), (3.0, 0.0), (2.0, 0.02), (4.0, 0.01))
"""Copies and divergence of the repeats in the set of every exact period."""
MIN_LENGTH = 26
SHUFFLE_WINDOW = 2_000
"""Bases: short enough for isochores, CpG islands and most transposons to keep their composition."""


class RepeatSet(NamedTuple):
    """Contigs with planted repeats: uint8 codes and truth (dtype TRUTH) of each."""

    about: str
    codes: dict[str, np.ndarray]
    truths: dict[str, np.ndarray]

    @property
    def lengths(self) -> dict[str, int]:
        return {contig: len(codes) for contig, codes in self.codes.items()}

    def labels(self) -> np.ndarray:
        """bool: planted bases of all contigs, one after another."""
        return np.concatenate([label_bases(self.truths[c], n) for c, n in self.lengths.items()]).astype(bool)

    def write(self, folder: Path) -> Path:
        fasta = folder / "set.fa"
        fasta.write_bytes(b"".join(fasta_record(contig, codes) for contig, codes in self.codes.items()))
        return fasta


def read_codes(genome: str | Path) -> np.ndarray:
    """All contigs of a FASTA, one after another."""
    with open_genome(str(genome)) as opened:
        return np.concatenate([opened.codes(i, 0, int(length)) for i, length in enumerate(opened.lengths)])


def drawn_set(
    codes: np.ndarray, name: str, periods: tuple[int, int], contigs: int, bases: int, real: bool
) -> RepeatSet:
    """Repeats as the simulator draws them, 6,000 bases apart, in a background after ``codes``.

    The background is a Markov chain of order 3, or with ``real`` the sequence itself, its dinucleotides shuffled within
    windows; units are drawn from the chain in both.
    """
    settings = RepeatSimulation(periods, divergence=0.25, indels=0.04, gap=6000, min_length=MIN_LENGTH, chained=0.2)
    generator = np.random.default_rng((*SEED, *name.encode()))
    table = markov_table(codes, 3)
    known = codes[codes < 4]
    sequences, truths = {}, {}
    for contig in range(contigs):
        sequence, truth = simulate(generator, bases, settings, table)
        if real:
            place = contig * bases % max(1, len(known) - bases)
            background = np.resize(shuffled(generator, known[place : place + bases], SHUFFLE_WINDOW), bases)
            sequence = np.where(label_bases(truth, bases), sequence, background).astype(np.uint8)
        sequences[f"s{contig}"], truths[f"s{contig}"] = sequence, truth
    kind = f"dinucleotide shuffle within {SHUFFLE_WINDOW} bases" if real else "Markov chain of order 3"
    about = (
        f"periods {periods[0]}-{periods[1]}, 0-25 % substitutions, to 4 % indels, 6,000 bases apart; background: {kind}"
    )
    return RepeatSet(about, sequences, truths)


Row = tuple[int, int, float, float]
"""What to plant: period, template bases, divergence, rate of indels."""


def planted_set(about: str, name: str, rows: Iterable[Row], draw: Callable, gap: tuple[int, int]) -> RepeatSet:
    """The given repeats in random order, each unit drawn anew, in one contig.

    ``draw(generator, bases)`` makes units and what lies between. Every copy is mutated
    on its own from the unit. Between two repeats lie ``gap`` bases, uniform.
    """
    generator = np.random.default_rng((*SEED, *name.encode()))
    rows = list(rows)
    pieces, truth, at = [], np.zeros(len(rows), dtype=TRUTH), 0
    for number, place in enumerate(generator.permutation(len(rows))):
        period, length, divergence, indels = rows[place]
        unit = draw(generator, period)
        while not is_primitive(unit):
            unit = draw(generator, period)
        space = draw(generator, int(generator.integers(*gap)))
        array, copies = tandem_array(generator, unit, length, divergence, indels, False)
        start = at + len(space)
        at = start + len(array)
        pieces += [space, array]
        values = {
            "start": start,
            "end": at,
            "period": period,
            "copies": copies,
            "divergence": divergence,
            "indels": indels,
        }
        for field, value in values.items():
            truth[field][number] = value
    pieces.append(draw(generator, gap[1]))
    return RepeatSet(about, {"s": np.concatenate(pieces)}, {"s": truth})


def markov_draw(codes: np.ndarray) -> Callable:
    table = markov_table(codes, 3)
    return lambda generator, bases: markov_sequence(generator, table, bases)


def composition(codes: np.ndarray) -> np.ndarray:
    """Shares of A, C, G and T."""
    counts = np.bincount(codes[codes < 4], minlength=4)
    return counts / counts.sum()


def independent_draw(codes: np.ndarray) -> Callable:
    """Bases drawn one by one, of the composition of ``codes``."""
    shares = composition(codes)
    return lambda generator, bases: generator.choice(4, bases, p=shares).astype(np.uint8)


def log_uniform(generator: np.random.Generator, low: int, high: int) -> int:
    return min(high, int(np.exp(generator.uniform(np.log(low), np.log(high + 1)))))


def grid_set(codes: np.ndarray, each: int) -> RepeatSet:
    """``each`` repeats in every cell of period class and divergence, without indels and with up to 4 %."""
    generator = np.random.default_rng((*SEED, 1))

    def rows() -> Iterator[Row]:
        for (low, high), divergence, indels in product(GRID_PERIODS, DIVERGENCES, (0.0, 0.04)):
            for _ in range(each):
                period = log_uniform(generator, low, high)
                length = draw_length(generator, period, MIN_LENGTH)
                yield period, length, divergence, float(generator.uniform(0.002, indels)) if indels else 0.0

    about = (
        f"{each} repeats in each cell of period, divergence and indels (none; 0.2-4 %), lengths as the simulator draws"
    )
    return planted_set(about, "grid", rows(), markov_draw(codes), (150, 450))


def clean_set(codes: np.ndarray, largest: int, rounds: int) -> RepeatSet:
    """Repeats of every exact period up to ``largest``, at 0-2 % divergence; short periods more often."""

    def rows() -> Iterator[Row]:
        for period in range(1, largest + 1):
            for copies, divergence in CLEAN_CASES * (rounds * (4 if period <= 30 else 2 if period <= 100 else 1)):
                yield period, max(MIN_LENGTH, round(period * copies)), divergence, 0.0

    cases = ", ".join(f"{copies:g} copies at {divergence:.0%}" for copies, divergence in CLEAN_CASES)
    about = f"every period to {largest}: {cases}, {MIN_LENGTH} bases or more"
    return planted_set(about, "clean", rows(), markov_draw(codes), (150, 450))


def short_set(codes: np.ndarray, each: int) -> RepeatSet:
    """Repeats of 26 to 50 bases among independent bases: the model under which the likelihood limit is exact."""
    generator = np.random.default_rng((*SEED, 2))

    def rows() -> Iterator[Row]:
        for length, divergence in product(SHORT_LENGTHS, DIVERGENCES):
            for _ in range(each):
                yield short_period(generator, length), length, divergence, 0.0

    about = f"{each} repeats of each length and divergence, two copies or more, no indels; independent bases"
    return planted_set(about, "short", rows(), independent_draw(codes), (150, 450))


def short_period(generator: np.random.Generator, length: int) -> int:
    """A period of at most half the length: classes 1-6 and 7-30 equally often, log-uniform within, as the simulator."""
    low, high = GRID_PERIODS[generator.integers(2)]
    return log_uniform(generator, low, min(high, length // 2))
