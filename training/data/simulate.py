"""Genomes with tandem repeats whose place, unit and history are known.

A background without planted repeats (a Markov chain) is interrupted by tandem repeats: a random unit is copied,
every copy is mutated on its own from the unit (as if the array were old) or from the copy before it (as if it had
grown by duplication), and the last copy may be partial. Needs NumPy and Numba only, so that `genoscan demo` works
in an installation that cannot train.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

TRUTH = np.dtype(
    [("start", "i8"), ("end", "i8"), ("period", "i4"), ("copies", "f4"), ("divergence", "f4"), ("indels", "f4")]
)
"""One planted repeat: 0-based half-open interval in bases, period in bases, rates per base and copy."""

PERIOD_CLASSES = ((1, 6), (7, 30), (31, 100), (101, 500), (501, 2000))

BRIEF_PERIODS, BRIEF_MORE, BRIEF_EXACT = 32, 4, 0.4
"""Brief arrays: their longest period, by how many bases they are longer than the shortest on average, and which share
of them has neither substitutions nor indels."""
BRIEF_DIVERGENCE, BRIEF_INDELS = 0.12, 0.08
"""The largest rates of the others. With more of either so few bases cannot be told from chance."""


@dataclass(frozen=True)
class RepeatSimulation:
    """How tandem repeats are drawn.

    periods: smallest and largest period; the classes 1-6, 7-30, 31-100, 101-500, 501-2000 (as far as they lie between
        the two) are equally frequent, and within a class the logarithm of the period is uniform.
    divergence: largest substitution rate per base and copy; a quarter of the repeats has none, a tenth up to 3 %, the
        rest is uniform.
    indels: largest rate of one-base insertions and deletions; a third of the repeats has none, the rest is uniform.
    gap: mean bases between two arrays.
    min_length: shortest array in bases.
    fewest_copies: copies of the unit in the shortest array.
    chained: share of arrays in which each copy descends from the copy before it.
    dispersed: share of plantings that are no tandem repeats but dispersed copies: two to four copies of a stretch of 30
        to 1,000 bases with other sequence between them, as transposons leave. They match themselves at a lag, too, and
        are in no truth.
    recurring: chance that an array is followed by another of the same unit some 200 bases on, as microsatellites
        often are; both are repeats, what lies between them is not.
    brief: share of the other plantings that are hardly longer than the shortest, of a period up to 32: four tenths
        without substitutions or indels, the others with up to 12 % and 8 % (substitutions no more than above). They are
        most of what a real genome has, and what is hardest to tell from chance.
    """

    periods: tuple[int, int] = (1, 500)
    divergence: float = 0.25
    indels: float = 0.04
    gap: float = 6000
    min_length: int = 26
    fewest_copies: float = 2.0
    chained: float = 0.2
    dispersed: float = 0.0
    recurring: float = 0.0
    brief: float = 0.0

    def __post_init__(self):
        longest = PERIOD_CLASSES[-1][1]
        if not 1 <= self.periods[0] <= self.periods[1] <= longest:
            raise ValueError(f"periods {self.periods}: expected 1 <= smallest <= largest <= {longest}")
        if not (0 <= self.divergence < 0.75 and 0 <= self.indels < 0.5 and self.gap > 0 and self.fewest_copies > 1):
            raise ValueError("divergence must be in [0, 0.75), indels in [0, 0.5), gap above 0, fewest_copies above 1")


def markov_table(codes: np.ndarray, order: int, pseudocount: float = 1.0) -> np.ndarray:
    """Cumulative transition probabilities of an order-``order`` Markov chain: float32 of shape (4**order, 4).

    ``codes`` is uint8 with 0-3 for A, C, G, T; words with anything else are left out.
    """
    padded = np.asarray(codes)
    count = len(padded) - order
    if count < 1:
        raise ValueError(f"{len(padded)} bases are too few for a Markov chain of order {order}")
    words = np.zeros(count, dtype=np.int64)
    known = np.ones(count, dtype=bool)
    for position in range(order + 1):
        column = padded[position : position + count]
        words = words * 4 + (column & 3)
        known &= column < 4
    counts = np.bincount(words[known], minlength=4 ** (order + 1)).reshape(-1, 4) + pseudocount
    return np.cumsum(counts / counts.sum(axis=1, keepdims=True), axis=1).astype(np.float32)


def random_table(generator: np.random.Generator) -> np.ndarray:
    """An order-0 table whose GC content is uniform between 25 and 70 %."""
    gc = generator.uniform(0.25, 0.70)
    return np.cumsum([[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]], axis=1).astype(np.float32)


@njit(nogil=True, cache=True)
def markov_sequence(generator, table, length):
    """A uint8 sequence of the given length from a cumulative transition table (as of `markov_table`)."""
    codes = np.empty(length, dtype=np.uint8)
    context = generator.integers(0, table.shape[0])
    for i in range(length):
        draw = generator.random()
        base = 0
        while base < 3 and draw >= table[context, base]:
            base += 1
        codes[i] = base
        context = (context * 4 + base) % table.shape[0]
    return codes


@njit(nogil=True, cache=True)
def tandem_array(generator, unit, length, divergence, indels, chained):
    """Copies of ``unit`` until ``length`` template bases are used: (codes uint8, copies float)."""
    out = np.empty(2 * length + 16, dtype=np.uint8)
    template = unit.copy()
    size, used = 0, 0
    while used < length:
        copy = np.empty(2 * len(template) + 16, dtype=np.uint8)
        made = 0
        for base in template:
            if used == length or size + made + 2 > len(out):
                break
            used += 1
            event = generator.random()
            if event < indels / 2:
                continue
            if event < indels and made + 2 < len(copy):
                copy[made] = generator.integers(0, 4)
                made += 1
            if generator.random() < divergence:
                base = (base + generator.integers(1, 4)) % 4
            copy[made] = base
            made += 1
            if made == len(copy):
                break
        out[size : size + made] = copy[:made]
        size += made
        if size + 2 > len(out):
            break
        if chained and made >= max(1, len(unit) // 2):
            template = copy[:made].copy()
    return out[:size].copy(), used / len(unit)


def is_primitive(unit: np.ndarray) -> bool:
    """Whether a unit is no whole number of copies of a shorter one."""
    period = len(unit)
    return not any(
        period % shorter == 0 and np.array_equal(unit[shorter:], unit[:-shorter]) for shorter in range(1, period)
    )


def draw_divergence(generator: np.random.Generator, largest: float) -> float:
    """A substitution rate: none for a quarter, up to 3 % for a tenth, uniform up to the largest for the rest."""
    kind = generator.random()
    if kind < 0.25:
        return 0.0
    return float(generator.uniform(0, min(0.03, largest) if kind < 0.35 else largest))


def draw_length(generator: np.random.Generator, period: int, min_length: int, fewest: float = 2.0) -> int:
    """Template bases of an array: most microsatellites log-uniform up to six times the shortest, the others by copies.

    Copies: the fewest and up to one more (rather less) for 30 %, else the fewest and an exponential rest with a mean
    of 2 (40 %) or 8 (30 %).
    """
    kind = generator.random()
    if period <= 6 and kind < 0.8:
        return int(np.exp(generator.uniform(np.log(min_length), np.log(6 * min_length))))
    more = generator.random() ** 2 if kind < 0.3 else generator.exponential(2 if kind < 0.7 else 8)
    return max(int(period * (fewest + more)), int(np.ceil(fewest * period)), min_length)


def draw_unit(generator: np.random.Generator, settings: RepeatSimulation, table: np.ndarray) -> np.ndarray:
    """A unit that is no copies of a shorter one, uint8 (period,), of the background's composition."""
    low, high = settings.periods
    classes = [(max(a, low), min(b, high)) for a, b in PERIOD_CLASSES if a <= high and low <= b]
    first, last = classes[generator.integers(len(classes))]
    period = min(last, int(np.exp(generator.uniform(np.log(first), np.log(last + 1)))))
    return primitive_unit(generator, table, period)


def primitive_unit(generator: np.random.Generator, table: np.ndarray, period: int) -> np.ndarray:
    """A unit that is no copies of a shorter one, uint8 (period,), of the background's composition if one comes up."""
    unit = markov_sequence(generator, table, period)
    while not is_primitive(unit):
        unit = generator.integers(0, 4, period).astype(np.uint8)
    return unit


def draw_repeat(
    generator: np.random.Generator, settings: RepeatSimulation, unit: np.ndarray, brief: bool = False
) -> tuple[np.ndarray, tuple[int, float, float, float]]:
    """One tandem array of a unit: its codes, and (period, copies, divergence, indels)."""
    period = len(unit)
    divergence = draw_divergence(generator, settings.divergence)
    indels = 0.0 if generator.random() < 1 / 3 else generator.uniform(0, settings.indels)
    if brief:
        shortest = max(settings.min_length, int(np.ceil(settings.fewest_copies * period)))
        length = shortest + int(generator.exponential(BRIEF_MORE))
        if generator.random() < BRIEF_EXACT:
            divergence = indels = 0.0
        else:
            divergence = generator.uniform(0, min(BRIEF_DIVERGENCE, settings.divergence))
            if indels:
                indels = generator.uniform(0, BRIEF_INDELS)
    else:
        length = draw_length(generator, period, settings.min_length, settings.fewest_copies)
    chained = bool(generator.random() < settings.chained)
    codes, copies = tandem_array(generator, unit, length, divergence, indels, chained)
    return codes, (period, copies, divergence, indels)


Rows = list[tuple[int, int, int, float, float, float]]


def plant_array(
    generator: np.random.Generator,
    codes: np.ndarray,
    position: int,
    settings: RepeatSimulation,
    unit: np.ndarray,
    brief: bool = False,
) -> tuple[int, Rows]:
    """Write one array of ``unit`` into ``codes`` at ``position``: where it ends, and its row of the truth.

    No row where the end of the sequence leaves less than the fewest copies or ``min_length`` bases.
    """
    array, (period, copies, divergence, indels) = draw_repeat(generator, settings, unit, brief)
    end = min(position + len(array), len(codes))
    if end - position < max(settings.min_length, settings.fewest_copies * period * (1 - settings.indels)):
        return end, []
    codes[position:end] = array[: end - position]
    return end, [(position, end, period, copies * (end - position) / len(array), divergence, indels)]


def plant_dispersed(
    generator: np.random.Generator, codes: np.ndarray, position: int, settings: RepeatSimulation, table: np.ndarray
) -> tuple[int, Rows]:
    """Write mutated copies of one stretch into ``codes`` from ``position`` on, apart from each other: where they end.

    What lies between two copies is at least a third of a copy, so that nobody would call them adjacent. Three in ten
    families carry a tandem array at their end, as Alus carry poly-A; these have rows of the truth.
    """
    size = int(np.exp(generator.uniform(np.log(30), np.log(1000))))
    stretch = markov_sequence(generator, table, size)
    divergence = generator.uniform(0, settings.divergence)
    indels = generator.uniform(0, settings.indels)
    tail = draw_unit(generator, settings, table) if generator.random() < 0.3 else None
    rows: Rows = []
    for _ in range(generator.integers(2, 5)):
        copy, _ = tandem_array(generator, stretch, size, divergence, indels, False)
        end = min(position + len(copy), len(codes))
        codes[position:end] = copy[: max(0, end - position)]
        if tail is not None and end < len(codes):
            end, planted = plant_array(generator, codes, end, settings, tail)
            rows += planted
        position = end + max(30, size // 3) + int(generator.exponential(150))
    return min(position, len(codes)), rows


def simulate(
    generator: np.random.Generator,
    length: int,
    settings: RepeatSimulation,
    table: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """A sequence of ``length`` bases with planted tandem repeats.

    Returns the codes (uint8, 0-3) and the truth (structured array of dtype TRUTH, sorted by start). An array that
    the end of the sequence cuts is kept when at least the fewest copies and ``min_length`` bases of it are left.
    """
    codes = markov_sequence(generator, table, length)
    truth: Rows = []
    position = int(generator.exponential(settings.gap))
    while position < length:
        if settings.dispersed and generator.random() < settings.dispersed:
            position, rows = plant_dispersed(generator, codes, position, settings, table)
            truth += rows
        elif settings.brief and generator.random() < settings.brief:
            unit = primitive_unit(generator, table, int(generator.integers(1, BRIEF_PERIODS + 1)))
            position, rows = plant_array(generator, codes, position, settings, unit, brief=True)
            truth += rows
        else:
            unit = draw_unit(generator, settings, table)
            position, rows = plant_array(generator, codes, position, settings, unit)
            truth += rows
            while settings.recurring and position < length and generator.random() < settings.recurring:
                position += 16 + int(generator.exponential(200))
                if position < length:
                    position, rows = plant_array(generator, codes, position, settings, unit)
                    truth += rows
        position += 1 + int(generator.exponential(settings.gap))
    return codes, np.array(truth, dtype=TRUTH)


def label_bases(truth: np.ndarray, length: int) -> np.ndarray:
    """uint8 of shape (length,): 1 inside a planted repeat."""
    labels = np.zeros(length, dtype=np.uint8)
    for start, end in zip(truth["start"], truth["end"], strict=True):
        labels[start:end] = 1
    return labels


@njit(nogil=True, cache=True)
def perfect_repeats(codes, longest_period, min_length, fewest_copies):
    """uint8 of shape (bases,): 1 inside perfect tandem repeats of a period up to the longest.

    They have at least ``min_length`` bases and ``fewest_copies`` copies. N (codes above 3) matches nothing.
    """
    marked = np.zeros(codes.shape[0], dtype=np.uint8)
    for period in range(1, longest_period + 1):
        run = 0
        for i in range(period, codes.shape[0] + 1):
            if i < codes.shape[0] and codes[i] == codes[i - period] and codes[i] < 4:
                run += 1
                continue
            if run and run + period >= max(min_length, fewest_copies * period):
                marked[i - run - period : i] = 1
            run = 0
    return marked


def chance_repeats(codes: np.ndarray) -> np.ndarray:
    """uint8 of shape (bases,): 1 inside repeats that a background holds by chance.

    A chain fitted on a real genome writes poly-A and the like of its own. They are tandem repeats whatever made them,
    and a network that is told otherwise learns to doubt the real ones. Longer units come up by chance as two copies of
    a few bases, so that a little more is asked of them.
    """
    return perfect_repeats(codes, 6, 25, 2.0) | perfect_repeats(codes, 32, 28, 2.1)
