"""The machine and the day of a measurement: what every recorded figure carries."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from ..inference.devices import available_threads
from ..writing.summary import package_versions


def provenance() -> dict[str, Any]:
    """``date`` (UTC, YYYY-MM-DD) and ``machine``: processor, CPUs that it has and that this process may use, memory,
    GPUs with their memory and driver, system, and versions of what results depend on."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {
            "processor": processor(),
            "cpus": os.cpu_count(),
            "threads": available_threads(),
            "memory_mb": round(psutil.virtual_memory().total / 1e6),
            "gpus": gpus(),
            "system": platform.system(),
            "versions": package_versions(),
        },
    }


def processor(listing: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, as Linux lists it or Python knows it; its architecture where neither does."""
    try:
        lines = listing.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def gpus() -> list[dict[str, Any]]:
    """Every NVIDIA GPU of the machine: name, memory in MiB, driver."""
    rows = nvidia_smi("name,memory.total,driver_version")
    return [{"name": row[0], "memory_mib": _number(row[1]), "driver": row[2]} for row in rows if len(row) == 3]


def used_gpu_memory() -> list[float]:
    """MiB in use on every GPU, by everybody; empty without nvidia-smi. ONNX Runtime gives none back while a session
    lives."""
    return [used for row in nvidia_smi("memory.used") if (used := _number(row[0])) is not None]


def nvidia_smi(fields: str) -> list[list[str]]:
    """Fields of every GPU as text, a row a GPU; empty where nvidia-smi is missing or fails."""
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [[one.strip() for one in line.split(",")] for line in done.stdout.splitlines() if line.strip()]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # "[N/A]"
        return None
