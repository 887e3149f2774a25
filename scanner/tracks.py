"""The results of one genome's pieces, in order, to its tracks and what lies beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .calling.channels import channels_of
from .calling.intervals import Caller
from .calling.levels import Leveller
from .inference.session import Model, ModelFile
from .pieces import PieceResult, Search
from .schedule import OpenJob, job_results
from .workers import Workers
from .writing.bed import bed_header, bed_lines
from .writing.bedgraph import bedgraph_lines
from .writing.output import is_stream, open_output, write_beside
from .writing.summary import summary_json

OnBases = Callable[[int], None]
"""Hears how many bases have just been finished."""


@dataclass
class Counts:
    """What scanning one genome with one model came to; ``seconds`` is wall time, ``resumed`` bases of earlier runs.
    ``called_bases`` counts a base once, however many calls (on two strands, of several outputs) it lies in."""

    bases: int = 0
    windows: int = 0
    skipped_windows: int = 0
    calls: int = 0
    called_bases: int = 0
    resumed: int = 0
    seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter, repr=False)
    _reach: tuple[int, int] = field(default=(-1, 0), repr=False)

    def add_piece(self, result: PieceResult, search: int) -> None:
        self.bases += result.bases
        self.windows += result.windows[search]
        self.skipped_windows += result.skipped[search]
        self.resumed += result.bases if result.kept else 0
        self.seconds = time.perf_counter() - self.started

    def add_calls(self, calls: np.ndarray) -> None:
        """Count calls (RUN or LEVEL array) that come after those before in genome order."""
        if not len(calls):
            return
        self.calls += len(calls)
        # Contigs one after the other, each as long as the longest, so that ends of one cannot reach into the next.
        contig, reached = self._reach
        contigs = np.cumsum(np.diff(calls["contig"], prepend=contig) != 0, dtype=np.int64)
        stride = max(reached, int(calls["end"].max()))
        starts, ends = calls["start"] + contigs * stride, calls["end"] + contigs * stride
        reach = np.maximum.accumulate(np.concatenate([[reached], ends]))
        self.called_bases += int(np.maximum(0, ends - np.maximum(starts, reach[:-1])).sum())
        self._reach = int(calls["contig"][-1]), int(reach[-1] - contigs[-1] * stride)

    @property
    def mb_per_second(self) -> float:
        """Speed of this run: what earlier runs did takes no time."""
        return (self.bases - self.resumed) / 1e6 / self.seconds if self.seconds else 0.0


class Collector:
    """Turns one search's results, in genome order, into settled calls (or levels) and counts them."""

    def __init__(self, search: Search, number: int):
        self.counts = Counts()
        self._number = number
        self._joined: Caller | Leveller = Leveller() if search.thresholds is None else Caller(search.thresholds)

    def add(self, result: PieceResult) -> np.ndarray:
        chunk = self._joined.add(result.found[self._number], *result.end)
        self.counts.add_piece(result, self._number)
        self.counts.add_calls(chunk)
        return chunk

    def finish(self) -> np.ndarray:
        chunk = self._joined.finish()
        self.counts.add_calls(chunk)
        return chunk


def settled_chunks(opened: OpenJob, workers: Workers, collector: Collector) -> Iterator[np.ndarray]:
    """Calls (or levels) of a job's only search, in genome order, as they are found; closes the job."""
    with closing(job_results((one for one in [opened]), workers)) as jobs:
        for _, results in jobs:
            for result in results:
                yield collector.add(result)
    yield collector.finish()


def write_tracks(opened: OpenJob, workers: Workers, results: Iterator[PieceResult], on_bases: OnBases) -> list[Counts]:
    """Write a job's tracks, with a JSON summary beside each file. They are put in place once all of them are complete;
    then the finished pieces go."""
    job = opened.job
    models = [workers.models[number] for number in job.models]
    collectors = [Collector(search, number) for number, search in enumerate(opened.searches)]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(_track(opened, model, output))
            for model, output in zip(models, job.outputs, strict=True)
        ]
        for result in results:
            for collector, write in zip(collectors, writers, strict=True):
                write(collector.add(result))
            on_bases(result.bases)
        for collector, write in zip(collectors, writers, strict=True):
            write(collector.finish())
        opened.genome.require_unchanged()
    counts = [collector.counts for collector in collectors]
    folder = opened.store.folder if opened.store is not None else None
    for model, output, count in zip(models, job.outputs, counts, strict=True):
        count.seconds = time.perf_counter() - count.started
        if not is_stream(output):
            write_beside(Path(f"{output}.json"), summary_json(opened, model, workers, count), folder)
    if opened.store is not None:
        opened.store.remove()
    return counts


@contextmanager
def _track(opened: OpenJob, model: Model | ModelFile, output: str | None) -> Iterator[Callable[[np.ndarray], None]]:
    """A function that appends a RUN array of calls, or a LEVEL array, to the track at ``output``."""
    names, channels, score_range = opened.genome.names, channels_of(model.card), model.card.track.score_range
    folder = opened.store.folder if opened.store is not None else None

    def lines(chunk: np.ndarray) -> bytes:
        if opened.options.format == "bedgraph":
            return bedgraph_lines(chunk, names)
        return bed_lines(chunk, names, channels, score_range)

    with open_output(output, folder, [] if is_stream(output) else [Path(f"{output}.json")]) as write_bytes:
        if opened.options.format == "bed":
            write_bytes(bed_header())

        def write(chunk: np.ndarray) -> None:
            if len(chunk):
                write_bytes(lines(chunk))

        yield write
