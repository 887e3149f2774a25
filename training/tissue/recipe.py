"""The recipe of a network that says of a sequenced read which cell type it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ...scanner.card import Calling, KmerMethylationInput, Track
from ...scanner.encoding.kmers import token_count
from ..recipe import Part
from ..supervised.recipe import NAME, Fit, apply_changes, checked_recipe, read_recipe_table, resolve_paths
from .settings import WINDOW, Drawing, ReadSimulation, Share

PAD, UNKNOWN, CLS, SEP, MASK = range(5)
"""Tokens beside the k-mers, in DNABERT's order: with 3-mers a vocabulary of 69."""
FIRST_KMER = 5


class TissueInputs(Part):
    """What a run reads, relative to the recipe's file: one of three.

    atlas: a table of markers (`scanner.reading.atlas`), from which reads are simulated; genome: a FASTA with the bases
    of its markers, where the atlas has none. reads: a table of real reads (`real_reads`). shards: a folder that
    `genoscan data tissue` wrote.
    """

    atlas: str = ""
    genome: str = ""
    reads: str = ""
    shards: str = ""


class ReadData(Part):
    """Which reads training sees, and how many.

    window: bases around a read that the network is given. k: bases of a token.
    per_epoch: reads of an epoch, drawn anew in each, where they are simulated; validation: fixed reads of other donors.
    validation_regions, test_regions: of a table of real reads, regions that are held out.
    forget: share of the known methylation states that training forgets. mistake: share that it turns round.
    """

    window: int = Field(default=WINDOW, ge=8)
    k: int = Field(default=3, ge=1, le=8)
    per_epoch: int = Field(default=50_000, gt=0)
    validation: int = Field(default=4000, gt=0)
    validation_regions: tuple[str, ...] = ()
    test_regions: tuple[str, ...] = ()
    forget: Share = 0.0
    mistake: Share = 0.0

    @property
    def spec(self) -> KmerMethylationInput:
        """How reads become tensors."""
        return KmerMethylationInput(k=self.k, offset=FIRST_KMER, unknown=UNKNOWN, prefix=(CLS,), suffix=(SEP,))

    @property
    def tokens(self) -> int:
        return token_count(self.window, self.spec.kmers)


class ReadNet(Part):
    """The network of `nets.read_bert`.

    sees: bases and methylation, or one of them alone, for comparison.
    checkpoint: a pretraining run (``[pretrain]``) of the same encoder, from which it starts.
    """

    width: int = Field(default=128, ge=2)
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=4, ge=1)
    feedforward: int = Field(default=512, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    patch: int = Field(default=1, ge=1)
    kernel: int = Field(default=1, ge=1)
    embedding: int = Field(default=32, ge=1)
    mixtures: int = Field(default=1, ge=1)
    hidden: int = Field(default=256, ge=1)
    sees: Literal["both", "bases", "methylation"] = "both"
    checkpoint: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> ReadNet:
        if self.width % self.heads:
            raise ValueError("width must be a multiple of heads")
        if self.kernel < self.patch or (self.kernel - self.patch) % 2:
            raise ValueError("kernel must be patch, or larger by an even number")
        return self


class Losses(Part):
    """What is learned beside the cell type, and how much it counts; only where reads are simulated, who knows it.

    drawing: the cell type once more, with the prior by which reads are drawn (`Drawing`). Where half of a marker's
        reads come from its target, what a read says against the target counts as much as what it says for it; where
        the target is one of many cell types, hardly anything is lost by not learning it.
    kinds: the kind of read (unmethylated, methylated, partial), as the mixture of a head of three. markers: which
    marker a read is at. within: which tokens lie within it.
    class_weights: of a class in the loss; ``balanced``: rare classes count as much as frequent ones. The card's prior
        follows.
    """

    drawing: float = Field(default=0.0, ge=0)
    kinds: float = Field(default=0.0, ge=0)
    markers: float = Field(default=0.0, ge=0)
    within: float = Field(default=0.0, ge=0)
    class_weights: Literal["none", "balanced"] | dict[str, Annotated[float, Field(gt=0)]] = "none"


class Pretrain(Part):
    """Pretraining without labels: masked tokens and masked methylation states are told from what is around them.

    share: of each that is masked. span: bases in a row that no visible token holds. methylation_weight: of the states'
    loss beside the tokens'.
    """

    share: float = Field(default=0.15, gt=0, lt=1)
    span: int = Field(default=3, ge=1)
    methylation_weight: float = Field(default=1.0, ge=0)


class TissueCard(Part):
    """What the trained model's card says beside what the run finds out (`scanner.card.ModelCard`)."""

    version: str = "1"
    description: str = ""
    assembly: str = ""
    max_unknown: float = Field(default=0.5, ge=0, le=1)
    calling: Calling = Calling(threshold=0.5, extend=0.1)
    track: Track = Track()
    licence: str = ""
    data: str = ""
    held_out: str = ""


class TissueRecipe(Part):
    """One training run, or with ``pretrain`` one pretraining run."""

    name: str = Field(pattern=NAME)
    task: Literal["tissue"] = "tissue"
    seed: int = Field(default=0, ge=0)
    inputs: TissueInputs = TissueInputs()
    data: ReadData = ReadData()
    simulation: ReadSimulation = ReadSimulation()
    drawing: Drawing = Drawing()
    net: ReadNet = ReadNet()
    losses: Losses = Losses()
    pretrain: Pretrain | None = None
    fit: Fit = Fit()
    card: TissueCard = TissueCard()

    @model_validator(mode="after")
    def _consistent(self) -> TissueRecipe:
        if self.data.tokens % self.net.patch:
            raise ValueError(f"net.patch: must divide the {self.data.tokens} tokens of a window")
        if self.losses.kinds and self.net.mixtures != 3:
            raise ValueError("losses.kinds: needs net.mixtures = 3, one for each kind of read")
        if self.fit.best_by not in ("", "loss", *MEASURES):
            raise ValueError(f"fit.best_by: there is no measure {self.fit.best_by}, but loss, {', '.join(MEASURES)}")
        return self


MEASURES = ("accuracy", "top3", "log_loss", "divergence", "calibration")
"""Of validation reads; `loss` is the cross-entropy to what is known of each read."""


def load_tissue_recipe(source: str | Path, changes: Sequence[str] = ()) -> TissueRecipe:
    """The bundled recipe of that name or the one in that file, with ``FIELD=VALUE`` changes; errors as
    `supervised.recipe.load_sequence_recipe`."""
    table: dict[str, Any]
    table, base = read_recipe_table(source)
    resolve_paths(table, base, {"inputs": tuple(TissueInputs.model_fields), "net": ("checkpoint",)})
    apply_changes(table, changes)
    return checked_recipe(table, str(source), TissueRecipe)
