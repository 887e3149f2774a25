"""False calls: bases called in sequence that holds no planted repeat, by genoscan and TRF in one run.

    python benchmarks/repeats_false_calls.py --background piece.fa --out benchmarks/results/repeats_false_calls.json

The sequence is drawn from Markov chains of order 1 and 3 fitted on the background (a reversed or masked real sequence
would keep real repeats and be no control). A third sequence holds dispersed copies: stretches of 30 to 400 bases that
recur two to four times with other sequence between them, as transposons do, and are no tandem repeats; the arrays that
some of them carry at their end do not count.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from peers import Run, available, run_tool

from genoscan import __version__
from genoscan.scanner.reading.genome import open_genome
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import RepeatSimulation, label_bases, markov_sequence, markov_table, simulate

TOOLS = ("genoscan repeats (2 threads)", "TRF 2 7 7 80 10 50 500", "TRF 2 5 7 80 10 40 2000", "tantan -f4 -w500")
SEED = 20_261_121


def control_sequence(control: str, codes: np.ndarray, bases: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes, and the labels of the arrays that some dispersed families carry at their end (none elsewhere)."""
    generator = np.random.default_rng((SEED, sum(control.encode())))
    if control == "dispersed copies":
        settings = RepeatSimulation(gap=2000, dispersed=1.0)
        sequence, truth = simulate(generator, bases, settings, markov_table(codes, 3))
        return sequence, label_bases(truth, bases)
    sequence = markov_sequence(generator, markov_table(codes, int(control[-1])), bases)
    return sequence, np.zeros(bases, dtype=np.uint8)


def false_bases(run: Run, labels: np.ndarray) -> int:
    """Called bases that lie in no planted array."""
    called = np.zeros(len(labels), dtype=bool)
    for start, end in run.intervals.get("s", ()):
        called[start:end] = True
    return int((called & (labels == 0)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--background", required=True)
    parser.add_argument("--bases", type=int, default=10_000_000)
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with open_genome(arguments.background) as genome:
        codes = np.concatenate([genome.codes(i, 0, int(length)) for i, length in enumerate(genome.lengths)])
    result: dict = {"genoscan": __version__, "bases": arguments.bases, "called_bases_per_mb": {}}
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        for control in ("order 1", "order 3", "dispersed copies"):
            fasta = Path(folder) / "control.fa"
            sequence, labels = control_sequence(control, codes, arguments.bases)
            fasta.write_bytes(fasta_record("s", sequence))
            for tool in filter(available, TOOLS):
                run = run_tool(tool, fasta, arguments.model)
                per_mb = round(false_bases(run, labels) / arguments.bases * 1e6, 1)
                result["called_bases_per_mb"].setdefault(tool, {})[control] = per_mb
                print(f"{control:18s} {tool:30s} {per_mb} bases a Mb", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
