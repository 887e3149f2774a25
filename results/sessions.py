"""A hub's files as JBrowse 2 and IGV open them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from .hub import HubFile

_MINUS = "rgb(110,110,110)"


def _color(file: HubFile) -> str:
    minus = file.channel is not None and file.channel.strand == "-"
    return _MINUS if minus else f"rgb({file.run.card.track.color})"


def jbrowse(files: Sequence[HubFile], assembly: str, sequence: str | None) -> str:
    """JBrowse 2's config.json; without a .2bit the contigs' sizes stand for the sequence."""
    adapter = (
        {"type": "ChromSizesAdapter", "chromSizesLocation": {"uri": "chrom.sizes", "locationType": "UriLocation"}}
        if sequence is None
        else {"type": "TwoBitAdapter", "twoBitLocation": {"uri": sequence, "locationType": "UriLocation"}}
    )
    tracks = [
        {
            "type": "FeatureTrack" if file.channel is None else "QuantitativeTrack",
            "trackId": file.name,
            "name": file.label,
            "assemblyNames": [assembly],
            "category": [file.run.card.name],
            "adapter": {"type": "BigBedAdapter", "bigBedLocation": {"uri": file.name, "locationType": "UriLocation"}}
            if file.channel is None
            else {"type": "BigWigAdapter", "bigWigLocation": {"uri": file.name, "locationType": "UriLocation"}},
        }
        for file in files
    ]
    shown = [{"type": one["type"], "configuration": one["trackId"]} for one in tracks]
    config = {
        "assemblies": [
            {
                "name": assembly,
                "sequence": {"type": "ReferenceSequenceTrack", "trackId": f"{assembly}-sequence", "adapter": adapter},
            }
        ],
        "tracks": tracks,
        "defaultSession": {
            "name": "genoscan",
            "views": [{"id": "genoscan-view", "type": "LinearGenomeView", "tracks": shown}],
        },
    }
    return json.dumps(config, indent=2) + "\n"


def igv_desktop(files: Sequence[HubFile], assembly: str, sequence: str | None) -> str:
    """IGV's session of the desktop program, paths relative to it."""
    session = ElementTree.Element("Session", genome=sequence or assembly, locus="All", version="8")
    resources = ElementTree.SubElement(session, "Resources")
    panel = ElementTree.SubElement(session, "Panel", name="DataPanel")
    for file in files:
        ElementTree.SubElement(resources, "Resource", path=file.name, type="bb" if file.channel is None else "bw")
        color = _color(file).removeprefix("rgb(").removesuffix(")")
        ElementTree.SubElement(panel, "Track", id=file.name, name=file.label, color=color, visible="true")
    ElementTree.indent(session)
    return '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n' + ElementTree.tostring(session, "unicode") + "\n"


def igv_web(files: Sequence[HubFile], assembly: str, sequence: str | None) -> str:
    """igv.js' session."""
    tracks = [
        {
            "name": file.label,
            "url": file.name,
            "type": "annotation" if file.channel is None else "wig",
            "format": "bigbed" if file.channel is None else "bigwig",
            "color": _color(file),
            **({} if file.channel is None else {"autoscaleGroup": file.track}),
        }
        for file in files
    ]
    where = {"genome": assembly} if sequence is None else {"reference": {"id": assembly, "twoBitURL": sequence}}
    return json.dumps({**where, "tracks": tracks}, indent=2) + "\n"
