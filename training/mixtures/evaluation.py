"""How good proportions are on simulated mixtures of held-out people, and the limit of detection of a cell type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...scanner.deconvolution.methods import LEAST_SQUARES, LIKELIHOOD
from ...scanner.errors import UsageError
from ...scanner.inference.session import Model
from ..tissue.evaluation import require_classes, require_reads
from ..tissue.panel import Panel, blood_types, open_panel
from ..tissue.settings import SimulatedData
from ..tissue.simulation import Simulator
from .measures import Estimates
from .methods import Method, ReadNetwork, atlas_least_squares, atlas_likelihood
from .samples import SpikedSample, spiked_samples
from .tables import write_tables

SIZES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Shares at which a cell type is looked for."""


@dataclass(frozen=True)
class MixtureTest:
    """many: mixtures that are judged, and as many of other people for the threshold. coverage: mean depth over the
    markers. spike: the cell type that is looked for; ``""``: the one of the most markers that is none of the blood's.
    """

    many: int = 50
    coverage: float = 30.0
    spike: str = ""


def estimates(
    simulator: Simulator, methods: dict[str, Method], place: int, coverage: float, many: int, seed: int,
    sizes: tuple[float, ...] = SIZES,
) -> dict[str, Estimates]:  # fmt: skip
    """What methods say of ``many`` mixtures of the test split's donors, and for the threshold of as many of the
    validation split's. place: the cell type that is spiked."""

    def samples(split: str) -> Iterator[SpikedSample]:
        return spiked_samples(simulator, split, place, coverage, max(sizes), many, seed)

    reference: dict[str, list[float]] = {name: [] for name in methods}
    for sample in samples("validation"):
        for name, method in methods.items():
            reference[name].append(method(sample)(0.0)[place])
    truth: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    spiked: dict[str, list[list[float]]] = {name: [] for name in methods}
    for sample in samples("test"):
        truth.append(sample.shares)
        for name, method in methods.items():
            answer = method(sample)
            found[name].append(answer(sample.shares[place]))
            spiked[name].append([answer(share)[place] for share in (0.0, *sizes)])
    result = {}
    for name in methods:
        clean, *spikes = np.array(spiked[name]).T
        of_size = dict(zip(sizes, spikes, strict=True))
        result[name] = Estimates(np.array(truth), np.array(found[name]), np.array(reference[name]), clean, of_size)
    return result


def evaluate_mixtures(
    model: Model, out: str | Path, atlas: str, genome: str | None, said: SimulatedData, test: MixtureTest,
    threads: int = 1,
) -> dict[str, dict[str, float | None]]:  # fmt: skip
    """Judge the proportions that a model of reads gives, beside likelihood and least squares from the atlas. Tables and
    a plot go into the folder ``out``. Returns measures by method and name."""
    require_reads(model)
    panel = open_panel(atlas, genome)
    require_classes(model, panel.cell_types)
    place = spiked_type(panel, test.spike, atlas)
    simulator = Simulator(panel, said.simulation, model.card.window, said.seed)
    methods = {
        "model": ReadNetwork(model, panel, threads),
        LIKELIHOOD: atlas_likelihood(panel),
        LEAST_SQUARES: atlas_least_squares(panel),
    }
    found = estimates(simulator, methods, place, test.coverage, test.many, said.seed)
    facts = {"model": model.card.name, "version": model.card.version, "sha256": model.sha256}
    facts |= {**asdict(test), "spike": panel.cell_types[place]}
    write_tables(Path(out), found, panel.cell_types, facts)
    return {name: one.measures() for name, one in found.items()}


def spiked_type(panel: Panel, name: str, source: str) -> int:
    """The place of the cell type that is looked for, as `MixtureTest` has it; `UsageError` for one that is not there,
    and for an atlas of which no blood-dominated mixture can be made."""
    blood = blood_types(panel.cell_types)
    if blood.all() or not blood.any():
        raise UsageError(
            f"{source}: mixtures need cell types of the blood (Blood-...) and others: leave them out with --mixtures 0"
        )
    if name:
        if name not in panel.cell_types:
            raise UsageError(f"--spike {name}: {source} has no such cell type, but {', '.join(panel.cell_types)}")
        return panel.cell_types.index(name)
    markers = np.bincount(panel.targets[panel.targets >= 0], minlength=len(blood))
    return int(np.where(blood, -1, markers).argmax())
