"""Simulated reads on disk, in Arrow files that are mapped into memory: what training reads takes no memory, however
many there are, and other programs can read them, too.

A shard SPLIT-NNNNN.arrow (Arrow IPC) has a row for each read: codes (marked codes, a byte a base), class, donor, marker
and the exact posterior. dataset.json says what the classes and markers are and how the reads were drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ... import __version__
from ...scanner.card import Marker
from ...scanner.errors import GenoscanError, UsageError
from ..whole_files import write_whole
from .panel import panel_markers
from .simulation import SPLITS, Simulator

DESCRIPTION = "dataset.json"
_FORMAT = 1


@dataclass(frozen=True)
class Stacked:
    """Arrays one behind another, (rows, ...) each, taken by row numbers without being joined."""

    parts: Sequence[np.ndarray]
    starts: np.ndarray

    @classmethod
    def of(cls, parts: Sequence[np.ndarray]) -> Stacked:
        return cls(parts, np.cumsum([0, *map(len, parts)]))

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.parts[0].shape[1:])

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        owners = np.searchsorted(self.starts, rows, side="right") - 1
        out = np.empty((len(rows), *self.parts[0].shape[1:]), dtype=self.parts[0].dtype)
        for owner in np.unique(owners).tolist():
            mine = owners == owner
            out[mine] = self.parts[owner][rows[mine] - self.starts[owner]]
        return out


@dataclass(frozen=True)
class ShardSplit:
    """codes uint8 (reads, window), posterior float32 (reads, classes), classes int64 (reads,)."""

    codes: Stacked
    posterior: Stacked
    classes: Stacked


@dataclass(frozen=True)
class Shards:
    """A folder of shards. splits: those that have reads."""

    classes: tuple[str, ...]
    prior: np.ndarray
    markers: tuple[Marker, ...]
    splits: dict[str, ShardSplit]


def write_shards(
    out: Path, simulator: Simulator, counts: dict[str, int], rows: int, facts: dict[str, Any],
    log: Callable[[str], None],
) -> None:  # fmt: skip
    """Draw ``counts`` reads of each split into shards of ``rows`` reads in a new folder; ``facts`` go into
    dataset.json, which is written last."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: is not empty: give another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            for number, first in enumerate(range(0, counts[split], rows)):
                path = out / f"{split}-{number:05}.arrow"
                _write_shard(path, simulator, split, np.arange(first, min(first + rows, counts[split])))
            log(f"{out}: {counts[split]:,} reads for {split}")
    except OSError as error:
        raise GenoscanError(f"{out}: cannot write: {error.strerror or error}") from None
    described = {
        "format": _FORMAT,
        "code_version": __version__,
        "window": simulator.window,
        "classes": simulator.panel.cell_types,
        "prior": simulator.prior.tolist(),
        "markers": [marker.model_dump() for marker in panel_markers(simulator.panel)],
        "reads": counts,
        "seed": simulator.seed,
        "simulation": simulator.settings.model_dump(),
        "drawing": simulator.drawing.model_dump(),
        **facts,
    }
    write_whole(out / DESCRIPTION, (json.dumps(described, indent=1) + "\n").encode())


def _write_shard(path: Path, simulator: Simulator, split: str, rows: np.ndarray) -> None:
    import pyarrow as pa

    reads = simulator.draw(split, 0, rows)
    posterior = reads.posterior.astype(np.float32)
    window, classes = reads.codes.shape[1], posterior.shape[1]
    columns = {
        "codes": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(window), len(rows), [None, pa.py_buffer(np.ascontiguousarray(reads.codes))]
        ),
        "class": pa.array(reads.classes),
        "donor": pa.array(reads.donors),
        "marker": pa.array(reads.markers),
        "posterior": pa.FixedSizeListArray.from_arrays(pa.array(posterior.reshape(-1)), classes),
    }
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=len(rows))


def open_shards(folder: Path, window: int) -> Shards:
    """The shards in a folder, of reads of ``window`` bases; `GenoscanError` where it is none or a file is damaged."""
    try:
        said = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        classes, prior = tuple(said["classes"]), np.array(said["prior"], dtype=np.float64)
        markers = tuple(Marker.model_validate(one) for one in said["markers"])
        found, whole = int(said["window"]), said["format"] == _FORMAT
    except OSError as error:
        raise UsageError(f"{folder}: no data set of `genoscan data tissue`: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError, ValidationError):
        raise GenoscanError(f"{folder / DESCRIPTION}: damaged: make the data set anew") from None
    if not whole:
        raise GenoscanError(f"{folder / DESCRIPTION}: of another version: make the data set anew")
    if found != window:
        raise UsageError(f"{folder}: has windows of {found} bases: say data.window = {found}")
    splits = {}
    for split in SPLITS:
        parts = [_read_shard(path, window, len(classes)) for path in sorted(folder.glob(f"{split}-*.arrow"))]
        if sum(len(one[0]) for one in parts) != said["reads"][split]:
            raise GenoscanError(f"{folder}: a shard of {split} is missing: make the data set anew")
        if parts:
            splits[split] = ShardSplit(*(Stacked.of(column) for column in zip(*parts, strict=True)))
    if not {"training", "validation"} <= splits.keys():
        raise UsageError(f"{folder}: has no reads for training or validation")
    return Shards(classes, prior, markers, splits)


def _read_shard(path: Path, window: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        codes = table.column("codes").chunk(0)
        posterior = table.column("posterior").chunk(0).flatten().to_numpy().reshape(len(table), classes)
        labels = table.column("class").chunk(0).to_numpy()
    except (OSError, KeyError, ValueError, IndexError, pa.ArrowException) as error:
        raise GenoscanError(f"{path}: cannot be read as a shard of reads: {error}") from None
    rows = np.frombuffer(codes.buffers()[1], dtype=np.uint8, count=len(codes) * window).reshape(len(codes), window)
    return rows, posterior, labels
