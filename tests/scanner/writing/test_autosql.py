"""The columns of a track as an autoSql table."""

import re

from genoscan.scanner.calling.repeats import COLUMNS
from genoscan.scanner.catalogue import bundled_models
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.writing.autosql import autosql

SIMPLE = {"int", "uint", "short", "ushort", "byte", "ubyte", "float", "double", "char", "string", "lstring", "bigint"}


def parsed(text):
    """The table's name, its comment, and (type, name, comment) of each field, by the rules of the format."""
    match = re.fullmatch(r'table ([A-Za-z_]\w*)\n"([^"\n]*)"\n\s*\(\n(.*)\s*\)\n', text, re.DOTALL)
    assert match
    fields = []
    for line in match[3].splitlines():
        if line.strip():
            field = re.fullmatch(r'\s*(\w+(?:\[\d+\])?)\s+([A-Za-z_]\w*);\s*"([^"\n]+)"', line)
            assert field, line
            fields.append(field.groups())
    return match[1], match[2], fields


def card_of(**changes):
    return read_card(bundled_models()["repeats"]).model_copy(update=changes)


def test_the_table_of_the_repeats():
    card = card_of()
    table, comment, fields = parsed(autosql(card))
    assert (table, comment) == ("repeats", card.description)
    assert [f"{kind} {name}" for kind, name, _ in fields[:6]] == [
        "string chrom", "uint chromStart", "uint chromEnd", "string name", "uint score", "char[1] strand"
    ]  # fmt: skip
    assert [name for _, name, _ in fields[6:]] == [column.name for column in COLUMNS]
    assert len(fields) == 18
    assert {kind.split("[")[0] for kind, _, _ in fields} <= SIMPLE


def test_a_model_without_annotation_has_six_columns():
    card = card_of()
    calling = card.calling.model_copy(update={"annotation": None})
    assert len(parsed(autosql(card.model_copy(update={"calling": calling})))[2]) == 6


def test_names_and_texts_that_autosql_cannot_hold():
    table, comment, _ = parsed(autosql(card_of(name="2nd.model-x", description='a "quoted"\n text')))
    assert (table, comment) == ("_2nd_model_x", "a 'quoted' text")
    assert parsed(autosql(card_of(description="")))[1] == "repeats"
