"""How the GPU benchmark measures: work whose failure is a result too."""

from __future__ import annotations

from collections.abc import Callable

ROUNDS = 2
Json = dict


def one_line(error: BaseException) -> str:
    """An exception as one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]


def attempt(work: Callable[[], Json]) -> Json:
    """What ``work`` gives, or its error as one line: whatever fails, the rest is still worth its time."""
    try:
        return work()
    except Exception as error:
        return {"error": one_line(error)}
