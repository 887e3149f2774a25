"""How a genome is to be scanned, whatever scans it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .calling.annotations import Annotator
from .calling.intervals import Thresholds
from .calling.satellites import Satellites, load_satellites
from .card import ModelCard
from .errors import UsageError
from .inference.stitch import LARGEST_SCORE
from .writing.formats import FORMATS

DEFAULT_TILE = 2**18
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.5, 0.99
"""A threshold between these is also how sure the borders of annotated calls are."""


@dataclass(frozen=True)
class ScanOptions:
    """How to scan; None stands for the model's own default.

    - tile_size: bases in a unit of work
    - threshold: lowest score of a call, in the model's units
    - min_length: shortest call in bases
    - format: one of `scanner.writing.formats.FORMATS`
    - satellites: a FASTA of units that annotated calls are named by, beside the bundled ones
    """

    tile_size: int = DEFAULT_TILE
    threshold: float | None = None
    min_length: int | None = None
    format: str = "bed"
    satellites: str | None = None

    def __post_init__(self):
        if self.format not in FORMATS:
            raise UsageError(f"unknown format '{self.format}': choose one of {', '.join(FORMATS)}")
        for name in ("tile_size", "min_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be at least 1")
        if self.threshold is not None and not abs(self.threshold) <= LARGEST_SCORE:  # NaN is not either
            raise UsageError(f"--threshold {self.threshold}: must be a number within +-{LARGEST_SCORE:,.0f}")
        if self.satellites is not None and self.levels:
            raise UsageError(f"--satellites {self.satellites}: {self.format} has no names of calls; use --format bed")

    @property
    def levels(self) -> bool:
        """Whether the track holds raw scores, not calls."""
        return FORMATS[self.format].levels

    @cached_property
    def library(self) -> Satellites:
        """The bundled satellites and the user's, read when they are first asked for. Errors as `load_satellites`."""
        return load_satellites(self.satellites)


def thresholds_of(card: ModelCard, options: ScanOptions) -> Thresholds:
    """The card's calling defaults with the user's threshold and length; a lower threshold lowers ``extend`` too."""
    calling = card.calling
    threshold = calling.threshold if options.threshold is None else options.threshold
    length = calling.min_length if options.min_length is None else options.min_length
    return Thresholds.of(threshold, min(calling.extend, threshold), calling.gap, length, calling.prominence)


def annotator_of(card: ModelCard, options: ScanOptions) -> Annotator | None:
    """Who annotates the model's calls; None where nothing is said of them. Errors as `load_satellites`."""
    if card.calling.annotation is None or options.levels:
        return None
    threshold = card.calling.threshold if options.threshold is None else options.threshold
    confidence = min(max(threshold, LEAST_CONFIDENCE), MOST_CONFIDENCE)
    return Annotator(card.calling.annotation, options.library, thresholds_of(card, options).min_length, confidence)


def require_annotations(cards: Sequence[ModelCard], options: ScanOptions) -> None:
    """`UsageError` for satellites that no model's calls are named by; errors of `load_satellites` come here too."""
    if not [card for card in cards if annotator_of(card, options)] and options.satellites is not None:
        listed = ", ".join(card.name for card in cards)
        raise UsageError(
            f"--satellites {options.satellites}: {listed} says nothing of its calls that could be named; leave it out"
        )


def require_methylation(card: ModelCard, path: str) -> None:
    """`UsageError` for a model that does not read methylation."""
    if card.task != "read-classification":
        raise UsageError(
            f"{path}: model {card.name} reads no methylation: leave out --methylation, or give another model"
        )


def require_no_methylation(cards: Sequence[ModelCard]) -> None:
    """`UsageError` for a model that needs a sample's reads besides the genome."""
    for card in cards:
        if card.task == "read-classification":
            raise UsageError(
                f"model {card.name} classifies reads: name a sample with --methylation (BAM, CRAM, .pat or bedMethyl)"
            )
