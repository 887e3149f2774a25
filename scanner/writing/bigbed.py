"""Calls as bigBed: the lines of the BED with an index, and the columns as an autoSql table inside.

Format: Kent et al., BigWig and BigBed, Bioinformatics 26 (2010), 2204; written by pybigtools.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..calling.annotations import columns_of
from ..calling.columns import Column
from .autosql import STANDARD, autosql
from .big_binary import BIGBED, write_big_binary
from .output import Write, file_errors, placed
from .target import Target

_BED_COLUMNS = ("thickStart", "thickEnd", "itemRgb")
_FIELD_COUNTS = 32
"""Where a header holds how many columns there are, and how many of them are BED's own, as two uint16: pybigtools takes
all of them for BED's own, or counts three."""


@contextmanager
def write_bigbed(target: Target) -> Iterator[Write]:
    """A `Writer`. The lines wait in a file beside the track: a bigBed's contigs are sorted by name."""
    columns = columns_of(target.card)
    final, fields = Path(target.path), len(STANDARD) + len(columns)
    with placed(final, target.folder, target.stale) as partial:
        with write_big_binary(BIGBED, target, partial, str, autosql(target.card), fields) as write:
            yield write
        with file_errors(final), partial.open("r+b") as file:
            file.seek(_FIELD_COUNTS)
            file.write(struct.pack("<2H", fields, bed_columns(columns)))


def bed_columns(columns: tuple[Column, ...]) -> int:
    """How many columns of the track mean what they mean in BED: 6, or 9 with thickStart, thickEnd and itemRgb."""
    named = tuple(column.name for column in columns[: len(_BED_COLUMNS)])
    return len(STANDARD) + (len(_BED_COLUMNS) if named == _BED_COLUMNS else 0)
