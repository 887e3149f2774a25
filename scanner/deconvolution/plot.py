"""Proportions of samples as stacked bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..writing.output import file_errors
from .estimates import UNKNOWN, Estimate

_SHOWN = 15
"""So many tissues have a colour of their own: those with the largest means."""
SUFFIXES = (".png", ".svg", ".pdf")


def require_plot(path: Path) -> None:
    """`UsageError` for a name that says no known kind of picture."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a plot's name must end in {', '.join(SUFFIXES)}")


def plot_proportions(estimates: Sequence[Estimate], path: Path) -> None:
    """A bar for each sample, tissues one above another, the largest first; what is left is 'other'."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    tissues = list(dict.fromkeys(tissue for one in estimates for tissue in one.tissues))
    places = {tissue: place for place, tissue in enumerate(tissues)}
    shares = np.zeros((len(estimates), len(tissues)))
    for row, one in enumerate(estimates):
        shares[row, [places[tissue] for tissue in one.tissues]] = one.proportions
    named = [place for place in np.argsort(-shares.mean(axis=0), kind="stable") if tissues[place] != UNKNOWN]
    shown = [place for place in named[:_SHOWN] if shares[:, place].max() > 0]
    parts = [(tissues[place], shares[:, place], colormaps["tab20"](number)) for number, place in enumerate(shown)]
    rest = [place for place in named if place not in shown]
    if shares[:, rest].any():
        parts.append(("other", shares[:, rest].sum(axis=1), "0.55"))
    if UNKNOWN in places:
        parts.append((UNKNOWN, shares[:, places[UNKNOWN]], "0.85"))
    figure = Figure(figsize=(max(4.5, 2.8 + 0.35 * len(estimates)), 4.6), layout="constrained")
    axes = figure.subplots()
    below = np.zeros(len(estimates))
    for label, heights, color in parts:
        axes.bar(range(len(estimates)), heights, bottom=below, color=color, label=label, width=0.85)
        below += heights
    axes.set_xticks(range(len(estimates)), [one.sample for one in estimates], rotation=60, ha="right")
    axes.set_ylim(0, 1)
    axes.set_ylabel("proportion")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", fontsize=7, frameon=False)
    with file_errors(path):
        figure.savefig(path, dpi=150)
