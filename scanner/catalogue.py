"""The bundled models, and how the name given to --model becomes a file."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import UsageError

MODELS = Path(__file__).resolve().parent.parent / "models"
FOR_GPUS = "gpu"
"""Folder of the half-precision variants of bundled models whose own file has operators that only CPUs know."""


def bundled_models() -> dict[str, Path]:
    """Names of the bundled models and their files, sorted by name."""
    return {path.stem: path for path in sorted(MODELS.glob("*.onnx"))}


def find_model(name: str) -> Path:
    """The file that a path or the name of a bundled model (with or without .onnx) means.

    A file that exists wins over a bundled model of the same name.
    """
    if os.path.exists(name) and not os.path.isdir(name):  # a pipe is as good as a file
        return Path(name)
    bundled = bundled_models()
    stem = name.removesuffix(".onnx")
    if stem in bundled:
        return bundled[stem]
    known = ", ".join(bundled) or "none"
    kind = "file" if os.sep in name or name.endswith(".onnx") else "model"
    raise UsageError(f"no such {kind}: '{name}'; bundled models: {known}")


def for_device(path: Path, device: str) -> Path:
    """The file to open on a device, where ``path`` is a bundled model's: on GPUs its half-precision variant, if any."""
    variant = path.parent / FOR_GPUS / path.name
    return variant if device != "cpu" and path.parent == MODELS and variant.exists() else path
