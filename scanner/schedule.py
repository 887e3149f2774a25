"""The pieces of many genomes as one stream over the workers, so that none waits while another genome has work left."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .card import ModelCard
from .errors import GenoscanError, OutputError, WorkersLost, one_line
from .options import ScanOptions, annotator_of, thresholds_of
from .pieces import Finished, Pace, Piece, PieceResult, Search, cut_pieces
from .reading.genome import Genome, Warn, open_genome, warn_of_genome
from .reading.regions import parse_regions
from .reading.tiles import INTERVAL, cut_tiles, tile_size_for
from .resume import Identity, PieceStore, identity_of, open_store
from .workers import Workers, ordered_map
from .writing.bed import BED_LETTERS, LONGEST_BED_NAME

TILES_PER_SLOT = 8


@dataclass(frozen=True)
class Job:
    """One genome to be scanned.

    models: which of the workers' models. outputs: a track for each of them (None: standard output). folder: where
    its finished pieces are kept; None: nowhere.
    """

    sample: str
    source: str
    models: tuple[int, ...]
    regions: tuple[str, ...] = ()
    outputs: tuple[str | None, ...] = ()
    folder: str | None = None


@dataclass(eq=False)
class OpenJob:
    """A job whose genome is open."""

    job: Job
    genome: Genome
    intervals: np.ndarray
    searches: tuple[Search, ...]
    options: ScanOptions
    tile_size: int
    cards: tuple[ModelCard, ...]
    identity: Callable[[], Identity]
    pace: Pace
    tell: Callable[[str], None]
    store: PieceStore | None = None
    owns_genome: bool = False
    failed: bool = False
    ended: bool = False

    @property
    def bases(self) -> int:
        """Bases to be scanned."""
        return int((self.intervals["end"] - self.intervals["start"]).sum())

    def close(self) -> None:
        """Close the genome, if it is the job's; tell if finished pieces are kept."""
        if self.owns_genome:
            self.genome.close()
        kept = self.store.close() if self.store is not None else 0
        if kept:
            pieces = f"{kept:,} finished piece{'s are' if kept > 1 else ' is'} kept"
            self.tell(f"{pieces} in {self.store.folder}: the same command with --resume goes on from there")


def intervals_of(genome: Genome, regions: Sequence[str]) -> np.ndarray:
    """What is to be scanned as INTERVAL array in genome order: the regions, or every contig that has bases."""
    if regions:
        return parse_regions(regions, genome.names, genome.lengths, genome.source)
    contigs = np.flatnonzero(genome.lengths)
    intervals = np.zeros(len(contigs), dtype=INTERVAL)
    intervals["contig"], intervals["end"] = contigs, genome.lengths[contigs]
    return intervals


class Run(NamedTuple):
    """What the jobs of a call have in common besides their options.

    resume: whether earlier pieces may be taken up. warn: hears what is odd about a genome. tell: hears of pieces that
    are kept when a job is closed before it is complete. stop: set when nothing is wanted any more.
    """

    resume: bool = False
    warn: Warn = warn_of_genome
    tell: Callable[[str], None] = warn_of_genome
    stop: threading.Event | None = None


def open_job(job: Job, workers: Workers, options: ScanOptions, run: Run = Run()) -> OpenJob:  # noqa: B008 (immutable)
    """Open a job's genome and the store of its finished pieces.

    Raises `GenoscanError` for what is wrong with them, Interrupted soon after ``run.stop`` is set.
    """
    genome = open_genome(job.source, run.warn, run.stop)
    try:
        opened = prepare(job, genome, workers, options, run)
        opened.owns_genome = True
        return opened
    except BaseException:
        genome.close()
        raise


def prepare(job: Job, genome: Genome, workers: Workers, options: ScanOptions, run: Run = Run()) -> OpenJob:  # noqa: B008
    """As `open_job`, for a genome that is open and stays open when the job is closed."""
    models = [workers.models[number] for number in job.models]
    if job.outputs and not options.levels:
        _warn_of_names(genome, run.warn)
    intervals = intervals_of(genome, job.regions)
    bases = int((intervals["end"] - intervals["start"]).sum())
    # A small genome in tiles of the usual size would leave workers without work.
    share = bases // (TILES_PER_SLOT * workers.slots)
    opened = OpenJob(
        job,
        genome,
        intervals,
        tuple(_search(number, model.card, options) for number, model in zip(job.models, models, strict=True)),
        options,
        tile_size_for([(model.card, model.batch_size) for model in models], min(options.tile_size, share + 1)),
        tuple(model.card for model in models),
        lambda: identity_of(genome.digest(run.stop), models, options, job.regions),
        Pace(workers.slots, lambda: workers.most_bases),
        run.tell,
    )
    if job.folder is not None:
        genome.start_digest()  # the manifest needs it soon
        opened.store = open_store(Path(job.folder), opened.identity, opened.tile_size, run.resume, run.warn)
        opened.tile_size = opened.store.tile_size
    return opened


def _warn_of_names(genome: Genome, warn: Warn) -> None:
    """BED v1 allows fewer letters in the names of contigs than genomes have, and nearly all readers take more."""
    odd = genome.names.first_beyond(BED_LETTERS, LONGEST_BED_NAME)
    if odd is not None:
        warn(f"{genome.source}: contig '{one_line(odd)}': BED v1 allows letters, digits and _ in names; kept as it is")


def _search(number: int, card: ModelCard, options: ScanOptions) -> Search:
    if options.levels:
        return Search(number, None)
    return Search(number, thresholds_of(card, options), annotator_of(card, options))


class _Step(NamedTuple):
    """One thing for a thread to do. piece None: the job's beginning, or its end."""

    job: OpenJob | GenoscanError
    piece: Piece | Finished | None


def job_results(
    opening: Iterator[OpenJob | GenoscanError], workers: Workers
) -> Iterator[tuple[OpenJob | GenoscanError, Iterator[PieceResult]]]:
    """For each job, in order, its results in genome order; for one that could not be opened the error and nothing.

    Jobs are closed when their turn is over, or with this generator. An iterator of results raises the `GenoscanError`
    that a piece ended in; the job's other results are then skipped, and the next job comes as if nothing had happened.
    `OutputError` and `WorkersLost` end everything.
    """

    def work(step: _Step, stop: threading.Event) -> tuple[_Step, PieceResult | GenoscanError | None]:
        if step.piece is None or step.job.failed:
            return step, None
        try:
            return step, _run(step.job, step.piece, workers, stop)
        except (OutputError, WorkersLost):
            raise
        except GenoscanError as error:
            return step, error

    live: list[OpenJob] = []
    try:
        with (
            closing(_steps(opening, live)) as steps,
            closing(ordered_map(work, steps, workers.slots, workers.interrupt, _is_work)) as outcomes,
        ):
            for step, _ in outcomes:
                yield step.job, _results(step.job, outcomes)
                if isinstance(step.job, OpenJob):
                    step.job.failed = not step.job.ended
                    while not step.job.ended:  # somebody stopped listening: let the job's other pieces pass by
                        step.job.ended = next(outcomes)[0].piece is None
                    live.remove(step.job)
                    step.job.close()
    finally:
        for opened in live:
            opened.close()


def _steps(opening: Iterator[OpenJob | GenoscanError], live: list[OpenJob]) -> Iterator[_Step]:
    with closing(opening):
        for opened in opening:
            if isinstance(opened, GenoscanError):
                yield _Step(opened, None)
                continue
            live.append(opened)
            yield _Step(opened, None)
            tiles = cut_tiles(opened.intervals, opened.genome.lengths, opened.tile_size, opened.cards)
            finished = dict(opened.store.finished) if opened.store else {}
            for piece in cut_pieces(tiles, opened.bases, opened.searches, finished, opened.pace):
                if opened.failed:
                    break
                yield _Step(opened, piece)
            yield _Step(opened, None)


def _is_work(step: _Step) -> bool:
    return step.piece is not None


def _results(job: OpenJob | GenoscanError, outcomes: Iterator) -> Iterator[PieceResult]:
    if isinstance(job, GenoscanError):
        return
    for step, outcome in outcomes:
        if step.piece is None:
            job.ended = True
            return
        if isinstance(outcome, GenoscanError):
            raise outcome
        yield outcome


def _run(job: OpenJob, piece: Piece | Finished, workers: Workers, stop: threading.Event) -> PieceResult:
    if isinstance(piece, Finished):
        kept = job.store.load(piece.first, piece.last)
        if kept is not None:
            return kept
        piece = Piece(piece.tiles, job.searches)  # its file is damaged
    result = workers.run(job.genome, piece, stop)
    job.pace.heard(result)
    if job.store is not None:
        job.genome.digest(stop)  # the manifest needs it: waited for here, where the wait can be ended
        job.genome.require_unchanged()  # a piece of a file that has changed would be taken for one of what it was
        job.store.commit(result)
    return result


def opened_ahead(
    jobs: Sequence[Job], workers: Workers, options: ScanOptions, run: Run
) -> Iterator[OpenJob | GenoscanError]:
    """The jobs, opened; while one is scanned the next is opened, which for compressed genomes takes a while."""
    stop = threading.Event()

    def opened(job: Job) -> OpenJob | GenoscanError:
        try:
            return open_job(job, workers, options, run._replace(stop=stop))
        except OutputError:
            raise
        except GenoscanError as error:
            return error

    pool = ThreadPoolExecutor(1, thread_name_prefix="genoscan-open")
    ahead: deque[Future] = deque()
    try:
        for number in range(len(jobs)):
            ahead += [pool.submit(opened, job) for job in jobs[number + len(ahead) : number + 2]]
            result = ahead[0].result()
            ahead.popleft()
            yield result
    finally:
        if ahead:  # nobody will take these
            stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        for future in ahead:
            if not future.cancelled() and future.exception() is None and isinstance(future.result(), OpenJob):
                future.result().close()
