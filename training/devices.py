"""Where a network is trained."""

from __future__ import annotations

from typing import Literal

import torch

from ..scanner.errors import UsageError

Device = Literal["auto", "cpu", "cuda"]


def resolve_device(device: Device) -> torch.device:
    """Where a network runs: ``auto`` is a GPU where there is one. `UsageError` for a GPU that is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch finds no CUDA device here")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
