"""The recipe of a network that learns from labelled sequences: everything that decides what it learns.

`train_sequences` follows it. A recipe names its inputs relative to its own file; what a command line says with
``--set`` replaces single lines before anything is checked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ...scanner.card import Calling, Score, Track
from ...scanner.errors import UsageError
from ..measures.names import measure_names
from ..recipe import Part, checked_recipe, parse_table, recipe_source
from .networks import NetSettings

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_PATHS = {"inputs": ("data", "genome", "exclude"), "net": ("checkpoint",)}
_CHOICES = ("adapt.way", "net.kind", "pretrain.kind")
"""Fields that decide which others a section has."""


class Inputs(Part):
    """Files that a run reads. Paths in a recipe are relative to the recipe's file.

    data: a table, which `[data.split]` splits, or a folder that holds train.*, validation.* (or dev.*, valid.*, val.*)
        and test.*.
    genome: FASTA, where the table has places and no sequences.
    """

    data: str = ""
    genome: str = ""


class Task(Part):
    """What is learned.

    targets: columns; of a regression one or several, blank where not measured; of a classification one.
    classes: of a classification, as the column has them; with two, the second is the positive one.
    lowest: a regression's smaller values count as this. transform: then the logarithm of value + pseudocount (log is
        the natural one, log1p that of value + 1).
    weights: of a regression's outputs in the loss; by default all alike.
    standardize: learn values as standard deviations from the training mean; the network that is saved gives the values.
    loss: of a regression: mean squared error, or Huber's, which outliers weigh less in.
    balance: of a classification: classes count alike, however rare.
    """

    kind: Literal["regression", "classification"]
    targets: tuple[str, ...] = Field(min_length=1)
    classes: tuple[str, ...] = ()
    lowest: float | None = Field(default=None, allow_inf_nan=False)
    transform: Literal["none", "log1p", "log", "log2", "log10"] = "none"
    pseudocount: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    standardize: bool = True
    loss: Literal["mse", "huber"] = "mse"
    weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = ()
    balance: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if len(set(self.targets)) != len(self.targets) or len(set(self.classes)) != len(self.classes):
            raise ValueError("targets and classes must be distinct")
        if self.kind == "classification" and (len(self.targets) != 1 or len(self.classes) < 2):
            raise ValueError("a classification has one column in targets and two or more classes")
        if self.kind == "regression" and (self.classes or self.balance):
            raise ValueError("classes and balance are for kind = 'classification'")
        if self.transform in ("none", "log1p") and self.pseudocount:
            raise ValueError("pseudocount is for transform = 'log', 'log2' or 'log10'")
        if self.weights and len(self.weights) != (len(self.targets) if self.kind == "regression" else 0):
            raise ValueError("weights: a regression has one for each of its targets")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs."""
        return self.targets if self.kind == "regression" else self.classes


class Split(Part):
    """How rows of one table become training, validation and test.

    by: ``group`` keeps rows together that agree in ``columns``; ``block`` splits the genome into stretches of ``block``
        bases and leaves out what comes within ``margin`` of another split; ``homology`` keeps rows together whose
        10-mers are alike by ``similarity`` or more (and that agree in ``columns``, if any); ``column`` reads the split
        from a column; ``rows`` takes each row by itself.
    shares: of training, validation and test.
    duplicates: what happens when two splits share a sequence or its reverse complement: `data.partition`.
    """

    by: Literal["group", "block", "homology", "column", "rows"] = "homology"
    columns: tuple[str, ...] = ()
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    block: int = Field(default=100_000, ge=1)
    margin: int = Field(default=0, ge=0)
    similarity: float = Field(default=0.3, gt=0, le=1)
    duplicates: Literal["refuse", "warn", "drop"] = "refuse"

    @model_validator(mode="after")
    def _consistent(self) -> Split:
        if self.by in ("group", "column") and not self.columns:
            raise ValueError(f"columns: by = '{self.by}' needs the names of its columns")
        if self.by == "column" and len(self.columns) != 1:
            raise ValueError("columns: by = 'column' reads one column")
        if min(self.shares) < 0 or not self.shares[0] or not self.shares[1]:
            raise ValueError("shares must not be negative, and training and validation need some")
        return self


class Data(Part):
    """What an example is.

    sequence: the column of sequences; empty: contig, start, end (0-based half-open) and strand are columns, and bases
        come from the genome.
    window: bases that every example has, about the middle of its sequence (or place), filled up with N; none: as long
        as it is.
    reverse_complement: training shows each example on a random strand. shift: training moves it by up to so many bases.
    """

    sequence: str = "sequence"
    contig: str = "contig"
    start: str = "start"
    end: str = "end"
    strand: str = ""
    window: int | None = Field(default=None, gt=0)
    reverse_complement: bool = False
    shift: int = Field(default=0, ge=0)
    split: Split = Split()


class Full(Part):
    """All weights are trained, from where the checkpoint stands."""

    way: Literal["full"]


class Scratch(Part):
    """All weights are trained from random ones; of a checkpoint only the architecture is taken."""

    way: Literal["scratch"]


class Lora(Part):
    """Low-rank adapters (Hu et al. 2021, https://arxiv.org/abs/2106.09685) beside frozen weights; the head is trained.

    targets: modules by the end of their names; none: every linear layer and convolution but the head.
    """

    way: Literal["lora"]
    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: tuple[str, ...] = ()


class Frozen(Part):
    """The embedding and the first ``layers`` layers stay as they are; none said: all layers."""

    way: Literal["frozen"]
    layers: int | None = Field(default=None, ge=0)


class Probe(Part):
    """No weight is trained: ridge or logistic regression on each layer's mean embedding, penalties by validation."""

    way: Literal["probe"]
    penalties: tuple[float, ...] = Field(default=(0.01, 0.1, 1.0, 10.0, 100.0, 1000.0), min_length=1)


class Fit(Part):
    """Settings of transformers' Trainer: AdamW.

    batch: sequences to a forward pass; accumulate: passes to a step of the optimiser.
    schedule: of the learning rate, after ``warmup`` steps in which it rises.
    precision: ``auto`` is bfloat16 on a GPU that has it, and float32 elsewhere. fp16 and bf16 need a GPU.
    moving_average: decay a step of the mean of weights that is measured and kept instead of the last ones; 0: none.
    patience: epochs without a better validation measure after which training ends; 0: never before the last.
    best_by: the validation measure whose best epoch is kept; by default Pearson's correlation (its mean over outputs)
        or MCC. ``loss`` is the validation loss.
    """

    batch: int = Field(default=32, gt=0)
    accumulate: int = Field(default=1, gt=0)
    epochs: int = Field(default=10, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    warmup: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    clip: float = Field(default=1.0, gt=0)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    moving_average: float = Field(default=0.0, ge=0, lt=1)
    patience: int = Field(default=0, ge=0)
    best_by: str = ""


class Distilled(Part):
    """Teachers are trained from random weights, each from a seed of its own; then the network, from random weights too,
    learns what they say on average (Hinton et al. 2015, https://arxiv.org/abs/1503.02531). For regressions.

    teachers: how many. net, fit: theirs, where they differ from the recipe's. copies: of each training sequence, with
        up to ``mutation`` of its bases substituted, which the teachers are asked about, too; half of the network's
        examples are such copies.
    weight: of what the teachers say against a value that was measured.
    """

    way: Literal["distilled"]
    teachers: int = Field(default=4, ge=1)
    net: NetSettings | None = None
    fit: Fit | None = None
    copies: int = Field(default=4, ge=0)
    mutation: float = Field(default=0.1, ge=0, le=1)
    weight: float = Field(default=0.7, ge=0, le=1)


Adapt = Annotated[Full | Scratch | Distilled | Lora | Frozen | Probe, Field(discriminator="way")]


class Card(Part):
    """What the trained model's card says beside what the recipe and training say (`scanner.card.ModelCard`).

    window: bases, by default `data.window`; step: a quarter of it by default. called: outputs that become calls.
    """

    version: str = "1"
    description: str = ""
    window: int | None = Field(default=None, gt=0)
    step: int | None = Field(default=None, gt=0)
    strand: Literal["both", "forward", "symmetric"] = "both"
    max_unknown: float = Field(default=0.1, ge=0, le=1)
    called: tuple[str, ...] = ()
    threshold: Score = 0.5
    calling: Calling | None = None
    track: Track = Track()
    licence: str = ""
    data: str = ""
    held_out: str = ""


class SequenceRecipe(Part):
    """One training run on labelled sequences."""

    name: str = Field(pattern=NAME)
    seed: int = Field(default=0, ge=0)
    inputs: Inputs = Inputs()
    task: Task
    data: Data = Data()
    net: NetSettings
    adapt: Adapt
    fit: Fit = Fit()
    card: Card = Card()

    @model_validator(mode="before")
    @classmethod
    def _usual_way(cls, table: Any) -> Any:
        """All weights are trained: those of a checkpoint where there is one, else random ones."""
        if isinstance(table, dict) and "adapt" not in table and isinstance(table.get("net"), dict):
            return {**table, "adapt": {"way": "full" if table["net"].get("checkpoint") else "scratch"}}
        return table

    @model_validator(mode="after")
    def _consistent(self) -> SequenceRecipe:
        if self.adapt.way == "full" and not getattr(self.net, "checkpoint", ""):
            raise ValueError("adapt.way: 'full' goes on from net.checkpoint, which is not said: say 'scratch'")
        if self.adapt.way == "distilled" and self.task.kind != "regression":
            raise ValueError("adapt.way: 'distilled' is for regressions")
        window = self.card.window or self.data.window
        if window is None:
            raise ValueError("card.window: say how many bases a scan's windows have, or give data.window")
        if self.card.step is not None and (self.card.step > window or (window - self.card.step) % 2):
            raise ValueError("card.step: must be at most the window, and both even or both odd")
        known = measure_names(self.task.kind == "regression", self.task.outputs)
        if self.best_by not in (*known, *(["loss"] if self.adapt.way != "probe" else [])):
            raise ValueError(f"fit.best_by: there is no measure {self.best_by}, but {', '.join(known)}"[:300])
        return self

    @property
    def best_by(self) -> str:
        """The validation measure by which epochs are compared."""
        if self.fit.best_by:
            return self.fit.best_by
        if self.task.kind == "classification":
            return "mcc"
        return "pearson" if len(self.task.targets) == 1 else "mean/pearson"


def load_sequence_recipe(source: str | Path, changes: Sequence[str] = ()) -> SequenceRecipe:
    """The bundled recipe of that name or the one in that file, with ``FIELD=VALUE`` changes such as ``fit.epochs=3``.

    `UsageError` for a name, a file or a change that cannot be; `GenoscanError` for a file that is no recipe.
    """
    table, base = read_recipe_table(source)
    resolve_paths(table, base)
    apply_changes(table, changes)
    return checked_recipe(table, str(source), SequenceRecipe)


def read_recipe_table(source: str | Path) -> tuple[dict[str, Any], Path]:
    """A recipe's TOML as it stands, and the folder that its paths are relative to."""
    text, base = recipe_source(source)
    return parse_table(text, str(source)), base


def resolve_paths(table: dict[str, Any], base: Path, paths: Mapping[str, Sequence[str]] = _PATHS) -> None:
    """Make a recipe's own paths, fields of these sections, relative to the working folder instead of its file."""
    for section, names in paths.items():
        part = table.get(section)
        for name in names:
            if isinstance(part, dict) and isinstance(part.get(name), str) and (base / part[name]).exists():
                part[name] = str(base / part[name])


def apply_changes(table: dict[str, Any], changes: Sequence[str]) -> None:
    """``--set FIELD=VALUE`` into a recipe's table; what decides which fields a section has comes first."""
    for change in sorted(changes, key=lambda one: one.partition("=")[0].strip() not in _CHOICES):
        _apply_change(table, change)


def _apply_change(table: dict[str, Any], change: str) -> None:
    """One ``section.field=VALUE`` into a recipe's table; VALUE as TOML writes it, or else a text."""
    place, equals, text = change.partition("=")
    *sections, field = place.strip().split(".")
    if not equals or not field:
        raise UsageError(f"--set {change}: say FIELD=VALUE, such as fit.epochs=3")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {change}: {section} is no section of a recipe")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if place.strip() in _CHOICES and table.get(field) != value:
        table.clear()  # the other fields are of what was chosen before
    table[field] = value
