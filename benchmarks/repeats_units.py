"""Units of simulated tandem repeats: period and consensus as genoscan gives them for the true intervals, beside TRF.

    python benchmarks/repeats_units.py --background hg38_piece.fa --out benchmarks/results/repeats_units.json

Arrays are drawn as `training/data/simulate.py` draws them, in sequence of a Markov chain, with the true alignment kept.
genoscan annotates the true intervals, their edges moved by up to three bases; TRF runs on the whole sequence, and its
record that overlaps an array best (share of the union) is what it says of it. No record counts as wrong.

Copies that mutated need not determine their unit. The oracle is a majority vote under the true alignment: how often it
finds the unit (ties count by the chance to break them rightly) is what any method can reach, if it knew the alignment.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from genoscan import __version__
from genoscan.scanner.calling.repeats import annotate
from genoscan.scanner.calling.satellites import load_satellites
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import (
    RepeatSimulation,
    draw_divergence,
    draw_length,
    draw_unit,
    markov_sequence,
    markov_table,
    random_table,
)

SEED = (2_026_112_1, 78)
CLASSES = ((1, 6), (7, 30), (31, 100), (101, 500), (501, 2000))
JITTER = 3
TRF = ["2", "7", "7", "80", "10", "50", "2000", "-h", "-ngs"]


class Planted(NamedTuple):
    """One array: its place, its unit (codes), its copies' divergence and indels, and what an oracle makes of it."""

    start: int
    end: int
    unit: np.ndarray
    copies: float
    divergence: float
    indels: float
    chained: bool
    oracle: float


class Found(NamedTuple):
    """What a tool says of an array: period, size of the consensus, and the consensus in its smallest rotation."""

    period: int
    size: int
    consensus: bytes
    segments: int


@njit(nogil=True)
def traced_array(generator, unit, length, divergence, indels, chained):
    """As `tandem_array` of the simulator, and for each base the column of the endless row of copies it stands in.

    Returns (codes uint8[n], columns int64[n], inserted bool[n]); an inserted base stands in the column before it.
    """
    room = 2 * length + 16
    codes, columns = np.empty(room, dtype=np.uint8), np.empty(room, dtype=np.int64)
    inserted = np.zeros(room, dtype=np.bool_)
    template, places, extra = unit.copy(), np.arange(len(unit)), np.zeros(len(unit), dtype=np.bool_)
    size = used = turn = 0
    while used < length:
        begin = size
        for k in range(len(template)):
            if used == length or size + 2 > room:
                break
            used += 1
            column = turn * len(unit) + places[k]
            event = generator.random()
            if event < indels / 2:
                continue
            if event < indels:
                codes[size], columns[size], inserted[size] = generator.integers(0, 4), column - 1, True
                size += 1
            base = template[k]
            if generator.random() < divergence:
                base = (base + generator.integers(1, 4)) % 4
            codes[size], columns[size], inserted[size] = base, column, extra[k]
            size += 1
        if size + 2 > room:
            break
        if chained and size - begin >= max(1, len(unit) // 2):
            template = codes[begin:size].copy()
            places = columns[begin:size] - turn * len(unit)
            extra = inserted[begin:size].copy()
        turn += 1
    return codes[:size].copy(), columns[:size].copy(), inserted[:size].copy()


def oracle_chance(codes: np.ndarray, columns: np.ndarray, inserted: np.ndarray, unit: np.ndarray) -> float:
    """Chance that a majority vote under the true alignment gives the unit, ties broken at random."""
    p = len(unit)
    votes = np.zeros((p, 5), dtype=np.int64)
    np.add.at(votes, (columns[~inserted] % p, codes[~inserted]), 1)
    first, last = int(columns.min()), int(columns.max())
    reached = np.bincount(np.arange(max(first, 0), last + 1) % p, minlength=p)
    present = votes.sum(axis=1)
    slots = np.unique(columns[inserted])
    extra = np.bincount(slots % p, minlength=p)
    chance = 1.0
    for j in range(p):
        absent = reached[j] - present[j]
        top = votes[j].max()
        if votes[j, unit[j]] < top or absent > present[j] or 2 * extra[j] > reached[j]:
            return 0.0
        chance /= np.count_nonzero(votes[j] == top)
        chance /= 2 if absent == present[j] else 1
        chance /= 2 if 2 * extra[j] == reached[j] and extra[j] else 1
    return chance


def plant(generator: np.random.Generator, settings: RepeatSimulation, table: np.ndarray, number: int):
    """A sequence (uint8) with ``number`` arrays in it, and what they are."""
    parts, planted, position = [], [], 0
    for _ in range(number):
        gap = markov_sequence(generator, table, 300 + int(generator.exponential(300)))
        unit = draw_unit(generator, settings, table)
        divergence = draw_divergence(generator, settings.divergence)
        indels = 0.0 if generator.random() < 1 / 3 else generator.uniform(0, settings.indels)
        length = draw_length(generator, len(unit), settings.min_length)
        chained = bool(generator.random() < settings.chained)
        codes, columns, inserted = traced_array(generator, unit, length, divergence, indels, chained)
        start = position + len(gap)
        position = start + len(codes)
        parts += [gap, codes]
        oracle = oracle_chance(codes, columns, inserted, unit)
        planted.append(Planted(start, position, unit, length / len(unit), divergence, indels, chained, oracle))
    parts.append(markov_sequence(generator, table, 500))
    return np.concatenate(parts), planted


def smallest(letters: bytes) -> bytes:
    return min((letters[i:] + letters[:i] for i in range(len(letters))), default=b"")


def genoscan_units(codes: np.ndarray, planted: list[Planted], generator: np.random.Generator):
    """What `annotate` says of every array (the longest segment of its call), and the seconds it took."""
    shift = generator.integers(-JITTER, JITTER + 1, (2, len(planted)))
    starts = np.array([one.start for one in planted]) + shift[0]
    ends = np.array([one.end for one in planted]) + shift[1]
    satellites = load_satellites()
    annotate(lambda start, end: codes[start:end], starts[:1], ends[:1], satellites)  # compiles
    begun = time.perf_counter()
    segments, letters = annotate(lambda start, end: codes[start:end], starts, ends, satellites)
    seconds = time.perf_counter() - begun
    found = []
    for call in range(len(planted)):
        own = segments[segments["call"] == call]
        one = own[np.argmax(own["end"] - own["start"])]
        unit = letters[one["unit_start"] : one["unit_end"]].tobytes()
        found.append(Found(int(one["period"]), int(one["consensus_size"]), smallest(unit), len(own)))
    return found, seconds


def trf_units(codes: np.ndarray, planted: list[Planted]):
    """What TRF's best overlapping record says of every array, None without one, and the seconds it took."""
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        fasta = Path(folder) / "test.fa"
        fasta.write_bytes(fasta_record("t", codes))
        begun = time.perf_counter()
        run = subprocess.run(["trf", str(fasta), *TRF], capture_output=True, text=True, check=False, cwd=folder)
        seconds = time.perf_counter() - begun
    records = [line.split() for line in run.stdout.splitlines() if line and line[0] != "@"]
    starts = np.array([int(fields[0]) - 1 for fields in records])
    ends = np.array([int(fields[1]) for fields in records])
    found: list[Found | None] = []
    for one in planted:
        shared = np.minimum(ends, one.end) - np.maximum(starts, one.start)
        share = shared / (np.maximum(ends, one.end) - np.minimum(starts, one.start))
        best = int(np.argmax(share))
        if shared[best] <= 0:
            found.append(None)
            continue
        fields = records[best]
        found.append(Found(int(fields[2]), int(fields[4]), smallest(fields[13].encode()), 1))
    return found, seconds


def summary(planted: list[Planted], tools: dict[str, list[Found | None]], keep: np.ndarray) -> dict:
    """Shares of the arrays marked in ``keep`` of which a tool finds the period, a multiple, and the consensus."""
    chosen = np.flatnonzero(keep)
    rows = {"arrays": len(chosen), "oracle_consensus": round(float(np.mean([planted[i].oracle for i in chosen])), 4)}
    for tool, found in tools.items():
        period = multiple = consensus = split = 0
        for i in chosen:
            one, truth = found[i], planted[i]
            if one is None:
                continue
            p = len(truth.unit)
            right = p in (one.period, one.size)
            period += right
            multiple += right or one.period % p == 0 or one.size % p == 0
            consensus += one.consensus == smallest(np.frombuffer(b"ACGT", np.uint8)[truth.unit].tobytes())
            split += one.segments > 1
        shares = {"period": period, "period_or_multiple": multiple, "consensus": consensus, "split": split}
        rows[tool] = {name: round(value / len(chosen), 4) for name, value in shares.items()}
    return rows


def tables(planted: list[Planted], tools: dict[str, list[Found | None]]) -> dict:
    """`summary` of all arrays and of kinds of them: by history, determined or not, and by class of period."""
    period = np.array([len(one.unit) for one in planted])
    chained = np.array([one.chained for one in planted])
    determined = np.array([one.oracle > 0.99 for one in planted])
    gapless = np.array([one.indels == 0 for one in planted])
    kinds = {
        "all": np.ones(len(planted), dtype=bool),
        "from one unit": ~chained,
        "from one unit, no indels": ~chained & gapless,
        "from the copy before": chained,
        "unit determined by the copies": determined,
    }
    result = {}
    for kind, marked in kinds.items():
        result[kind] = {"all": summary(planted, tools, marked)}
        for low, high in CLASSES:
            inside = marked & (period >= low) & (period <= high)
            if inside.any():
                result[kind][f"{low}-{high}"] = summary(planted, tools, inside)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--background", help="FASTA whose composition the sequence takes")
    parser.add_argument("--arrays", type=int, default=4000)
    parser.add_argument("--longest", type=int, default=500, help="longest period in bases")
    parser.add_argument("--divergence", type=float, default=0.10)
    parser.add_argument("--seed", type=int, help="of another sequence than the published one")
    parser.add_argument("--no-trf", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    generator = np.random.default_rng(SEED if arguments.seed is None else arguments.seed)
    table = random_table(generator)
    if arguments.background:
        with open_genome(arguments.background) as genome:
            codes = [genome.codes(i, 0, int(length)) for i, length in enumerate(genome.lengths)]
        table = markov_table(np.concatenate(codes), 3)
    settings = RepeatSimulation(periods=(1, arguments.longest), divergence=arguments.divergence)
    codes, planted = plant(generator, settings, table, arguments.arrays)
    found, seconds = genoscan_units(codes, planted, generator)
    tools: dict[str, list[Found | None]] = {"genoscan": found}
    times = {"genoscan": round(seconds, 2)}
    if not arguments.no_trf:
        tools["TRF 2 7 7 80 10 50 2000"], trf_seconds = trf_units(codes, planted)
        times["TRF 2 7 7 80 10 50 2000"] = round(trf_seconds, 2)
    result = {
        **provenance(),
        "genoscan": __version__,
        "background": Path(arguments.background).name if arguments.background else "random composition",
        "settings": vars(settings),
        "edges_off_by_at_most": JITTER,
        "bases": len(codes),
        "bases_in_arrays": sum(one.end - one.start for one in planted),
        "seconds": times,
        "kinds": tables(planted, tools),
    }
    for kind, classes in result["kinds"].items():
        for name, row in classes.items():
            print(f"{kind:30s} {name:9s}", row)
    print(times, "bases", result["bases_in_arrays"])
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
