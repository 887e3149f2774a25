"""The sweep of the GPU benchmark: what `genoscan bench --sweep` measures, of the benchmark's own models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gpu_measure import Json
from gpu_models import PRECISIONS, for_tensorrt

from genoscan.scanner.inference.devices import available_threads
from genoscan.scanner.throughput.sweep import Row, recommended, rows_of, scan_flags

FEW, SMALL = 4, 1
"""Threads tried beside all, and what everything is where only the script is tried."""


def sweep(
    folder: Path, models: list[str], providers: list[str], genome: Path, seconds: float, small: bool,
    save: Callable[[Json], None],
) -> None:  # fmt: skip
    """Rows of every model in half precision on some threads and with one and two workers, then of the fp32 files at
    their batch sizes; ``save`` hears of each, so that a time limit leaves what is done."""
    found: Json = {"probes": [], "settings": [], "fastest": []}
    rows: list[Row] = []
    for precision in reversed(PRECISIONS[:1] if small else PRECISIONS):
        for model in models[:1] if small else models:
            for provider in providers:
                path = folder / f"{model}-{precision}.onnx"
                if provider == "tensorrt" and for_tensorrt(path).exists():
                    path = for_tensorrt(path)
                given = values(precision, provider, small)
                for row in rows_of([str(path)], [provider], given, True, str(genome), seconds, found["probes"]):
                    rows.append(row)
                    found["settings"].append({**row.to_dict(), "model": path.name})
                    found["fastest"] = [scan_flags(one).replace(f"{folder}/", "") for one in recommended(rows)]
                    save(found)


def values(precision: str, provider: str, small: bool) -> dict[str, list[int]]:
    """What is tried, by the names of `Choices`; an empty list: what a sweep tries by itself."""
    if small:
        return {name: [SMALL] for name in ("batch_sizes", "threads", "workers")}
    threads = available_threads()
    wide = precision == "fp16" and provider != "tensorrt"
    return {
        "batch_sizes": [],
        "threads": sorted({1, min(FEW, threads), threads}) if wide else [threads],
        "workers": [1, 2] if wide else [1],
    }
