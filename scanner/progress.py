"""What a person sees of a scan on stderr: a progress bar on a terminal, otherwise one summary line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import one_line


def say(text: str) -> None:
    """One line on stderr."""
    if sys.stderr is not None:  # print() would take standard output instead
        print(f"genoscan: {one_line(text)}", file=sys.stderr, flush=True)


def wants_bar(output: str | None) -> bool:
    """Whether a bar may be drawn: stderr is a terminal, and the track does not go to one too."""
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    to_terminal = output in (None, "-") and sys.stdout is not None and sys.stdout.isatty()
    return not to_terminal


def readable_bases(bases: float) -> str:
    """'950 b', '12.2 kb', '3.1 Mb', '3.1 Gb'."""
    for size, unit in ((1e9, "Gb"), (1e6, "Mb"), (1e3, "kb")):
        if bases >= size:
            return f"{bases / size:,.1f} {unit}"
    return f"{bases:.0f} b"


@contextmanager
def progress_bar(label: str, total: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar of ``total`` bases on stderr, and a function that advances it by so many; nothing unless ``shown``."""
    if not shown:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task):
            done = f"{readable_bases(task.completed)} of {readable_bases(task.total or 0)}"
            return Text(f"{done}  {(task.speed or 0) / 1e6:.1f} Mb/s")

    columns = TextColumn("{task.description}"), BarColumn(), Speed(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda bases: bar.advance(task, bases)
