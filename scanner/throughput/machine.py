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

_LISTING = Path("/proc/cpuinfo")
_VECTORS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "sve")


def provenance() -> dict[str, Any]:
    """``date`` (UTC, YYYY-MM-DD) and ``machine``: processor and the vector instructions that speed depends on, CPUs
    that it has and that this process may use, memory, GPUs with their memory and driver, system, and versions of what
    results depend on."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {
            "processor": processor(),
            "instructions": instructions(),
            "cpus": os.cpu_count(),
            "threads": available_threads(),
            "memory_mb": round(psutil.virtual_memory().total / 1e6),
            "gpus": gpus(),
            "system": platform.system(),
            "versions": package_versions(),
        },
    }


def processor(listing: Path = _LISTING) -> str:
    """The processor's name, as Linux lists it or Python knows it; its architecture where neither does."""
    return _listed("model name", listing) or platform.processor() or platform.machine()


def instructions(listing: Path = _LISTING) -> list[str]:
    """Those of `_VECTORS` that Linux lists; empty elsewhere."""
    flags = _listed("flags", listing).split() or _listed("Features", listing).split()
    return [one for one in _VECTORS if one in flags]


def _listed(name: str, listing: Path) -> str:
    """The first value of that name in /proc/cpuinfo; empty without one."""
    try:
        lines = listing.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


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
