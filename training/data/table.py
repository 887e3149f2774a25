"""Rows of tables as text, one at a time: TSV and CSV, plain or gzip, and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...scanner.errors import GenoscanError, UsageError

_GZIP = b"\x1f\x8b"
_BATCH = 8192


def is_parquet(path: Path) -> bool:
    """Whether a table's name says that it is Parquet."""
    return path.suffix in (".parquet", ".pq")


def column_names(path: Path) -> list[str]:
    """The table's columns in their order; `GenoscanError` where it cannot be read."""
    if is_parquet(path):
        return list(_open_parquet(path).schema_arrow.names)
    header, _ = next(_records(path), ([], 0))
    return header


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Number (from 1, the header's line in a text table) and the text of these columns, row by row.

    Empty text is what has no value. `UsageError` names a column that is not there, or a line with too few fields.
    """
    names = column_names(path)
    missing = [name for name in columns if name not in names]
    if missing:
        raise UsageError(f"{path}: has no column '{missing[0]}'; its columns are {', '.join(names)[:300]}")
    if is_parquet(path):
        yield from _parquet_rows(path, columns)
        return
    places = [names.index(name) for name in columns]
    for fields, line in _records(path):
        if line == 1:
            continue
        if len(fields) != len(names):
            raise UsageError(f"{path} line {line}: has {len(fields)} columns, its header {len(names)}")
        yield line, [fields[place] for place in places]


def _records(path: Path) -> Iterator[tuple[list[str], int]]:
    """Fields and line of each record; tabs part them where the header has one, else commas."""
    try:
        with open(path, "rb") as file:
            plain = gzip.GzipFile(fileobj=file) if file.read(2) == _GZIP else file
            file.seek(0)
            with io.TextIOWrapper(plain, encoding="utf-8", newline="") as text:
                first = text.readline()
                if not first.strip():
                    raise UsageError(f"{path}: is empty: a table begins with the names of its columns")
                delimiter = "\t" if "\t" in first else ","
                yield next(csv.reader([first], delimiter=delimiter)), 1
                reader = csv.reader(text, delimiter=delimiter)
                for fields in reader:
                    if fields:
                        yield fields, reader.line_num + 1
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise GenoscanError(f"{path}: cannot be read as a table: {error}") from None


def _open_parquet(path: Path):
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UsageError(f"{path}: Parquet needs the package pyarrow (pip install pyarrow), or give a TSV") from None
    try:
        return ParquetFile(path)
    except (OSError, ArrowException) as error:
        raise GenoscanError(f"{path}: cannot be read as Parquet: {error}") from None


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    number = 0
    for batch in _open_parquet(path).iter_batches(_BATCH, columns=list(columns)):
        for row in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
            number += 1
            yield number, ["" if value is None else str(value) for value in row]
