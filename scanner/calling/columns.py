"""A column of a track after its first six, whatever the kind of track."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """A column of the track: its name, its autoSql type and its autoSql comment."""

    name: str
    kind: str
    text: str
