"""Channels: the tracks of scores that a model gives, one for each called output and strand."""

from __future__ import annotations

from dataclasses import dataclass

from ..card import ModelCard

STRANDS = {"both": (("+", False), ("-", True)), "forward": (("+", False),), "symmetric": ((".", False),)}
"""For each strand rule of a card: the BED strand, and whether the model reads the reverse complement for it."""


@dataclass(frozen=True)
class Channel:
    """One track of scores. ``output`` is its column in the model's outputs, ``name`` the BED name of its calls."""

    output: int
    name: str
    strand: str
    backward: bool


def channels_of(card: ModelCard) -> tuple[Channel, ...]:
    """The channels that become calls, in the order of their numbers in RUN["channel"]."""
    called = card.output.called or card.output.names
    return tuple(
        Channel(card.output.names.index(name), card.track.name or name, sign, backward)
        for name in called
        for sign, backward in STRANDS[card.strand]
    )
