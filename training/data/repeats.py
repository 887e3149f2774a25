"""Examples for the tandem-repeat network: a pure function from (seed, split, index) to features and labels.

Backgrounds are Markov chains fitted on real genomes. Training chains are fitted on the first nine tenths of each
genome and validation chains on the last tenth, and the two draw from disjoint random streams, so that no table and
no window is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ...scanner.encoding.spectrum import encode_spectrum
from ...scanner.errors import GenoscanError, UsageError
from ...scanner.reading.genome import Genome, open_genome
from ..recipe import Recipe
from .simulate import TRUTH, RepeatSimulation, chance_microsatellites, label_bases, markov_table, random_table, simulate

Split = Literal["training", "validation"]

SPLITS = {"training": 1, "validation": 2}
"""First word of each split's random seeds."""

VALIDATION_SHARE = 0.1
LONGEST_SAMPLE = 20_000_000
"""Bases of a genome's part that its chains are fitted on at most: plenty for 4**6 words, and bounded memory."""
STRETCH = 500_000
"""Bases of each of the stretches that stand for a longer part."""

UNKNOWN = 4


class Background(NamedTuple):
    """A genome whose composition the examples take over."""

    source: str
    digest: str
    codes: dict[str, np.ndarray]
    """For each split the uint8 codes that its chains are fitted on."""


Tables = dict[str, list[np.ndarray]]
"""For each split the cumulative transition tables (`simulate.markov_table`)."""


def read_background(path: str, warn: Callable[[str], None]) -> Background:
    """The genome in the FASTA file ``path``, cut into its training and validation part.

    ``warn`` gets a line for each oddity of the file; what makes it no genome raises `GenoscanError`.
    """
    with open_genome(path, warn) as genome:
        total = int(np.sum(genome.lengths))
        cut = total - int(total * VALIDATION_SHARE)
        codes = {"training": sample_codes(genome, 0, cut), "validation": sample_codes(genome, cut, total)}
        return Background(genome.source, genome.digest(), codes)


def sample_codes(genome: Genome, start: int, end: int, longest: int = LONGEST_SAMPLE) -> np.ndarray:
    """uint8 codes of the genome from base ``start`` to ``end``, its contigs laid end to end with an N between.

    Of a part longer than ``longest`` bases, evenly spaced stretches that add up to ``longest``.
    """
    if end - start > longest:
        count = max(1, longest // STRETCH)
        stretch = longest // count
        starts = np.linspace(start, end - stretch, count).astype(np.int64)
        spans = [(int(first), int(first) + stretch) for first in starts]
    else:
        spans = [(start, end)]
    ends = np.cumsum(genome.lengths)
    pieces = []
    for first, last in spans:
        for contig in range(int(np.searchsorted(ends, first, side="right")), len(ends)):
            begin = int(ends[contig] - genome.lengths[contig])
            if begin >= last:
                break
            low, high = max(first, begin) - begin, min(last, int(ends[contig])) - begin
            pieces += [genome.codes(contig, low, high), np.full(1, UNKNOWN, dtype=np.uint8)]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.uint8)


def fit_tables(recipe: Recipe, backgrounds: Sequence[Background]) -> Tables:
    """Markov tables of every background and order of the recipe, for both splits.

    Raises `UsageError` when the recipe wants real backgrounds and there are none, and `GenoscanError` naming a
    genome that is too small.
    """
    if not backgrounds and recipe.data.random_share < 1:
        raise UsageError(
            f"recipe {recipe.name} takes its backgrounds from real genomes: give some with --background FASTA"
        )
    # With fewer bases than words a chain would say little but its pseudocounts.
    needed = max((4 ** (order + 1) for order in recipe.data.orders), default=0)
    for background in backgrounds:
        for split, codes in background.codes.items():
            known = int(np.count_nonzero(codes < UNKNOWN))
            if known < needed:
                raise GenoscanError(
                    f"{background.source}: its {split} part has {known:,} known bases, fewer than the {needed:,} that "
                    f"a background needs: give a larger genome"
                )
    return {
        split: [
            markov_table(background.codes[split], order) for background in backgrounds for order in recipe.data.orders
        ]
        for split in SPLITS
    }


def example(recipe: Recipe, tables: Tables, seed: int, index: int, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """One window: a pure function of (seed, split, index) for given recipe and tables.

    Returns the features (uint8, `encode_spectrum` of the recipe's lags) and the labels (uint8 of shape (window,),
    1 inside a tandem repeat, planted or a chance microsatellite). Some training windows end in N, as contigs end.
    """
    codes, truth = sequence(recipe, tables, seed, index, split)
    labels = label_bases(truth, recipe.data.window) | chance_microsatellites(codes)
    return encode_spectrum(codes, recipe.net.lags), labels


def sequence(recipe: Recipe, tables: Tables, seed: int, index: int, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """The codes (uint8) and the truth (dtype TRUTH) behind `example`."""
    generator = np.random.default_rng((SPLITS[split], seed, index))
    data = recipe.data
    settings = data.training if split == "training" else data.validation
    choices = tables[split]
    if generator.random() < data.random_share:
        table = random_table(generator)
    else:
        table = choices[generator.integers(len(choices))]
    codes, truth = simulate(generator, data.window, settings, table)
    if split == "training" and generator.random() < data.unknown_share:
        left, right = unknown_ends(generator, data.window, truth)
        codes, truth = cut_ends(codes, truth, left, right, settings)
    return codes, truth


def unknown_ends(generator: np.random.Generator, window: int, truth: np.ndarray) -> tuple[int, int]:
    """Bases of N at the left and right of a window: at one end or both, each up to half the window.

    In half of the windows with arrays one cut falls into an array, since that is where a contig's end is hard.
    """
    side = generator.integers(3)
    left, right = (int(size) for size in generator.integers(1, window // 2 + 1, size=2))
    if len(truth) and generator.random() < 0.5:
        array = truth[generator.integers(len(truth))]
        place = int(generator.integers(array["start"], array["end"])) + 1
        if place <= window // 2:
            left, side = place, (0 if side == 1 else side)
        else:
            right, side = window - place + 1, (1 if side == 0 else side)
    return (0 if side == 1 else left), (0 if side == 0 else right)


def cut_ends(
    codes: np.ndarray, truth: np.ndarray, left: int, right: int, settings: RepeatSimulation
) -> tuple[np.ndarray, np.ndarray]:
    """The sequence with N in its first ``left`` and last ``right`` bases, and what is left of the truth.

    An array of which fewer than two copies or fewer than ``min_length`` bases are left is no repeat any more.
    """
    codes = codes.copy()
    end = len(codes) - right
    codes[:left] = UNKNOWN
    codes[end:] = UNKNOWN
    cut = truth.copy()
    cut["start"] = np.clip(truth["start"], left, None)
    cut["end"] = np.clip(truth["end"], None, end)
    size = np.maximum(cut["end"] - cut["start"], 0)
    full = np.maximum(truth["end"] - truth["start"], 1)
    cut["copies"] = truth["copies"] * (size / full)
    whole = size == full  # an array the N does not touch stays as it was planted
    shortest = np.maximum(settings.min_length, 2 * truth["period"] * (1 - settings.indels))
    return codes, cut[whole | ((size >= shortest) & (size > 0))].astype(TRUTH, copy=False)
