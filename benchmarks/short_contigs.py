"""What short contigs cost: the same bases as one contig and as contigs of 300 to 2,000 bases, scanned in turns.

    python benchmarks/short_contigs.py --out benchmarks/results/short_contigs.json

Scans to calls within this process, genome and model opened before. Each form is scanned some times, in turns, so that
what else runs on the machine meets both; the best of each counts, and the ratio is of these.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import SHORT, write_genome

from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import Model, open_model
from genoscan.scanner.options import ScanOptions
from genoscan.scanner.reading.genome import Genome, open_genome
from genoscan.scanner.schedule import Job, prepare
from genoscan.scanner.throughput.machine import provenance
from genoscan.scanner.tracks import Collector, settled_chunks
from genoscan.scanner.workers import ThreadWorkers
from genoscan.training.data.simulate import RepeatSimulation, random_table, simulate


def seconds_of(genome: Genome, model: Model, threads: int) -> float:
    """Wall time of a scan, from cutting tiles to the last call."""
    started = time.perf_counter()
    workers = ThreadWorkers([model], threads)
    opened = prepare(Job(genome.source, genome.source, (0,)), genome, workers, ScanOptions())
    for _ in settled_chunks(opened, workers, Collector(opened, 0)):
        pass
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--bases", type=int, default=24_000_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    generator = np.random.default_rng(1)
    pool, _ = simulate(generator, arguments.bases + SHORT[1], RepeatSimulation(), random_table(generator))
    model = open_model(find_model(arguments.model), "cpu")
    result: dict = {**provenance(), "genoscan": __version__, "model": model.card.version, "bases": arguments.bases}
    with tempfile.TemporaryDirectory(prefix="genoscan-benchmark-") as folder:
        forms = {"one contig": (arguments.bases, arguments.bases), "contigs of 300-2,000 b": SHORT}
        paths = {}
        for name, sizes in forms.items():
            paths[name] = Path(folder) / f"{sizes[0]}.fa"
            result[name] = {"contigs": write_genome(paths[name], arguments.bases, sizes, pool, seed=2)}
        genomes = {name: open_genome(path) for name, path in paths.items()}
        for threads in (1, 2):
            taken = {name: [] for name in forms}
            for _ in range(arguments.rounds):
                for name, genome in genomes.items():
                    taken[name].append(seconds_of(genome, model, threads))
            speeds = {name: int(genomes[name].lengths.sum()) / 1e6 / min(taken[name]) for name in forms}
            for name, speed in speeds.items():
                result[name][f"mb_per_second_{threads}"] = round(speed, 2)
            long, short = speeds.values()
            result[f"times_slower_{threads}"] = round(long / short, 2)
            print(threads, "threads", result, flush=True)
        for genome in genomes.values():
            genome.close()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
