"""Each family once at its published size, with seeded random weights: exported, compared, and timed.

    python benchmarks/export_families.py --genome genome.fa --out benchmarks/results/export_families.json
    python benchmarks/export_families.py --family grover --family dnabert2 --out some.json

Weights cannot decide how large a graph is or how fast it runs. For each family: parameters, the file, tokens of a
window, how far the export is from the checkpoint's own forward pass, seconds and memory of the export, and windows a
second of the exported session beside the checkpoint in eager PyTorch, both on one thread, in turns, on the same
windows. Every family runs in a process of its own, and the file is written after each: a later run adds to it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

ROUNDS, SECONDS = 2, 4.0
_BERT_BASE = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
}
_NT_500M = {
    "hidden_size": 1280,
    "num_hidden_layers": 24,
    "num_attention_heads": 20,
    "intermediate_size": 5120,
    "max_position_embeddings": 1002,
}
_NT_V2_100M = {
    "hidden_size": 512,
    "num_hidden_layers": 22,
    "num_attention_heads": 16,
    "intermediate_size": 2048,
    "max_position_embeddings": 2050,
}
_AGRONT = {
    "hidden_size": 1500,
    "num_hidden_layers": 40,
    "num_attention_heads": 20,
    "intermediate_size": 5120,
    "max_position_embeddings": 1026,
}
_TISSUE_BERT = {
    "hidden_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "intermediate_size": 2048,
    "max_position_embeddings": 512,
    "num_labels": 39,
}


def families() -> dict[str, tuple[Callable[[Path], Path], int]]:
    """Name to what makes its checkpoint in a folder, and bases of a window."""
    import checkpoints

    small = {"initializer_range": 0.05}
    return {
        "tissuebert": (lambda folder: checkpoints.dnabert(folder, 3, **small, **_TISSUE_BERT), 150),
        "dnabert-6": (lambda folder: checkpoints.dnabert(folder, 6, **small, **_BERT_BASE), 512),
        "grover": (lambda folder: checkpoints.grover(folder, words=609, **small, **_BERT_BASE), 512),
        "dnabert2": (lambda folder: checkpoints.dnabert2(folder, words=4096, **small, **_BERT_BASE), 512),
        "nucleotide-transformer-500m": (
            lambda folder: checkpoints.nucleotide_transformer(folder, **small, **_NT_500M),
            600,
        ),
        "nucleotide-transformer-v2-100m": (
            lambda folder: checkpoints.nucleotide_transformer_v2(folder, **small, **_NT_V2_100M),
            600,
        ),
        "agront-1b": (lambda folder: checkpoints.nucleotide_transformer(folder, **small, **_AGRONT), 600),
    }


def measured(name: str, genome: str | None) -> dict:
    """Export one family and time it."""
    import numpy as np
    import torch

    from genoscan.export.export import export_model
    from genoscan.export.families import CheckpointSettings, open_checkpoint
    from genoscan.export.parity import sample_windows, tensors
    from genoscan.scanner.inference.session import open_model

    torch.set_num_threads(1)
    make, window = families()[name]
    settings = CheckpointSettings(window=window)
    with tempfile.TemporaryDirectory(prefix="genoscan-benchmark-") as folder:
        checkpoint, output = make(Path(folder, "checkpoint")), Path(folder, "model.onnx")
        started = time.perf_counter()
        report = export_model(checkpoint, output, genome=genome, settings=settings, windows=4)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        source = open_checkpoint(checkpoint, settings)
        model = open_model(output, "cpu", 4)
        windows = sample_windows(source.card, 5, 4)["random"]
        groups = [tensor for _, tensor in tensors(source.card, np.minimum(windows, 3))]
        size = sum(file.stat().st_size for file in Path(folder).glob("model.onnx*"))

        def eager() -> None:
            with torch.inference_mode():
                for tensor in groups:
                    source.network(torch.from_numpy(tensor))

        def session() -> None:
            for tensor in groups:
                model.run(tensor)

        rates = {"pytorch": 0.0, "onnx": 0.0}
        for _ in range(ROUNDS):
            for label, work in (("pytorch", eager), ("onnx", session)):
                rates[label] = max(rates[label], _rate(work) * len(windows))
    return {
        "parameters": sum(one.numel() for one in source.network.parameters()),
        "file_bytes": size,
        "window": window,
        "tokens": sorted({tensor.shape[1] for tensor in groups}),
        "parity": report.figures(),
        "export_seconds": round(seconds, 1),
        "export_peak_bytes": peak,
        "windows_per_second": {label: round(rate, 3) for label, rate in rates.items()},
    }


def _rate(work: Callable[[], None]) -> float:
    """Calls a second, after one to warm up."""
    work()
    started, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() - started < SECONDS:
        work()
        done += 1
    return done / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", action="append", help="only these; repeatable")
    parser.add_argument("--genome", help="FASTA to compare on, beside random and simulated sequence")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.one, arguments.genome)))
        return
    from genoscan import __version__
    from genoscan.scanner.throughput.machine import provenance

    kept = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    result = {**provenance(), "genoscan": __version__, "threads": 1, "families": kept.get("families", {})}
    for name in arguments.family or families():
        command = [sys.executable, __file__, "--one", name, "--out", str(arguments.out)]
        command += ["--genome", arguments.genome] if arguments.genome else []
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if run.returncode:
            print(f"{name}: failed with exit code {run.returncode}", file=sys.stderr)
            continue
        result["families"][name] = {"date": result["date"], **json.loads(run.stdout.splitlines()[-1])}
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")
        print(name, json.dumps(result["families"][name]))


if __name__ == "__main__":
    main()
