"""Where the map over tiles runs: in this process, on threads that each take whole tiles.

Encoding (Numba) and inference (ONNX Runtime) both let go of Python's lock, so while one thread runs its batch another
encodes its next.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .reading.tiles import Tile

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class TileResult:
    tile: Tile
    found: np.ndarray
    windows: int
    skipped: int


def ordered_map(
    function: Callable[[Item, threading.Event], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Results in the order of the items; at most two items a thread are in flight, so memory stays flat.

    ``function`` also gets an event that is set when the results are no longer wanted (an error, Ctrl-C, a closed
    generator): it should look at it now and then and raise.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="genoscan")
    flying: deque = deque()
    try:
        for item in items:
            flying.append(pool.submit(function, item, stop))
            if len(flying) >= 2 * threads:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
