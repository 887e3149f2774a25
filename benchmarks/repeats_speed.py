"""Speed and memory on real sequence: genoscan beside TRF and tantan, the same files, one after another in one run.

    python benchmarks/repeats_speed.py yeast.fa hg38_piece.fa centromere.fa --out benchmarks/results/repeats_speed.json

Wall time is of the whole command, start-up included; Mb/s counts all letters of the file. TRF may take minutes on
satellites: --limit stops a tool (its cell then says so).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path

from peers import TOOLS, available, merged_length, run_tool

from genoscan import __version__


def plain_copy(source: Path, folder: Path) -> Path:
    """TRF and tantan want plain FASTA; all tools get the same file."""
    target = folder / source.name.removesuffix(".gz")
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rb") as read:
        target.write_bytes(read.read())
    return target


def base_count(fasta: Path) -> int:
    with fasta.open("rb") as lines:
        return sum(len(line.strip()) for line in lines if not line.startswith(b">"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genomes", nargs="+", type=Path)
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--rounds", type=int, default=2, help="the best of this many runs counts")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a tool is stopped")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    result = {
        "genoscan": __version__,
        "machine": platform.processor() or platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "genomes": {},
    }
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        for source in arguments.genomes:
            fasta = plain_copy(source, Path(folder))
            bases = base_count(fasta)
            rows: dict[str, dict] = {}
            result["genomes"][fasta.name] = {"bases": bases, "tools": rows}
            for tool in filter(available, TOOLS):
                rows[tool] = best_of(tool, fasta, bases, arguments)
                print(f"{fasta.name:36s} {tool:30s} {rows[tool]}", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


def best_of(tool: str, fasta: Path, bases: int, arguments: argparse.Namespace) -> dict:
    seconds, peak, covered = float("inf"), 0.0, 0
    for number in range(arguments.rounds):
        try:
            run = run_tool(tool, fasta, arguments.model, limit=arguments.limit)
        except subprocess.TimeoutExpired:
            return {
                "stopped_after_seconds": arguments.limit,
                "mb_per_second_below": round(bases / 1e6 / arguments.limit, 3),
            }
        seconds, peak = min(seconds, run.seconds), run.peak_mb
        covered = sum(merged_length(intervals) for intervals in run.intervals.values())
        if number == 0 and run.seconds > 60:
            break  # long enough for noise not to matter
    return {
        "seconds": round(seconds, 2),
        "mb_per_second": round(bases / 1e6 / seconds, 3),
        "peak_mb": round(peak, 1),
        "bases_covered": covered,
    }


if __name__ == "__main__":
    main()
