"""False calls: bases called in sequence that holds no planted repeat, by genoscan and TRF in one run.

    python benchmarks/repeats_false_calls.py --background piece.fa --out benchmarks/results/repeats_false_calls.json

The sequence is drawn from Markov chains of order 1 and 3 fitted on the background (a reversed or masked real sequence
would keep real repeats and be no control).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from peers import available, merged_length, run_tool

from genoscan import __version__
from genoscan.scanner.reading.genome import open_genome
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import markov_sequence, markov_table

TOOLS = ("genoscan repeats (2 threads)", "TRF 2 7 7 80 10 50 500", "TRF 2 5 7 80 10 40 2000", "tantan -f4 -w500")
SEED = 20_261_121


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
        for order in (1, 3):
            fasta = Path(folder) / f"order{order}.fa"
            table = markov_table(codes, order)
            sequence = markov_sequence(np.random.default_rng((SEED, order)), table, arguments.bases)
            fasta.write_bytes(fasta_record("s", sequence))
            for tool in filter(available, TOOLS):
                run = run_tool(tool, fasta, arguments.model)
                called = sum(merged_length(intervals) for intervals in run.intervals.values())
                per_mb = round(called / arguments.bases * 1e6, 1)
                result["called_bases_per_mb"].setdefault(tool, {})[f"order {order}"] = per_mb
                print(f"order {order}  {tool:30s} {per_mb} bases a Mb", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
