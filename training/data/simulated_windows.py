"""Labelled sequences by simulation: an array and, over another stretch of background, as many bases without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .negatives import holds_tandem_repeat
from .simulate import BRIEF_PERIODS, RepeatSimulation, draw_repeat, draw_unit, markov_sequence, random_table
from .window_dataset import Window

CONTIG = "simulated"
RANDOM_SHARE = 0.15
"""Of backgrounds of random composition, where there are fitted chains too."""
_COPIES = 1.8
_STREAM = 5
"""First word of the seeds, which no other use of the generator shares."""

SIMULATION = RepeatSimulation(divergence=0.1, indels=0.02)
"""Each copy differs from the unit by so much at most, so two copies by twice that: what catalogues hold, and what two
short copies do not share by chance."""

BRIEF = replace(SIMULATION, periods=(1, BRIEF_PERIODS), min_length=25, fewest_copies=1.85)
"""Arrays hardly longer than the shortest, which most loci of a catalogue are."""


def simulated_windows(
    seed: int, pair: int, tables: Sequence[np.ndarray], shortest: int, longest: int, flank: int, brief: float = 0.0
) -> tuple[Window, Window]:
    """A repeat and a sequence of the same length that is none: a pure function of seed and number.

    tables: chains (`simulate.markov_table`) for the backgrounds. Arrays longer than ``longest`` give a random stretch
    of so many bases; those of which that leaves fewer than 1.8 copies are drawn again. So is a background that matches
    itself as a repeat does (`holds_tandem_repeat`). brief: share of arrays that are `BRIEF`; one without gaps that does
    not match itself as a repeat does is drawn again.
    """
    generator = np.random.default_rng((_STREAM, seed, pair))
    table = _table(generator, tables)
    short = bool(brief) and generator.random() < brief
    settings = BRIEF if short else SIMULATION
    while True:
        unit = draw_unit(generator, settings, table)
        codes, (*_, indels) = draw_repeat(generator, settings, unit, short)
        begin = int(generator.integers(max(0, len(codes) - longest) + 1))
        codes = codes[begin : begin + longest]
        likely = not short or indels > 0 or holds_tandem_repeat(codes)
        if likely and len(codes) >= max(shortest, _COPIES * len(unit)):
            break
    table_without = _table(generator, tables)
    without = markov_sequence(generator, table_without, len(codes))
    while holds_tandem_repeat(without):
        table_without = _table(generator, tables)
        without = markov_sequence(generator, table_without, len(codes))
    return (
        _window(generator, codes, 1, pair, table, flank),
        _window(generator, without, 0, pair, table_without, flank),
    )


def _table(generator: np.random.Generator, tables: Sequence[np.ndarray]) -> np.ndarray:
    if not len(tables) or generator.random() < RANDOM_SHARE:
        return random_table(generator)
    return tables[generator.integers(len(tables))]


def _window(
    generator: np.random.Generator, codes: np.ndarray, label: int, pair: int, table: np.ndarray, flank: int
) -> Window:
    left, right = (markov_sequence(generator, table, flank) for _ in range(2))
    nothing = np.zeros(flank, dtype=bool)
    return Window(codes, label, CONTIG, 0, len(codes), pair, left, right, nothing, nothing)
