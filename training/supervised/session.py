"""One call of a training command: the run folder, what run.json says of it, and how it ends."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ... import __version__
from ...scanner.errors import UsageError
from ...scanner.inference.devices import available_threads
from ...scanner.throughput.memory import peak_memory as peak_of_process
from ..checkpoint import open_run, write_run
from ..devices import Device, resolve_device
from ..fit import stop_signals
from ..pretrained.quiet import quiet_transformers
from ..recipe import Part
from .trainer import Stopped, Watch, last_checkpoint

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


def run_session(
    recipe: Part,
    out: Path,
    digests: Sequence[tuple[str, str]],
    train: Callable[[torch.device, Watch], bool],
    device: Device,
    threads: int | None,
    time_limit: float | None,
    wandb: str,
    log: Callable[[str], None],
) -> bool:
    """Open the run in ``out``, call ``train`` with the device and a watch, and note how it went; True when finished.

    digests: path and digest of each input. time_limit: minutes. SIGTERM and SIGINT end in `SystemExit` 143 and 130.
    """
    start, place = time.monotonic(), resolve_device(device)
    use_wandb(wandb, out)
    threads = threads or available_threads()
    torch.set_num_threads(threads)
    run = open_run(out, recipe, digests, __version__, "data")
    run["sessions"].append(session(threads, place, out))
    run["finished"] = False
    write_run(out, run)
    with stop_signals() as stopped, quiet_transformers():
        watch = Watch(stopped, float("inf") if time_limit is None else start + 60 * time_limit)
        try:
            finished = train(place, watch)
        except Stopped:
            _note(out, run, start, finished=False)
            log(f"{out}: stopped; the same command goes on from there")
            raise SystemExit(128 + stopped[0]) from None
    _note(out, run, start, finished)
    if not finished:
        log(f"time limit: saved {out}; the same command goes on from there")
    return finished


def use_wandb(mode: str, out: Path) -> None:
    """Tell Weights & Biases how and where it logs; `UsageError` where it is wanted and not installed."""
    if mode == "off":
        return
    if _version("wandb") is None:  # a folder of that name, which it leaves behind, can be imported, too
        raise UsageError("--wandb: the package wandb is not installed: pip install 'genoscan[wandb]'")
    os.environ["WANDB_MODE"] = mode
    os.environ.setdefault("WANDB_DIR", str(out))


def _note(out: Path, run: dict[str, Any], start: float, finished: bool) -> None:
    """What the session came to, into run.json."""
    run["sessions"][-1]["seconds"] = round(time.monotonic() - start, 3)
    run["sessions"][-1]["peak_memory"] = peak_memory()
    run["finished"] = finished
    write_run(out, run)


def peak_memory() -> int:
    """Bytes: most memory on the GPU where there is one, else of this process so far."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return int(torch.cuda.max_memory_allocated())
    return peak_of_process()
