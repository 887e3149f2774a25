"""How scanning scales over Ray workers, and what the driver can hand out and collect.

    python benchmarks/scaling.py --out benchmarks/results/scaling.json

Efficiency: a stand-in model sleeps a fixed time a batch, as if a GPU ran it, in 1 to 16 workers of this machine; all
else (reading, encoding, stitching, calling, writing) is the real thing. Saturation: workers that answer at once with
made-up calls, so that the driver is all there is to wait for. A plot lies beside the JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from genoscan import __version__
from genoscan.scanner.actors import RayWorkers, ray_workers
from genoscan.scanner.card import Calling, ModelCard, NucleotideInput, Output
from genoscan.scanner.cluster import ray_cluster
from genoscan.scanner.inference.session import ModelFile
from genoscan.scanner.options import ScanOptions
from genoscan.scanner.resume import open_store
from genoscan.scanner.schedule import Job, job_results, open_job
from genoscan.scanner.staffing import Staffing
from genoscan.scanner.throughput.machine import provenance
from genoscan.scanner.tracks import write_tracks

WINDOW, BATCH = 2**13, 2**5
"""Bases of a window, windows of a batch."""
SLEEP = 0.5
"""Seconds a batch: half a megabase a second."""
WORKERS = (1, 2, 4, 8, 16)
SECONDS = 30
"""Of sleep for each worker."""
GPUS, GPU_SPEEDS = 64, (100, 300)
"""What is asked of a driver: so many GPUs of these speeds, in Mb/s."""


def stand_in() -> ModelFile:
    """A model that scores a window each; its sessions are made by the openers below."""
    card = ModelCard(
        name="stand-in",
        version="1",
        task="regression",
        input=NucleotideInput(),
        window=WINDOW,
        step=WINDOW,
        context=0,
        strand="symmetric",
        output=Output(names=("score",), activation="identity", bin=WINDOW),
        calling=Calling(threshold=0.5, extend=0.5),
    )
    return ModelFile("stand-in.onnx", b"", "0" * 64, card, "sequence", "cpu", BATCH)


def sleeper(seconds: float):
    """An opener of models that sleep ``seconds`` a batch and find nothing."""

    def opened(file: ModelFile):
        from genoscan.scanner.encoding.encoder import encoder
        from genoscan.scanner.inference.session import Model

        def run(batch):
            time.sleep(seconds)
            return np.zeros((len(batch), 1), dtype=np.float32)

        return Model(file.path, file.sha256, file.card, encoder(file.card), file.device, file.batch_size, run)

    return opened


def answerer(calls_per_mb: float):
    """An opener that makes its worker answer at once, with so many calls of 100 bases, evenly spread."""

    def opened(file: ModelFile):
        from genoscan.scanner import actors
        from genoscan.scanner.calling.intervals import RUN
        from genoscan.scanner.pieces import PieceResult

        def answer(models, reader, piece, stop, sequences):  # noqa: ARG001 (in the place of run_piece)
            runs = np.zeros(int(piece.bases * calls_per_mb / 1e6), dtype=RUN)
            (contig, first), (_, last) = piece.start, piece.end
            if len(runs):
                runs["contig"] = contig
                runs["start"] = np.linspace(first + 100, last - 300, len(runs)).astype(np.int64)
                runs["end"] = runs["start"] + 100
                runs["scored"], runs["total"] = (
                    100,
                    100 * np.random.default_rng(first).integers(5_000, 9_999, len(runs)),
                )
                runs["peak"] = runs["total"] // 100
            return PieceResult(piece.first, piece.last, piece.end, piece.bases, 1.0, (runs,), (1,), (0,))

        actors.run_piece = answer
        return sleeper(0.0)(file)

    return opened


class FixedPace:
    """Pieces of one size."""

    def __init__(self, bases: int):
        self._bases = bases

    def heard(self, result) -> None:
        pass

    def wanted(self, _: int) -> int:
        return self._bases


@contextmanager
def crew_of(workers: int, threads: int, opener) -> Iterator[RayWorkers]:
    with ray_cluster(None), ray_workers([stand_in()], Staffing(workers, threads, 0.0, 0.0), print, opener) as crew:
        until = time.monotonic() + 300
        while len(crew._team) < workers and time.monotonic() < until:
            time.sleep(0.1)
        assert len(crew._team) == workers
        yield crew


def measured(crew: RayWorkers, genome: Path, regions=(), *, pace=None, tile_size=2**18, folder=None) -> dict:
    """Scan once, to a track that nobody keeps, and say how fast it went and what the driver's process spent."""
    options = ScanOptions(tile_size=tile_size)
    opened = open_job(Job("sample", str(genome), (0,), tuple(regions), (os.devnull,)), crew, options)
    if folder is not None:  # not by `Job.folder`: the genome's digest would be asked for, of a file full of holes
        opened.genome.digest = lambda *_: ""
        opened.store = open_store(folder, lambda: {"genome": "", "models": {}, "options": {}}, tile_size, False, print)
    opened.pace = pace or opened.pace
    pieces = tiles = 0

    def counted(results):
        nonlocal pieces, tiles
        for result in results:
            pieces, tiles = pieces + 1, tiles + result.last - result.first
            yield result

    def cpu() -> float:
        spent = psutil.Process().cpu_times()
        return spent.user + spent.system

    before, began = cpu(), time.perf_counter()
    for _, results in job_results((one for one in [opened]), crew):
        write_tracks(opened, crew, counted(results), lambda _: None)
    seconds, spent = time.perf_counter() - began, cpu() - before
    return {
        "bases": opened.bases,
        "pieces": pieces,
        "tiles": tiles,
        "seconds": round(seconds, 3),
        "driver_cpu_seconds": round(spent, 3),
        "driver_cpu_share": round(spent / seconds, 3),
        "mb_per_second": round(opened.bases / 1e6 / seconds, 3),
        "pieces_per_second": round(pieces / seconds, 2),
        "tiles_per_second": round(tiles / seconds, 2),
    }


def write_genome(path: Path, contigs: int, bases: int) -> None:
    """Random contigs c0, c1, ..., all of one size, a line each."""
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    with path.open("wb") as fasta:
        for contig in range(contigs):
            fasta.write(f">c{contig}\n".encode())
            fasta.write(letters[np.random.default_rng(contig).integers(0, 4, bases, dtype=np.uint8)].tobytes() + b"\n")


def write_hollow_genome(path: Path, contigs: int, bases: int) -> None:
    """A genome of any size that takes no room: its letters are a hole in the file, which nobody reads."""
    index, place = [], 0
    with path.open("wb") as fasta:
        for contig in range(contigs):
            header = f">c{contig}\n".encode()
            fasta.seek(place)
            fasta.write(header)
            index.append(f"c{contig}\t{bases}\t{place + len(header)}\t{bases}\t{bases + 1}\n")
            place += len(header) + bases + 1
            fasta.seek(place - 1)
            fasta.write(b"\n")
    Path(f"{path}.fai").write_text("".join(index))


def efficiency(folder: Path) -> list[dict]:
    """Speed with 1 to 16 workers, against as many times the sleep alone."""
    batches = int(SECONDS / SLEEP)
    genome = folder / "genome.fa"
    write_genome(genome, max(WORKERS), batches * WINDOW * BATCH)
    began = time.perf_counter()
    for _ in range(4):
        time.sleep(SLEEP)
    alone = WINDOW * BATCH / 1e6 / ((time.perf_counter() - began) / 4)
    rows: list[dict] = []
    for workers in WORKERS:
        with crew_of(workers, 1, sleeper(SLEEP)) as crew:
            # Starting so many processes takes all of the CPUs for a while, and compiled code is loaded at first use.
            warm = [f"c{one}:1-{2 * WINDOW * BATCH}" for one in range(workers)]
            measured(crew, genome, warm)
            load = os.getloadavg()[0]
            row = {"workers": workers, **measured(crew, genome, [f"c{one}" for one in range(workers)])}
        row["efficiency_against_sleep"] = round(row["mb_per_second"] / (workers * alone), 4)
        first = rows[0]["mb_per_second"] if rows else row["mb_per_second"]
        row["efficiency_against_one_worker"] = round(row["mb_per_second"] / (workers * first), 4)
        row["load_before"] = round(load, 2)
        rows.append({"sleep_mb_per_second": round(alone, 4), **row})
        print(rows[-1], flush=True)
    return rows


def saturation(folder: Path, threads: int) -> dict[str, dict]:
    """What a driver can do: pieces of one tile, and pieces as large as they get, with and without calls."""
    genome = folder / "hollow.fa"
    write_hollow_genome(genome, 16, 2**31)
    small, whole = [f"c0:1-{2**18 * 4_000}"], ["c0", "c1", "c2", "c3"]
    store = folder / "pieces"
    cases = {
        "smallest pieces": (0.0, small, 1, False),
        "smallest pieces, kept on disk": (0.0, small, 1, True),
        "32 Mb pieces": (0.0, whole, 2**25, True),
        "32 Mb pieces, 300 calls a Mb": (300.0, whole, 2**25, True),
        "32 Mb pieces, 3,000 calls a Mb": (3000.0, whole, 2**25, True),
    }
    rows = {}
    for name, (calls, regions, size, kept) in cases.items():
        with crew_of(2, threads, answerer(calls)) as crew:
            measured(crew, genome, [f"c1:1-{2**18 * 200}"], pace=FixedPace(1))
            row = measured(crew, genome, regions, pace=FixedPace(size), folder=store if kept else None)
        row["pieces_per_cpu_second"] = round(row["pieces"] / row["driver_cpu_seconds"], 1)
        row["mb_per_cpu_second"] = round(row["bases"] / 1e6 / row["driver_cpu_seconds"], 1)
        row["slots"] = 2 * threads
        row["load"] = round(os.getloadavg()[0], 2)
        rows[name] = row
        print(name, row, flush=True)
    return rows


def driver_share(rows: dict[str, dict]) -> dict[str, dict]:
    """What share of one core the driver of 64 GPUs would need, by the CPU it spent for each megabase."""
    shares = {}
    for speed in GPU_SPEEDS:
        for name, row in rows.items():
            if "32 Mb" in name:
                spent = row["driver_cpu_seconds"] / (row["bases"] / 1e6)
                shares.setdefault(f"{GPUS} GPUs of {speed} Mb/s", {})[name] = {
                    "cores": round(GPUS * speed * spent, 3),
                    "gpus_that_fill_what_was_measured": int(row["mb_per_second"] / speed),
                }
    return shares


def plot(result: dict, path: Path) -> None:
    from matplotlib import pyplot

    rows = result["efficiency"]
    workers = [row["workers"] for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    left.plot(
        workers, [one * rows[0]["sleep_mb_per_second"] for one in workers], "--", color="grey", label="sleep alone"
    )
    left.plot(workers, [row["mb_per_second"] for row in rows], "o-", label="whole scan")
    left.set(xscale="log", yscale="log", xlabel="workers", ylabel="Mb/s", title="A model that sleeps")
    left.set_xticks(workers, workers)
    left.minorticks_off()
    for row in rows:
        left.annotate(f"{row['efficiency_against_sleep']:.0%}", (row["workers"], row["mb_per_second"]), (4, -12),
                      textcoords="offset points")  # fmt: skip
    left.legend()
    names = list(result["saturation"])
    right.barh(names[::-1], [result["saturation"][name]["mb_per_second"] / 1e3 for name in names[::-1]])
    right.set(xscale="log", xlabel="Gb/s", title="What one driver hands out and collects")
    for speed, style in zip(GPU_SPEEDS, ("--", ":"), strict=True):
        right.axvline(GPUS * speed / 1e3, linestyle=style, color="grey", label=f"{GPUS} GPUs of {speed} Mb/s")
    right.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("efficiency", "saturation"))
    parser.add_argument("--threads", type=int, default=16, help="slots of each of the two workers, for the saturation")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    result: dict = {**provenance(), "genoscan": __version__, "window": WINDOW, "batch": BATCH, "sleep_seconds": SLEEP}
    if arguments.out.exists():
        result = {**json.loads(arguments.out.read_text()), **result}
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        if arguments.only != "saturation":
            result["efficiency"] = efficiency(Path(folder))
        if arguments.only != "efficiency":
            result["saturation"] = saturation(Path(folder), arguments.threads)
            result["driver"] = driver_share(result["saturation"])
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    if {"efficiency", "saturation"} <= result.keys():
        plot(result, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
