"""What a recipe's inputs are: its classes, and the reads of each split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...scanner.card import Marker
from ...scanner.errors import UsageError
from .examples import KnownReads, SimulatedReads
from .panel import open_panel, panel_markers
from .real_reads import read_table
from .recipe import TissueRecipe
from .shards import DESCRIPTION, open_shards
from .simulation import Simulator

ReadSet = SimulatedReads | KnownReads


@dataclass(frozen=True)
class Source:
    """Reads to learn from.

    prior: float64 (classes,), what the posteriors of the reads assume. markers: where the reads are, if that is known.
    sets: by split; `test` may be missing. simulator: where reads are simulated; only then they know their markers.
    """

    classes: tuple[str, ...]
    prior: np.ndarray
    markers: tuple[Marker, ...]
    sets: dict[str, ReadSet]
    simulator: Simulator | None = None

    @property
    def told_markers(self) -> int:
        """Markers of which a network can be told that a read is there."""
        return len(self.markers) if self.simulator is not None else 0

    def drawn_priors(self) -> np.ndarray:
        """float64 (markers, classes): how often classes are drawn at each marker that reads know."""
        if self.simulator is None:
            return np.empty((0, len(self.classes)))
        return self.simulator.drawn_prior(np.arange(self.told_markers))


def input_files(recipe: TissueRecipe) -> list[Path]:
    """The files that the recipe's inputs are; `UsageError` unless it says one kind of them."""
    inputs = recipe.inputs
    if sum(map(bool, (inputs.atlas, inputs.reads, inputs.shards))) != 1:
        raise UsageError("say one of --atlas (reads are simulated), --reads (a table of reads) and --shards")
    if inputs.shards:
        return [*sorted(Path(inputs.shards).glob("*.arrow")), Path(inputs.shards) / DESCRIPTION]
    return [Path(one) for one in (inputs.atlas or inputs.reads, inputs.genome) if one]


def open_source(recipe: TissueRecipe) -> Source:
    """Open what the recipe reads; what is wrong with it raises `GenoscanError` or `UsageError`."""
    inputs, data = recipe.inputs, recipe.data
    input_files(recipe)
    if inputs.shards:
        return _of_shards(recipe)
    if inputs.reads:
        return _of_table(recipe)
    panel = open_panel(inputs.atlas, inputs.genome or None)
    simulator = Simulator(panel, recipe.simulation, data.window, recipe.seed, recipe.drawing)
    counts = {"training": data.per_epoch, "validation": data.validation, "test": data.validation}
    sets = {split: SimulatedReads(simulator, split, count) for split, count in counts.items()}
    return Source(panel.cell_types, simulator.prior, panel_markers(panel), sets, simulator)


def _of_table(recipe: TissueRecipe) -> Source:
    data = recipe.data
    table = read_table(Path(recipe.inputs.reads), data.window, data.k)
    split = table.splits(data.validation_regions, data.test_regions)
    eye = np.eye(len(table.classes))
    sets = {}
    for name, rows in split.items():
        if name != "test" and not len(rows):
            raise UsageError(f"{recipe.inputs.reads}: no reads for {name}: say data.validation_regions")
        sets[name] = KnownReads(table.codes[rows], eye[table.labels[rows]], table.labels[rows], name != "training")
    prior = np.bincount(table.labels[split["training"]], minlength=len(table.classes)).astype(np.float64)
    if not prior.all():
        missing = table.classes[int(np.argmin(prior))]
        raise UsageError(f"{recipe.inputs.reads}: no read of class {missing} in the regions to train on")
    return Source(table.classes, prior / prior.sum(), (), sets)


def _of_shards(recipe: TissueRecipe) -> Source:
    shards = open_shards(Path(recipe.inputs.shards), recipe.data.window)
    sets = {
        split: KnownReads(one.codes, one.posterior, one.classes, split != "training")
        for split, one in shards.splits.items()
    }
    return Source(shards.classes, shards.prior, shards.markers, sets)


def class_weights(recipe: TissueRecipe, source: Source) -> np.ndarray:
    """float64 (classes,): what each counts in the loss, 1 on average over the prior."""
    said = recipe.losses.class_weights
    if said == "none":
        weights = np.ones(len(source.classes))
    elif said == "balanced":
        weights = 1 / source.prior
    else:
        unknown = set(said) - set(source.classes)
        if unknown:
            raise UsageError(f"losses.class_weights: there is no class {min(unknown)}")
        weights = np.array([said.get(name, 1.0) for name in source.classes])
    return weights / (weights * source.prior).sum()
