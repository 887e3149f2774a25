"""The unit of one tandem repeat: the period that explains a sequence best, and the consensus of its copies."""

from __future__ import annotations

import numpy as np
from numba import njit

from .alignment import align, all_votes, count_votes, elect, most_votes, saved_bits
from .period import bit_planes, candidate_periods, lag_matches, longest_lag

FIRST_ROUNDS = 2
ROUNDS = 6
"""Most rounds of alignment and vote: of every candidate, and of the best one, which rarely changes after three."""

TRIAL_COPIES, TRIAL_BASES = 4, 384
"""How much of a sequence the candidates are tried on."""

PROPOSALS = 12
PROPOSAL_CELLS = 1_000_000
FEW_COPIES = 16
DISPUTED = ((40, 1000), (25, 40))
"""Most changes of the consensus that are tried in the end, and most cells of alignment that they may take; with more
copies than these no vote is disputed. Tried first are the lengths that 40 % of the copies or more dispute, then those
that 25 to 40 % do."""

MONOMER_BITS = 20.0
MONOMER_IDENTITY = 0.65
"""A unit stays the unit against one of about twice its length or more, as monomers do against a higher-order repeat, if
the longer one is itself copies of it: telling it so saves this many bits, and this share of the columns matches."""


VARIANT_SIZE = 8
"""Units shorter than this are variants of one another only if they are the same: they resemble each other by chance."""


@njit(nogil=True, cache=True)
def best_window(codes, period):
    """Start of the ``period`` bases that agree best with the copies before and behind them."""
    n = codes.shape[0]
    matches = np.zeros(n + 1, dtype=np.int32)  # running sums of s[i] == s[i + period]
    for i in range(n):
        same = i + period < n and codes[i] == codes[i + period] and codes[i] < 4
        matches[i + 1] = matches[i] + same
    best, most = 0, -1
    for start in range(n - period + 1):
        ahead = matches[start + period] - matches[start]
        behind = matches[start] - matches[max(0, start - period)]
        if ahead + behind > most:
            best, most = start, ahead + behind
    return best


@njit(nogil=True, cache=True)
def primitive(unit):
    """The shortest unit of which ``unit`` is a whole number of copies."""
    p = unit.shape[0]
    for shorter in range(1, p // 2 + 1):
        if p % shorter:
            continue
        same = True
        for j in range(p - shorter):
            if unit[j] != unit[j + shorter]:
                same = False
                break
        if same:
            return unit[:shorter].copy()
    return unit


@njit(nogil=True, cache=True, inline="always")
def refine(codes, unit, rounds):
    """Align and vote until the unit stays as it is: (unit, positions, events), the latter as of `align`."""
    return improve(codes, unit, *align(codes, unit), rounds)


@njit(nogil=True, cache=True)
def improve(codes, unit, positions, events, rounds):
    """`refine` from an alignment on."""
    for _ in range(rounds):
        voted = primitive(elect(unit, *count_votes(codes, unit.shape[0], positions)))
        if same_codes(voted, unit):
            break
        unit = voted
        positions, events = align(codes, unit)
    return unit, positions, events


@njit(nogil=True, cache=True, inline="always")
def same_codes(one, other):
    same = one.shape[0] == other.shape[0]
    i = 0
    while same and i < one.shape[0]:
        same = one[i] == other[i]
        i += 1
    return same


@njit(nogil=True, cache=True, inline="always")
def changed_unit(unit, j, shorter, base):
    """The unit without its base at ``j``, or with ``base`` behind it."""
    p = unit.shape[0]
    changed = np.empty(p - 1 if shorter else p + 1, dtype=np.uint8)
    size = 0
    for i in range(p):
        if i != j or not shorter:
            changed[size] = unit[i]
            size += 1
        if i == j and not shorter:
            changed[size] = base
            size += 1
    return changed


@njit(nogil=True, cache=True, inline="always")
def polish(codes, unit, positions, events):
    """Try the lengths that many copies dispute, and keep what tells the sequence in fewer bits.

    A vote can stick where copies with insertions and deletions near each other are aligned in different ways. Takes and
    returns (unit, positions, events).
    """
    n = codes.shape[0]
    if events[2] + events[3] == 0 or n >= FEW_COPIES * unit.shape[0]:
        return unit, positions, events
    left = min(PROPOSALS, PROPOSAL_CELLS // (n * unit.shape[0]))
    best = saved_bits(events, unit.shape[0])
    bases, deleted, inserted = count_votes(codes, unit.shape[0], positions)
    better = False
    for share, below in DISPUTED:
        j = 0
        while j < unit.shape[0] and left > 0:
            reached = all_votes(bases, j) + deleted[j]
            changed = False
            for shorter in (True, False):
                votes = deleted[j] if shorter else all_votes(inserted, j)
                disputed = share * reached <= 100 * votes < below * reached
                if not disputed or votes <= 2 or unit.shape[0] == 1:
                    continue
                left -= 1
                other = changed_unit(unit, j, shorter, most_votes(inserted, j, 4))
                other_positions, other_events = align(codes, other)
                saved = saved_bits(other_events, other.shape[0])
                if saved > best + 1e-6:
                    unit, positions, events, best = other, other_positions, other_events, saved
                    bases, deleted, inserted = count_votes(codes, unit.shape[0], positions)
                    changed = better = True
                    break
            if not changed:
                j += 1
    return improve(codes, unit, positions, events, ROUNDS if better else 0)


@njit(nogil=True, cache=True)
def smallest_rotation(unit):
    """How far ``unit`` must be turned left to become the lexicographically smallest of its rotations.

    Booth's problem, by the two-pointer method (Duval 1983; Shiloach 1981).
    """
    p = unit.shape[0]
    i, j, k = 0, 1, 0
    while i < p and j < p and k < p:
        a, b = unit[(i + k) % p], unit[(j + k) % p]
        if a == b:
            k += 1
            continue
        if a > b:
            i += k + 1
        else:
            j += k + 1
        if i == j:
            j += 1
        k = 0
    return min(i, j)


@njit(nogil=True, cache=True)
def same_unit(unit, other):
    """Whether two units are variants of one: whether the longer one is, in the main, copies of the shorter."""
    if other.shape[0] < unit.shape[0]:
        unit, other = other, unit
    if unit.shape[0] < VARIANT_SIZE and other.shape[0] < 2 * VARIANT_SIZE:
        return same_ring(unit, other)
    _, events = align(other, unit)
    return events[0] >= MONOMER_IDENTITY * events.sum()


@njit(nogil=True, cache=True)
def same_ring(unit, other):
    """Whether two rings of bases are the same in some rotation."""
    p = unit.shape[0]
    if other.shape[0] != p:
        return False
    for turn in range(p):
        same = True
        for j in range(p):
            if unit[j] != other[j + turn if j + turn < p else j + turn - p]:
                same = False
                break
        if same:
            return True
    return False


@njit(nogil=True, cache=True, inline="always")
def is_monomer(unit, longer):
    """Whether ``longer`` is a higher-order repeat of ``unit``: itself copies of it, beyond what happens by chance."""
    _, events = align(longer, unit)
    return saved_bits(events, unit.shape[0]) >= MONOMER_BITS and events[0] >= MONOMER_IDENTITY * events.sum()


@njit(nogil=True, cache=True)
def find_unit(codes):
    """The unit of a sequence that is taken to be one tandem repeat.

    ``codes`` uint8[n], 1 <= n <= LONGEST. Returns (unit uint8[p], positions int32[n], events int64[4]), the latter two
    as of `align`.
    """
    n = codes.shape[0]
    counts = lag_matches(bit_planes(codes), longest_lag(n))
    for period in range(1, counts.shape[0]):
        if counts[period, 0] == n - period and 2 * period <= n:
            return perfect(codes, period)
    periods = candidate_periods(counts, n)
    if periods.shape[0] == 0:
        periods = np.ones(1, dtype=np.int64)
    unit, positions, events = try_periods(codes, ascending(periods))
    if positions.shape[0] < n:
        positions, events = align(codes, unit)
    return improve(codes, unit, positions, events, ROUNDS)


@njit(nogil=True, cache=True, inline="always")
def ascending(few):
    """Sorts the numbers where they are, and returns them, by insertion: NumPy's sort takes seconds to compile."""
    for i in range(1, few.shape[0]):
        one, place = few[i], i
        while place and few[place - 1] > one:
            few[place] = few[place - 1]
            place -= 1
        few[place] = one
    return few


@njit(nogil=True, cache=True, inline="always")
def perfect(codes, period):
    """`find_unit` of a sequence without a mismatch at its period."""
    n = codes.shape[0]
    positions = np.empty(n, dtype=np.int32)
    j = 0
    for i in range(n):
        positions[i] = j
        j = j + 1 if j + 1 < period else 0
    events = np.zeros(4, dtype=np.int64)
    events[0] = n
    return codes[:period].copy(), positions, events


@njit(nogil=True, cache=True, inline="always")
def try_periods(codes, periods):
    """The unit of the best of several periods, sorted: the shortest where one is the monomer of another.

    Each is tried on TRIAL_COPIES copies in the middle, at least TRIAL_BASES; what it saves there is what it saves all
    over. Returns the unit with its positions and events in the bases that it was tried on.
    """
    n = codes.shape[0]
    unit = codes[:1].copy()
    positions, events = np.zeros(0, dtype=np.int32), np.zeros(4, dtype=np.int64)
    best = -np.inf
    for period in periods:
        if 2.0 * (n - period) <= best:  # not even if it were perfect
            break
        length = min(n, max(TRIAL_BASES, TRIAL_COPIES * period))
        trial = codes[(n - length) // 2 : (n - length) // 2 + length]
        start = best_window(trial, period)
        other = trial[start : start + period].copy()
        if best > 0 and 4 * period >= 7 * unit.shape[0] and is_monomer(unit, other):
            continue
        other, other_positions, other_events = refine(trial, other, FIRST_ROUNDS)
        size = other.shape[0]
        saved = (saved_bits(other_events, size) + 2 * size) * n / length - 2 * size
        if saved > best and not (best > 0 and 4 * size >= 7 * unit.shape[0] and is_monomer(unit, other)):
            unit, positions, events, best = other, other_positions, other_events, saved
    return unit, positions, events


@njit(nogil=True, cache=True)
def rotate(unit, positions, events):
    """The same with the unit in its smallest rotation."""
    turn, p = smallest_rotation(unit), unit.shape[0]
    if turn:
        for i in range(positions.shape[0]):
            j = positions[i]
            if j >= 0:
                positions[i] = j - turn if j >= turn else j - turn + p
            else:
                positions[i] = j + turn if -1 - j >= turn else j + turn - p
    turned = np.empty_like(unit)
    for j in range(p):
        turned[j] = unit[j + turn if j + turn < p else j + turn - p]
    return turned, positions, events
