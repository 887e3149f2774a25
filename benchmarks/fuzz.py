"""Fuzzing of all that genoscan reads: genomes, indexes, regions, sample sheets, cards, models, finished pieces, command
lines.

    python benchmarks/fuzz.py --inputs 100000 --seed 1 --out benchmarks/results/fuzz.json

The targets are those of `tests/fuzz_targets.py`, which the tests run in short form. Each runs in a process of its own
under a limit on memory, each input under a limit on time; a process that dies or hangs is a failure of the input it was
working on, and another goes on after it. hypothesis draws the inputs and shrinks what fails. With ``--engine atheris``
(pip install atheris) libFuzzer mutates what hypothesis drew, guided by coverage, for the targets that take any bytes.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import FunctionType as Function

SHARES = {
    "process": 0.0005, "command": 0.0345, "pieces": 0.015, "model": 0.03, "fasta": 0.15, "fai": 0.13, "card": 0.15,
    "sheet": 0.13, "bed": 0.17, "regions": 0.19,
}  # fmt: skip
"""Each target's share of the inputs: cheap ones get more. Slow ones come first, for when several run at a time."""
GUIDED = ("fasta", "fai", "regions", "bed", "sheet", "card")
LIMIT_SECONDS = {"process": 60.0}
USUAL_LIMIT = 30.0
MEMORY = 4 << 30
BATCH = 1000
SHOWN = 600


class TooSlow(Exception):
    """An input took longer than its limit."""


def _alarm(*_: object) -> None:
    raise TooSlow


class Progress(ctypes.Structure):
    """What a worker tells as it goes, in shared memory: it may die at any moment."""

    _fields_ = [
        ("done", ctypes.c_int64),
        ("accepted", ctypes.c_int64),
        ("distinct", ctypes.c_int64),
        ("seconds", ctypes.c_double),
        ("slowest", ctypes.c_double),
        ("slowest_input", ctypes.c_char * SHOWN),
        ("current_input", ctypes.c_char * (1 << 16)),
    ]


def shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}...{text[-SHOWN // 2 + 20 :]}"


def signature(error: BaseException) -> str:
    """What tells one failure from another: its kind and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "genoscan" in frame.filename and "benchmarks" not in frame.filename]
    last = (own or frames)[-1]
    words = str(error).split(":")[0][:60] if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.name} {words}".strip()


@dataclass
class Worker:
    """One target being fuzzed in this process."""

    name: str
    folder: Path
    progress: Progress
    limit: float
    known: dict[str, dict] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    parent: int = field(default_factory=os.getppid)

    def try_input(self, check, value: object) -> None:
        """Check one input; raise for a failure that is not known yet."""
        if os.getppid() != self.parent:  # nobody waits for us
            os._exit(1)
        text = ascii(value)
        self.progress.current_input = text.encode()[: (1 << 16) - 1]
        self.seen.add(hash(text))
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, self.limit)
        try:
            self.progress.accepted += bool(check(self.folder, value))
        except Exception as error:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self.note(error, value):
                raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            spent = time.perf_counter() - started
            self.progress.done += 1
            self.progress.distinct = len(self.seen)
            self.progress.seconds += spent
            if spent > self.progress.slowest:
                self.progress.slowest, self.progress.slowest_input = spent, shown(value).encode()[: SHOWN - 1]

    def note(self, error: Exception, value: object) -> bool:
        """Keep the shortest input of each failure; whether it is still worth shrinking."""
        found = self.known.setdefault(signature(error), {"times": 0, "closed": False, "size": float("inf")})
        found["times"] += 1
        size = len(ascii(value))
        if size <= found["size"] and not found["closed"]:
            last = "".join(traceback.format_exception(error)[-3:])
            found |= {"size": size, "input": ascii(value)[:100_000], "error": shown(error), "traceback": last}
        return not found["closed"]

    def failures(self) -> list[dict]:
        kept = ("times", "input", "error", "traceback")
        return [{"failure": name, **{key: one[key] for key in kept}} for name, one in self.known.items()]


def _fuzz(worker: Worker, target, inputs: int, seed: int) -> None:
    """Batches of inputs from hypothesis until there were enough; what fails is shrunk and then let pass."""
    import hypothesis

    batch = 0
    while worker.progress.done < inputs:
        batch, before = batch + 1, worker.progress.done
        few = int(min(BATCH, inputs - worker.progress.done))

        @hypothesis.seed(seed * 1_000_003 + batch)
        @hypothesis.settings(
            max_examples=few, deadline=None, database=None, derandomize=False, report_multiple_bugs=False,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink), verbosity=hypothesis.Verbosity.quiet,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        @hypothesis.given(target.inputs)
        def run(value):
            worker.try_input(target.check, value)

        try:
            run()
        except Exception:
            if not worker.known or worker.progress.done == before:
                raise  # not an input's failure but our own
        for found in worker.known.values():
            found["closed"] = True


def _follow_coverage() -> None:
    """Have libFuzzer see which branches genoscan's plain functions take; Numba's cannot be changed."""
    import atheris

    for name, module in list(sys.modules.items()):
        if name.startswith("genoscan.scanner"):
            parts = [module, *(part for part in vars(module).values() if isinstance(part, type))]
            functions = {
                function for part in parts for function in vars(part).values() if isinstance(function, Function)
            }
            for function in functions:
                if function.__module__ == name:
                    atheris.instrument_func(function)


def _fuzz_guided(worker: Worker, target, inputs: int, seed: int, send) -> None:
    """libFuzzer mutates what hypothesis drew, guided by the coverage of genoscan's Python code. Does not return."""
    import atheris

    _follow_coverage()
    corpus = worker.folder.parent / f"corpus-{worker.name}"
    corpus.mkdir(exist_ok=True)
    if worker.name == "fai":
        text, _ = target.of_bytes(b"")
        (corpus / "0").write_bytes(sys.modules["fuzz_inputs"].fai_of(text))
    else:
        from hypothesis import HealthCheck, given, settings
        from hypothesis import seed as seeded

        @seeded(seed)
        @settings(max_examples=1000, database=None, suppress_health_check=list(HealthCheck), deadline=None)
        @given(target.inputs)
        def collect(value):
            data = value[0] if isinstance(value, list | tuple) else value
            data = data if isinstance(data, bytes) else data.encode(errors="surrogateescape")
            (corpus / f"{len(list(corpus.iterdir()))}").write_bytes(data[:4000])

        collect()

    def run(data: bytes) -> None:
        try:
            worker.try_input(target.check, target.of_bytes(data))
        except Exception:
            for found in worker.known.values():
                found["closed"] = True
        if worker.progress.done >= inputs:
            send(worker.failures())
            shutil.rmtree(corpus)
            os._exit(0)

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libFuzzer's running commentary
    options = [
        "-max_len=4000",
        "-mutate_depth=1",
        f"-seed={seed}",
        "-runs=-1",
        "-timeout=0",
        "-rss_limit_mb=0",
        "-print_final_stats=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], run)
    atheris.Fuzz()


def work(name: str, inputs: int, seed: int, guided: bool, folder: str, progress, queue) -> None:
    """The main function of a worker process."""
    os.nice(10)
    signal.signal(signal.SIGALRM, _alarm)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    sys.argv = [__file__]
    from fuzz_targets import TARGETS

    used = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, used))
    place = Path(folder, name)
    place.mkdir(exist_ok=True)
    worker = Worker(name, place, progress, LIMIT_SECONDS.get(name, USUAL_LIMIT))
    if guided:
        _fuzz_guided(worker, TARGETS[name], inputs, seed, queue.put)
    _fuzz(worker, TARGETS[name], inputs, seed)
    queue.put(worker.failures())


def fuzz_target(name: str, inputs: int, seed: int, guided: bool) -> dict:
    """Fuzz one target to its end in as many processes as that takes; what the JSON says of it."""
    context = multiprocessing.get_context("spawn")
    done = accepted = distinct = 0
    seconds = slowest = 0.0
    slowest_input, failures = "", []
    started = time.perf_counter()
    attempt = 0
    while done < inputs and attempt < 20:
        progress, queue = context.RawValue(Progress), context.SimpleQueue()
        with tempfile.TemporaryDirectory(prefix="genoscan-fuzz-") as folder:
            arguments = (name, inputs - done, seed + 7919 * attempt, guided, folder, progress, queue)
            process = context.Process(target=work, args=arguments)
            process.start()
            found = _wait(process, progress, queue, LIMIT_SECONDS.get(name, USUAL_LIMIT))
        failures += found
        done, accepted, distinct = done + progress.done, accepted + progress.accepted, distinct + progress.distinct
        seconds += progress.seconds
        if progress.slowest > slowest:
            slowest, slowest_input = progress.slowest, progress.slowest_input.decode()
        attempt += 1
        if not progress.done:
            break
    return {
        "inputs": done,
        "distinct": distinct,
        "accepted_share": round(accepted / max(1, done), 3),
        "seconds": round(time.perf_counter() - started, 1),
        "seconds_in_checks": round(seconds, 1),
        "slowest_seconds": round(slowest, 3),
        "slowest_input": slowest_input,
        "failures": failures,
    }


def _wait(process, progress: Progress, queue, limit: float) -> list[dict]:
    """The failures of a worker; one more where it died or stood still."""
    last, since, failures = -1, time.monotonic(), None
    hung = False
    while process.is_alive() and failures is None:
        time.sleep(0.05)
        if not queue.empty():
            failures = queue.get()
        elif progress.done != last:
            last, since = progress.done, time.monotonic()
        elif time.monotonic() - since > 2 * limit + 60:
            hung = True
            process.kill()
    process.join(30)
    if failures is None and not queue.empty():
        failures = queue.get()
    if failures is not None:
        return failures
    how = "does not end" if hung else f"process died (exit code {process.exitcode})"
    if process.exitcode == 1:
        how = "the fuzzer itself failed: see its traceback"
    return [{"failure": how, "times": 1, "input": progress.current_input.decode(), "error": how, "traceback": ""}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", nargs="+", choices=SHARES, help="only these [default: all that the engine can]")
    parser.add_argument("--engine", choices=("hypothesis", "atheris"), default="hypothesis")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time [default: 1]")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    from genoscan import __version__
    from genoscan.scanner.throughput.machine import provenance

    guided = arguments.engine == "atheris"
    names = arguments.targets or list(GUIDED if guided else SHARES)
    if guided and not set(names) <= set(GUIDED):
        parser.error(f"atheris is for {', '.join(GUIDED)}")
    result: dict = {
        **provenance(), "genoscan": __version__,
        "engine": f"{arguments.engine} {version(arguments.engine)}", "seed": arguments.seed, "targets": {},
    }  # fmt: skip
    whole = sum(SHARES[name] for name in names)

    def fuzz(name: str) -> dict:
        found = fuzz_target(name, round(arguments.inputs * SHARES[name] / whole), arguments.seed, guided)
        print(
            f"{name:8s} {found['inputs']:7,} inputs, {found['accepted_share']:.0%} accepted, "
            f"{found['seconds']:.0f} s, slowest {found['slowest_seconds']:.2f} s, {len(found['failures'])} failures",
            flush=True,
        )
        for one in found["failures"]:
            print(f"    {one['failure']}: {shown(one['input'])}: {one['error']}", flush=True)
        return found

    with ThreadPoolExecutor(arguments.jobs) as pool:
        result["targets"] = dict(zip(names, pool.map(fuzz, names), strict=True))
    targets = result["targets"].values()
    result |= {key: sum(one[key] for one in targets) for key in ("inputs", "seconds")}
    result["failures"] = sum(len(one["failures"]) for one in targets)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
