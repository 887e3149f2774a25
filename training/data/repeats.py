"""Examples for the tandem-repeat network: a pure function from (seed, split, index) to features and labels.

Backgrounds are Markov chains fitted on real genomes: on all of one, or on a stretch of it, since composition changes
along a genome. Training chains are fitted on the first nine tenths of each genome and validation chains on the last
tenth, and the two draw from disjoint random streams, so that no table and no window is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ...scanner.encoding.spectrum import encode_spectrum
from ...scanner.errors import GenoscanError, UsageError
from ...scanner.reading.genome import Genome, open_genome
from ..recipe import Recipe
from .simulate import (
    TRUTH,
    RepeatSimulation,
    chance_repeats,
    label_bases,
    markov_table,
    perfect_repeats,
    random_table,
    simulate,
)

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


class Chains(NamedTuple):
    """What the backgrounds of a split are made with."""

    tables: list[np.ndarray]
    """Cumulative transition tables (`simulate.markov_table`) of whole genomes."""
    codes: list[np.ndarray]
    """The genomes themselves, for chains of a stretch."""


LOCAL_SIZES = (9, 14)
"""A stretch that a local chain is fitted on has 2**9 to 2**14 bases."""
LONGEST_LOCAL_ORDER = 2


def read_background(path: str, warn: Callable[[str], None]) -> Background:
    """The genome in the FASTA file ``path``, cut into its training and validation part.

    ``warn`` gets a line for each oddity of the file; what makes it no genome raises `GenoscanError`.
    """
    with open_genome(path, warn) as genome:
        total = int(np.sum(genome.lengths))
        cut = total - int(total * VALIDATION_SHARE)
        spans = {"training": (0, cut), "validation": (cut, total)}
        codes = {split: without_repeats(sample_codes(genome, *span)) for split, span in spans.items()}
        return Background(genome.source, genome.digest(), codes)


def without_repeats(codes: np.ndarray) -> np.ndarray:
    """The codes with N in place of perfect tandem repeats of up to 50 bases.

    A chain that has seen the satellites of a small genome writes them itself: once in one of their words, it has no
    other way to go. (Those of the fruit fly, 11 and 12 bases long, taught a network to take no repeat of 11 or 12
    bases for one.)
    """
    return np.where(perfect_repeats(codes, 50, 24, 1.85) == 1, np.uint8(UNKNOWN), codes)


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


def fit_chains(recipe: Recipe, backgrounds: Sequence[Background]) -> dict[str, Chains]:
    """Markov chains of every background and order of the recipe, for both splits.

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
        split: Chains(
            [
                markov_table(background.codes[split], order)
                for background in backgrounds
                for order in recipe.data.orders
            ],
            [background.codes[split] for background in backgrounds],
        )
        for split in SPLITS
    }


def local_table(generator: np.random.Generator, codes: np.ndarray) -> np.ndarray | None:
    """Table of a chain of order 0 to 2 fitted on a random stretch of ``codes``; None where too little is known."""
    size = min(len(codes), int(2 ** generator.uniform(*LOCAL_SIZES)))
    order = int(generator.integers(LONGEST_LOCAL_ORDER + 1))
    start = int(generator.integers(len(codes) - size + 1))
    stretch = codes[start : start + size]
    if np.count_nonzero(stretch < UNKNOWN) < 2 ** LOCAL_SIZES[0]:
        return None
    return markov_table(stretch, order)


def example(
    recipe: Recipe, chains: dict[str, Chains], seed: int, index: int, split: Split
) -> tuple[np.ndarray, np.ndarray]:
    """One window: a pure function of (seed, split, index) for given recipe and chains.

    Returns the features (uint8, `encode_spectrum` of the recipe's lags) and the labels (uint8 of shape (window,),
    1 inside a tandem repeat, planted or come up by chance). Some training windows end in N, as contigs end.
    """
    codes, truth = sequence(recipe, chains, seed, index, split)
    labels = label_bases(truth, recipe.data.window) | chance_repeats(codes)
    return encode_spectrum(codes, recipe.net.lags), labels


def sequence(
    recipe: Recipe, chains: dict[str, Chains], seed: int, index: int, split: Split
) -> tuple[np.ndarray, np.ndarray]:
    """The codes (uint8) and the truth (dtype TRUTH) behind `example`."""
    generator = np.random.default_rng((SPLITS[split], seed, index))
    data = recipe.data
    settings = data.training if split == "training" else data.validation
    if generator.random() < data.random_share:
        table = random_table(generator)
    else:
        table = draw_table(generator, chains[split], data.local_share)
    codes, truth = simulate(generator, data.window, settings, table)
    if split == "training" and generator.random() < data.unknown_share:
        left, right = unknown_ends(generator, data.window, truth)
        codes, truth = cut_ends(codes, truth, left, right, settings)
    if generator.random() < 0.5:
        codes, truth = reverse(codes, truth)
    return codes, truth


def draw_table(generator: np.random.Generator, chains: Chains, local_share: float) -> np.ndarray:
    """The table of one of the chains, or with a chance of ``local_share`` of a stretch of one of the genomes."""
    if generator.random() < local_share:
        table = local_table(generator, chains.codes[generator.integers(len(chains.codes))])
        if table is not None:
            return table
    return chains.tables[generator.integers(len(chains.tables))]


def reverse(codes: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same read from its end. (Arrays are only ever cut off by the end of a sequence, and so by either.)"""
    turned = truth[::-1].copy()
    turned["start"], turned["end"] = len(codes) - truth["end"][::-1], len(codes) - truth["start"][::-1]
    return codes[::-1].copy(), turned


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

    An array of which fewer than the fewest copies or fewer than ``min_length`` bases are left is no repeat any more.
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
    shortest = np.maximum(settings.min_length, settings.fewest_copies * truth["period"] * (1 - settings.indels))
    return codes, cut[whole | ((size >= shortest) & (size > 0))].astype(TRUTH, copy=False)
