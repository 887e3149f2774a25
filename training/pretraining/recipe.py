"""The recipe of a network that learns from sequences without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..recipe import Part, checked_recipe
from ..supervised.networks import NetSettings
from ..supervised.recipe import NAME, Data, Fit, Task, apply_changes, read_recipe_table, resolve_paths


class PretrainInputs(Part):
    """Files that a run reads, relative to the recipe's file.

    genome: FASTA, from which windows are drawn. exclude: BED of places that no window touches, such as what a later
        task is tested on. data: a table of sequences and measured profiles, for ``profiles``.
    """

    genome: str = ""
    exclude: str = ""
    data: str = ""


class Windows(Part):
    """Windows of a genome.

    window: bases. per_epoch: windows of an epoch, drawn anew in each. validation: fixed windows, drawn from the last
    tenth of each contig, which training does not see. max_unknown: largest share of N.
    """

    window: int = Field(default=150, gt=0)
    per_epoch: int = Field(default=10_000, gt=0)
    validation: int = Field(default=1000, gt=0)
    max_unknown: float = Field(default=0.1, ge=0, lt=1)


class Masked(Part):
    """Masked language modelling (Devlin et al. 2019): tokens are told from those around them.

    share: of the tokens that are masked. span: bases in a row that no visible token holds; by default k.
    """

    kind: Literal["masked"]
    share: float = Field(default=0.15, gt=0, lt=1)
    span: int | None = Field(default=None, ge=1)


class Views(Part):
    """Contrastive learning: two views of a window are told from views of the batch's other windows (InfoNCE, van den
    Oord et al. 2018, https://arxiv.org/abs/1807.03748; in-batch negatives as in SimCLR, Chen et al. 2020).

    mutation: share of bases that a view has substituted. shift: bases that it is moved by at most. temperature: of the
    cosine similarities. width: of the space in which they are compared.
    """

    kind: Literal["views"]
    mutation: float = Field(default=0.05, ge=0, lt=1)
    shift: int = Field(default=10, ge=0)
    reverse_complement: bool = True
    temperature: float = Field(default=0.1, gt=0)
    width: int = Field(default=64, ge=1)


class Profiles(Part):
    """Contrastive learning across modalities, as CLIP does (Radford et al. 2021, https://arxiv.org/abs/2103.00020):
    which of the batch's measured profiles belongs to a sequence, and which sequence to a profile.

    hidden: width of the small network that reads profiles.
    """

    kind: Literal["profiles"]
    temperature: float = Field(default=0.1, gt=0)
    width: int = Field(default=64, ge=1)
    hidden: int = Field(default=64, ge=1)


class PretrainRecipe(Part):
    """One pretraining run. task and data: of the table of profiles, as `supervised.recipe` has them."""

    name: str = Field(pattern=NAME)
    seed: int = Field(default=0, ge=0)
    inputs: PretrainInputs = PretrainInputs()
    pretrain: Annotated[Masked | Views | Profiles, Field(discriminator="kind")]
    windows: Windows = Windows()
    task: Task | None = None
    data: Data = Data()
    net: NetSettings
    fit: Fit = Fit()

    @model_validator(mode="after")
    def _consistent(self) -> PretrainRecipe:
        if self.pretrain.kind == "masked" and self.net.kind != "transformers":
            raise ValueError("pretrain.kind: 'masked' is for networks of transformers, whose tokens can be masked")
        if self.pretrain.kind == "profiles" and (self.task is None or self.task.kind != "regression"):
            raise ValueError(
                "pretrain.kind: 'profiles' needs a [task] of kind 'regression', whose targets are the profile"
            )
        if self.fit.best_by not in ("", "loss"):
            raise ValueError("fit.best_by: pretraining is compared by its loss")
        return self


def load_pretrain_recipe(source: str | Path, changes: Sequence[str] = ()) -> PretrainRecipe:
    """The bundled recipe of that name or the one in that file, with ``FIELD=VALUE`` changes; errors as
    `supervised.recipe.load_sequence_recipe`."""
    table: dict[str, Any]
    table, base = read_recipe_table(source)
    resolve_paths(table, base)
    apply_changes(table, changes)
    return checked_recipe(table, str(source), PretrainRecipe)
