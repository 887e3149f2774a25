"""An atlas on its genome becomes shards of simulated reads; without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..data.digests import file_digest
from .panel import open_panel
from .settings import SimulatedData
from .shards import write_shards
from .simulation import SPLITS, Simulator


def build_shards(
    out: str | Path, atlas: str, genome: str | None, said: SimulatedData, counts: tuple[int, int, int], rows: int,
    log: Callable[[str], None],
) -> None:  # fmt: skip
    """Shards of at most ``rows`` reads in the new folder ``out``, with ``counts`` reads for training, validation and
    test, whose donors differ. What is wrong with atlas or genome raises `GenoscanError` or `UsageError`."""
    files = [Path(one) for one in (atlas, genome) if one]
    facts = {"inputs": [{"path": str(one), "digest": file_digest(one)} for one in files]}
    simulator = Simulator(open_panel(atlas, genome), said.simulation, said.window, said.seed, said.drawing)
    write_shards(Path(out), simulator, dict(zip(SPLITS, counts, strict=True)), rows, facts, log)
