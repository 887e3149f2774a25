"""Where a track goes and what it is of: all that a writer needs besides the track's lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..card import ModelCard
from .output import Write


@dataclass(frozen=True)
class Target:
    """Where a track goes: ``path`` (None: standard output), ``folder`` and ``stale`` as for `output.open_output`. Of
    what it is: the model's card, and the names of the genome's contigs and their lengths in bases, int64 (contigs,)."""

    path: str | None
    card: ModelCard
    names: Sequence[str]
    lengths: np.ndarray
    folder: Path | None = None
    stale: tuple[Path, ...] = ()


Writer = Callable[[Target], AbstractContextManager[Write]]
"""What writes a format: a context with a function that takes whole lines of BED (of raw scores: bedGraph) as bytes, in
genome order. Leaving the context normally puts the track in place, complete; an exception leaves nothing."""
