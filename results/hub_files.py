"""The files of a hub: what they are called, and how they get there. Hubs hold bigBed and bigWig; other formats are
written anew as these."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..scanner.calling.channels import Channel, channels_of
from ..scanner.reading.genome import Genome
from ..scanner.writing.bigbed import write_bigbed
from ..scanner.writing.bigwig import write_bigwig
from ..scanner.writing.output import file_errors, placed
from ..scanner.writing.target import Target
from .runs import Run
from .tracks import read_calls, text_lines

_MINUS = "110,110,110"


@dataclass(frozen=True)
class HubFile:
    """A file of a hub: its name there, the file that it is made of, the UCSC track it belongs to, and of raw scores the
    channel that it holds."""

    name: str
    source: Path
    run: Run
    track: str
    channel: Channel | None

    @property
    def held(self) -> str:
        """What of its track it holds: the score of which output and strand; nothing of calls."""
        if self.channel is None:
            return ""
        several = len({one.output for one in channels_of(self.run.card)}) > 1
        strand = "" if self.channel.strand == "." else f" {self.channel.strand}"
        return f" {self.channel.name if several else 'score'}{strand}"

    @property
    def label(self) -> str:
        """What a reader calls it."""
        return f"{self.run.name}{self.held}"

    @property
    def backward(self) -> bool:
        """Whether it holds scores of the minus strand."""
        return self.channel is not None and self.channel.strand == "-"

    @property
    def color(self) -> str:
        """Red, green and blue, 0 to 255: the model's, or grey for the minus strand."""
        return _MINUS if self.backward else self.run.card.track.color

    @property
    def part(self) -> str:
        """UCSC's name of it where it is one of several files of a track."""
        return re.sub(r"\W", "_", self.name, flags=re.ASCII)


def hub_files(run: Run) -> Iterator[HubFile]:
    """What the run's files are to be in the hub."""
    stem = re.sub(r"\W", "_", run.name, flags=re.ASCII)
    stem = stem if stem[0].isalpha() else f"t_{stem}"  # as UCSC asks of tracks
    for path, channel in run.channel_files().items():
        if run.levels:
            label = path.name[len(run.name) : path.name.lower().rindex(".b")]
            yield HubFile(f"{stem}{label}.bw", path, run, f"{stem}_scores", channel)
        else:
            yield HubFile(f"{stem}.bb", path, run, stem, None)


def write_file(file: HubFile, folder: Path, genome: Genome) -> None:
    """Put a file into the hub. Errors name it."""
    final = folder / file.name
    if file.run.format in ("bigbed", "bigwig"):
        copy_whole(file.source, final)
        return
    writer = write_bigwig if file.run.levels else write_bigbed
    with writer(Target(str(final), file.run.card, genome.names, genome.lengths)) as write:
        for lines in _lines(file.run, file.source):
            write(lines)


def copy_whole(source: Path, final: Path) -> None:
    """Copy a file: complete, or absent; one that is there already stays as it is."""
    with file_errors(final):
        if final.exists() and final.samefile(source):
            return
    with placed(final) as partial, file_errors(final):
        shutil.copyfile(source, partial)


def _lines(run: Run, path: Path) -> Iterable[bytes]:
    if run.levels:
        return (f"{line}\n".encode() for line in text_lines(path))
    return (row.line() for row in read_calls(run))
