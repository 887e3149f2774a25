"""A folder that genome browsers open: a UCSC track hub, a JBrowse 2 configuration and IGV sessions of some tracks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..scanner.errors import GenoscanError, UsageError
from ..scanner.reading.genome import open_genome
from ..scanner.writing.output import file_errors, write_beside
from .hub_files import HubFile, copy_whole, hub_files, write_file
from .runs import Run
from .sessions import igv_desktop, igv_web, jbrowse
from .ucsc import hub_text

_FIRST_VIEW = 1_000_000
"""Bases of a genome of one's own that a browser shows first."""


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
    tracks = [list(hub_files(run)) for run in runs]
    _require_apart(tracks)
    source = genome or runs[0].summary["genome"]["path"]
    with open_genome(source) as opened:
        if opened.digest() not in digests:
            raise GenoscanError(f"{source}: is not the genome that was scanned; name that with --genome")
        with file_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        files = [file for own in tracks for file in own]
        for file in files:
            write_file(file, folder, opened)
        sizes = "".join(
            f"{name}\t{length}\n" for name, length in zip(opened.names, opened.lengths.tolist(), strict=True)
        )
        first = f"{opened.names[0]}:1-{min(int(opened.lengths[0]), _FIRST_VIEW)}"
    sequence = None if two_bit is None else Path(two_bit).name
    if two_bit is not None:
        copy_whole(Path(two_bit), folder / sequence)
    written = {
        "chrom.sizes": sizes,
        "hub.txt": hub_text(tracks, assembly, email, sequence, first),
        "config.json": jbrowse(files, assembly, sequence, first),
        "igv.xml": igv_desktop(files, assembly, sequence),
        "igv.json": igv_web(files, assembly, sequence),
    }
    for name, text in written.items():
        write_beside(folder / name, text)
    return [folder / name for name in written if name != "chrom.sizes"]


def _require_apart(tracks: Sequence[Sequence[HubFile]]) -> None:
    """`UsageError` where two files, or two of UCSC's tracks, would have one name."""
    parts = [file.part for own in tracks if len(own) > 1 for file in own]
    for names in ([file.name for own in tracks for file in own], [*(own[0].track for own in tracks), *parts]):
        if len(set(names)) < len(names):
            raise UsageError(
                f"two tracks would be '{max(names, key=names.count)}' in the hub: give one of them, or rename one"
            )
