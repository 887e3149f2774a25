"""A UCSC track hub in one file.

Format: hub.txt with useOneFile (https://genome.ucsc.edu/goldenPath/help/hubQuickStart.html) and the settings of trackDb
(https://genome.ucsc.edu/goldenPath/help/trackDb/trackDbHub.html).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..scanner.calling.annotations import columns_of
from ..scanner.writing.bigbed import bed_columns
from .hub_files import HubFile

_SHORT, _LONG = 17, 76
"""Characters of a label that UCSC shows."""


def hub_text(tracks: Sequence[Sequence[HubFile]], assembly: str, email: str, sequence: str | None, first: str) -> str:
    """The hub of some tracks, each with its files. sequence: name of the genome's .2bit, where the hub brings it;
    first: where a browser shows such a genome first."""
    models = ", ".join(dict.fromkeys(own[0].run.card.name for own in tracks))
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
    for own in tracks:
        stanzas += [_calls(own[0])] if own[0].channel is None else _scores(own)
    return "\n".join("".join(f"{key} {value}\n" for key, value in stanza.items()) for stanza in stanzas)


def _labels(file: HubFile, held: str) -> dict[str, str]:
    name = file.run.name
    return {
        "shortLabel": _cut(name, _SHORT, held),
        "longLabel": _cut(f"{name}{held}: {file.run.card.description}", _LONG),
    }


def _calls(file: HubFile) -> dict[str, str]:
    card, own = file.run.card, bed_columns(columns_of(file.run.card))
    return {
        "track": file.track,
        **_labels(file, ""),
        "type": f"bigBed {own} +",
        "bigDataUrl": file.name,
        "visibility": "pack",
        "color": card.track.color,
        **({"itemRgb": "on"} if own > 6 else {"spectrum": "on"}),
    }


def _scores(files: Sequence[HubFile]) -> list[dict[str, str]]:
    """One track; of several channels one that holds them all. Those of the minus strand are drawn downwards, unless
    scores may be negative: these are drawn as points."""
    card = files[0].run.card
    signed = card.track.score_range[0] < 0
    look = {"visibility": "full", "autoScale": "on", **({"graphTypeDefault": "points"} if signed else {})}
    if len(files) == 1:
        file = files[0]
        return [
            {"track": file.track, **_labels(file, file.held), "type": "bigWig", "bigDataUrl": file.name, **look,
             "color": card.track.color}
        ]  # fmt: skip
    whole = {
        "track": files[0].track, **_labels(files[0], " scores"), "type": "bigWig", "container": "multiWig",
        "aggregate": "transparentOverlay", "showSubtrackColorOnUi": "on", **look,
    }  # fmt: skip
    parts = [
        {"track": file.part, **_labels(file, file.held), "type": "bigWig", "parent": file.track,
         "bigDataUrl": file.name, "color": file.color,
         **({"negateValues": "on"} if file.backward and not signed else {})}
        for file in files
    ]  # fmt: skip
    return [whole, *parts]


def _cut(text: str, size: int, end: str = "") -> str:
    """One line of at most ``size`` characters, ``end`` in it; what is too long is cut before ``end``."""
    text, room = " ".join(text.split()), size - len(end)
    if room < 3:
        return _cut(end.strip(), size)
    return f"{text if len(text) <= room else text[: room - 2] + '..'}{end}"
