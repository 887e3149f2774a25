"""Charts of a report as SVG within the page: they take their colours from its style sheet, so they are light or dark as
the page is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from .statistics import Density
from .tracks import Level

_LONG_NAME = 12
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 360, 190, 44, 8, 10, 34


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    ticks: Mapping[float, str],
    axis: str,
    what: str,
    powers: bool = False,
) -> str:
    """Bars between ``edges`` (in units of the axis, len(counts) + 1), with ticks (place: text) below.

    axis: what lies along it; what: what is counted. powers: bars are as high as the counts' logarithms.
    """
    low, high = edges[0], edges[-1]
    most = max([*counts, 1])
    steps = _powers_of_ten(most) if powers else [step for step in _round_steps(most) if step == int(step)]
    top = max(most, steps[-1])

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(count: float) -> float:
        share = math.log10(2 * count) / math.log10(2 * top) if powers else count / top  # one is still seen
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(step):.1f}" y2="{y(step):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y(step) + 3.5:.1f}" text-anchor="end">{short(step)}</text>'
        for step in steps
    ]
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            width = max(1.0, x(right) - x(left) - 1)
            height = max(1.0, _HEIGHT - _BOTTOM - y(count))
            parts.append(
                f'<rect class="bar" x="{x(left) + 0.5:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}" width="{width:.1f}" '
                f'height="{height:.1f}" rx="1"><title>{short(count)} {escape(what)}</title></rect>'
            )
    for place, text in ticks.items():
        if low <= place <= high:
            anchor = "start" if x(place) < _LEFT + 4 else "end" if x(place) > _WIDTH - _RIGHT - 4 else "middle"
            parts.append(f'<text x="{x(place):.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="{anchor}">{text}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(axis)}</text>')
    label = escape(f"{what} by {axis}", quote=True)
    return f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def logarithmic(values: Mapping[int, float], axis: str, what: str, each: int = 8) -> str:
    """A histogram of some whole numbers (number: count) on a logarithmic axis, ``each`` bins a factor of ten."""
    numbers, weights = (np.array(list(one), dtype=float) for one in (values, values.values()))
    places = np.log10(np.maximum(numbers, 1)) + 1e-9
    low, high = math.floor(places.min() * each), math.floor(places.max() * each) + 1
    edges = np.arange(low, max(high, low + each) + 1) / each
    counts, _ = np.histogram(places, edges, weights=weights)
    powers = range(math.floor(edges[0]), math.ceil(edges[-1]) + 1)
    ticks = {power + math.log10(digit): short(digit * 10.0**power) for power in powers for digit in (1, 2, 5)}
    ticks = {place: text for place, text in ticks.items() if edges[0] <= place <= edges[-1]}
    if len(ticks) > 6:
        ticks = {place: text for place, text in ticks.items() if place == int(place)}
    return histogram(edges.tolist(), counts.tolist(), ticks, axis, what)


def linear(
    values: Mapping[float, float], width: float, low: float, high: float, axis: str, what: str, powers: bool = False
) -> str:
    """A histogram on a linear axis from low to high, in bins of ``width``; what lies beyond is in the last ones.
    powers: as for `histogram`."""
    bins = max(1, round((high - low) / width))
    edges = low + width * np.arange(bins + 1)
    counts = np.zeros(bins)
    for value, count in values.items():
        counts[min(bins - 1, max(0, int((value - low) / width + 1e-9)))] += count
    step = _round_steps(high - low)[0] if high > low else 1.0
    places = np.arange(math.ceil(low / step), math.floor(high / step + 1e-9) + 1) * step
    ticks = {float(place): f"{place:.10g}" for place in places}
    return histogram(edges.tolist(), counts.tolist(), ticks, axis, what, powers)


def ideogram(density: Density, what: str, signed: bool) -> str:
    """Each contig as a row as long as it is; above its line what is on + or has no strand, below it what is on -.

    signed: shares may be negative (raw scores), so that the lowest value, not 0, is the line.
    """
    longest = max(density.lengths.values(), default=1)
    both = any(density.sums[name][1].any() for name in density.sums)
    low, high = _range(density, signed)
    labels, rows = told_apart(list(density.lengths)), []
    for name, length in density.lengths.items():
        shares = np.sqrt(np.clip((density.shares(name) - low) / (high - low or 1.0), 0, 1))
        bins = shares.shape[1]
        middle, tall = (20, 19) if both else (38, 37)
        path = _area(shares[0], middle, -tall) + (_area(shares[1], middle, tall) if both else "")
        rows.append(
            f'<div class="contig"><span class="contig-name" title="{escape(name, quote=True)}">'
            f"{escape(labels[name])}</span>"
            f'<span class="contig-bar"><svg style="width:{max(0.4, 100 * length / longest):.2f}%" '
            f'viewBox="0 0 {bins} 40" preserveAspectRatio="none" role="img" '
            f'aria-label="{escape(name, quote=True)}, {bases(length)}"><title>{escape(name)}: {bases(length)}</title>'
            f'<rect class="body" width="{bins}" height="40"/><path class="bar" d="{path}"/></svg></span></div>'
        )
    marks = "".join(
        f'<span style="left:{100 * step / longest:.2f}%">{bases(step)}</span>'
        for step in [0, *_round_steps(longest)]
        if step < 0.97 * longest
    )
    rows.append(
        f'<div class="contig scale"><span class="contig-name"></span><span class="contig-bar">{marks}</span></div>'
    )
    few = " few" if len(density.lengths) <= 3 else ""
    strands = "; above the line +, below it −" if both else ""
    elsewhere = f"; {density.elsewhere:,} lines on other contigs" if density.elsewhere else ""
    return (
        f'<div class="ideogram{few}">{"".join(rows)}</div><p class="note">{escape(what)} in bins of '
        f"{bases(density.size)}, highest {f'{high:.3g}' if signed else f'{100 * high:.3g} %'}, on a square-root "
        f"scale{strands}{elsewhere}.</p>"
    )


def told_apart(names: Sequence[str]) -> dict[str, str]:
    """Names as they fit beside a chart: of long ones without what all of them begin and end with."""
    if len(names) < 2 or max(map(len, names)) <= _LONG_NAME:
        return {name: name for name in names}
    words = [re.split(r"([_.|:-])", name) for name in names]
    fewest = min(map(len, words)) - 1
    begin = next((at for at in range(fewest) if len({one[at] for one in words}) > 1), fewest)
    end = next((at for at in range(fewest - begin) if len({one[-1 - at] for one in words}) > 1), fewest - begin)
    return {
        name: f"{'…' if begin else ''}{''.join(one[begin : len(one) - end])}{'…' if end else ''}"
        for name, one in zip(names, words, strict=True)
    }


def _range(density: Density, signed: bool) -> tuple[float, float]:
    values = np.concatenate([density.shares(name).ravel() for name in density.sums] or [np.zeros(1)])
    values = values[values != 0] if signed and (values != 0).any() else values
    return (float(values.min()) if signed else 0.0), float(values.max())


def _area(heights: np.ndarray, middle: float, tall: float) -> str:
    """The outline of bars of one unit's width, side by side."""
    if not heights.any():
        return ""
    steps = "".join(f"V{middle + tall * height:.1f}h1" for height in heights.tolist())
    return f"M0 {middle}{steps}V{middle}Z"


def _round_steps(most: float) -> list[float]:
    """One to four round numbers up to the highest."""
    raw = most / 4
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit >= raw * 0.999)
    return [step * number for number in range(1, 5) if step * number <= most * 1.0001] or [step]


def _powers_of_ten(most: float) -> list[float]:
    """Some powers of ten up to the highest, at most four."""
    last = math.floor(math.log10(most))
    return [10.0**power for power in range(last % 2 if last > 3 else 0, last + 1, 2 if last > 3 else 1)][-4:]


def short(value: float) -> str:
    """A count as an axis shows it: 950, 12k, 3.4M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def bases(value: float) -> str:
    """'950 bp', '12.3 kb', '400 kb', '3.1 Mb'."""
    for size, unit in ((1e9, "Gb"), (1e6, "Mb"), (1e3, "kb")):
        if value >= size:
            shown = value / size
            return f"{shown:.0f} {unit}" if shown >= 100 or shown == int(shown) else f"{shown:.1f} {unit}"
    return f"{value:.0f} bp"


def curve(levels: Sequence[Level], start: int, end: int, called: tuple[int, int]) -> str:
    """Raw scores over [start, end), the call within shaded; nothing without scores."""
    if not levels:
        return ""
    low, high = min(level.score for level in levels), max(level.score for level in levels)
    points, before = [], None
    for level in levels:
        y = 43 - 40 * (level.score - low) / ((high - low) or 1.0)
        x = max(0, level.start - start)
        points.append(f"{'L' if before == level.start else 'M'}{x} {y:.1f}H{min(end, level.end) - start}")
        before = level.end
    path = "".join(points)
    return (
        f'<svg class="curve" viewBox="0 0 {end - start} 46" preserveAspectRatio="none" role="img" '
        'aria-label="raw score">'
        f'<title>raw score, {low:.3g} to {high:.3g}</title><rect class="in" x="{called[0] - start}" '
        f'width="{called[1] - called[0]}" height="46"/><path d="{path}"/></svg>'
    )
