"""The columns of a track as an autoSql table, which bedToBigBed and the UCSC genome browser take (`-as`).

Format: a table's name, a comment, and a line "type name; comment" for each column. The first six have the names and
types of UCSC's own tables; those of further columns come from the kind of annotation.
"""

from __future__ import annotations

import re

from ..calling.annotations import columns_of
from ..calling.columns import Column
from ..card import ModelCard

STANDARD = (
    Column("chrom", "string", "Contig"),
    Column("chromStart", "uint", "Start, counted from 0"),
    Column("chromEnd", "uint", "End, not included"),
    Column("name", "string", "What was called"),
    Column("score", "uint", "0 to 1000"),
    Column("strand", "char[1]", "+, - or ."),
)


def autosql(card: ModelCard) -> str:
    """The table of the BED that the model's calls are written to."""
    table = re.sub(r"\W", "_", card.name, flags=re.ASCII)
    table = table if table[0].isalpha() else f"_{table}"
    columns = [(one.kind, one.name, one.text) for one in (*STANDARD, *columns_of(card))]
    lines = [f'    {kind} {name}; "{_quoted(text)}"\n' for kind, name, text in columns]
    return f'table {table}\n"{_quoted(card.description or card.name)}"\n    (\n{"".join(lines)}    )\n'


def _quoted(text: str) -> str:
    """As autoSql's comments can hold it: one line without double quotes."""
    return " ".join(text.replace('"', "'").split())
