"""Where pieces are scanned: by Ray actors, on this machine or on a cluster.

Each actor holds a session a model and works on as many pieces at a time as it has threads. A piece whose actor or node
dies is given to another, and the actor is replaced. One thread of the driver waits for each piece, so that the order of
results, the bound on what is in flight and the finished pieces on disk are the same code as without Ray.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import GenoscanError, Interrupted, WorkersLost
from .inference.session import Model, ModelFile, open_session
from .pieces import Piece, PieceResult, annotate_piece, run_piece
from .reading.genome import Genome, GenomePart, NotShared, open_part
from .reading.sequence import TileSequence, read_tile
from .staffing import Staffing
from .writing.summary import package_versions

ATTEMPTS = 4
"""Workers that a piece may cost before it is given up: it is the piece that kills them."""
PATIENCE = 600.0
"""Seconds without a single worker after which a scan gives up: a cluster that grows on demand takes minutes."""
SENT_BASES = 2**22
"""Bases that a piece may have where its sequence has to be sent to a node that does not see the file."""


class _Scanner:
    """What runs in an actor."""

    def prepare(self, files: Sequence[ModelFile], opener: Callable[[ModelFile], Model]) -> GenoscanError | str:
        """Open the models; which genoscan this is, or what is wrong with them here."""
        try:
            self._models = [opener(file) for file in files]
        except GenoscanError as error:
            return error
        return package_versions()["genoscan"]

    def run(
        self, part: GenomePart, piece: Piece, sequences: Sequence[TileSequence] | None
    ) -> PieceResult | GenoscanError | NotShared:
        try:
            reader = open_part(part) if sequences is None else None
            return run_piece(self._models, reader, piece, threading.Event(), sequences)
        except (GenoscanError, NotShared) as error:
            return error


@dataclass(eq=False)
class _Hired:
    """An actor, and the files that its node has been found not to see."""

    actor: Any
    unseen: set[str] = field(default_factory=set)
    dismissed: bool = False


class RayWorkers:
    """Ray actors that scan pieces. Made by `ray_workers`."""

    def __init__(
        self,
        models: Sequence[ModelFile],
        staffing: Staffing,
        warn: Callable[[str], None],
        opener: Callable[[ModelFile], Model],
    ):
        import ray

        self.models = models
        self.slots = staffing.workers * staffing.threads
        self.most_bases = sys.maxsize
        each = f"{staffing.threads} thread{'s' if staffing.threads > 1 else ''}"
        self.description = f"{staffing.workers} Ray worker{'s' if staffing.workers > 1 else ''} of {each}"
        self._ray, self._staffing, self._warn = ray, staffing, warn
        self._opener = opener
        self._kind = ray.remote(_Scanner).options(
            num_cpus=staffing.cpus,
            num_gpus=staffing.gpus,
            max_concurrency=staffing.threads,
            scheduling_strategy="SPREAD",
        )
        self._seats: queue.SimpleQueue[_Hired] = queue.SimpleQueue()
        self._starting: dict[Any, _Hired] = {}
        self._team: set[_Hired] = set()
        self._lock = threading.Lock()
        self._failure: GenoscanError | None = None
        self._declined = False
        self._closing = threading.Event()
        for _ in range(staffing.workers):
            self._hire()
        self._keeper = threading.Thread(target=self._keep, name="genoscan-keeper", daemon=True)
        self._keeper.start()

    def run(self, genome: Genome, piece: Piece, stop: threading.Event) -> PieceResult:
        """Have a piece scanned. Raises `WorkersLost` when there is nobody left, or it costs worker after worker."""
        part = genome.share(piece.contigs())
        attempts = 0
        while attempts < ATTEMPTS:
            hired = self._seat(stop)
            try:
                sequences = self._read(genome, piece) if part.file.path in hired.unseen else None
                result = self._ask(hired, part, piece, sequences, stop)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except self._ray.exceptions.RayError:
                self._replace(hired)
                attempts += 1
                continue
            finally:
                if not hired.dismissed:
                    self._seats.put(hired)
            if isinstance(result, NotShared):
                hired.unseen.add(part.file.path)
                self.most_bases = SENT_BASES
                continue
            if isinstance(result, GenoscanError):
                raise result
            if sequences is not None:  # who does not see the genome says nothing of calls
                result = replace(result, annotations=annotate_piece(piece, result.found, genome, stop))
            return result
        raise WorkersLost(
            f"{genome.source}: {ATTEMPTS} workers died of the same piece ({genome.names[piece.start[0]]}:"
            f"{piece.start[1] + 1:,}); do they have enough memory? Try a smaller --batch-size or fewer --threads"
        )

    def wait(self) -> None:
        """Wait for the first worker. Raises `WorkersLost` where none can be had."""
        while not self._team:
            if self._failure is not None:
                raise self._failure
            time.sleep(0.02)

    def interrupt(self) -> None:
        self.close()

    def close(self) -> None:
        """End all actors, whatever they do."""
        self._closing.set()
        with self._lock:
            everybody = [*self._team, *self._starting.values()]
            self._team.clear()
            self._starting.clear()
        for hired in everybody:
            hired.dismissed = True
            with suppress(Exception):  # the cluster may be gone
                self._ray.kill(hired.actor)
        if threading.current_thread() is not self._keeper:
            self._keeper.join(timeout=5)

    def _read(self, genome: Genome, piece: Piece) -> list[TileSequence]:
        cards = [self.models[search.model].card for search in piece.searches]
        return [read_tile(genome, tile, cards) for tile in piece.tiles]

    def _ask(
        self,
        hired: _Hired,
        part: GenomePart,
        piece: Piece,
        sequences: list[TileSequence] | None,
        stop: threading.Event,
    ) -> PieceResult | GenoscanError | NotShared:
        answer = hired.actor.run.remote(part, piece, sequences)
        while True:
            ready, _ = self._ray.wait([answer], timeout=0.5)
            if stop.is_set():
                raise Interrupted
            if ready:
                return self._ray.get(answer)

    def _seat(self, stop: threading.Event) -> _Hired:
        """A worker with a thread to spare; waits for one."""
        while True:
            if stop.is_set():
                raise Interrupted
            if self._failure is not None:
                raise self._failure
            try:
                hired = self._seats.get(timeout=0.2)
            except queue.Empty:
                continue
            if not hired.dismissed:
                return hired

    def _hire(self) -> None:
        with self._lock:
            if not self._closing.is_set():
                actor = self._kind.remote()
                self._starting[actor.prepare.remote(list(self.models), self._opener)] = _Hired(actor)

    def _replace(self, hired: _Hired) -> None:
        with self._lock:
            if hired.dismissed or self._closing.is_set():
                return
            hired.dismissed = True
            self._team.discard(hired)
        with suppress(Exception):  # most likely it is dead
            self._ray.kill(hired.actor)
        self._hire()

    def _keep(self) -> None:
        """Give seats to actors that have started, and notice when there are none."""
        waiting_since, warned = time.monotonic(), False
        while not self._closing.is_set():
            with self._lock:
                starting, team = dict(self._starting), len(self._team)
            if team:
                waiting_since = time.monotonic()
            waited = time.monotonic() - waiting_since
            if waited > 30 and not warned:
                warned = True
                self._warn(f"waiting for Ray to start a worker ({self._needs()})")
            if waited > PATIENCE:
                self._failure = WorkersLost(f"no Ray worker could be started in {PATIENCE:.0f} s ({self._needs()})")
                return
            if not starting:
                self._closing.wait(0.2)
                continue
            try:
                ready, _ = self._ray.wait(list(starting), timeout=0.5)
                for answer in ready:
                    self._settle_in(answer, starting[answer])
            except Exception as error:  # the thread's end would leave everybody waiting
                if not self._closing.is_set():
                    self._failure = WorkersLost(f"the Ray cluster fails: {' '.join(str(error).split())[:200]}")
                return

    def _settle_in(self, answer: Any, hired: _Hired) -> None:
        with self._lock:
            self._starting.pop(answer, None)
        try:
            said = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            said = WorkersLost(f"a Ray worker could not start: {_last_line(error)}")
        except self._ray.exceptions.RayError as error:
            if not getattr(error, "actor_init_failed", False):  # it or its node died while starting
                self._closing.wait(1.0)
                self._hire()
                return
            said = WorkersLost(f"a Ray worker could not start: {_last_line(error)}; install the same on all nodes")
        here = package_versions()["genoscan"]
        if isinstance(said, str) and said != here:
            said = WorkersLost(f"a Ray worker has genoscan {said}, this is {here}: install the same on all nodes")
        if isinstance(said, GenoscanError):
            self._decline(hired, said)
            return
        with self._lock:
            if self._closing.is_set():
                return
            self._team.add(hired)
        for _ in range(self._staffing.threads):
            self._seats.put(hired)

    def _decline(self, hired: _Hired, reason: GenoscanError) -> None:
        """A worker that cannot work ends the scan, unless others do: then it is one bad node, and they go on."""
        with suppress(Exception):
            self._ray.kill(hired.actor)
        if not self._team:
            self._failure = reason
        elif not self._declined:
            self._declined = True
            self._warn(f"goes on without some of its Ray workers: {reason}")

    def _needs(self) -> str:
        gpus = f" and {self._staffing.gpus:g} GPU" if self._staffing.gpus else ""
        return f"each needs {self._staffing.cpus:g} CPU{'s' if self._staffing.cpus != 1 else ''}{gpus}"


def _last_line(error: Exception) -> str:
    """What a traceback that came from another process ends in."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__


@contextmanager
def ray_workers(
    models: Sequence[ModelFile],
    staffing: Staffing,
    warn: Callable[[str], None],
    opener: Callable[[ModelFile], Model] = open_session,
) -> Iterator[RayWorkers]:
    """Hire workers on the connected cluster; they go at the end. ``opener`` opens a model where the worker runs."""
    workers = RayWorkers(models, staffing, warn, opener)
    try:
        workers.wait()
        yield workers
    finally:
        workers.close()
