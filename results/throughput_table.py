"""What `genoscan bench` prints: rows of settings as a table, one setting stage by stage, and what to scan with."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from ..scanner.throughput.stages import Throughput
from ..scanner.throughput.sweep import Row, recommended, scan_flags

_COLUMNS = ("model", "precision", "device", "workers", "threads", "batch", "windows/s", "Mb/s", "of session",
            "of matrix rate", "memory MB", "GPU MiB", "human genome")  # fmt: skip
_WORDS = 3
_NONE = "-"


def settings_table(rows: Sequence[Row]) -> Table:
    """A line a setting; '-' where there is no such figure, 'failed' where it did not run. Columns that no row has
    anything for are left out."""
    lines = [_line(row) for row in rows]
    kept = [number for number in range(len(_COLUMNS)) if any(line[number] != _NONE for line in lines)]
    table = Table(box=None, pad_edge=False)
    for number in kept:
        table.add_column(_COLUMNS[number], justify="left" if number < _WORDS else "right", no_wrap=number >= _WORDS)
    for line in lines:
        table.add_row(*(line[number] for number in kept))
    return table


def _line(row: Row) -> tuple[str, ...]:
    setting, found = row.setting, row.found
    begin = setting.model, _NONE if found is None else found.precision, setting.device
    staff = str(setting.workers), str(setting.threads)
    if found is None:
        return (*begin, *staff, str(setting.batch_size or _NONE), "failed", *[_NONE] * (len(_COLUMNS) - 7))
    return (
        *begin,
        *staff,
        str(found.batch_size),
        number(found.scan),
        _mb(found, found.scan),
        f"{found.share_of_session:.0%}",
        share(found.share_of_matrix_rate),
        f"{found.memory_mb:,.0f}",
        _NONE if found.gpu_memory_mib is None else f"{found.gpu_memory_mib:,.0f}",
        duration(found.human_genome_seconds),
    )


def stages_table(row: Row) -> Table:
    """All about one setting, a line a figure."""
    setting, found = row.setting, row.found
    who = f"{setting.workers} workers of {setting.threads}" if setting.workers > 1 else str(setting.threads)
    table = Table(box=None, pad_edge=False)
    title = f"{setting.model} ({found.precision}) on {setting.device}, {who} threads, batches of {found.batch_size}"
    table.add_column(title)
    for name in ("windows/s", "Mb/s"):
        table.add_column(name, justify="right")
    for label, speed in (
        ("bare session", found.session),
        ("encoding", found.encoding),
        ("whole scan" if found.mb_per_window else "reads to likelihoods", found.scan),
    ):
        table.add_row(label, number(speed), _mb(found, speed))
    table.add_row("whole / bare session", share(found.share_of_session))
    table.add_row(f"whole / bound of {'stages' if setting.device != 'cpu' else 'shared cores'}",
                  share(found.share_of_bound))  # fmt: skip
    table.add_row("whole / matrix rate", share(found.share_of_matrix_rate))
    table.add_row("peak memory", f"{found.memory_mb:,.0f} MB")
    if found.gpu_memory_mib is not None:
        table.add_row("GPU memory", f"{found.gpu_memory_mib:,.0f} MiB")
    if found.human_genome_seconds is not None:
        table.add_row("human genome (3.1 Gb)", duration(found.human_genome_seconds))
    return table


def failures(rows: Sequence[Row]) -> list[str]:
    """One line a setting that did not run."""
    return [
        f"{row.setting.model} on {row.setting.device}, {row.setting.workers} x {row.setting.threads} threads, batch "
        f"{row.setting.batch_size or 'by default'}: {row.error}"
        for row in rows
        if row.error
    ]


def recommendations(rows: Sequence[Row]) -> list[str]:
    """One line a model: how to scan with what was the fastest."""
    lines = []
    for row in recommended(rows):
        found = row.found
        if found.mb_per_window is None:
            lines.append(f"fastest: genoscan scan GENOME {scan_flags(row)} --methylation SAMPLE -o OUT.bed.gz  "
                         f"({number(found.scan)} reads/s)")  # fmt: skip
            continue
        lines.append(
            f"fastest: genoscan scan GENOME {scan_flags(row)} -o OUT.bed.gz  "
            f"({_mb(found, found.scan)} Mb/s, a human genome in {duration(found.human_genome_seconds)})"
        )
    return lines


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:#.3g}"


def share(value: float | None) -> str:
    """'12%', '0.8%', '-'."""
    if value is None:
        return _NONE
    return f"{value:.0%}" if value >= 0.095 else f"{value:.1%}"


def duration(seconds: float | None) -> str:
    """'41 s', '3 min 43 s', '2 h 05 min', '4.1 days', '-'."""
    if seconds is None:
        return _NONE
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{seconds / 86400:.1f} days"


def _mb(found: Throughput, windows_per_second: float) -> str:
    return _NONE if found.mb_per_window is None else number(windows_per_second * found.mb_per_window)
