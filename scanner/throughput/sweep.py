"""Which settings are tried, each in a process of its own, and which was the fastest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from ..catalogue import find_model
from ..errors import GenoscanError
from ..inference.devices import available_threads, cuda_device_count
from ..inference.engines import tensorrt_version
from ..inference.session import choose_device, read_model
from .apart import apart
from .stages import Setting, Throughput, best_batch_size, measure

LIMIT = 900.0
"""Seconds that a setting may take: TensorRT builds an engine first."""
PROBE_SECONDS = 1.0


@dataclass(frozen=True)
class Row:
    """A setting and how fast it is, or why it could not run."""

    setting: Setting
    found: Throughput | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the setting, then what was found, in windows and Mb a second."""
        if self.found is None:
            return {**asdict(self.setting), "error": self.error}
        found = asdict(self.found)
        speeds = {one: found.pop(one) for one in ("session", "encoding", "scan", "bound")}
        mb_per_window = found.pop("mb_per_window")
        return {
            **asdict(self.setting),
            **found,
            "windows_per_second": speeds,
            "mb_per_second": mb_per_window and {one: speed * mb_per_window for one, speed in speeds.items()},
            "share_of_session": self.found.share_of_session,
            "share_of_bound": self.found.share_of_bound,
            "human_genome_seconds": self.found.human_genome_seconds,
        }


@dataclass(frozen=True)
class Choices:
    """Values to try, one dimension after the other. threads None: all that there are, shared out among workers."""

    batch_sizes: Sequence[int | None]
    threads: Sequence[int | None]
    workers: Sequence[int]


def devices_here() -> list[str]:
    """Devices that a sweep tries."""
    if choose_device("auto") == "cpu":
        return ["cpu"]
    return ["cpu", "cuda", *(["tensorrt"] if tensorrt_version() is not None else [])]


def choices(model: str, device: str, batch_size: int | None) -> Choices:
    """What a sweep tries of a model on a device, around a batch size (None: the default one): a quarter and four times
    as many windows; threads from one to all, doubling; on GPUs one, two and four workers for each."""
    file = read_model(find_model(model), device, batch_size)
    size = file.batch_size
    several = file.fixed_batch is None and device != "tensorrt"  # which builds an engine for each: minutes
    sizes = sorted({max(1, size // 4), size, 4 * size}) if several else [size]
    workers = {1}
    if device != "cpu" and file.card.task != "read-classification":
        workers |= {max(1, cuda_device_count()) * each for each in (1, 2, 4)}
    return Choices(sizes, doubling(available_threads()), sorted(workers))


def doubling(most: int) -> list[int]:
    """1, 2, 4 and so on, and ``most``."""
    return [*(2**power for power in range(most.bit_length()) if 2**power < most), most]


def sweep(model: str, device: str, tried: Choices, measured: Callable[[Setting], Row]) -> Iterator[Row]:
    """Rows of one model on one device.

    Batch sizes come first, on the most threads and the fewest workers; then other threads, then more workers, each at
    the batch size that was the fastest so far. So a sweep takes as many rows as there are values, not as many as there
    are combinations. Where several numbers of threads are tried, more workers share out all that there are.
    """
    rows: list[Row] = []

    def add(batch_size: int | None, threads: int | None, workers: int) -> Iterator[Row]:
        one = Setting(model, device, workers, threads or max(1, available_threads() // workers), batch_size)
        if one not in [row.setting for row in rows]:
            rows.append(measured(one))
            yield rows[-1]

    def size() -> int | None:
        best = fastest(rows)
        return tried.batch_sizes[0] if best is None else best.setting.batch_size

    threads = sorted(tried.threads, key=lambda one: one or math.inf)
    workers = sorted(tried.workers)
    for batch_size in tried.batch_sizes:
        yield from add(batch_size, threads[-1], workers[0])
    for fewer in threads[:-1]:
        yield from add(size(), fewer, workers[0])
    for more in workers[1:]:
        yield from add(size(), threads[0] if len(threads) == 1 else None, more)


def rows_of(
    models: Sequence[str],
    devices: Sequence[str],
    given: Mapping[str, Sequence],
    full: bool,
    genome: str,
    seconds: float,
    probes: list[dict[str, Any]],
    telling: Callable[[str], AbstractContextManager] = nullcontext,
) -> Iterator[Row]:
    """Rows of every model on every device ('auto' among them).

    given: values by the names of `Choices`; of what is empty there, several values are tried if ``full``, otherwise
    the default. On CUDA a batch size is looked for first, unless it is given; what was found is added to ``probes``.
    telling: hears what is being measured, and is left when that is done. Raises `UsageError` for what is no model.
    """
    paths = [find_model(model) for model in models]
    for model, path in zip(models, paths, strict=True):
        found = None
        for device in dict.fromkeys(choose_device(one) for one in devices):
            if device == "cuda" and not given["batch_sizes"]:
                with telling(f"{model} on cuda: which batch size?"):
                    probe = _probed(str(path), seconds)
                probes.append({"model": model, "device": device, **probe})
                found = probe.get("batch_size")
            size = None if device == "cpu" else found  # TensorRT takes CUDA's
            default = choices(model, device, size) if full else Choices([size], [None], [1])
            tried = Choices(**{name: values or getattr(default, name) for name, values in given.items()})

            def measured(setting: Setting) -> Row:
                about = f"{setting.workers} x {setting.threads} threads, batch {setting.batch_size or 'by default'}"
                with telling(f"{setting.model} on {setting.device}: {about}"):
                    return measured_apart(setting, genome, seconds)

            yield from sweep(model, device, tried, measured)


def _probed(path: str, seconds: float) -> dict[str, Any]:
    """What `best_batch_size` says of CUDA, in a process of its own; the error that a setting's row will have too."""
    try:
        size, speeds = apart(best_batch_size, path, "cuda", min(seconds / 4, PROBE_SECONDS), limit=LIMIT)
    except GenoscanError as error:
        return {"error": str(error)}
    return {"batch_size": size, "session_windows_per_second": speeds}


def fastest(rows: Sequence[Row]) -> Row | None:
    """The row with the fastest scan; None where none could run."""
    return max((row for row in rows if row.found), key=lambda row: row.found.scan, default=None)


def measured_apart(setting: Setting, genome: str, seconds: float) -> Row:
    """The setting's row, measured in a process of its own, so that its memory is its own and nothing ends the sweep."""
    try:
        return Row(setting, apart(measure, setting, genome, seconds, limit=LIMIT))
    except GenoscanError as error:
        return Row(setting, error=str(error))


def recommended(rows: Sequence[Row]) -> list[Row]:
    """The fastest row of each model: files of the same network, in several precisions, are one model."""
    names = dict.fromkeys(row.found.name for row in rows if row.found)
    return [fastest([row for row in rows if row.found and row.found.name == name]) for name in names]


def scan_flags(row: Row) -> str:
    """The options of `genoscan scan` that a row was measured with."""
    setting = row.setting
    parts = [f"--model {setting.model}", f"--device {setting.device}"]
    parts += [f"--workers {setting.workers}"] if setting.workers > 1 else []
    return " ".join([*parts, f"--threads {setting.threads}", f"--batch-size {row.found.batch_size}"])
