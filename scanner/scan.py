"""Scanning from Python: the calls of one model on one genome."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .calling.annotations import Annotator, Chunk
from .calling.channels import channels_of
from .calling.peak_columns import peak_values
from .catalogue import find_model
from .errors import UsageError
from .inference.devices import available_threads
from .inference.session import open_model
from .inference.stitch import SCORE_UNIT
from .options import DEFAULT_TILE, ScanOptions, require_annotations, require_no_methylation
from .schedule import Job, OpenJob, open_job
from .tracks import Collector, settled_chunks
from .workers import ThreadWorkers

if TYPE_CHECKING:
    import pandas

Value = str | int | float


class Call(NamedTuple):
    """One line of a track.

    - start, end: bases [start, end) of the contig, 0-based half-open
    - score, peak: mean and highest score of the call that the line is, or is a part of, in the model's units
    - columns: what the model's annotation says of it, by the names of the track's columns; empty where there is none
    """

    chrom: str
    start: int
    end: int
    name: str
    score: float
    strand: str
    peak: float
    columns: Mapping[str, Value]


def scan(
    genome: str | Path,
    model: str | Path = "repeats",
    *,
    regions: Sequence[str] = (),
    threshold: float | None = None,
    min_length: int | None = None,
    satellites: str | None = None,
    tile_size: int = DEFAULT_TILE,
    device: str = "auto",
    threads: int | None = None,
) -> Calls:
    """Calls of a bundled model's name or an .onnx on a FASTA file, in genome order, as they are found.

    ``regions`` (chr1:1,001-2,000, or BED files), ``threshold`` (in the model's units), ``min_length`` (bases; None: as
    the model's card says), ``satellites`` (a FASTA of units that repeats are named by), ``tile_size`` (bases of a unit
    of work), ``device`` and ``threads`` are as on the command line. `GenoscanError` says in one line what is wrong.

    >>> for call in genoscan.scan("genome.fa", model="repeats"):  # doctest: +SKIP
    ...     print(call.chrom, call.start, call.end, call.score, call.columns["period"])
    >>> genoscan.scan("genome.fa", model="repeats").to_dataframe()  # doctest: +SKIP
    """
    options = ScanOptions(tile_size, threshold, min_length, satellites=satellites)
    return Calls(_scan(genome, model, regions, options, device, threads))


class Calls(Iterator[Call]):
    """Calls as they are found: an iterator, or all of them as a data frame."""

    def __init__(self, arrays: Generator[dict[str, np.ndarray]]):
        self._arrays = arrays
        self._calls: Generator[Call] | None = None

    def __next__(self) -> Call:
        if self._calls is None:
            self._calls = _calls_of(self._arrays)
        return next(self._calls)

    def close(self) -> None:
        """End the scan."""
        if self._calls is not None:
            self._calls.close()
        self._arrays.close()

    def to_dataframe(self) -> pandas.DataFrame:
        """All calls as a pandas.DataFrame, a column for each of the track's; score and peak in the model's units.

        The names of the first three columns are those that bioframe takes. Raises ValueError where calls have been
        taken one by one before.
        """
        import pandas

        if self._calls is not None:
            raise ValueError("calls have been taken from this scan already: scan again for a data frame")
        return pandas.concat(map(pandas.DataFrame, self._arrays), ignore_index=True)


def _calls_of(chunks: Generator[dict[str, np.ndarray]]) -> Generator[Call]:
    with closing(chunks):
        for arrays in chunks:
            places = zip(*(arrays.pop(name).tolist() for name in Call._fields[:-1]), strict=True)
            rows = zip(*(column.tolist() for column in arrays.values()), strict=True) if arrays else None
            for place in places:
                yield Call(*place, dict(zip(arrays, next(rows), strict=True)) if rows is not None else {})


def scan_arrays(
    genome: str | Path,
    model: str | Path = "repeats",
    *,
    regions: Sequence[str] = (),
    threshold: float | None = None,
    min_length: int | None = None,
    satellites: str | None = None,
    tile_size: int = DEFAULT_TILE,
    device: str = "auto",
    threads: int | None = None,
) -> Generator[dict[str, np.ndarray]]:
    """As `scan`, many calls at a time: arrays of one length by the names of the columns; empty ones if
    there are no calls.

    - chrom, name, strand: object (texts)
    - start, end: int64
    - score, peak: float64
    - the annotation's columns: int64, float64 where the track has decimals, and object for the unit
    """
    options = ScanOptions(tile_size, threshold, min_length, satellites=satellites)
    return _scan(genome, model, regions, options, device, threads)


def _scan(
    genome: str | Path,
    model: str | Path,
    regions: Sequence[str],
    settings: ScanOptions,
    device: str,
    threads: int | None,
) -> Generator[dict[str, np.ndarray]]:
    if threads is not None and threads < 1:
        raise UsageError(f"threads {threads}: must be at least 1")
    workers = ThreadWorkers([open_model(find_model(str(model)), device=device)], threads or available_threads())
    require_no_methylation([workers.models[0].card])
    require_annotations([workers.models[0].card], settings)
    job = Job(str(genome), str(genome), (0,), tuple(regions))
    opened = open_job(job, workers, settings)
    collector = Collector(opened, 0)
    given = False
    with closing(settled_chunks(opened, workers, collector)) as chunks:
        for chunk in chunks:
            if len(chunk.calls):
                given = True
                yield _arrays(opened, chunk, collector.search.annotator)
        if not given:
            yield _arrays(opened, chunk, collector.search.annotator)


def _arrays(opened: OpenJob, chunk: Chunk, annotator: Annotator | None) -> dict[str, np.ndarray]:
    channels, lines = channels_of(opened.cards[0]), chunk.intervals()
    calls = chunk.calls if chunk.annotation is None else chunk.calls[chunk.annotation.segments["call"]]
    found = {
        "chrom": _texts([opened.genome.names[contig] for contig in lines["contig"].tolist()]),
        "start": lines["start"].copy(),
        "end": lines["end"].copy(),
        "name": _texts([channel.name for channel in channels])[calls["channel"]],
        "score": calls["total"] / calls["scored"] / SCORE_UNIT,
        "strand": _texts([channel.strand for channel in channels])[calls["channel"]],
        "peak": calls["peak"] / SCORE_UNIT,
    }
    if opened.searches[0].thresholds.prominence is not None:
        return found | peak_values(calls, opened.cards[0])
    if annotator is None:
        return found
    segments, letters = chunk.annotation
    named = segments["name"] >= 0
    found["name"][named] = _texts(annotator.satellites.names)[segments["name"][named]]
    *columns, last = annotator.kind.columns
    for column, number in zip(columns, annotator.kind.numbers, strict=True):
        values = segments[number.field].astype(np.int64)
        found[column.name] = values / 10**number.decimals if number.decimals else values
    units = zip(segments["unit_start"].tolist(), segments["unit_end"].tolist(), strict=True)
    text = letters.tobytes().decode("ascii")
    found[last.name] = _texts([text[start:end] for start, end in units])
    return found


def _texts(texts: Sequence[str]) -> np.ndarray:
    """Texts as an array of objects."""
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    return found
