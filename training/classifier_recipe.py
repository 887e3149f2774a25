"""The recipe of a window classifier, which transformers' Trainer trains: the counterpart of `recipe.Recipe`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError, model_validator

from ..scanner.card import ModelCard, Provenance
from .nets.kmer_bert import kmer_input
from .recipe import CardSettings, Part, card_fields, first_problem


class KmerBertSettings(Part):
    """The network of `nets.kmer_bert`."""

    kind: Literal["kmer-bert"]
    k: int = Field(ge=1, le=8)
    width: int = Field(ge=8, multiple_of=4)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    feedforward: int = Field(ge=1)
    longest: int = Field(gt=0, description="bases of the longest sequence that it can read")
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _consistent(self) -> KmerBertSettings:
        if self.width % self.heads:
            raise ValueError("heads must divide width")
        if 8 * self.k > self.width:
            raise ValueError(f"width must be at least 8 * k = {8 * self.k}")
        if self.longest < self.k:
            raise ValueError("longest must be at least k")
        return self


class ClassifierData(Part):
    """What of a data set of `genoscan data` an epoch sees, beside every sequence of it as it stands.

    in_genome: windows of the card's size about places in or beside a sequence, to each sequence (0: none).
    simulated: sequences simulated over chains that are fitted on the training negatives, other ones in each epoch.
    brief: share of the simulated repeats that are hardly longer than the shortest, as most of a catalogue are.
    """

    in_genome: float = Field(default=0.5, ge=0, le=1)
    simulated: int = Field(default=0, ge=0, multiple_of=2)
    brief: float = Field(default=0.0, ge=0, le=1)


class ClassifierFit(Part):
    """Settings of transformers' Trainer: AdamW, linear warm-up, then linear decay to zero.

    moving_average: decay a step of the mean of weights that is measured and kept instead of the last ones; 0: none.
    """

    batch: int = Field(gt=0, description="sequences to a step on each device")
    epochs: int = Field(gt=0)
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    warmup: int = Field(default=100, ge=0, description="steps in which the learning rate rises")
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    moving_average: float = Field(default=0.0, ge=0, lt=1)


class ClassifierCard(CardSettings):
    """What the trained model's card says beside what training finds out."""

    task: Literal["classification"]


class ClassifierRecipe(Part):
    """One training run of a window classifier."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    task: Literal["repeats"]
    seed: int = Field(default=0, ge=0)
    net: KmerBertSettings
    data: ClassifierData
    fit: ClassifierFit
    card: ClassifierCard

    @model_validator(mode="after")
    def _consistent(self) -> ClassifierRecipe:
        if not self.net.k <= self.card.window <= self.net.longest:
            raise ValueError("card.window: must be between net.k and net.longest")
        try:
            classifier_card(self)
        except ValidationError as error:
            raise ValueError(first_problem(error, "card")) from None
        return self


def classifier_card(recipe: ClassifierRecipe, provenance: Provenance | None = None) -> ModelCard:
    """The card of a model that the recipe trains; without ``provenance`` with what the recipe itself knows."""
    return ModelCard(**card_fields(recipe.card, provenance), input=kmer_input(recipe.net.k))
