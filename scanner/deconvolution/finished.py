"""Finished inputs of a cohort on disk, so that an interrupted call goes on where it was: one folder beside the output.

OUT.samples/manifest.json   what all of them were made with
OUT.samples/NAME.json       the estimates of one input, with a check sum
OUT.samples/lock            held while a process works here
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import GenoscanError
from ..locks import Held, hold
from ..writing.output import file_errors, write_synced
from .estimates import Estimate

_MANIFEST, _LOCK = "manifest.json", "lock"


class Finished:
    """The finished inputs in a folder. Made by `open_finished`."""

    def __init__(self, folder: Path, held: Held):
        self._folder, self._held = folder, held

    def load(self, source: str) -> list[Estimate] | None:
        """The estimates of an input that has not changed since; None if there are none, or they are damaged."""
        try:
            record = json.loads(self._path(source).read_text())
            if record.pop("check_sum") != _sum_of(record) or record["stamp"] != stamp(source):
                return None
            return [_restored(one) for one in record["estimates"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def commit(self, source: str, stamped: list, estimates: list[Estimate]) -> None:
        """Put an input's estimates on disk, whole or not at all. stamped: its `stamp` before it was read."""
        record = {"source": source, "stamp": stamped, "estimates": [_plain(one) for one in estimates]}
        with file_errors(self._folder):
            write_synced(self._path(source), json.dumps({**record, "check_sum": _sum_of(record)}).encode())

    def remove(self) -> None:
        """All is written: the folder goes, its manifest first."""
        (self._folder / _MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._held.release()

    def close(self) -> int:
        """Keep what is finished. Returns how many inputs that is; an empty folder goes."""
        kept = len(list(self._folder.glob("*.json"))) - 1
        if kept <= 0:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._held.release()
        return max(kept, 0)

    def _path(self, source: str) -> Path:
        return self._folder / f"{hashlib.sha256(source.encode(errors='surrogateescape')).hexdigest()[:16]}.json"


def stamp(source: str) -> list:
    """Size and time of change of a file. OSError if it is not there."""
    found = os.stat(source)
    return [found.st_size, found.st_mtime_ns]


def open_finished(folder: Path, identity: dict[str, Any], resume: bool, warn: Callable[[str], None]) -> Finished:
    """The folder of finished inputs, made if it is not there. Without ``resume`` what is in it is discarded.

    Raises `GenoscanError` if it holds files of something else, if another process is at work there, or if what is
    finished was made with something else than ``identity``, saying what.
    """
    with file_errors(folder):
        folder.mkdir(exist_ok=True)
        held = hold(folder / _LOCK)
    if held is None:
        raise GenoscanError(f"{folder}: another genoscan is at work here; wait for it, or name another output")
    try:
        strangers = [one.name for one in folder.iterdir() if one.name != _LOCK and ".json" not in one.name]
        if strangers:
            raise GenoscanError(f"{folder}: holds a file '{strangers[0]}' that is not its own; name another output")
        known = _read_manifest(folder / _MANIFEST)
        if known is not None and resume:
            wrong = [name for name in sorted(known.keys() | identity.keys()) if known.get(name) != identity.get(name)]
            if wrong:
                raise GenoscanError(
                    f"{folder}: cannot resume: {', '.join(wrong)} differ from the interrupted call; repeat it as it "
                    "was, or leave out --resume to start anew"
                )
        else:
            if known is not None:
                warn(f"{folder}: discarding the finished samples of an interrupted call (without --resume)")
            with file_errors(folder):
                for one in folder.glob("*.json"):
                    one.unlink()
                write_synced(folder / _MANIFEST, json.dumps(identity, indent=1).encode())
    except BaseException:
        held.release()
        raise
    return Finished(folder, held)


def _read_manifest(path: Path) -> dict | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _sum_of(record: dict) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:32]


def _plain(estimate: Estimate) -> dict:
    fields = estimate._asdict()
    return {name: one.tolist() if isinstance(one, np.ndarray) else one for name, one in fields.items()}


def _restored(fields: dict) -> Estimate:
    arrays = {name: np.array(fields[name], dtype=np.float64) for name in ("proportions", "low", "high")}
    return Estimate(**{**fields, **arrays, "tissues": tuple(fields["tissues"])})
