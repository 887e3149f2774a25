"""Where pieces are scanned: on the threads of this process. (`cluster` has the same for Ray.)

Encoding (Numba) and inference (ONNX Runtime) both let go of Python's lock, so while one thread runs its batch another
encodes its next.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from .inference.session import Model, ModelFile
from .pieces import Piece, PieceResult, run_piece
from .reading.genome import Genome

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Protocol):
    """Those who scan pieces.

    models: what they scan with, in the order that a piece's searches count in. slots: how many pieces they can work on
    at a time. most_bases: bases that a piece may have. description: who they are, for a person ("2 threads").
    """

    models: Sequence[Model | ModelFile]
    slots: int
    most_bases: int
    description: str

    def run(self, genome: Genome, piece: Piece, stop: threading.Event) -> PieceResult:
        """Scan a piece; called from up to ``slots`` threads at a time. Raises `Interrupted` soon after ``stop``."""

    def interrupt(self) -> None:
        """End what is under way: its results are no longer wanted."""


class ThreadWorkers:
    """The threads of this process, sharing one session a model."""

    most_bases = sys.maxsize

    def __init__(self, models: Sequence[Model], threads: int):
        self.models = models
        self.slots = threads
        self.description = f"{threads} thread{'s' if threads > 1 else ''}"

    def run(self, genome: Genome, piece: Piece, stop: threading.Event) -> PieceResult:
        return run_piece(self.models, genome, piece, stop)

    def interrupt(self) -> None:
        for model in self.models:
            model.interrupt()


def ordered_map(
    function: Callable[[Item, threading.Event], Result],
    items: Iterable[Item],
    threads: int,
    interrupt: Callable[[], None] = lambda: None,
    is_work: Callable[[Item], bool] = lambda _: True,
) -> Iterator[Result]:
    """Results in the order of the items; at most two items a thread are in flight, so memory stays flat.

    Items that are no work do not count: ``function`` is called for them when it is their turn.

    ``function`` also gets an event that is set when the results are no longer wanted (an error, Ctrl-C, a closed
    generator): it should look at it now and then and raise. ``interrupt`` is called after that, to end what does not
    look.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="genoscan")
    flying: deque[tuple[Item, Future | None]] = deque()
    busy, complete = 0, False

    def next_result() -> Result:
        item, future = flying.popleft()
        return function(item, stop) if future is None else future.result()

    try:
        for item in items:
            future = pool.submit(function, item, stop) if is_work(item) else None
            flying.append((item, future))
            busy += future is not None
            while flying and (busy >= 2 * threads or flying[0][1] is None):
                busy -= flying[0][1] is not None
                yield next_result()
        while flying:
            yield next_result()
        complete = True
    finally:
        stop.set()
        if not complete:
            interrupt()
        pool.shutdown(wait=True, cancel_futures=True)
