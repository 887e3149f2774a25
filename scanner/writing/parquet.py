"""Calls as a Parquet table: the columns of the BED, typed. Row groups are as large whoever scanned, however often."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..calling.annotations import columns_of
from ..calling.columns import Column
from ..errors import OutputError
from .autosql import STANDARD
from .bed import COLUMNS
from .output import Write, file_errors, placed
from .target import Target

GROUP = 2**16
"""Lines in a row group."""
_WHOLE = {"int", "uint", "short", "ushort", "byte", "ubyte", "bigint"}


@contextmanager
def write_parquet(target: Target) -> Iterator[Write]:
    """A `Writer`. The file's metadata tell the model and how positions are counted."""
    import pyarrow.parquet

    final = Path(target.path)
    columns = (*_renamed(STANDARD), *columns_of(target.card))
    schema = _schema(columns).with_metadata(
        {
            "genoscan": json.dumps({"model": target.card.name, "version": target.card.version}),
            "positions": "counted from 0, end not included",
        }
    )
    waiting: list[bytes] = []

    with placed(final, target.folder, target.stale) as partial:
        with file_errors(final), pyarrow.parquet.ParquetWriter(partial, schema, compression="zstd") as file:

            def put(lines: list[bytes]) -> None:
                with file_errors(final):
                    file.write_table(_table(b"".join(lines), schema))

            def write(lines: bytes) -> None:
                waiting.extend(lines.splitlines(keepends=True))
                while len(waiting) >= GROUP:
                    put(waiting[:GROUP])
                    del waiting[:GROUP]

            yield write
            if waiting:
                put(waiting)
        written = pyarrow.parquet.read_metadata(partial)
        if written.num_columns != len(columns):
            raise OutputError(f"{final}: cannot write: the file cannot be read back")


def _renamed(standard: tuple[Column, ...]) -> list[Column]:
    """The first six as the header of the BED names them."""
    return [column._replace(name=name) for column, name in zip(standard, COLUMNS, strict=True)]


def _schema(columns: tuple[Column, ...]):
    import pyarrow

    def type_of(kind: str):
        if kind in _WHOLE:
            return pyarrow.int64()
        return pyarrow.float64() if kind in ("float", "double") else pyarrow.string()

    return pyarrow.schema([(column.name, type_of(column.kind)) for column in columns])


def _table(lines: bytes, schema):
    """The lines as a table with the types of the schema."""
    import pyarrow.csv

    return pyarrow.csv.read_csv(
        io.BytesIO(lines),
        read_options=pyarrow.csv.ReadOptions(column_names=schema.names, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=schema, null_values=[], strings_can_be_null=False, check_utf8=True
        ),
    ).replace_schema_metadata(schema.metadata)
