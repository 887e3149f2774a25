"""Pieces of the tables of benchmarks/README.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Cells = Sequence[object]

FIRST = "1.0.0"
"""Version of `repeats` where a result does not say it."""


def table(head: Cells, rows: Iterable[Cells]) -> str:
    """A Markdown table; None is an empty cell, and numbers stand right."""
    lines = ["| " + " | ".join(map(str, head)) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join("" if cell is None else str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def percent(value: float | None, digits: int = 1) -> str | None:
    return None if value is None else f"{100 * value:.{digits}f} %"


def three(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def bold(tool: str) -> str:
    """Ours in bold."""
    return f"**{tool}**" if tool.startswith(("genoscan", "promoter-")) else tool


def whole(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"
