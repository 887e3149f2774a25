"""Tracks that are on disk, with what their summaries say of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..scanner.card import ModelCard, parse_card
from ..scanner.errors import GenoscanError
from ..scanner.writing.formats import FORMATS, files_of


@dataclass(frozen=True)
class Run:
    """A track: ``output`` as `genoscan scan -o` was given it, and the summary beside it."""

    output: Path
    summary: dict[str, Any]

    @cached_property
    def card(self) -> ModelCard:
        fields = dict(self.summary["model"]["card"])
        if fields["input"].get("kind") == "byte-pair":  # left out of the summary, and needed by models only
            fields["input"] = {**fields["input"], "tokenizer": "{}"}
        return parse_card(json.dumps(fields), f"{self.output}.json")

    @property
    def format(self) -> str:
        return self.summary["options"]["format"]

    @property
    def levels(self) -> bool:
        """Whether the track holds raw scores, not calls."""
        return FORMATS[self.format].levels

    @property
    def scored(self) -> bool:
        """Whether its calls are made of raw scores along the genome, not of reads."""
        return self.card.task != "read-classification"

    def of_same_scan(self, other: Run) -> bool:
        """Whether genome and model are the same, so that the raw scores of one are those of the other's calls."""
        mine, its = (run.summary.get("identity") for run in (self, other))
        return mine is not None and its is not None and all(mine[key] == its[key] for key in ("genome", "models"))

    @property
    def name(self) -> str:
        """The track's name without folder and ending."""
        name = self.output.name
        return name[
            : -max((len(one) for one in FORMATS[self.format].endings if name.lower().endswith(one)), default=-len(name))
        ]

    def channel_files(self) -> dict[Path, Any]:
        """The track's files, and the channel that each holds (None: all calls)."""
        return {Path(path): channel for path, channel in files_of(str(self.output), self.card, self.format).items()}


def find_runs(paths: Sequence[str]) -> list[Run]:
    """The runs that are named by their tracks, by the summaries beside these, or by folders that hold some.

    `GenoscanError` names what is not there or is no summary of genoscan's, and folders without any.
    """
    runs: dict[Path, Run] = {}
    for path in map(Path, paths):
        if path.is_dir():
            found = [run for one in sorted(path.glob("*.json")) if (run := _run_at(one)) is not None]
            if not found:
                raise GenoscanError(f"{path}: no track of genoscan's in this folder")
        else:
            summary = path if path.suffix == ".json" else _summary_of(path)
            found = [_run_at(summary)]
            if found[0] is None:
                raise GenoscanError(f"{summary}: is no summary of a track; give a track that genoscan scan has written")
        runs |= {run.output: run for run in found}
    for run in runs.values():
        for file in run.channel_files():
            if not file.exists():
                raise GenoscanError(f"{file}: no such file, but '{run.output.name}.json' tells of it; scan again")
    return list(runs.values())


def _summary_of(track: Path) -> Path:
    """The summary of the track that this is, or is a file of."""
    beside = Path(f"{track}.json")
    if beside.exists():
        return beside
    if not track.exists():
        raise GenoscanError(f"{track}: no such file")
    for one in sorted(track.parent.glob("*.json")):
        run = _run_at(one)
        if run is not None and track in run.channel_files():
            return one
    raise GenoscanError(f"{beside}: no such file: the summary that genoscan scan writes beside a track is needed")


def _run_at(path: Path) -> Run | None:
    """The run whose summary is at ``path``; None for other JSON files."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GenoscanError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        return None
    if not isinstance(summary, dict) or not {"files", "genome", "model", "counts", "options"} <= summary.keys():
        return None
    return Run(path.with_suffix(""), summary)
