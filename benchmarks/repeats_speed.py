"""Speed and memory on real sequence: genoscan beside its peers, the whole command, all in one run.

    python benchmarks/repeats_speed.py human=chr20.fa:chr20 centromere=chm13_chr8_cen.fa:chr8 --out OUT.json

Every tool runs on the same plain FASTA (of one contig where it is named), one at a time, in rounds, so that what else
runs on the machine meets all of them. A genome of fewer than --least megabases is taken several times, so that a run
is much longer than what start-ups differ by. The best round counts. Start-up is the best time on a contig of 1,000
bases in the same rounds; speeds are given with it and without, and per CPU second. A tool is measured again in each
round until it has taken BUDGET seconds. The slowest get the first BITE bases only, and so does one that --limit
stopped.

`genoscan bench` then measures encoding, the network and the scan apart from reading and writing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from peers import TOOLS, Run, available, covered_bases, run_tool
from real_sequences import Sequences, base_count, known_count, read_letters, write_plain

from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.throughput.machine import provenance

MEASURED = (
    "genoscan repeats", "genoscan repeats (2 threads)", "longdust", "tantan -f3 -w500", "tantan -f3",
    "TRF 2 7 7 80 10 50 500", "tantan -f4 -w500", "dna-brnn", "dna-brnn (2 threads)", "ULTRA", "ULTRA (2 threads)",
)  # fmt: skip
SLOW = ("tantan -f4 -w500", "dna-brnn", "dna-brnn (2 threads)", "ULTRA", "ULTRA (2 threads)")
BITE = 1_000_000
BUDGET = 25.0
TINY = 1_000


class Task(NamedTuple):
    """One tool on one file, and the seconds it has taken in each round (None: stopped)."""

    tool: str
    fasta: Path
    bases: int
    known: int
    runs: list[Run | None]


def open_genome_argument(text: str, least: float) -> tuple[str, Sequences]:
    """[NAME=]FASTA or [NAME=]FASTA:CONTIG, copied until there are ``least`` megabases; without a name the file's."""
    name, _, path = text.rpartition("=")
    file, _, contig = (path, "", "") if Path(path).exists() else path.rpartition(":")
    records = read_letters(Path(file))
    records = {contig: records[contig]} if contig else records
    copies = max(1, math.ceil(least * 1e6 / base_count(records)))
    copied = {f"{one}_{copy}" if copy else one: records[one] for copy in range(copies) for one in records}
    return name or Path(file).name, copied


def bite_of(records: Sequences) -> Sequences:
    """The first BITE bases after what is unknown at the start of the longest contig."""
    name, letters = max(records.items(), key=lambda record: len(record[1]))
    first = int(np.argmax(~np.isin(letters, np.frombuffer(b"Nn", dtype=np.uint8))))
    return {name: letters[first : first + BITE]}


def prepared(name: str, records: Sequences, folder: Path, tools: Iterable[str]) -> list[Task]:
    """The tasks of a genome: every tool on all of it or its bite."""
    tasks = []
    for tool in tools:
        chosen, part = (bite_of(records), "bite") if tool in SLOW else (records, "whole")
        fasta = folder / f"{name}.{part}.fa"
        if not fasta.exists():
            write_plain(chosen, fasta)
        tasks.append(Task(tool, fasta, base_count(chosen), known_count(chosen), []))
    return tasks


def measure(task: Task, model: str, limit: float) -> None:
    """Run once more, unless it was stopped before or has taken its share."""
    spent = sum(run.seconds for run in task.runs if run)
    if None in task.runs or spent > BUDGET:
        return
    try:
        task.runs.append(run_tool(task.tool, task.fasta, model, limit))
    except subprocess.TimeoutExpired:
        task.runs.append(None)


def row_of(task: Task, startup: Task, limit: float) -> dict:
    row: dict = {"bases": task.bases, "known_bases": task.known}
    if None in task.runs:
        return {**row, "stopped_after_seconds": limit, "mb_per_second_below": round(task.bases / 1e6 / limit, 3)}
    best, start = (min(one.runs, key=lambda run: run.seconds) for one in (task, startup))
    cpu = (min(run.cpu_seconds for run in one.runs) for one in (task, startup))
    past, past_cpu = best.seconds - start.seconds, float(np.subtract(*cpu))
    return {
        **row,
        "seconds": [round(run.seconds, 2) for run in task.runs],
        "startup_seconds": round(start.seconds, 2),
        "mb_per_second_with_startup": round(task.bases / 1e6 / best.seconds, 3),
        "mb_per_second": round(task.bases / 1e6 / past, 3) if past > 0 else None,
        "mb_per_cpu_second": round(task.bases / 1e6 / past_cpu, 3) if past_cpu > 0 else None,
        "peak_mb": round(best.peak_mb, 1),
        "bases_covered": covered_bases(best.calls),
    }


def bench(fasta: Path, model: str, threads: int) -> dict:
    """`genoscan bench`: threads, batch size, and Mb/s of encoding, of the network, of the scan in process."""
    command = [
        sys.executable,
        "-m",
        "genoscan",
        "bench",
        "-m",
        model,
        "--genome",
        str(fasta),
        "-t",
        str(threads),
        "--seconds",
        "3",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=fasta.parent)
    (row,) = json.loads(done.stdout)["settings"]
    return {"threads": row["threads"], "batch_size": row["batch_size"], **row["mb_per_second"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("genomes", nargs="+", metavar="[NAME=]FASTA[:CONTIG]")
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--least", type=float, default=40, help="megabases that a genome has at least, of copies")
    parser.add_argument("--limit", type=float, default=45, help="seconds after which a tool is stopped")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    began, tools = time.perf_counter(), [tool for tool in MEASURED if available(tool)]
    result: dict = {
        **provenance(),
        "genoscan": __version__,
        "model": read_card(find_model(arguments.model)).version,
        "load_before": round(os.getloadavg()[0], 2),
        "commands": {tool: [Path(part).name for part in TOOLS[tool]] for tool in tools},
        "genomes": {},
        "bench": {},
    }
    genomes = dict(open_genome_argument(text, arguments.least) for text in arguments.genomes)
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        place = Path(folder)
        known = {name: bite_of(records) for name, records in genomes.items()}
        tiny = {contig: letters[:TINY] for contig, letters in next(iter(known.values())).items()}
        startups = {task.tool: task for task in prepared("tiny", tiny, place, tools)}
        tasks = {name: prepared(name, records, place, tools) for name, records in genomes.items()}
        for number in range(arguments.rounds):
            for task in (*startups.values(), *(task for some in tasks.values() for task in some)):
                measure(task, arguments.model, arguments.limit)
            print(f"round {number + 1}, after {time.perf_counter() - began:.0f} s", flush=True)
        for name, records in genomes.items():
            rows = result["genomes"][name] = {t.tool: row_of(t, startups[t.tool], arguments.limit) for t in tasks[name]}
            for tool in [tool for tool, row in rows.items() if "stopped_after_seconds" in row and tool not in SLOW]:
                bite = bite_of(records)
                write_plain(bite, place / "again.fa")
                again = Task(tool, place / "again.fa", base_count(bite), known_count(bite), [])
                measure(again, arguments.model, arguments.limit)
                rows[f"{tool}, first {BITE / 1e6:g} Mb"] = row_of(again, startups[tool], arguments.limit)
            for tool, row in rows.items():
                print(
                    f"{name:12s} {tool:30s}",
                    row.get("mb_per_second", f"< {row.get('mb_per_second_below')}"),
                    flush=True,
                )
            for threads in (1, 2):
                measured = bench(tasks[name][0].fasta, arguments.model, threads)
                result["bench"][f"{name}, {threads} threads"] = measured
    result["seconds"] = round(time.perf_counter() - began)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
