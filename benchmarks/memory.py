"""Peak memory of a whole scan against the size of the genome, and the cost of short contigs: both should be flat.

    python benchmarks/memory.py --out benchmarks/results/memory.json

Generated genomes of 10 Mb to 1 Gb in contigs of 1-4 Mb, scanned by one worker (2 threads) and by two (Ray); and of up
to a million contigs of 300 to 2,000 bases. Each is scanned by a process of its own. What is recorded is the largest sum
of resident sizes, over that process and all that it started, seen at some moments each second (pages that several of
Ray's processes share are counted for each), and the speed that the scan reports.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import matplotlib
import numpy as np
import psutil

from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import RepeatSimulation, random_table, simulate

LONG, SHORT = (1_000_000, 4_000_000), (300, 2000)
POOL = 20_000_000
LOOK_SECONDS = 0.2


def write_genome(path: Path, bases: int, contig_sizes: tuple[int, int], pool: np.ndarray, seed: int) -> int:
    """A FASTA of contigs cut out of ``pool`` at random, their lengths uniform between two sizes; how many there are."""
    generator = np.random.default_rng(seed)
    made = contigs = 0
    with path.open("wb") as fasta:
        while made < bases:
            size = min(
                int(generator.integers(contig_sizes[0], contig_sizes[1] + 1)), max(bases - made, contig_sizes[0])
            )
            start = int(generator.integers(0, len(pool) - size))
            fasta.write(fasta_record(f"contig{contigs}", pool[start : start + size]))
            contigs, made = contigs + 1, made + size
    return contigs


def memory_of(process: psutil.Process) -> int:
    """Resident bytes of a process and all that it started."""
    total = 0
    with suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += one.memory_info().rss
    return total


def measure(fasta: Path, model: str, workers: int) -> dict:
    """Scan a genome in a process of its own: peak memory in MB and Mb/s."""
    track = fasta.with_name("track.bed")
    command = [sys.executable, "-m", "genoscan", "scan", str(fasta), "-m", model, "-o", str(track), "-q"]
    threads = str(2 // workers)
    process = subprocess.Popen([*command, "--device", "cpu", "--workers", str(workers), "--threads", threads])
    peak, watched = 0, psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, memory_of(watched))
        time.sleep(LOOK_SECONDS)
    if process.returncode:
        sys.exit(f"the scan ended with exit code {process.returncode}")
    speed = json.loads(Path(f"{track}.json").read_text())["mb_per_second"]
    return {"peak_mb": round(peak / 1e6, 1), "mb_per_second": round(speed, 2)}


def plot(cases: list[dict], path: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    for contigs, workers, label in (
        ("long", 1, "one worker, 2 threads"),
        ("long", 2, "two workers on Ray, with Ray's own processes"),
        ("short", 1, "one worker, contigs of 300-2,000 b"),
    ):
        shown = [one for one in cases if one["contigs_are"] == contigs and one["workers"] == workers]
        axes.plot([one["bases"] / 1e6 for one in shown], [one["peak_mb"] for one in shown], "o-", label=label)
    axes.set(xscale="log", xlabel="genome (Mb)", ylabel="peak memory (MB)")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--largest", type=int, default=1_000_000_000)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    generator = np.random.default_rng(1)
    pool, _ = simulate(generator, POOL, RepeatSimulation(), random_table(generator))
    sizes = [arguments.largest // 100, arguments.largest // 10, arguments.largest]
    plan = [("long", LONG, size, (1, 2)) for size in sizes]
    plan += [("short", SHORT, int(1.15 * size), (1,)) for size in sizes]
    cases = []
    with tempfile.TemporaryDirectory(prefix="genoscan-benchmark-") as folder:
        fasta = Path(folder) / "genome.fa"
        for kind, lengths, bases, worker_counts in plan:
            contigs = write_genome(fasta, bases, lengths, pool, seed=bases)
            for workers in worker_counts:
                case = {"contigs_are": kind, "bases": bases, "contigs": contigs, "workers": workers}
                cases.append({**case, **measure(fasta, arguments.model, workers)})
                print(cases[-1], flush=True)
    model = read_card(find_model(arguments.model)).version
    result = {**provenance(), "genoscan": __version__, "model": model, "cases": cases}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    plot(cases, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
