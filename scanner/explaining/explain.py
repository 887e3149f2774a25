"""Why a model calls what it calls: the composition of places, summits and mutagenesis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from ..card import ModelCard
from ..errors import UsageError
from ..inference.session import Model
from ..reading.genome import Genome
from .mutagenesis import Explanation, Summit, explain_summit, find_summit
from .places import Place

FLANK = 250
"""Bases on either side of a summit that are replaced, unless said otherwise."""


def output_number(card: ModelCard, name: str | None) -> int:
    """The number of the output of that name; of None, of the first that is called. `UsageError` for an unknown one."""
    name = name or (card.output.called or card.output.names)[0]
    if name not in card.output.names:
        raise UsageError(f"--score {name}: model {card.name} has {', '.join(card.output.names)}")
    return card.output.names.index(name)


def find_summits(
    model: Model, genome: Genome, places: Sequence[Place], output: int, threads: int, top: int | None = None
) -> list[Summit]:
    """The summits of places that have a score, in their order; of those the ``top`` highest (of equals the first)."""
    with _pool(model, threads) as pool:
        found = [one for one in pool.map(partial(find_summit, model, genome, output=output), places) if one is not None]
    if top is None:
        return found
    kept = sorted(range(len(found)), key=lambda number: -found[number].height)[:top]
    return [found[number] for number in sorted(kept)]


def explain_summits(
    model: Model, genome: Genome, summits: Sequence[Summit], flank: int, threads: int
) -> Iterator[Explanation]:
    """What single substitutions would do to each summit, in their order, as they are done."""
    with _pool(model, threads) as pool:
        yield from pool.map(partial(explain_summit, model, genome, flank=flank), summits)


@contextmanager
def _pool(model: Model, threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that end at once when the work is left."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    except BaseException:
        model.interrupt()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
