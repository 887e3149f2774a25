"""How a genome is to be scanned, whatever scans it."""

from __future__ import annotations

from dataclasses import dataclass

from .calling.channels import Channel, channels_of
from .calling.intervals import Thresholds
from .card import ModelCard
from .errors import UsageError
from .inference.stitch import LARGEST_SCORE

DEFAULT_TILE = 2**18
FORMATS = ("bed", "bedgraph")


@dataclass(frozen=True)
class ScanOptions:
    """How to scan. None stands for the model's own default. tile_size: bases in a unit of work."""

    tile_size: int = DEFAULT_TILE
    threshold: float | None = None
    min_length: int | None = None
    format: str = "bed"

    def __post_init__(self):
        if self.format not in FORMATS:
            raise UsageError(f"unknown format '{self.format}': choose one of {', '.join(FORMATS)}")
        for name in ("tile_size", "min_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be at least 1")
        if self.threshold is not None and not abs(self.threshold) <= LARGEST_SCORE:  # NaN is not either
            raise UsageError(f"--threshold {self.threshold}: must be a number within +-{LARGEST_SCORE:,.0f}")


def thresholds_of(card: ModelCard, options: ScanOptions) -> Thresholds:
    """The card's calling defaults with the user's threshold and length; a lower threshold lowers ``extend`` too."""
    calling = card.calling
    threshold = calling.threshold if options.threshold is None else options.threshold
    length = calling.min_length if options.min_length is None else options.min_length
    return Thresholds.of(threshold, min(calling.extend, threshold), calling.gap, length)


def only_channel(card: ModelCard) -> Channel:
    """The model's channel, for formats that hold one score a base."""
    channels = channels_of(card)
    if len(channels) > 1:
        listed = ", ".join(f"{channel.name} ({channel.strand})" for channel in channels)
        raise UsageError(f"--format bedgraph holds one score a base, but {card.name} gives {listed}; use bed")
    return channels[0]
