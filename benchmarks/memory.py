"""Peak memory of a whole scan against the size of the genome: it should be flat.

    python benchmarks/memory.py --out benchmarks/results/memory.json

Simulated genomes of 12 and 120 Mb, and one of 120 Mb in contigs of 300 to 2,000 bases, each scanned by a process of
its own; its largest resident size and its speed are recorded.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from pathlib import Path

import numpy as np
from peers import run_tool

from genoscan import __version__
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import RepeatSimulation, random_table, simulate

TOOL = "genoscan repeats (2 threads)"


def write_genome(path: Path, bases: int, contig_sizes: tuple[int, int], seed: int) -> int:
    """A FASTA of simulated contigs whose lengths are uniform between two sizes; the number of contigs."""
    generator = np.random.default_rng(seed)
    made = contigs = 0
    table = random_table(generator)
    with path.open("wb") as fasta:
        while made < bases:
            block, _ = simulate(generator, min(10_000_000, bases - made), RepeatSimulation(), table)
            start = 0
            while start < len(block):
                size = int(generator.integers(contig_sizes[0], contig_sizes[1] + 1))
                fasta.write(fasta_record(f"c{contigs}", block[start : start + size]))
                contigs, start = contigs + 1, start + size
            made += len(block)
    return contigs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--large", type=int, default=120_000_000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    cases = {
        "12 Mb, contigs of 1-4 Mb": (arguments.large // 10, (1_000_000, 4_000_000)),
        "120 Mb, contigs of 1-4 Mb": (arguments.large, (1_000_000, 4_000_000)),
        "12 Mb, contigs of 300-2,000 b": (arguments.large // 10, (300, 2000)),
        "120 Mb, contigs of 300-2,000 b": (arguments.large, (300, 2000)),
    }
    result: dict = {"genoscan": __version__, "machine": platform.machine(), "tool": TOOL, "cases": {}}
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        for number, (name, (bases, sizes)) in enumerate(cases.items()):
            fasta = Path(folder) / "genome.fa"
            contigs = write_genome(fasta, bases, sizes, number)
            run = run_tool(TOOL, fasta, arguments.model)
            speed = round(bases / 1e6 / run.seconds, 2)
            result["cases"][name] = {"contigs": contigs, "peak_mb": round(run.peak_mb, 1), "mb_per_second": speed}
            print(f"{name:32s} {result['cases'][name]}", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
