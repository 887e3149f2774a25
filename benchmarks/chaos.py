"""Scans that are killed, starved and robbed at random, then resumed: the tracks must be those of an undisturbed run.

    python benchmarks/chaos.py --rounds 60 --seed 1 --out benchmarks/results/chaos.json

Each round makes genomes (simulated, in a random form), scans them undisturbed, then again with one to three disasters
at random times, and goes on with --resume to the end. Then the tracks are compared byte by byte, and nothing may be
left over: no file beside the tracks, in TMPDIR or in shared memory, and no process. A failing round is printed with
the command that repeats it. Ctrl-C, SIGTERM and SIGHUP end the script without leaving anything either.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pysam
from chaos_disasters import DISASTERS
from chaos_place import Place, contents, ended, ready

from genoscan import __version__
from genoscan.scanner.temporary import temporary_folder
from genoscan.scanner.throughput.machine import provenance
from genoscan.subcommands.guard import guarded
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import RepeatSimulation, random_table, simulate

POOL_BASES = 4_000_000
SOON = 10.0
"""Seconds within which a signal must end a scan, on a machine that does other things too."""
RAY_EVERY = 6
FORMS = ("plain", "indexed", "gzip", "bgzip")


@dataclass(frozen=True)
class Plan:
    """One round. genomes: (form, lengths of contigs); bases are taken from the pool at ``offset``."""

    number: int
    batch: bool
    genomes: tuple[tuple[str, tuple[int, ...]], ...]
    stdin: bool
    output: str
    options: tuple[str, ...]
    ray: bool
    disasters: tuple[tuple[str, int, float], ...]
    """Names, and when they strike: a share of the undisturbed run's time after its start, or after so many pieces."""
    speeds: tuple[tuple[str, ...], ...]
    """Threads and tile size of each run, which may differ."""


def plan_round(seed: int, number: int, bases: int, ray: bool) -> Plan:
    """The same seed and number give the same round. bases: of its largest genome; ray: whether Ray is there."""
    random = np.random.default_rng([seed, number])
    with_ray, batch = ray and number % RAY_EVERY == RAY_EVERY - 1, bool(random.random() < 0.4)
    genomes = []
    for _ in range(3 if batch else 1):
        contigs, total = int(random.choice([1, 3, 40, 400])), int(bases * random.uniform(0.3, 1) / (2 if batch else 1))
        cuts = np.sort(random.integers(1, total, contigs - 1)).tolist()
        genomes.append((str(random.choice(FORMS)), tuple(np.diff([0, *cuts, total]).clip(1).tolist())))
    stdin = not batch and bool(random.random() < 0.2)
    forms = [("x.bed",), ("x.bed.gz",), ("x.bedgraph.gz", "--format", "bedgraph")]
    output, *options = forms[random.integers(len(forms))]
    options += ["--batch-size", str(random.choice([2, 5, 16]))]
    if random.random() < 0.5 and "bedgraph" not in options:
        options += ["--threshold", f"{random.uniform(0.3, 0.9):.2f}", "--min-length", str(random.integers(10, 40))]
    possible = (one for one in DISASTERS.values() if with_ray or not one.gentle)
    names = [one.name for one in possible if not (stdin and "genome" in one.name)]
    count = int(random.choice([1, 1, 2, 3]))
    chosen = tuple(
        (str(random.choice(names)), int(random.choice([0, 1, 1, 2, 3])), float(random.uniform(0, 1)))
        for _ in range(count)
    )
    if with_ray and number // RAY_EVERY % 2 == 0:
        chosen = (("kill -9 of a worker", *chosen[0][1:]), *chosen[1:])
    speeds = tuple(
        ("--threads", str(random.integers(1, 4)), "--tile-size", str(random.choice([5_000, 40_000, 300_000])))
        for _ in range(count + 2)
    )
    return Plan(number, batch, tuple(genomes), stdin, output, tuple(options), with_ray, chosen, speeds)


def make_pool(seed: int) -> np.ndarray:
    """Simulated sequence with repeats, uint8, that the genomes are cut from."""
    generator = np.random.default_rng(seed)
    return simulate(generator, POOL_BASES, RepeatSimulation(), random_table(generator))[0]


def write_genomes(plan: Plan, pool: np.ndarray, folder: Path) -> list[Path]:
    paths = []
    for number, (form, lengths) in enumerate(plan.genomes):
        at, records = 1000 * plan.number % 7919, []
        for contig, length in enumerate(lengths):
            records.append(fasta_record(f"chr{contig + 1}", np.take(pool, np.arange(at, at + length), mode="wrap")))
            at += length
        text, path = b"".join(records), folder / f"genome{number}.fa{'.gz' if form.endswith('zip') else ''}"
        if form == "bgzip":
            with pysam.BGZFile(str(path), "wb") as file:
                file.write(text)
        else:
            path.write_bytes(gzip.compress(text, 1) if form == "gzip" else text)
        if form == "indexed":
            pysam.faidx(str(path))
        paths.append(path)
    return paths


def command(plan: Plan, paths: list[Path], out: Path, run: int, resume: bool) -> list[str]:
    """The arguments of one run; ``run``: which speed it has."""
    ray = ["--workers", "2"] if plan.ray and run else []
    common = [*plan.options, *plan.speeds[run], *ray, "--device", "cpu", *(["--resume"] if resume else [])]
    if not plan.batch:
        genome = "-" if plan.stdin else str(paths[0])
        return ["scan", genome, "--model", "repeats", "-o", str(out / plan.output), *common]
    sheet = paths[0].with_name("sheet.tsv")
    sheet.write_text("sample\tgenome\n" + "".join(f"s{number}\t{path}\n" for number, path in enumerate(paths)))
    return ["batch", str(sheet), "--model", "repeats", "--out-dir", str(out), *common]


class Round:
    """What happened in one round, and what was wrong with it."""

    def __init__(self, plan: Plan, place: Place, pool: np.ndarray):
        self.plan, self.place = plan, place
        self.paths = write_genomes(plan, pool, place.folder)
        self.stdin = self.paths[0] if plan.stdin else None
        self.problems: list[str] = []
        self.happened: list[dict] = []
        self.calm_seconds = 0.0

    def play(self) -> None:
        self.undisturbed()
        for number, (name, pieces, share) in enumerate(self.plan.disasters):
            self.disturbed(number, name, pieces, share)
        redone = self.finish()
        self.compare()
        self.happened.append({"run": "to the end", "finished_bases_redone": redone})

    def undisturbed(self) -> None:
        process = self.place.start(*command(self.plan, self.paths, self.place.calm, 0, False), stdin=self.stdin)
        ready(process)
        started = time.monotonic()
        code, said = ended(process)
        self.calm_seconds = time.monotonic() - started
        self.expect(code == 0, f"the undisturbed run ended with {code}: {said}")

    def disturbed(self, number: int, name: str, pieces: int, share: float) -> None:
        disaster = DISASTERS[name]
        arguments = command(self.plan, self.paths, self.place.out, number + 1, number > 0)
        process = self.place.start(*arguments, stdin=self.stdin)
        started = time.monotonic()
        self.wait(process, pieces, share)
        in_time, struck = process.poll() is None, time.monotonic()
        mend = disaster.strike(self.place, process, self.paths[-1])
        code, said = ended(process)
        seconds = time.monotonic() - struck
        strays = self.place.stray_processes()
        kept = self.place.finished_bases()
        mend()
        self.happened.append(
            {"run": name, "after": round(struck - started, 2), "in_time": in_time, "exit_code": code,
             "ended_in": round(seconds, 2), "kept_bases": kept, "said": self.shown(said)}
        )  # fmt: skip
        # A signal during the interpreter's last moments ends it as the system does.
        codes = (0, *disaster.codes, *(128 - one for one in disaster.codes if disaster.ends_soon and self.complete()))
        self.expect(code in codes, f"after {name}: exit code {code}: {said}")
        self.expect(not strays, f"after {name}: processes are left: {strays}")
        self.expect(not disaster.ends_soon or seconds < SOON, f"after {name}: took {seconds:.1f} s to end")
        self.expect_words(name, code, said)
        if not name.startswith("output"):
            self.expect_names(name)

    def shown(self, said: list[str]) -> list[str]:
        """What is of interest in what was said, without the folder, which is another each time."""
        return [line.replace(f"{self.place.folder}/", "") for line in said if "Mb/s" not in line]

    def wait(self, process: subprocess.Popen, pieces: int, share: float) -> None:
        """Until it is time to strike, or the scan is over."""
        ready(process)
        before, share = self.place.pieces(), share * (0.1 if pieces else 3 if self.plan.ray else 1)
        while pieces and len(self.place.pieces() - before) < pieces and process.poll() is None:
            time.sleep(0.005)
        with suppress(subprocess.TimeoutExpired):  # still at work, as is meant
            process.wait(share * self.calm_seconds)

    def complete(self) -> bool:
        """Whether all tracks are there."""
        return set(contents(self.place.out)) == set(contents(self.place.calm))

    def expect_words(self, name: str, code: int | None, said: list[str]) -> None:
        """One line of error; in a batch one for each genome besides."""
        self.expect(all(line.startswith("genoscan: ") for line in said), f"after {name}: said {said}")
        errors = [line for line in said if line.startswith("genoscan: error: ")]
        allowed = {0: (0, 0), 1: (1, len(self.paths) + 1 if self.plan.batch else 1)}.get(code, (0, len(self.paths)))
        self.expect(allowed[0] <= len(errors) <= allowed[1], f"after {name}: {len(errors)} errors: {said}")

    def expect_names(self, name: str) -> None:
        """Beside whole tracks there is nothing but folders of finished pieces."""
        expected = set(contents(self.place.calm))
        there = {path.name for path in self.place.out.iterdir() if path.suffix != ".pieces"}
        self.expect(there <= expected, f"after {name}: stray files {sorted(there - expected)}")

    def finish(self) -> int:
        """Resume to the end. Returns the bases of finished pieces that were scanned again."""
        complete = set(self.place.out.glob("*.json"))
        # Pieces beside a whole track were left by a kill at its very end; they only go.
        over = {f"{folder.stem}." for folder in self.place.out.glob("*.pieces")}
        over = {stem for stem in over if any(path.name.startswith(stem) for path in complete)}
        before = self.place.finished_bases(over)
        last = len(self.plan.disasters) + 1
        process = self.place.start(*command(self.plan, self.paths, self.place.out, last, True), stdin=self.stdin)
        code, said = ended(process)
        self.expect(code == 0, f"the last run ended with {code}: {said}")
        strays = self.place.stray_processes()
        self.expect(not strays, f"at the end: processes are left: {strays}")
        resumed = 0
        for path in set(self.place.out.glob("*.json")) - complete:
            resumed += json.loads(path.read_text())["counts"]["resumed_bases"]
        redone = before - resumed
        self.expect(redone == 0, f"{redone} bases of finished pieces were scanned again")
        return redone

    def compare(self) -> None:
        there, expected = contents(self.place.out), contents(self.place.calm)
        for name in sorted(there.keys() | expected.keys()):
            if name not in expected or name not in there:
                self.problems.append(f"{name}: {'is too much' if name in there else 'is missing'}")
            elif there[name] != expected[name]:
                self.problems.append(f"{name}: differs from the undisturbed run's")
        left = self.place.stray_files()
        self.expect(not left, f"files are left: {left}")

    def expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


def run_round(plan: Plan, pool: np.ndarray) -> dict:
    """Play a round; what happened, what was wrong, and how long it took."""
    started = time.monotonic()
    with temporary_folder() as folder:
        place = Place(folder, any(name == "full disk" for name, *_ in plan.disasters))
        try:
            one = Round(plan, place, pool)
            one.play()
        finally:
            place.close()
            shutil.rmtree(place.disk, ignore_errors=True)
    genomes = [f"{form}, {len(sizes)} contigs, {sum(sizes)} bases" for form, sizes in plan.genomes]
    shown = {**asdict(plan), "genomes": genomes}
    return {"plan": shown, "happened": one.happened, "calm_seconds": round(one.calm_seconds, 2),
            "seconds": round(time.monotonic() - started, 1), "problems": one.problems}  # fmt: skip


def summarize(rounds: list[dict]) -> dict:
    """Counts over all rounds."""
    happened = [one for each in rounds for one in each["happened"]]
    struck = [one for one in happened if "exit_code" in one]
    return {
        "rounds": len(rounds),
        "failed": sum(bool(one["problems"]) for one in rounds),
        "batches": sum(one["plan"]["batch"] for one in rounds),
        "with_ray": sum(one["plan"]["ray"] for one in rounds),
        "disasters": len(struck),
        "disasters_in_time": sum(one["in_time"] for one in struck),
        "disasters_after_finished_pieces": sum(one["in_time"] and one["kept_bases"] > 0 for one in struck),
        "by_disaster": dict(sorted(Counter(one["run"] for one in struck if one["in_time"]).items())),
        "exit_codes": {str(code): count for code, count in sorted(Counter(one["exit_code"] for one in struck).items())},
        "slowest_end_after_a_signal": max(
            (one["ended_in"] for one in struck if DISASTERS[one["run"]].ends_soon), default=0.0
        ),
        "finished_bases_redone": sum(one.get("finished_bases_redone", 0) for one in happened),
        "seconds": round(sum(one["seconds"] for one in rounds), 1),
    }


def run(rounds: range, seed: int, bases: int, ray: bool) -> dict:
    """All rounds; each is told as it ends, and a failing one with how to repeat it."""
    pool, done = make_pool(seed), []
    for number in rounds:
        plan = plan_round(seed, number, bases, ray)
        one = run_round(plan, pool)
        done.append(one)
        what = ", ".join(name for name, *_ in plan.disasters)
        verdict = "FAILED" if one["problems"] else "same"
        print(f"round {number:3d} {one['seconds']:6.1f} s  {verdict}  {what}", flush=True)
        if one["problems"]:
            again = f"--seed {seed} --first {number} --rounds 1 --bases {bases}{'' if ray else ' --no-ray'}"
            print("\n".join(f"    {problem}" for problem in one["problems"]))
            print(f"    again: python benchmarks/chaos.py {again} --out again.json", flush=True)
    return {
        **provenance(),
        "genoscan": __version__,
        "seed": seed,
        "bases": bases,
        "summary": summarize(done),
        "rounds": done,
    }


@guarded
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bases", type=int, default=2_000_000, help="bases of the largest genome")
    parser.add_argument("--no-ray", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.rounds)
    result = run(numbers, arguments.seed, arguments.bases, not arguments.no_ray)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["summary"], indent=1))
    sys.exit(result["summary"]["failed"] > 0)


if __name__ == "__main__":
    main()
