"""`genoscan plot`: one region of some tracks as a picture: the raw score as a curve, calls as boxes below it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..scanner.batch import Sample, scan_samples
from ..scanner.errors import GenoscanError, UsageError
from ..scanner.reading.genome import open_genome
from ..scanner.reading.names import Names
from ..scanner.reading.regions import parse_regions
from ..scanner.writing.output import file_errors, placed, require_place
from .runs import Run, find_runs
from .tracks import Level, Place, Row, read_calls, read_levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENDINGS = (".png", ".svg", ".pdf")
LONGEST = 10_000_000
_MOST_LABELS = 30
_LETTER = 0.006
"""Width of a name's letter, of the whole width."""
_DARK = {"+": 1.0, ".": 1.0, "-": 0.55}
"""How dark the colour of each strand is."""


def plot_region(runs: Sequence[Run], region: str, output: Path) -> None:
    """Draw a region (chr1:1,001-2,000) of the runs to ``output``, a .png, .svg or .pdf. Where the raw scores of a run's
    scan are not among the runs, its model is run over the region again.

    `UsageError` for another ending and for what is no region; `GenoscanError` for a genome or a model that has changed.
    """
    from matplotlib.figure import Figure

    require_picture(output)
    place = _place(runs[0], region)
    calls = [run for run in runs if not run.levels]
    with tempfile.TemporaryDirectory(prefix="genoscan-plot-") as folder:
        curves = [run for run in runs if run.levels]
        for run in calls:
            if run.scored and not any(run.of_same_scan(one) for one in curves):
                curves.append(_scanned_again(run, place, Path(folder) / f"{len(curves)}.bedgraph"))
        drawn = [
            (
                run,
                {channel: list(read_levels(path, run.format, place)) for path, channel in run.channel_files().items()},
            )
            for run in curves
        ]
    rows = [(run, _packed(list(read_calls(run, place)), place)) for run in calls]
    heights = [2.0] * len(drawn) + [
        max(0.5, 0.32 * (max((one for _, one in packed), default=0) + 1)) for _, packed in rows
    ]
    figure = Figure(figsize=(11, 0.9 + sum(heights) + 0.25 * len(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for (run, channels), ax in zip(drawn, axes, strict=False):
        _draw_curves(ax, run, channels)
    for (run, packed), ax in zip(rows, axes[len(drawn) :], strict=True):
        _draw_calls(ax, run, packed)
    _label_positions(axes[-1], place)
    with placed(output) as partial, file_errors(output):
        figure.savefig(partial, dpi=150, format=output.suffix[1:].lower())


def require_picture(output: Path) -> None:
    """`UsageError` for a file that is no picture by its ending, `GenoscanError` for one that cannot be put there."""
    if output.suffix.lower() not in ENDINGS:
        raise UsageError(f"{output}: name a picture that ends in {', '.join(ENDINGS)}")
    require_place(output)


def _place(run: Run, region: str) -> Place:
    """The region as a place; contigs are those of the summary, or, where these are not all, of the genome."""
    genome = run.summary["genome"]
    contigs = genome["longest_contigs"]
    if len(contigs) < genome["contigs"]:
        with open_genome(genome["path"], lambda _: None) as opened:
            contigs = dict(zip(opened.names, opened.lengths.tolist(), strict=True))
    found = parse_regions([region], Names(contigs), np.array(list(contigs.values())), genome["path"])
    if len(found) != 1:
        raise UsageError(f"--region {region}: give one region, as chr1:1,001-2,000")
    contig, start, end = found[0].tolist()
    if end - start > LONGEST:
        raise UsageError(f"--region {region}: {end - start:,} bases are too many for one picture; at most {LONGEST:,}")
    return Place(list(contigs)[contig], start, end)


def _scanned_again(run: Run, place: Place, output: Path) -> Run:
    """The raw scores of the run's model in the place."""
    genome, model = run.summary["genome"]["path"], run.summary["model"]["path"]
    region = f"{place.chrom}:{place.start + 1}-{place.end}"
    try:
        scan_samples([Sample("region", genome, (model,), (region,))], str(output), device="cpu", quiet=True)
    except GenoscanError as error:
        raise GenoscanError(f"{error}; give the track of raw scores (--format bigwig) of the same scan too") from None
    (scanned,) = find_runs([str(output)])
    if not run.of_same_scan(scanned):
        raise GenoscanError(
            f"{run.output}: its genome or its model has changed since; give the track of raw scores "
            "(--format bigwig) of the same scan too"
        )
    return scanned


def _color(run: Run, strand: str) -> tuple[float, ...]:
    return tuple(int(one) / 255 * _DARK[strand] for one in run.card.track.color.split(","))


def _draw_curves(ax: Axes, run: Run, channels: dict) -> None:
    for channel, levels in channels.items():
        x, y = _steps(levels)
        strand = "" if channel.strand == "." else f" {channel.strand}"
        name = run.card.output.names[channel.output]
        style = "--" if channel.strand == "-" else "-"
        ax.plot(x, y, style, color=_color(run, channel.strand), linewidth=1.1, label=f"{name}{strand}")
    threshold = run.summary["calling"]["threshold"]
    ax.axhline(threshold, color="0.6", linewidth=0.8, linestyle=":", label=f"threshold {threshold:g}")
    ax.set_ylabel(f"{run.card.name}\nraw score", fontsize=9)
    ax.legend(loc="upper right", fontsize=8, frameon=False, ncols=4, bbox_to_anchor=(1, 1.16), borderaxespad=0)
    ax.margins(x=0)
    ax.spines[["top", "right"]].set_visible(False)


def _steps(levels: list[Level]) -> tuple[list[float], list[float]]:
    """The outline of levels, with gaps where there is no score."""
    x: list[float] = []
    y: list[float] = []
    for level in levels:
        if x and x[-1] != level.start:
            x.append(level.start)
            y.append(float("nan"))
        x += [level.start, level.end]
        y += [level.score, level.score]
    return x, y


def _packed(rows: list[Row], place: Place) -> list[tuple[Row, int]]:
    """Calls and the line each is drawn on, so that none is over another, nor their names where these are shown."""
    span = place.end - place.start
    gap, letter = span / 200, span * _LETTER if len(rows) <= _MOST_LABELS else 0.0
    ends: list[float] = []
    packed = []
    for row in sorted(rows, key=lambda row: (row.start, row.end)):
        line = next((number for number, end in enumerate(ends) if end <= row.start), len(ends))
        ends[line : line + 1] = [max(row.end, row.start + (len(row.name) + 2) * letter) + gap]
        packed.append((row, line))
    return packed


def _draw_calls(ax: Axes, run: Run, packed: list[tuple[Row, int]]) -> None:
    for row, line in packed:
        ax.barh(-line, row.end - row.start, left=row.start, height=0.62, color=_color(run, row.strand),
                alpha=0.35 + 0.65 * row.score / 1000, linewidth=0)  # fmt: skip
        if len(packed) <= _MOST_LABELS:
            sign = {"+": " ›", "-": " ‹"}.get(row.strand, "")
            ax.annotate(f"{row.name}{sign}", (row.start, -line - 0.34), fontsize=6.5, va="top", clip_on=True)
    ax.set_ylim(-max((line for _, line in packed), default=0) - 0.9, 0.6)
    ax.set_ylabel(f"{run.name}\n{len(packed):,} calls", fontsize=9, rotation=0, ha="right", va="center")
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)


def _label_positions(ax: Axes, place: Place) -> None:
    from matplotlib.ticker import FuncFormatter

    ax.set_xlim(place.start, place.end)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_xlabel(f"{place.chrom}:{place.start + 1:,}-{place.end:,}", fontsize=9)
    ax.tick_params(labelsize=8)
