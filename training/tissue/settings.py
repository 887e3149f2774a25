"""What simulated reads are like, and which are drawn."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from ...scanner.errors import GenoscanError, UsageError
from ..recipe import Part, bundled_recipes, bundled_text, first_problem

Share = Annotated[float, Field(ge=0, le=1)]


class ReadSimulation(Part):
    """Reads of cell types, drawn from an atlas (`simulation`).

    A read is unmethylated with the atlas' share of its cell type; of the others ``partial`` are partially methylated,
    the rest are methylated. Within a read, a CpG repeats the one before it with probability exp(-distance / block) and
    is else drawn anew, methylated with the probability of its kind of read. Outside of the marker CpGs are methylated
    as ``outside`` says, in every cell type.

    ``partial``, ``levels`` and ``block`` are set by reads of three bulk tissues of Roadmap (liver, sigmoid colon, lung:
    Kundaje et al. 2015, https://doi.org/10.1038/nature14248) at markers of other tissues: of those with four CpGs or
    more, 0.8 % are unmethylated (at most a quarter of the CpGs methylated), 3 % mixed and 80 % methylated throughout.
    Reads that are not unmethylated ones must hardly ever look so, or a sample has more of them than its atlas counts.

    floor: shares of the atlas are moved from [0, 1] to [floor, 1 - floor]: an atlas counts so many reads, no more.
    levels: share of methylated CpGs in an unmethylated, a methylated and a partially methylated read.
    block: bases over which CpGs agree.
    unconverted: share of unmethylated Cs that are read as methylated; converted: of methylated ones as unmethylated.
    missing: share of CpGs of a read of which nothing is known.
    donors: people whose reads training sees; held_out_donors: others, for validation and test each. A donor's share at
        a marker is drawn from a beta distribution about the atlas' share p, of variance p (1 - p) / (donor_size + 1).
    length, deviation: bases of fragments of cell-free DNA (167: about a nucleosome with its linker), normal; long_share
        of them have twice the length. shortest: no fragment is shorter.
    read_length, insert, insert_deviation: paired reads: the ends of fragments of about ``insert`` bases are read, so
        many bases of each; what lies between is not seen. paired: share of reads that are paired ones.
    """

    floor: float = Field(default=0.002, gt=0, lt=0.5)
    partial: Share = 0.04
    levels: tuple[Share, Share, Share] = (0.05, 0.965, 0.7)
    outside: Share = 0.85
    block: float = Field(default=8.0, gt=0)
    unconverted: float = Field(default=0.006, ge=0, lt=0.5)
    converted: float = Field(default=0.004, ge=0, lt=0.5)
    missing: float = Field(default=0.02, ge=0, lt=1)
    donors: int = Field(default=40, ge=1)
    held_out_donors: int = Field(default=20, ge=1)
    donor_size: float = Field(default=60.0, gt=0)
    length: float = Field(default=167.0, gt=0)
    deviation: float = Field(default=18.0, ge=0)
    long_share: Share = 0.08
    shortest: int = Field(default=40, ge=1)
    paired: Share = 0.3
    read_length: int = Field(default=100, ge=1)
    insert: float = Field(default=260.0, gt=0)
    insert_deviation: float = Field(default=40.0, ge=0)


class Drawing(Part):
    """Which reads are drawn. The exact posterior is always that of the ``prior``, however reads are drawn.

    targets: share of reads whose cell type is that of their marker; the others have the prior's.
    outside: share of reads that need not have a CpG of the marker (any CpG will do).
    prior: of cell types in the answer: all alike, or ``blood``, with so many reads of blood cells as cell-free DNA has.
    """

    targets: Share = 0.0
    outside: Share = 0.03
    prior: Literal["uniform", "blood"] = "uniform"
    blood_share: Share = 0.85

    @model_validator(mode="after")
    def _consistent(self) -> Drawing:
        if self.prior == "blood" and not 0 < self.blood_share < 1:
            raise ValueError("blood_share: must lie between 0 and 1")
        return self


WINDOW = 150
"""Bases around a read that a network is given, unless a recipe says otherwise."""


class SimulatedData(NamedTuple):
    """What a recipe of reads says of simulation."""

    simulation: ReadSimulation
    drawing: Drawing
    window: int
    seed: int


def load_simulated_data(source: str | None) -> SimulatedData:
    """The parts of a bundled recipe, or of one in a file, that decide which reads are drawn; the defaults without one.

    `UsageError` for a recipe that is not there, `GenoscanError` for one that is wrong. Needs no torch.
    """
    if source is None:
        return SimulatedData(ReadSimulation(), Drawing(), WINDOW, 0)
    try:
        text = bundled_text(source) if source in bundled_recipes() else Path(source).read_text(encoding="utf-8")
        table: dict[str, Any] = tomllib.loads(text)
        window, seed = table.get("data", {}).get("window", WINDOW), table.get("seed", 0)
        if not (isinstance(window, int) and isinstance(seed, int) and window > 0 and seed >= 0):
            raise GenoscanError(f"{source}: wrong recipe: data.window and seed are whole numbers")
        simulation = ReadSimulation.model_validate(table.get("simulation", {}))
        return SimulatedData(simulation, Drawing.model_validate(table.get("drawing", {})), window, seed)
    except OSError as error:
        raise UsageError(f"{source}: no such recipe: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise GenoscanError(f"{source}: cannot be read as a recipe") from None
    except tomllib.TOMLDecodeError as error:
        raise GenoscanError(f"{source}: not a TOML file: {error}") from None
    except ValidationError as error:
        raise GenoscanError(f"{source}: wrong recipe: {first_problem(error)}") from None
