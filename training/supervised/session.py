"""What run.json says of one call of a training command."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ... import __version__
from .trainer import last_checkpoint

_PACKAGES = ("numpy", "numba", "torch", "transformers", "accelerate", "peft", "scikit-learn", "scipy")


def session(threads: int, place: torch.device, out: Path) -> dict[str, Any]:
    """Date, command, versions, machine, and the step that it goes on from."""
    last = last_checkpoint(out)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": __version__,
        "command": sys.argv[1:],
        "threads": threads,
        "device": torch.cuda.get_device_name(place) if place.type == "cuda" else "cpu",
        "from_step": 0 if last is None else int(last.name.rpartition("-")[2]),
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), **dict(filter(None, map(_version, _PACKAGES)))},
    }


def _version(package: str) -> tuple[str, str] | None:
    try:
        return package, version(package)
    except PackageNotFoundError:
        return None
