"""Where no repeat is known: a masked FASTA split at its N runs, less what catalogues say, and a last exact check.

TRF's misses are not negatives. A stretch is taken for one only if no given catalogue touches it and it matches itself
at no lag as a tandem repeat would (`holds_tandem_repeat`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numba import njit

from ...scanner.errors import GenoscanError
from ...scanner.reading.compressed import decompressed
from ...scanner.reading.digest import PassingDigest
from ...scanner.reading.fasta import Layout, read_layout
from ...scanner.reading.tiles import INTERVAL

_CHUNK = 1 << 20
_SCORE, _MATCH, _MISMATCH, _COPIES = 50, 2, 7, 1.8
"""TRF's documented defaults (Benson 1999, https://tandem.bu.edu/trf): weights, lowest score, fewest copies."""


def unmasked_runs(path: str | Path, soft: bool, shortest: int) -> tuple[Layout, np.ndarray, str]:
    """The runs of a FASTA's records, plain or gzip, that are not masked: its layout, INTERVAL (runs,), its digest.

    Masked is everything but A, C, G, T and U; with ``soft`` their lower case too. Runs under ``shortest`` bases are
    left out. The file is read once as a stream: memory is that of the runs. Raises GenoscanError as `open_genome` does.
    """
    known = np.zeros(256, dtype=np.bool_)
    known[list(b"ACGTU" if soft else b"ACGTUacgtu")] = True
    state, found = np.array([0, -1], dtype=np.int64), []

    def take(letters: np.ndarray) -> None:
        runs = np.empty((len(letters) // 2 + 2, 2), dtype=np.int64)
        found.append(runs[: _next_runs(letters, known, state, shortest, runs)].copy())

    try:
        with open(path, "rb") as file, PassingDigest() as passing:
            text = decompressed(passing.hashed(_pieces(file)), str(path))
            layout = read_layout(text, str(path), take)
            digest = passing.hexdigest()
    except OSError as error:
        raise GenoscanError(f"{path}: cannot be read: {error.strerror or error}") from None
    if state[1] >= 0:
        found.append(np.array([[state[1], state[0]]], dtype=np.int64))
    ends = np.cumsum(layout.lengths)
    parts = (_in_records(part, layout.lengths, ends, shortest) for part in found)  # one at a time: less memory
    return layout, np.concatenate([np.empty(0, dtype=INTERVAL), *parts]), digest


def _pieces(file) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece


@njit(nogil=True, cache=True)
def _next_runs(letters, known, state, shortest, runs):
    """Add runs that end in these letters: (start, end) counted from the text's first letter; state: letters passed, and
    where the open run began (-1 without one)."""
    count = 0
    for i in range(letters.shape[0]):
        if known[letters[i]]:
            if state[1] < 0:
                state[1] = state[0] + i
        elif state[1] >= 0:
            if state[0] + i - state[1] >= shortest:
                runs[count, 0], runs[count, 1] = state[1], state[0] + i
                count += 1
            state[1] = -1
    state[0] += letters.shape[0]
    return count


def _in_records(runs: np.ndarray, lengths: np.ndarray, ends: np.ndarray, shortest: int) -> np.ndarray:
    """Runs int64 (runs, 2) of the records laid end to end, cut at the records' ends: INTERVAL."""
    first, last = (np.searchsorted(ends, bound, side="right") for bound in (runs[:, 0], runs[:, 1] - 1))
    pieces = last - first + 1
    owner = np.repeat(np.arange(len(runs)), pieces)
    contig = first[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begins = ends[contig] - lengths[contig]
    found = np.empty(len(owner), dtype=INTERVAL)
    found["contig"] = contig
    found["start"] = np.maximum(runs[owner, 0], begins) - begins
    found["end"] = np.minimum(runs[owner, 1], ends[contig]) - begins
    return found[found["end"] - found["start"] >= shortest]


def subtract_intervals(runs: np.ndarray, taken: np.ndarray, shortest: int) -> np.ndarray:
    """What is left of ``runs`` without the bases of ``taken``, in pieces of ``shortest`` bases or more.

    Both are INTERVAL in genome order; runs do not overlap each other, nor do those taken (`merge_intervals`).
    """
    left = np.empty(len(runs) + len(taken), dtype=INTERVAL)
    return left[: _subtract(runs, taken, shortest, left)].copy()


@njit(nogil=True, cache=True)
def _subtract(runs, taken, shortest, left):
    count = at = 0
    for run in runs:
        while at < len(taken) and (
            taken[at].contig < run.contig or (taken[at].contig == run.contig and taken[at].end <= run.start)
        ):
            at += 1
        start, other = run.start, at
        while start < run.end:
            stop = run.end
            after = run.end
            if other < len(taken) and taken[other].contig == run.contig and taken[other].start < run.end:
                stop, after = taken[other].start, taken[other].end
                other += 1
            if stop - start >= shortest:
                left[count].contig, left[count].start, left[count].end = run.contig, start, stop
                count += 1
            start = max(start, after)
    return count


@njit(nogil=True, cache=True)
def holds_tandem_repeat(codes):
    """Whether a uint8 sequence matches itself, without gaps, as TRF at its default weights would call a repeat.

    For some lag p a stretch of at least 0.8 p bases matches the bases p before it so well that stretch and first copy
    together, p and the matches at 2 each less 7 for each mismatch, score 50 or more. N (above 3) matches nothing.
    """
    for lag in range(1, int(codes.shape[0] / _COPIES) + 1):
        score = length = 0
        for i in range(lag, codes.shape[0]):
            matches = codes[i] == codes[i - lag] and codes[i] < 4
            score += _MATCH if matches else -_MISMATCH
            length += 1
            if score < 0:
                score = length = 0
            elif length >= (_COPIES - 1) * lag and score + _MATCH * lag >= _SCORE:
                return True
    return False


def draw_windows(generator: np.random.Generator, runs: np.ndarray, lengths: np.ndarray, tries: int = 30) -> np.ndarray:
    """For each length an interval of so many bases in a run: INTERVAL (lengths,), contig -1 where ``tries`` found none.

    Places are uniform over all bases of the runs at which an interval of that length can begin.
    """
    found = np.zeros(len(lengths), dtype=INTERVAL)
    found["contig"] = -1
    ends = np.cumsum(runs["end"] - runs["start"])
    waiting = np.arange(len(lengths)) if len(runs) else np.empty(0, dtype=np.int64)
    for _ in range(tries):
        if not len(waiting):
            break
        place = generator.integers(ends[-1], size=len(waiting))
        run = np.searchsorted(ends, place, side="right")
        start = runs["end"][run] - (ends[run] - place)
        fits = start + lengths[waiting] <= runs["end"][run]
        chosen = waiting[fits]
        found["contig"][chosen], found["start"][chosen] = runs["contig"][run[fits]], start[fits]
        found["end"][chosen] = start[fits] + lengths[chosen]
        waiting = waiting[~fits]
    return found
