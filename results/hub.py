"""A folder that genome browsers open: a UCSC track hub, a JBrowse 2 configuration and IGV sessions of some tracks.

Format: UCSC's hub.txt in one file (useOneFile), https://genome.ucsc.edu/goldenPath/help/hubQuickStart.html; bigBed and
bigWig are what hubs may hold. JBrowse: config.json; IGV: an XML session for the desktop, JSON for igv.js.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..scanner.calling.annotations import columns_of
from ..scanner.calling.channels import Channel
from ..scanner.errors import GenoscanError, UsageError
from ..scanner.reading.genome import Genome, open_genome
from ..scanner.writing.bigbed import bed_columns, write_bigbed
from ..scanner.writing.bigwig import write_bigwig
from ..scanner.writing.output import file_errors, write_beside
from ..scanner.writing.target import Target
from .runs import Run
from .sessions import igv_desktop, igv_web, jbrowse
from .tracks import read_calls, text_lines

_SHORT, _LONG = 17, 76
"""Characters of a label that UCSC shows."""


@dataclass(frozen=True)
class HubFile:
    """A file of a hub: its name, the track it belongs to, and of raw scores the channel that it holds."""

    name: str
    run: Run
    track: str
    channel: Channel | None

    @property
    def label(self) -> str:
        """What a reader calls it."""
        strand = "" if self.channel is None or self.channel.strand == "." else f" ({self.channel.strand})"
        what = "" if self.channel is None else f" {self.channel.name}{strand}"
        return f"{self.run.name}{what}"


def write_hub(
    runs: Sequence[Run], folder: Path, assembly: str, email: str, genome: str | None, two_bit: str | None
) -> list[Path]:
    """Write a hub of the tracks into ``folder``, which is made; what is not bigBed or bigWig is written anew as such.

    assembly: UCSC's name of it (hg38) or an accession (GCF_000005845.2); any name with ``two_bit``, the genome as a
    .2bit. genome: the FASTA, where it is no longer where it was scanned. Returns the files that browsers are to be
    given. `UsageError` for tracks of several genomes or of one name; `GenoscanError` for a genome that is not there.
    """
    digests = {run.summary["genome"]["digest"] for run in runs}
    if len(digests) > 1:
        raise UsageError(f"these tracks are of {len(digests)} genomes: a hub is of one; give those of one genome")
    source = genome or runs[0].summary["genome"]["path"]
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with open_genome(source) as opened:
        if opened.digest() not in digests:
            raise GenoscanError(f"{source}: is not the genome that was scanned; name that with --genome")
        files = [file for run in runs for file in _files(run, folder, opened)]
        sizes = "".join(
            f"{name}\t{length}\n" for name, length in zip(opened.names, opened.lengths.tolist(), strict=True)
        )
        first = f"{opened.names[0]}:1-{min(int(opened.lengths[0]), 1_000_000)}"
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        raise UsageError(f"two tracks would be '{max(names, key=names.count)}' in the hub: name one of them apart")
    if two_bit is not None:
        with file_errors(folder):
            shutil.copyfile(two_bit, folder / Path(two_bit).name)
    sequence = None if two_bit is None else Path(two_bit).name
    written = {
        "chrom.sizes": sizes,
        "hub.txt": _hub_text(files, assembly, email, sequence, first),
        "config.json": jbrowse(files, assembly, sequence),
        "igv.xml": igv_desktop(files, assembly, sequence),
        "igv.json": igv_web(files, assembly, sequence),
    }
    for name, text in written.items():
        write_beside(folder / name, text)
    return [folder / name for name in written if name != "chrom.sizes"]


def _files(run: Run, folder: Path, genome: Genome) -> Iterable[HubFile]:
    """The run's files in the hub, which are written there."""
    stem = re.sub(r"\W", "_", run.name, flags=re.ASCII)
    track = f"{stem}_scores" if run.levels else stem
    for path, channel in run.channel_files().items():
        if run.levels:
            label = path.name[len(run.name) : path.name.lower().rindex(".b")]
            name, writer = f"{stem}{label}.bw", write_bigwig
        else:
            name, writer = f"{track}.bb", write_bigbed
        if run.format in ("bigbed", "bigwig"):
            with file_errors(folder / name):
                shutil.copyfile(path, folder / name)
        else:
            with writer(Target(str(folder / name), run.card, genome.names, genome.lengths)) as write:
                for lines in _lines(run, path):
                    write(lines)
        yield HubFile(name, run, track, channel)


def _lines(run: Run, path: Path) -> Iterable[bytes]:
    if run.levels:
        return (f"{line}\n".encode() for line in text_lines(path))
    return (row.line() for row in read_calls(run))


def _hub_text(files: Sequence[HubFile], assembly: str, email: str, sequence: str | None, first: str) -> str:
    models = ", ".join(dict.fromkeys(file.run.card.name for file in files))
    stanzas = [
        {
            "hub": "genoscan",
            "shortLabel": _cut(f"genoscan {models}", _SHORT),
            "longLabel": _cut(f"genoscan: {models}", _LONG),
            "useOneFile": "on",
            "email": email,
        },
        {"genome": assembly}
        if sequence is None
        else {"genome": assembly, "twoBitPath": sequence, "organism": assembly, "defaultPos": first},
    ]
    for run in dict.fromkeys(map(id, (file.run for file in files))):
        own = [file for file in files if id(file.run) == run]
        stanzas += [_calls(own[0])] if own[0].channel is None else _scores(own)
    return "\n".join("".join(f"{key} {value}\n" for key, value in stanza.items()) for stanza in stanzas)


def _labels(file: HubFile, text: str) -> dict[str, str]:
    return {"shortLabel": _cut(text, _SHORT), "longLabel": _cut(f"{text}: {file.run.card.description}", _LONG)}


def _calls(file: HubFile) -> dict[str, str]:
    card, own = file.run.card, bed_columns(columns_of(file.run.card))
    return {
        "track": file.track,
        **_labels(file, file.label),
        "type": f"bigBed {own} +",
        "bigDataUrl": file.name,
        "visibility": "pack",
        "color": card.track.color,
        **({"itemRgb": "on"} if own > 6 else {"spectrum": "on"}),
    }


def _scores(files: Sequence[HubFile]) -> list[dict[str, str]]:
    """One track; of several channels one that holds them all, those of the minus strand drawn downwards."""
    run = files[0].run
    colour = {"color": run.card.track.color}
    if len(files) == 1:
        return [
            {"track": files[0].track, **_labels(files[0], files[0].label), "type": "bigWig",
             "bigDataUrl": files[0].name, "visibility": "full", "autoScale": "on", **colour}
        ]  # fmt: skip
    parent = {
        "track": files[0].track, **_labels(files[0], run.name), "type": "bigWig", "container": "multiWig",
        "aggregate": "transparentOverlay", "visibility": "full", "autoScale": "on", "showSubtrackColorOnUi": "on",
    }  # fmt: skip
    children = [
        {"track": re.sub(r"\W", "_", file.name, flags=re.ASCII), **_labels(file, file.label), "type": "bigWig",
         "parent": file.track, "bigDataUrl": file.name, **colour,
         **({"negateValues": "on"} if file.channel.strand == "-" else {})}
        for file in files
    ]  # fmt: skip
    return [parent, *children]


def _cut(text: str, size: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= size else f"{text[: size - 1]}…"
