"""A hub's files as JBrowse 2 and IGV open them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from xml.etree import ElementTree

from .hub_files import HubFile


def _signed(file: HubFile) -> bool:
    """Whether it holds scores that may be negative, which are drawn as lines: bars would stand on 0."""
    return file.channel is not None and file.run.card.track.score_range[0] < 0


def jbrowse(files: Sequence[HubFile], assembly: str, sequence: str | None, first: str) -> str:
    """JBrowse 2's config.json, that opens at the place ``first``; without a .2bit the contigs' sizes stand for the
    sequence."""
    adapter = (
        {"type": "ChromSizesAdapter", "chromSizesLocation": _location("chrom.sizes")}
        if sequence is None
        else {"type": "TwoBitAdapter", "twoBitLocation": _location(sequence)}
    )
    tracks = [
        {
            "type": "FeatureTrack" if file.channel is None else "QuantitativeTrack",
            "trackId": file.name,
            "name": file.label,
            "assemblyNames": [assembly],
            "category": [file.run.card.name],
            "adapter": {"type": "BigBedAdapter", "bigBedLocation": _location(file.name)}
            if file.channel is None
            else {"type": "BigWigAdapter", "bigWigLocation": _location(file.name)},
            "displays": [_display(file)],
        }
        for file in files
    ]
    shown = {"assembly": assembly, "loc": first, "tracks": [one["trackId"] for one in tracks]}
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
            "views": [{"id": "genoscan-view", "type": "LinearGenomeView", "init": shown}],
        },
    }
    return json.dumps(config, indent=2) + "\n"


def _location(name: str) -> dict[str, str]:
    return {"uri": name, "locationType": "UriLocation"}


def _display(file: HubFile) -> dict:
    """How JBrowse draws a track: in the colours of the hub."""
    color = f"rgb({file.color})"
    if file.channel is None:
        kind, renderers = "LinearBasicDisplay", {"renderer": {"type": "SvgFeatureRenderer", "color1": color}}
    else:
        drawn = "line" if _signed(file) else "xyplot"
        both = {"LinePlotRenderer": {"color": color}, "XYPlotRenderer": {"color": color, "posColor": color}}
        kind, renderers = "LinearWiggleDisplay", {"defaultRendering": drawn, "renderers": both}
    return {"type": kind, "displayId": f"{file.name}-{kind}", **renderers}


def igv_desktop(files: Sequence[HubFile], assembly: str, sequence: str | None) -> str:
    """IGV's session of the desktop program, paths relative to it."""
    session = ElementTree.Element("Session", genome=sequence or assembly, locus="All", version="8")
    resources = ElementTree.SubElement(session, "Resources")
    panel = ElementTree.SubElement(session, "Panel", name="DataPanel")
    for file in files:
        ElementTree.SubElement(resources, "Resource", path=file.name, type="bb" if file.channel is None else "bw")
        drawn = {"renderer": "LINE_PLOT"} if _signed(file) else {}
        ElementTree.SubElement(panel, "Track", id=file.name, name=file.label, color=file.color, visible="true", **drawn)
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
            "color": f"rgb({file.color})",
            **({} if file.channel is None else {"autoscaleGroup": file.track, "autoscale": True}),
            **({"graphType": "line"} if _signed(file) else {}),
        }
        for file in files
    ]
    where = {"genome": assembly} if sequence is None else {"reference": {"id": assembly, "twoBitURL": sequence}}
    return json.dumps({**where, "tracks": tracks}, indent=2) + "\n"
