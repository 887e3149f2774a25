"""A small genome with known tandem repeats, as files: for `genoscan demo` and for tests."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .simulate import RepeatSimulation, random_table, simulate

LINE = 60
LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
CONTIGS = {"sim1": 0.5, "sim2": 0.3, "sim3": 0.2}
"""Names of the demo's contigs and their shares of its bases."""


class Demo(NamedTuple):
    genome: Path
    truth: Path
    repeats: int


def fasta_record(name: str, codes: np.ndarray) -> bytes:
    """One FASTA record with lines of 60 bases; codes uint8, above 3 = N."""
    letters = LETTERS[np.minimum(codes, 4)].tobytes()
    lines = [letters[start : start + LINE] for start in range(0, len(letters), LINE)]
    return b">" + name.encode() + b"\n" + b"\n".join(lines) + (b"\n" if lines else b"")


def write_demo(folder: Path, bases: int, seed: int) -> Demo:
    """Write demo.fa and demo.truth.bed (chrom, start, end, period, copies, divergence, indel rate) into ``folder``.

    The same seed and size give the same files. Repeats are those of `RepeatSimulation`'s defaults: periods of 1 to
    500, up to 25 % substitutions and 4 % insertions and deletions in each copy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    demo = Demo(folder / "demo.fa", folder / "demo.truth.bed", 0)
    rows = ["#chrom\tstart\tend\tperiod\tcopies\tdivergence\tindels\n"]
    with demo.genome.open("wb") as fasta:
        for name, share in CONTIGS.items():
            codes, truth = simulate(generator, int(bases * share), RepeatSimulation(), random_table(generator))
            fasta.write(fasta_record(name, codes))
            rows += [
                f"{name}\t{one['start']}\t{one['end']}\t{one['period']}\t{one['copies']:.1f}\t"
                f"{one['divergence']:.3f}\t{one['indels']:.3f}\n"
                for one in truth
            ]
    demo.truth.write_text("".join(rows), encoding="utf-8")
    return demo._replace(repeats=len(rows) - 1)


def covered_shares(truth: Path, calls: Path) -> np.ndarray:
    """For each true repeat, the share of its bases that calls cover: float64 (repeats,). Calls must not overlap."""
    found: dict[str, list[tuple[int, int]]] = {}
    for chrom, start, end in _intervals(calls):
        found.setdefault(chrom, []).append((start, end))
    shares = []
    for chrom, start, end in _intervals(truth):
        covered = sum(max(0, min(end, stop) - max(start, begin)) for begin, stop in found.get(chrom, ()))
        shares.append(covered / (end - start))
    return np.array(shares)


def _intervals(bed: Path) -> list[tuple[str, int, int]]:
    lines = bed.read_text(encoding="utf-8").splitlines()
    columns = (line.split("\t") for line in lines if not line.startswith("#"))
    return [(column[0], int(column[1]), int(column[2])) for column in columns]
