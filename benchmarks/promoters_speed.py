"""How long scans for promoters take, both strands, and what that is for a human genome.

    python benchmarks/promoters_speed.py --genome chr1.fa --threads 2 --out benchmarks/results/promoters_speed.json

The whole command is timed, from the FASTA to the BED, with the start of Python in it; of several rounds the fastest
counts. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from repeat_sets import read_codes

from genoscan import __version__
from genoscan.scanner.throughput.machine import provenance

HUMAN = 3.1e9
"""Bases of a human genome."""


def seconds_of(genome: Path, model: str, threads: int, rounds: int) -> float:
    """Wall-clock seconds of the fastest of several scans."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "genoscan", "scan", str(genome), "--model", model, "-t", str(threads), "-q"]
        spent = []
        for number in range(rounds):
            began = time.monotonic()
            subprocess.run([*command, "--device", "cpu", "-o", str(Path(folder, f"{number}.bed"))], check=True)
            spent.append(time.monotonic() - began)
    return min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genome", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["promoter-ecoli", "promoter-plant"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    bases = len(read_codes(arguments.genome))
    result = {
        **provenance(),
        "genoscan": __version__,
        "threads": arguments.threads,
        "bases": bases,
        "models": {},
    }
    for model in arguments.models:
        seconds = seconds_of(arguments.genome, model, arguments.threads, arguments.rounds)
        result["models"][model] = {
            "seconds": round(seconds, 2),
            "megabases_a_second": round(bases / seconds / 1e6, 3),
            "minutes_for_a_human_genome": round(HUMAN / bases * seconds / 60, 1),
        }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
