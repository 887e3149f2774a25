"""The results of one genome's pieces, in order, to its tracks and what lies beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .calling.annotations import Chunk
from .calling.channels import Channel, channels_of
from .calling.intervals import RUN, Caller, Thresholds
from .calling.levels import LEVEL, Leveller
from .calling.peaks import PeakCaller
from .calling.repeats import Annotation
from .card import ModelCard
from .pieces import PieceResult
from .schedule import OpenJob, job_results
from .workers import Workers
from .writing.bed import annotated_lines, bed_lines
from .writing.bedgraph import bedgraph_lines
from .writing.formats import FORMATS, files_of
from .writing.output import Write, is_stream, write_beside
from .writing.peaks import peak_lines
from .writing.summary import summary_json
from .writing.target import Target

OnBases = Callable[[int], None]
"""Hears how many bases have just been finished."""


@dataclass
class Counts:
    """What scanning one genome with one model came to; ``seconds`` is wall time, ``resumed`` bases of earlier runs.
    ``calls`` are the lines of the track: segments, where calls are annotated. ``called_bases`` counts a base once,
    however many calls (on two strands, of several outputs) it lies in; of levels, those of the first channel."""

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
        """Count calls (RUN array in genome order, or LEVEL array by channel) that come after those before."""
        self.calls += len(calls)
        calls = calls[calls["channel"] == 0] if calls.dtype == LEVEL else calls
        if not len(calls):
            return
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
    """Turns the results of one of a job's searches, in genome order, into settled calls (or levels), says of them what
    the search asks for, and counts them."""

    def __init__(self, opened: OpenJob, number: int):
        self.search = opened.searches[number]
        self.counts = Counts()
        self._number, self._genome = number, opened.genome
        self._joined = _joiner(opened.cards[number], self.search.thresholds)

    def add(self, result: PieceResult) -> Chunk:
        found = result.found[self._number]
        chunk = self._chunk(self._joined.add(found, *result.end), found, result.annotations.get(self._number))
        self.counts.add_piece(result, self._number)
        self.counts.add_calls(chunk.intervals())
        return chunk

    def finish(self) -> Chunk:
        chunk = self._chunk(self._joined.finish(), np.empty(0, RUN), None)
        self.counts.add_calls(chunk.intervals())
        return chunk

    def _chunk(self, calls: np.ndarray, found: np.ndarray, part: Annotation | None) -> Chunk:
        annotator = self.search.annotator
        if annotator is None:
            return Chunk(calls)
        return Chunk(calls, annotator.completed(calls, found, part, self._genome))


def _joiner(card: ModelCard, thresholds: Thresholds | None) -> Caller | Leveller | PeakCaller:
    """What puts together what pieces have found."""
    if thresholds is None:
        return Leveller()
    return Caller(thresholds) if thresholds.prominence is None else PeakCaller(thresholds, card)


def settled_chunks(opened: OpenJob, workers: Workers, collector: Collector) -> Iterator[Chunk]:
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
    collectors = [Collector(opened, number) for number in range(len(models))]
    with ExitStack() as stack:
        writers = [stack.enter_context(_track(opened, number, output)) for number, output in enumerate(job.outputs)]
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
            files = files_of(output, model.card, opened.options.format)
            write_beside(Path(f"{output}.json"), summary_json(opened, model, workers, count, files), folder)
    if opened.store is not None:
        opened.store.remove()
    return counts


@contextmanager
def _track(opened: OpenJob, number: int, output: str | None) -> Iterator[Callable[[Chunk], None]]:
    """A function that appends the chunks of one of the job's searches to the track at ``output``, in all its files."""
    genome, card, format_ = opened.genome, opened.cards[number], opened.options.format
    folder = opened.store.folder if opened.store is not None else None
    stale = () if is_stream(output) else (Path(f"{output}.json"),)
    with ExitStack() as stack:
        writes: list[tuple[Write, Callable[[Chunk], bytes]]] = []
        for path, channel in files_of(output, card, format_).items():
            target = Target(path, card, genome.names, genome.lengths, folder, stale)
            write = stack.enter_context(FORMATS[format_].writer(target))
            writes.append((write, lines_of(opened, number, channel)))

        def write_chunk(chunk: Chunk) -> None:
            if len(chunk.calls):
                for write, lines in writes:
                    write(lines(chunk))

        yield write_chunk


def lines_of(opened: OpenJob, number: int, channel: Channel | None = None) -> Callable[[Chunk], bytes]:
    """What turns the chunks of one of a job's searches into lines: of BED, or of the bedGraph of a channel."""
    names, card, annotator = opened.genome.names, opened.cards[number], opened.searches[number].annotator
    channels, score_range = channels_of(card), card.track.score_range

    def lines(chunk: Chunk) -> bytes:
        if channel is not None:
            return bedgraph_lines(chunk.calls[chunk.calls["channel"] == channels.index(channel)], names)
        if card.calling.prominence is not None:
            return peak_lines(chunk.calls, names, channels, card)
        if annotator is None:
            return bed_lines(chunk.calls, names, channels, score_range)
        return annotated_lines(chunk.calls, chunk.annotation, annotator, names, channels, score_range)

    return lines
