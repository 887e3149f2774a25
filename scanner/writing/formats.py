"""The formats of tracks: how their files are named, and what writes them.

What is called is BED lines first, raw scores are bedGraph lines; every other format is made from these lines and from
the columns that the card asks for. So a new kind of track has all formats once it has lines and columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from ..calling.channels import Channel, channels_of
from ..card import ModelCard
from ..errors import UsageError
from .bed import write_bed
from .bedgraph import write_bedgraph
from .bigbed import write_bigbed
from .bigwig import write_bigwig
from .gff3 import write_gff3
from .output import is_stream
from .parquet import write_parquet
from .target import Writer


class Format(NamedTuple):
    """A format of tracks.

    writer: what writes it. endings: of file names that mean it; the first is that of tracks in a folder. levels:
    whether it holds raw scores, one channel a file, or calls. needs: the package that writes it, which a user may lack.
    as_it_comes: whether it can be written to a stream, and as text in bgzip.
    """

    writer: Writer
    endings: tuple[str, ...]
    levels: bool = False
    needs: str | None = None

    @property
    def as_it_comes(self) -> bool:
        return self.needs is None


FORMATS = {
    "bed": Format(write_bed, (".bed.gz", ".bed")),
    "bigbed": Format(write_bigbed, (".bb", ".bigbed"), needs="pybigtools"),
    "gff3": Format(write_gff3, (".gff3.gz", ".gff3", ".gff.gz", ".gff")),
    "parquet": Format(write_parquet, (".parquet",), needs="pyarrow"),
    "bedgraph": Format(write_bedgraph, (".bedgraph.gz", ".bedgraph", ".bg.gz", ".bg"), levels=True),
    "bigwig": Format(write_bigwig, (".bw", ".bigwig"), levels=True, needs="pybigtools"),
}
"""By the name that `--format` has."""


def format_of(output: str | None) -> str:
    """The format that an output's name asks for; BED where it does not say."""
    name = (output or "").lower()
    return next((one for one, format_ in FORMATS.items() if name.endswith(format_.endings)), "bed")


def require_writable(format_: str) -> None:
    """ModuleNotFoundError, before hours of work, where the package that writes a format is missing."""
    needs = FORMATS[format_].needs
    if needs is not None:
        import_module(needs)


def files_of(output: str | None, card: ModelCard, format_: str) -> dict[str | None, Channel | None]:
    """The files of a track at ``output`` (None: standard output), and the channel that each holds (None: all calls).

    Raw scores of several channels go to a file each, which is named after the strand, and after the output where
    several are called: out.plus.bw, out.minus.bw. `UsageError` where a stream cannot hold that.
    """
    wanted = FORMATS[format_]
    if not wanted.as_it_comes and is_stream(output):
        raise UsageError(f"--format {format_} is read at its ends first and cannot be a stream: name a file with -o")
    if not wanted.as_it_comes and output.endswith(".gz"):
        raise UsageError(f"{output}: {format_} is compressed already: leave out .gz")
    if not wanted.levels:
        return {output: None}
    channels = channels_of(card)
    if len(channels) == 1:
        return {output: channels[0]}
    if is_stream(output):
        listed = ", ".join(f"{one.name} ({one.strand})" for one in channels)
        raise UsageError(
            f"--format {format_} holds one score a base, but {card.name} gives {listed}: name a file with -o, "
            "from which each gets its own"
        )
    return {_named(output, label): one for label, one in zip(_labels(card, channels), channels, strict=True)}


def _labels(card: ModelCard, channels: Sequence[Channel]) -> list[str]:
    """What tells channels apart in the names of their files."""
    several = len({one.output for one in channels}) > 1
    strands = {"+": ["plus"], "-": ["minus"], ".": []}
    labels = []
    for one in channels:
        output = [re.sub(r"[^A-Za-z0-9_-]+", "_", card.output.names[one.output])] if several else []
        labels.append(".".join([*output, *strands[one.strand]]))
    if len(set(labels)) < len(labels):  # outputs whose names differ in what file names cannot hold
        labels = [f"{one.output + 1}.{label}" for one, label in zip(channels, labels, strict=True)]
    return labels


def _named(output: str, label: str) -> str:
    """The name with a label before its ending."""
    known = [ending for one in FORMATS.values() for ending in one.endings if output.lower().endswith(ending)]
    ending = max([*known, Path(output).suffix], key=len)
    return f"{output[: len(output) - len(ending)]}.{label}{output[len(output) - len(ending) :]}"
