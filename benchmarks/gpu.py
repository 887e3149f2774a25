"""genoscan on a GPU: parity with the CPU, speed of every stage, memory, and whether the tracks stay the same.

    python benchmarks/gpu.py --out gpu.json [--models repeats kmer-bert] [--providers cuda tensorrt] [--seconds 5]

Two models, each in fp32 and fp16: the bundled repeats model, and a BERT over 3-mers with random weights (69 tokens,
512 wide, 6 layers, 8 heads, 150 tokens: the configuration of TissueBERT). Every model runs in a process of its own
with a time limit, so that neither a crash nor a hang costs more than that model; the JSON file is written again after
every section, and a section that fails leaves ``{"error": one line}``. It ends within ten minutes. Speeds are Mb of
scored sequence a second. What each section measures is said by the function of the same name, in
gpu_graph_sections.py and gpu_scan_sections.py. Last comes the sweep of `genoscan bench` over the same models
(gpu_sweep.py): batch sizes, precisions, threads, workers, with memory and the time to a human genome.

On a bare machine with a GPU, without network, whose Python has PyTorch (with its CUDA libraries) but an ONNX Runtime
for the CPU only:

1. Elsewhere, download wheels for that machine's Python and platform with ``pip download --no-deps
   --only-binary=:all: --python-version ... --platform ... -d wheels``: onnxruntime-gpu, built for the CUDA major
   version of that PyTorch, and of numba, llvmlite, pyfaidx, pysam, click, pydantic, pydantic-core, annotated-types,
   typing-inspection, psutil, rich, onnx, onnxscript, onnx-ir, ml-dtypes, flatbuffers, protobuf and packaging those that
   are missing there; ray too, or the sweep's rows of two workers fail. No NVIDIA wheels: PyTorch's are found wherever
   they lie on Python's path.
2. Carry the wheels there beside this repository. Where less fits at once than the wheel of onnxruntime-gpu takes,
   cut it (``split -b 50M WHEEL part.``), carry the parts one after another to a folder outside what is replaced each
   time, and put them together under the wheel's own name (``cat part.* > WHEEL``).
3. ``pip install --no-index --no-deps --target SITE wheels/*.whl``, then ``ln -s REPOSITORY SITE/genoscan`` (the
   repository's root is the package) and ``export PYTHONPATH=SITE``, so that this ONNX Runtime comes before the other.
4. ``python -c "import onnxruntime as o; print(o.__version__, o.get_available_providers())"`` must name
   CUDAExecutionProvider. Then run this script. Nothing has to be put on the library path.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gpu_bench import Bench
from gpu_graph_sections import changing_shapes, matrix_rate, parity, placement, session, variants
from gpu_machine import gpu_memory_mb, load_cuda_libraries, machine, missing_gpu
from gpu_measure import Json, attempt
from gpu_models import BATCHES, PRECISIONS, SMALL_BATCHES, TENSORRT_BATCHES, for_tensorrt, prepare
from gpu_scan_sections import encoding, reading, scan, scan_by_default, tracks
from gpu_sweep import sweep

from genoscan.scanner.inference.devices import PROVIDER_OF
from genoscan.scanner.throughput.machine import provenance

WHOLE_LIMIT, PREPARE_LIMIT, MODEL_LIMIT, SWEEP_LIMIT = 570.0, 90.0, 170.0, 160.0
"""Seconds for everything, for making the models, at most for one model on one provider, and at least for the sweep."""
SWEEP_SECONDS = 1.0

SECTIONS = (
    placement, parity, session, matrix_rate, encoding, reading, scan, tracks, variants, changing_shapes,
    scan_by_default,
)  # fmt: skip

TENSORRT_SECTIONS = (parity, session, matrix_rate, encoding, reading, scan, tracks)
"""Those that need one batch size: TensorRT builds an engine for each, and that takes a minute."""


def run_model(bench: Bench, save: Callable[[Json], None]) -> None:
    """All sections, each guarded; ``save`` hears of every one."""
    if bench.device != "cpu":
        bench.results["libraries"] = attempt(load_cuda_libraries)
    bench.results["gpu_memory_before_mb"] = gpu_memory_mb()
    for section in TENSORRT_SECTIONS if bench.device == "tensorrt" else SECTIONS:
        started = time.perf_counter()
        result = attempt(lambda: section(bench))  # noqa: B023
        bench.results[section.__name__] = {**result, "section_seconds": round(time.perf_counter() - started, 2)}
        save(bench.results)


def write_json(path: Path, content: Json) -> None:
    """Replace the file by one whole step."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(path)


def run_child(arguments: list[str], part: Path, limit: float, heard: Callable[[Json], None]) -> Json:
    """Run this script for one task in a process of its own; ``heard`` is told whenever the task saved."""
    messages = part.with_suffix(".log")
    started, seen, found = time.perf_counter(), None, {}
    with messages.open("wb") as log:
        child = subprocess.Popen([sys.executable, __file__, *arguments, "--part", str(part)], stdout=log, stderr=log)
        try:
            while (code := child.poll()) is None and time.perf_counter() - started < limit:
                time.sleep(0.2)
                if part.exists() and part.stat().st_mtime_ns != seen:
                    seen, found = part.stat().st_mtime_ns, json.loads(part.read_text())
                    heard(found)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
    found = json.loads(part.read_text()) if part.exists() else {}
    if code != 0:
        reason = f"stopped after {limit:.0f} s" if code is None else f"ended with exit code {code}"
        last = messages.read_text(errors="replace").strip().splitlines()[-1:]
        found["error"] = f"{reason}: {last[0] if last else 'it said nothing'}"[:300]
    return found


def table(result: Json) -> str:
    """A plain table of the figures that matter, a row a model and provider; '-' where there is none."""
    columns = {
        "largest": ("parity", "largest", "{:.1e}"),
        "labels": ("parity", "label_agreement", "{:.5f}"),
        "batch": ("session", "chosen_batch_size", "{}"),
        "session": ("session", "mb_per_second", "{:.2f}"),
        "of matrix": ("matrix_rate", "share_of_matrix_rate", "{:.0%}"),
        "encode": ("encoding", "mb_per_second", "{:.2f}"),
        "read": ("reading", "mb_per_second", "{:.0f}"),
        "scan": ("scan", "mb_per_second", "{:.2f}"),
        "share": ("scan", "share_of_slowest_stage", "{:.0%}"),
        "default": ("scan_by_default", "mb_per_second", "{:.2f}"),
        "GPU MB": ("scan", "gpu_memory_mb", "{:.0f}"),
        "tiles": ("tracks", "same_bytes_with_other_tiles", "{}"),
        "moved": ("tracks", "calls_placed_differently", "{}"),
        "calls": ("tracks", "calls_on_cpu", "{}"),
    }
    lines = [f"{'Mb/s':24s}" + "".join(f"{name:>10s}" for name in columns)]
    for name, found in result["models"].items():
        cells = []
        for section, key, form in columns.values():
            value = found.get(section, {}).get(key)
            cells.append("-" if value is None else form.format(value))
        lines.append(f"{name:24s}" + "".join(f"{cell:>10s}" for cell in cells))
    lines += [f"{name}: {text}" for name, text in errors(result)]
    lines += [f"fastest: genoscan scan GENOME {flags}" for flags in result.get("sweep", {}).get("fastest", [])]
    return "\n".join(lines)


def errors(found: Json, name: str = "") -> Iterator[tuple[str, str]]:
    """Every recorded error with where it lies."""
    for key, value in found.items():
        if key == "error":
            yield name, value
        elif isinstance(value, dict):
            yield from errors(value, f"{name}.{key}" if name else key)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--models", nargs="+", choices=tuple(BATCHES), default=list(BATCHES))
    parser.add_argument("--providers", nargs="+", choices=tuple(PROVIDER_OF), default=["cuda"], metavar="cuda|tensorrt")
    parser.add_argument("--seconds", type=float, default=5.0, help="about how long a speed is measured")
    parser.add_argument("--repeats", default="repeats", help="the fp32 repeats model: a bundled name or a file")
    parser.add_argument("--genome", type=Path, help="FASTA to scan instead of a simulated genome")
    for name in ("--small", "--part", "--folder", "--task"):  # for trying the script, and for its own processes
        how = {"action": "store_true"} if name == "--small" else {"type": Path if name != "--task" else str}
        parser.add_argument(name, help=argparse.SUPPRESS, **how)
    settings = parser.parse_args(argv)
    if settings.out is None and settings.part is None:
        parser.error("name the JSON file with --out")
    return settings


def run_task(settings: argparse.Namespace) -> None:
    """What one of the script's own processes does: 'prepare', 'sweep', or a model file's stem and a provider."""

    def save(found: Json) -> None:
        write_json(settings.part, found)

    if settings.task == "prepare":
        prepare(settings, settings.folder, save)
        return
    genome = settings.genome or settings.folder / "genome.fa"
    if settings.task == "sweep":
        seconds = min(SWEEP_SECONDS, settings.seconds)
        sweep(settings.folder, settings.models, settings.providers, genome, seconds, settings.small, save)
        return
    stem, provider = settings.task.split(":")
    model = stem.rsplit("-", 1)[0]
    path = settings.folder / f"{stem}.onnx"
    if provider == "tensorrt" and for_tensorrt(path).exists():
        path = for_tensorrt(path)
    bench = Bench(
        path=path,
        reference=settings.folder / f"{model}-fp32.onnx",
        device=provider,
        genome=genome,
        seconds=settings.seconds,
        batches=SMALL_BATCHES if settings.small else BATCHES[model] if provider != "tensorrt" else TENSORRT_BATCHES,
    )
    run_model(bench, save)


def main(argv: list[str] | None = None) -> int:
    settings = parse(argv)
    if settings.task:
        run_task(settings)
        return 0
    problem = missing_gpu(settings.providers)
    if problem:
        print(f"gpu.py: {problem}", file=sys.stderr)
        return 1
    deadline = time.perf_counter() + WHOLE_LIMIT
    result: Json = {"date": provenance()["date"], "machine": attempt(machine), "prepared": {}, "models": {}}
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(settings.out, result)
    passed = list(argv if argv is not None else sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="genoscan-") as name:
        folder = Path(name)
        os.environ.setdefault("GENOSCAN_CACHE", str(folder / "cache"))

        def task(label: str, place: Json, key: str, limit: float) -> None:
            def heard(found: Json) -> None:
                place[key] = found
                write_json(settings.out, result)

            started = time.perf_counter()
            part = folder / f"{label.replace(':', '.')}.json"
            heard(run_child([*passed, "--folder", name, "--task", label], part, limit, heard))
            print(f"{label}: {time.perf_counter() - started:.0f} s", flush=True)

        task("prepare", result, "prepared", PREPARE_LIMIT)
        labels = [
            f"{model}-{precision}:{provider}"
            for provider in settings.providers
            for model in settings.models
            for precision in PRECISIONS
        ]
        for number, label in enumerate(labels):
            if not (folder / f"{label.split(':')[0]}.onnx").exists():
                result["models"][label] = {"error": "there is no such model file: see prepared"}
                continue
            share = (deadline - SWEEP_LIMIT - time.perf_counter()) / (len(labels) - number)
            task(label, result["models"], label, min(MODEL_LIMIT, share))
        task("sweep", result, "sweep", deadline - time.perf_counter())
    write_json(settings.out, result)
    print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
