"""A sweep as a picture: speed by batch size, by threads and by workers, and the stages of the fastest settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..scanner.throughput.sweep import Row, fastest
from ..scanner.writing.output import file_errors, placed
from .plot import require_picture
from .throughput_table import duration, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DIMENSIONS = {"batch_size": "windows in a batch", "threads": "CPU threads of a worker", "workers": "workers"}
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, told apart by colour-blind people too."""
_STAGES = {"encoding": "0.75", "session": "0.5", "scan": "#0072b2"}


def plot_sweep(rows: Sequence[Row], machine: dict[str, Any], output: Path) -> None:
    """Draw rows to ``output``, a .png, .svg or .pdf: a panel for every dimension that was swept, and one for the stages
    of the fastest setting of every model on every device; at least one must have run. `UsageError` for another
    ending."""
    from matplotlib.figure import Figure

    require_picture(output)
    groups = _groups(rows)
    panels = [one for one in _DIMENSIONS if any(len(_line(group, one)[0]) > 1 for group in groups.values())]
    width = 4.3 * (len(panels) + 1)
    figure = Figure(figsize=(max(8.0, width), 3.6 + 0.22 * len(groups)), layout="constrained")
    axes = figure.subplots(1, len(panels) + 1, squeeze=False)[0]
    for dimension, ax in zip(panels, axes, strict=False):
        _draw_dimension(ax, groups, dimension)
    _draw_stages(axes[-1], groups)
    if panels:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False, fontsize=9)
    used = [machine["processor"], f"{machine['threads']} threads", *(one["name"] for one in machine["gpus"])]
    figure.suptitle(f"genoscan bench: {', '.join(used)}", fontsize=11)
    with placed(output) as partial, file_errors(output):
        figure.savefig(partial, dpi=150, format=output.suffix[1:].lower())


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by model and device, under the name that the picture gives them."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{Path(row.setting.model).name} on {row.setting.device}", []).append(row)
    return groups


def _line(group: Sequence[Row], dimension: str) -> tuple[list[int], list[Row]]:
    """Values of a dimension, ascending, and the rows of the part of a sweep that tried them: batch sizes on the most
    threads, then threads, then workers at the fastest of these sizes. Of rows with one value the fastest."""
    ran = [row for row in group if row.found]
    if not ran:
        return [], []
    fewest = min(row.setting.workers for row in ran)
    alone = [row for row in ran if row.setting.workers == fewest]
    most = max(row.setting.threads for row in alone)
    widest = [row for row in alone if row.setting.threads == most]
    size = fastest(widest).found.batch_size
    chosen = {
        "batch_size": widest,
        "threads": [row for row in alone if row.found.batch_size == size],
        "workers": [row for row in ran if row.found.batch_size == size],
    }[dimension]
    values = sorted({_value(row, dimension) for row in chosen})
    return values, [fastest([row for row in chosen if _value(row, dimension) == value]) for value in values]


def _value(row: Row, dimension: str) -> int:
    return row.found.batch_size if dimension == "batch_size" else getattr(row.setting, dimension)


def _speed(row: Row, stage: str = "scan") -> float:
    """Mb a second, or windows of models that have no Mb."""
    return getattr(row.found, stage) * (row.found.mb_per_window or 1.0)


def _draw_dimension(ax: Axes, groups: dict[str, list[Row]], dimension: str) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    ticks: set[int] = set()
    for color, (name, group) in zip(_COLORS * len(groups), groups.items(), strict=False):
        values, rows = _line(group, dimension)
        ax.plot(values, [_speed(row) for row in rows], "o-", color=color, linewidth=1.6, markersize=5, label=name)
        ax.plot(values, [_speed(row, "session") for row in rows], ":", color=color, linewidth=1.1)
        ticks.update(values)
        for row in group:
            if row.error and dimension == "batch_size" and row.setting.batch_size:
                ax.plot(row.setting.batch_size, 0.04, "x", color=color, transform=ax.get_xaxis_transform())
                ticks.add(row.setting.batch_size)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    highest = max(ticks, default=1).bit_length()
    powers = [2**one for one in range(highest + 1) if min(ticks, default=1) <= 2**one <= max(ticks, default=1)]
    ax.xaxis.set_major_locator(FixedLocator(powers if len(ticks) > 6 else sorted(ticks)))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.xaxis.set_minor_locator(NullLocator())
    failed = dimension == "batch_size" and any(row.error for group in groups.values() for row in group)
    ax.set_xlabel(_DIMENSIONS[dimension] + (" (cross: failed)" if failed else ""))
    ax.set_ylabel(f"{_unit(groups)}\nline: scan, dots: bare session", fontsize=9)
    low, high = ax.get_ylim()
    ax.set_ylim(low / 1.5, high * 1.5)  # room for a failed batch's cross, and at least one tick
    _plain_speeds(ax)


def _unit(groups: dict[str, list[Row]]) -> str:
    found = [row for group in groups.values() for row in group if row.found]
    of_reads = dict.fromkeys(Path(row.setting.model).name for row in found if row.found.mb_per_window is None)
    if not of_reads:
        return "Mb/s"
    return (
        "reads/s" if all(row.found.mb_per_window is None for row in found) else f"Mb/s ({', '.join(of_reads)}: reads/s)"
    )


def _plain_speeds(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.yaxis.set_minor_formatter("")
    ax.grid(axis="y", color="0.92")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)


def _draw_stages(ax: Axes, groups: dict[str, list[Row]]) -> None:
    best = {name: fastest(group) for name, group in groups.items()}
    best = {name: row for name, row in best.items() if row is not None}
    places = range(len(best))
    for shift, (stage, color) in zip((-0.27, 0.0, 0.27), _STAGES.items(), strict=True):
        label = {"session": "bare session", "scan": "whole scan"}.get(stage, stage)
        speeds = [_speed(row, stage) for row in best.values()]
        bars = ax.barh([place + shift for place in places], speeds, height=0.25, color=color, label=label)
        texts = [number(speed) for speed in speeds]
        if stage == "scan":
            times = [duration(row.found.human_genome_seconds) for row in best.values()]
            texts = [
                text if time == "-" else f"{text}: 3.1 Gb in {time}" for text, time in zip(texts, times, strict=True)
            ]
        ax.bar_label(bars, texts, padding=3, fontsize=7.5)
    ax.set_yticks(list(places), [_wrapped(name, row) for name, row in best.items()], fontsize=8)
    ax.invert_yaxis()
    ax.set_xscale("log")
    every = [_speed(row, stage) for row in best.values() for stage in _STAGES]
    ax.set_xlim(min(every) / 4, max(every) * 12)
    ax.set_xlabel(f"{_unit(groups)} of the fastest setting")
    ax.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)


def _wrapped(name: str, row: Row) -> str:
    return f"{name}\nbatch {row.found.batch_size}, {row.setting.workers} x {row.setting.threads} thr."
