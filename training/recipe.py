"""A recipe: everything that decides what a training run learns, as a typed TOML file.

The same recipe, seed and background genomes give the same network on the same kind of machine. What a run was given
on top of that (genomes, threads, time limits) is in its run folder, not here.
"""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..scanner.card import LARGEST_LAG, Calling, ModelCard, Output, Provenance, SpectrumInput, Track
from ..scanner.encoding.spectrum import BIN
from ..scanner.errors import GenoscanError, UsageError
from .data.simulate import RepeatSimulation


class Part(BaseModel):
    """A section of a recipe: no unknown fields, nothing changed once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetSettings(Part):
    """The network of `nets.spectrum_net`."""

    lags: int = Field(gt=0, le=LARGEST_LAG, multiple_of=64, description="largest lag in bases")
    width: int = Field(default=32, ge=1, description="channels of every layer")
    dilations: tuple[int, ...] = Field(default=(1, 2, 4, 8, 1, 2, 4), min_length=1)

    @model_validator(mode="after")
    def _positive(self) -> NetSettings:
        if min(self.dilations) < 1:
            raise ValueError("dilations must be 1 or more")
        return self


class RepeatData(Part):
    """Simulated windows with tandem repeats, as `data.repeats` draws them."""

    window: int = Field(gt=0, description="bases of an example, a multiple of two bins")
    orders: tuple[int, ...] = Field(default=(0, 1, 2, 3, 4, 5), description="orders of the background Markov chains")
    random_share: float = Field(default=0.15, ge=0, le=1, description="share of backgrounds of random composition")
    local_share: float = Field(default=0.3, ge=0, le=1, description="share of the others fitted on a stretch only")
    unknown_share: float = Field(default=0.1, ge=0, le=1, description="share of training windows that end in N")
    validation_examples: int = Field(gt=0)
    training: RepeatSimulation
    validation: RepeatSimulation

    @model_validator(mode="after")
    def _known_orders(self) -> RepeatData:
        if not all(0 <= order <= 8 for order in self.orders):
            raise ValueError("orders must be 0 to 8")
        if not self.orders and self.random_share < 1:
            raise ValueError("orders may be empty only when random_share is 1")
        return self


class FitSettings(Part):
    """The optimiser's settings: AdamW, linear warm-up, then linear decay to 1 % of the learning rate."""

    batch: int = Field(gt=0, description="windows to a step")
    steps_per_epoch: int = Field(gt=0)
    epochs: int = Field(gt=0)
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    warmup: int = Field(default=100, ge=0, description="steps in which the learning rate rises")
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    margin: int = Field(default=128, ge=0, description="bases at either end of a window that the loss leaves out")

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch


class CardSettings(Part):
    """What the trained model's card says beside what training finds out (`scanner.card.ModelCard`)."""

    name: str
    version: str
    description: str = ""
    task: Literal["segmentation"] = "segmentation"
    window: int = Field(gt=0)
    step: int = Field(gt=0)
    context: int = Field(ge=0)
    shortest_window: int | None = None
    strand: Literal["both", "forward", "symmetric"] = "symmetric"
    max_unknown: float = Field(default=0.5, ge=0, le=1)
    licence: str = ""
    data: str = ""
    held_out: str = ""
    output: Output
    calling: Calling
    track: Track = Track()


class Recipe(Part):
    """One training run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    task: Literal["repeats"]
    seed: int = Field(default=0, ge=0)
    net: NetSettings
    data: RepeatData
    fit: FitSettings
    card: CardSettings

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if 2 * self.fit.margin >= self.data.window:
            raise ValueError("fit.margin: two margins must leave some of data.window")
        for field, window in (
            ("data.window", self.data.window),
            ("card.window", self.card.window),
            ("card.shortest_window", self.card.shortest_window or 0),
        ):
            if window % (2 * BIN):
                raise ValueError(f"{field}: must be a multiple of {2 * BIN}, as the network takes bins in pairs")
        try:
            model_card(self)
        except ValidationError as error:
            raise ValueError(first_problem(error, "card")) from None
        return self


def model_card(recipe: Recipe, provenance: Provenance | None = None) -> ModelCard:
    """The card of a model that the recipe trains.

    Without ``provenance`` the card carries what the recipe itself knows: data, held-out set and licence.
    """
    return ModelCard(**card_fields(recipe.card, provenance), input=SpectrumInput(lags=recipe.net.lags))


def card_fields(card: CardSettings, provenance: Provenance | None = None) -> dict[str, Any]:
    """The fields of a `ModelCard` that a recipe's [card] gives, provenance included."""
    fields = {name: getattr(card, name) for name in type(card).model_fields if name in ModelCard.model_fields}
    if provenance is None:
        provenance = Provenance(data=card.data, held_out=card.held_out, licence=card.licence)
    return {**fields, "provenance": provenance}


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with the package, sorted."""
    folder = files(__package__) / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def bundled_text(name: str) -> str:
    """The TOML of a recipe that comes with the package."""
    return (files(__package__) / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


AnyRecipe = TypeVar("AnyRecipe", bound=Part)


def load_recipe(source: str | Path, shape: type[AnyRecipe] = Recipe) -> AnyRecipe:
    """The bundled recipe named ``source``, or the one in the file ``source``, of the shape that is given.

    Raises `UsageError` when there is no such file or name and `GenoscanError` when the file is no recipe; the
    message names file and field.
    """
    text, _ = recipe_source(source)
    return parse_recipe(text, f"bundled recipe {source}" if str(source) in bundled_recipes() else str(source), shape)


def recipe_source(source: str | Path) -> tuple[str, Path]:
    """The TOML of a bundled recipe's name or of a file, as it stands, and the folder that its paths are relative to.

    Errors of `load_recipe`.
    """
    if str(source) in bundled_recipes():  # a run folder or file of that name in the working folder is not meant
        return bundled_text(str(source)), Path()
    path = Path(source)
    if not path.is_file():
        raise UsageError(f"{source}: no such recipe file, and the bundled recipes are {', '.join(bundled_recipes())}")
    try:
        return path.read_text(encoding="utf-8"), path.parent
    except (OSError, UnicodeDecodeError) as error:
        raise GenoscanError(f"{source}: cannot be read as a recipe: {error}") from None


def parse_recipe(text: str, source: str, shape: type[AnyRecipe] = Recipe) -> AnyRecipe:
    """The recipe in ``text``; `GenoscanError` names ``source`` and the first field that is wrong."""
    return checked_recipe(parse_table(text, source), source, shape)


def parse_table(text: str, source: str) -> dict[str, Any]:
    """A recipe's TOML; `GenoscanError` names ``source`` where it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GenoscanError(f"{source}: not a TOML file: {error}") from None


def checked_recipe(table: dict[str, Any], source: str, shape: type[AnyRecipe]) -> AnyRecipe:
    """The recipe of a table; `GenoscanError` names ``source`` and the first field that is wrong."""
    try:
        return shape.model_validate(table)
    except ValidationError as error:
        raise GenoscanError(f"{source}: wrong recipe: {first_problem(error)}") from None


def first_problem(error: ValidationError, inside: str = "") -> str:
    """The first thing that is wrong, on one line, as ``field: message``."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in (inside, *first["loc"]) if part != "")
    message = " ".join(first["msg"].removeprefix("Value error, ").split())
    if not first["loc"] and ": " in message:  # a check across fields, which names its field itself
        return f"{inside}.{message}" if inside else message
    return f"{field}: {message}" if field else message


def recipe_text(recipe: Part) -> str:
    """The recipe as TOML, every default spelt out; `parse_recipe` gives the same recipe back."""
    lines: list[str] = []
    _write_table(recipe.model_dump(mode="json", exclude_none=True), (), lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _write_table(table: dict[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    if path:
        lines += ["", f"[{'.'.join(path)}]"]
    for key, value in table.items():
        if not isinstance(value, dict):
            # JSON's strings, numbers, booleans and lists are TOML's too.
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    for key, value in table.items():
        if isinstance(value, dict):
            _write_table(value, (*path, key), lines)
