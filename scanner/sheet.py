"""A sample sheet: a tab-separated table of genomes and what to scan them with."""

from __future__ import annotations

from pathlib import Path

from .batch import Sample
from .errors import UsageError

COLUMNS = ("sample", "genome", "models", "regions")
REQUIRED = COLUMNS[:2]


def read_sheet(path: str, models: tuple[str, ...] = ()) -> list[Sample]:
    """The samples of a sheet with the columns sample, genome, models (separated by commas) and regions (by semicolons).

    The first line names the columns, in any order; models and regions may be empty or missing. ``models``: what a row
    without models is scanned with. Lines that begin with '#' and blank lines are passed over. Paths are relative to
    the working directory.

    Raises UsageError naming the sheet and the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not a text file in UTF-8: expected a table separated by tabs") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    lines = [line.rstrip("\r") for line in text.split("\n")]
    cells = [(number, line.split("\t")) for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    if not cells:
        raise UsageError(f"{path}: is empty: expected a line with the columns {', '.join(COLUMNS)}")
    (first, names), *rows = cells
    header = [name.strip() for name in names]
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in REQUIRED if name not in header]
    if unknown or missing or len(set(header)) < len(header):
        problem = f"no column '{missing[0]}'" if missing else f"column '{unknown[0]}'" if unknown else "a column twice"
        raise UsageError(f"{path} line {first}: {problem}; the columns are {', '.join(COLUMNS)}")
    samples: dict[str, Sample] = {}
    for number, row in rows:
        sample = _sample(f"{path} line {number}", header, row, models)
        if sample.name in samples:
            raise UsageError(f"{path} line {number}: sample '{sample.name}' is there twice")
        samples[sample.name] = sample
    if not samples:
        raise UsageError(f"{path}: has no samples")
    return list(samples.values())


def _sample(place: str, header: list[str], row: list[str], models: tuple[str, ...]) -> Sample:
    if len(row) > len(header):
        raise UsageError(f"{place}: {len(row)} cells for {len(header)} columns")
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=False)}
    name, genome = cells.get("sample", ""), cells.get("genome", "")
    if not name or not genome:
        raise UsageError(f"{place}: a sample needs a name and a genome")
    if "/" in name or name.startswith(".") or "\0" in name + genome:
        raise UsageError(f"{place}: sample '{name}' cannot be part of a file name")
    chosen = tuple(one.strip() for one in cells.get("models", "").split(",") if one.strip()) or models
    if not chosen:
        raise UsageError(f"{place}: no models: name them in the column 'models' or with --model")
    regions = tuple(one.strip() for one in cells.get("regions", "").split(";") if one.strip())
    return Sample(name, genome, chosen, regions)
