"""Reads of cell types, drawn from an atlas on real sequence, with the exact posterior of each.

A read of the network is what the scanner makes of a fragment: the whole of it, or a part of it where it is longer than
the window (`scanner.read_windows`). Every read is a pure function of seed, stream and number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from ...scanner.encoding.kmers_methylation import METHYLATED, UNMETHYLATED
from ...scanner.reading.methylation.reads import MethylationReads
from .evidence import chain_likelihood, kind_shares, posterior
from .panel import Panel, prior_of
from .random_numbers import keys, normal, uniform
from .settings import Drawing, ReadSimulation

SPLITS = ("training", "validation", "test")
_MARKS = np.array([UNMETHYLATED, METHYLATED], dtype=np.uint8)
_TRIES = 16
_MOST_CPGS = 1024
_NOT_KNOWN = 2


class Reads(NamedTuple):
    """Reads as the network is shown them, and what is known of them.

    codes: uint8 (reads, window), marked codes (`scanner.encoding.kmers_methylation`).
    classes, donors, markers: int64 (reads,), what each was drawn from.
    posterior: float64 (reads, cell types), exact; kinds: float64 (reads, 3), that of `evidence.KINDS`.
    cpgs: int64 (reads, 2): seen within the marker, and how many of these are methylated.
    inside: int64 (reads, 2): the marker, as bases [start, end) of the window; may lie beyond it.
    """

    codes: np.ndarray
    classes: np.ndarray
    donors: np.ndarray
    markers: np.ndarray
    posterior: np.ndarray
    kinds: np.ndarray
    cpgs: np.ndarray
    inside: np.ndarray


class Simulator:
    """A panel, its donors and what reads are like.

    shares: float64 (markers, cell types, 3): of each of `evidence.KINDS`, the mean over donors. prior: float64 (cell
    types,).
    """

    def __init__(self, panel: Panel, settings: ReadSimulation, window: int, seed: int, drawing: Drawing | None = None):
        self.panel, self.settings, self.window, self.seed = panel, settings, window, seed
        self.drawing = drawing or Drawing()
        self.prior = prior_of(panel.cell_types, self.drawing.prior, self.drawing.blood_share)
        means = settings.floor + (1 - 2 * settings.floor) * panel.shares
        self.shares = kind_shares(means, settings.partial)
        self.donors = {split: self._draw_donors(split, means) for split in SPLITS}
        self._numbers = np.array(
            [
                settings.partial, *settings.levels, settings.outside, settings.block, settings.unconverted,
                settings.converted, settings.missing, settings.length, settings.deviation, settings.long_share,
                settings.shortest, settings.paired, settings.read_length, settings.insert, settings.insert_deviation,
            ],
            dtype=np.float64,
        )  # fmt: skip

    def _draw_donors(self, split: str, means: np.ndarray) -> np.ndarray:
        """float32 (donors, markers, cell types): unmethylated reads of each donor; no donor is in two splits."""
        settings = self.settings
        many = settings.donors if split == "training" else settings.held_out_donors
        generator = np.random.default_rng((self.seed, 11, SPLITS.index(split)))
        size = settings.donor_size
        return generator.beta(size * means, size * (1 - means), size=(many, *means.shape)).astype(np.float32)

    def draw(self, split: str, stream: int, rows: np.ndarray, drawing: Drawing | None = None) -> Reads:
        """Reads with these numbers, int64 (reads,); other ones for another ``stream`` (an epoch)."""
        panel, drawing = self.panel, drawing or self.drawing
        many = len(rows)
        codes = np.full((many, self.window), 4, dtype=np.uint8)
        drawn, likelihoods = np.zeros((many, 7), dtype=np.int64), np.ones((many, 3))
        _draw_parts(
            keys(self.seed, 12, SPLITS.index(split), stream, rows=rows),
            panel.codes, panel.begins, panel.lefts, panel.rights, panel.cpgs, panel.cpg_begins, panel.targets,
            self.donors[split], np.cumsum(self.prior), drawing.targets, drawing.outside, self._numbers, codes, drawn,
            likelihoods,
        )  # fmt: skip
        markers, classes, donors = drawn[:, 0], drawn[:, 1], drawn[:, 2]
        found, kinds = posterior(likelihoods, self.shares[markers], self.prior)
        return Reads(codes, classes, donors, markers, found, kinds, drawn[:, 3:5], drawn[:, 5:])

    def drawn_prior(self, markers: np.ndarray, drawing: Drawing | None = None) -> np.ndarray:
        """float64 (reads, cell types): how often each cell type is drawn at these markers, int64 (reads,)."""
        share, targets = (drawing or self.drawing).targets, self.panel.targets[markers]
        known = np.flatnonzero(targets >= 0)
        prior = np.tile(self.prior, (len(targets), 1))
        prior[known] *= 1 - share
        prior[known, targets[known]] += share
        return prior

    def sample(
        self, proportions: np.ndarray, coverage: float, seed: int, split: str = "test", donor: int | None = None
    ) -> list[MethylationReads]:
        """Whole fragments of a sample of so many donors' cell types, marker by marker, in the genome's coordinates.

        proportions: float64 (cell types,), 1 in all. coverage: mean depth over each marker (10 to 500, say).
        donor: the person's number in ``split``; by default it follows from ``seed``.
        """
        panel, settings = self.panel, self.settings
        generator = np.random.default_rng((self.seed, 13, seed))
        people = self.donors[split]
        person = int(generator.integers(len(people))) if donor is None else donor
        mean = (1 - settings.paired) * settings.length * (1 + settings.long_share) + settings.paired * settings.insert
        widths = panel.rights - panel.lefts
        counts = generator.poisson(coverage * (widths + mean) / mean)
        types = np.cumsum(np.asarray(proportions, dtype=np.float64) / np.sum(proportions))
        found = []
        for marker, count in enumerate(counts.tolist()):
            bounds = np.empty((count, 2), dtype=np.int64)
            positions, states = np.empty((count, _MOST_CPGS), dtype=np.int64), np.empty((count, _MOST_CPGS), np.uint8)
            sizes = np.zeros(count, dtype=np.int64)
            _draw_fragments(
                keys(self.seed, 14, seed, marker, rows=np.arange(count)), marker, panel.begins, panel.lefts,
                panel.rights, panel.cpgs, panel.cpg_begins, people[person], types, self._numbers, bounds, positions,
                states, sizes,
            )  # fmt: skip
            found.append(_as_reads(panel, marker, bounds, positions, states, sizes))
        return found


def _as_reads(
    panel: Panel, marker: int, bounds: np.ndarray, positions: np.ndarray, states: np.ndarray, sizes: np.ndarray
) -> MethylationReads:
    """Fragments that tell of a CpG, in the order of a sample; columns behind ``sizes`` are not set."""
    shift = int(panel.atlas.starts[marker]) - int(panel.lefts[marker])
    told = np.flatnonzero(sizes > 0)
    order = told[np.lexsort((bounds[told, 1], bounds[told, 0]))]
    chosen = np.arange(positions.shape[1]) < sizes[order, None]
    return MethylationReads(
        panel.atlas.chroms[marker],
        bounds[order, 0] + shift,
        bounds[order, 1] + shift,
        np.concatenate([[0], np.cumsum(sizes[order])]),
        positions[order][chosen] + shift,
        states[order][chosen],
        np.ones(len(order), dtype=np.int64),
    )


@njit(nogil=True, cache=True)
def _kind(state, share, partial):
    """0 unmethylated, 1 methylated, 2 partially methylated."""
    if uniform(state) < share:
        return 0
    return 2 if uniform(state) < partial else 1


@njit(nogil=True, cache=True)
def _fragment(state, left, right, low, high, numbers):
    """Start, end and seen bases at either end of a fragment that touches [left, right), within [low, high)."""
    if uniform(state) < numbers[13]:
        length = numbers[15] + numbers[16] * normal(state)
        seen = np.int64(numbers[14])
    else:
        length = numbers[9] + numbers[10] * normal(state)
        if uniform(state) < numbers[11]:
            length *= 2
        seen = np.int64(1 << 40)
    size = max(np.int64(numbers[12]), np.int64(length))
    start = left - size + 1 + np.int64(uniform(state) * (right - left + size - 1))
    return max(low, start), min(high, start + size), seen


@njit(nogil=True, cache=True)
def _read_cpgs(state, cpgs, first, last, start, end, seen, left, right, kind, numbers, positions, states):
    """CpGs of a fragment [start, end), those with something known, into positions and states; how many."""
    count, before, region_before, truth = 0, 0, -1, 0
    for i in range(first, last):
        at = cpgs[i]
        if at < start:
            continue
        if at >= end or count == len(positions):
            break
        region = 0 if at < left else 1 if at < right else 2
        level = numbers[1 + kind] if region == 1 else numbers[4]
        kept = np.exp(-(at - before) / numbers[5]) if region == region_before else 0.0
        if uniform(state) >= kept:
            truth = 1 if uniform(state) < level else 0
        before, region_before = at, region
        shown = truth
        if uniform(state) < (numbers[7] if truth == 1 else numbers[6]):
            shown = 1 - truth
        hidden = at - start >= seen and end - at > seen
        if uniform(state) >= numbers[8] and not hidden:
            positions[count], states[count] = at, shown
            count += 1
    return count


@njit(nogil=True, cache=True)
def _part(state, start, end, window):
    """One of the equal parts of at most ``window`` bases that a fragment is cut into."""
    size = end - start
    parts = max(1, -(-size // window))
    number = np.int64(uniform(state) * parts)
    return start + number * size // parts, start + (number + 1) * size // parts


@njit(nogil=True, cache=True)
def _draw_parts(
    row_keys, codes, begins, lefts, rights, cpgs, cpg_begins, targets, donors, types, target_share, outside, numbers,
    out, drawn, likelihoods,
):  # fmt: skip
    window = out.shape[1]
    positions, states = np.empty(_MOST_CPGS, dtype=np.int64), np.empty(_MOST_CPGS, dtype=np.uint8)
    state = np.empty(1, dtype=np.uint64)
    for row in range(len(row_keys)):
        state[0] = row_keys[row]
        marker = np.int64(uniform(state) * len(lefts))
        target = targets[marker]
        chosen = uniform(state) < target_share and target >= 0
        kin = target if chosen else min(len(types) - 1, np.searchsorted(types, uniform(state), side="right"))
        donor = np.int64(uniform(state) * len(donors))
        kind = _kind(state, donors[donor, marker, kin], numbers[0])
        anywhere = uniform(state) < outside
        left, right, low, high = lefts[marker], rights[marker], begins[marker], begins[marker + 1]
        first, last = cpg_begins[marker], cpg_begins[marker + 1]
        begin = end = count = 0
        for _ in range(_TRIES):
            start, stop, seen = _fragment(state, left, right, low, high, numbers)
            begin, end = _part(state, start, stop, window)
            many = _read_cpgs(
                state, cpgs, first, last, start, stop, seen, left, right, kind, numbers, positions, states
            )
            count, within = 0, 0
            for i in range(many):  # those of the part alone
                if begin <= positions[i] < end:
                    positions[count], states[count] = positions[i], states[i]
                    count += 1
                    within += 1 if left <= positions[i] < right else 0
            if within > 0 or (anywhere and count > 0):
                break
        inner, after, methylated = count, 0, 0
        for i in range(count):
            if left <= positions[i] < right:
                inner = min(inner, i)
                after = i + 1
                methylated += states[i]
        after = max(inner, after)
        for kind_number in range(3):
            likelihoods[row, kind_number] = chain_likelihood(
                positions, states, inner, after, numbers[1 + kind_number], numbers[5], numbers[6], numbers[7]
            )
        corner = begin - (window - (end - begin)) // 2
        for i in range(window):
            if low <= corner + i < high:
                out[row, i] = codes[corner + i]
        for i in range(count):
            out[row, positions[i] - corner] += _MARKS[states[i]]
        drawn[row, 0], drawn[row, 1], drawn[row, 2] = marker, kin, donor
        drawn[row, 3], drawn[row, 4] = after - inner, methylated
        drawn[row, 5], drawn[row, 6] = left - corner, right - corner


@njit(nogil=True, cache=True)
def _draw_fragments(
    row_keys, marker, begins, lefts, rights, cpgs, cpg_begins, donor, types, numbers, bounds, positions, states, sizes
):
    state = np.empty(1, dtype=np.uint64)
    left, right = lefts[marker], rights[marker]
    first, last = cpg_begins[marker], cpg_begins[marker + 1]
    for row in range(len(row_keys)):
        state[0] = row_keys[row]
        kin = min(len(types) - 1, np.searchsorted(types, uniform(state), side="right"))
        kind = _kind(state, donor[marker, kin], numbers[0])
        start, end, seen = _fragment(state, left, right, begins[marker], begins[marker + 1], numbers)
        bounds[row, 0], bounds[row, 1] = start, end
        sizes[row] = _read_cpgs(
            state, cpgs, first, last, start, end, seen, left, right, kind, numbers, positions[row], states[row]
        )
