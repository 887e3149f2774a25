"""Tables and a plot of how good methods are on simulated mixtures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...scanner.errors import GenoscanError
from ..whole_files import write_png, write_whole
from .measures import OFTEN, Estimates

_COLORS = ("#b3456e", "#1f5fa8", "#c98b1d", "#3a8f5c")


def write_tables(out: Path, found: Mapping[str, Estimates], cell_types: Sequence[str], facts: dict[str, Any]) -> None:
    """Into the folder ``out``: mixtures.json, mixtures.tsv (a line a method), mixtures.estimates.tsv (a line for each
    mixture and cell type), detection.tsv (a line for each method and share of the spike) and mixtures.png."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenoscanError(f"{out}: cannot make the folder: {error.strerror}") from None
    measures = {name: one.measures() for name, one in found.items()}
    rates = {name: one.detection.found for name, one in found.items()}
    rows = [[name, *map(_text, one.values())] for name, one in measures.items()]
    write_whole(out / "mixtures.tsv", _table(["method", *next(iter(measures.values()))], rows))
    rows = _shares(found, cell_types)
    write_whole(out / "mixtures.estimates.tsv", _table(["mixture", "tissue", "share", *found], rows))
    rows = [[name, f"{share:g}", _text(rate)] for name, one in rates.items() for share, rate in one.items()]
    write_whole(out / "detection.tsv", _table(["method", "share", "found"], rows))
    content = {**facts, "measures": measures, "found": rates}
    write_whole(out / "mixtures.json", (json.dumps(content, indent=2) + "\n").encode())
    plot_mixtures(found, facts["spike"], out / "mixtures.png")


def _shares(found: Mapping[str, Estimates], cell_types: Sequence[str]) -> list[list[str]]:
    """Lines of what is true of each mixture and cell type, and of what each method says."""
    truth = next(iter(found.values())).truth
    return [
        [str(mixture + 1), kin, _text(share), *(_text(one.found[mixture, place]) for one in found.values())]
        for mixture, shares in enumerate(truth)
        for place, (kin, share) in enumerate(zip(cell_types, shares, strict=True))
    ]


def _text(value: float | None) -> str:
    return "NA" if value is None else f"{value:.6f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    return "".join("\t".join(row) + "\n" for row in (header, *rows)).encode()


def plot_mixtures(found: Mapping[str, Estimates], spike: str, path: Path) -> None:
    """A PNG: estimates of the first method beside the truth, and how often each method finds a spike by its share."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    shares, rates = figure.subplots(1, 2)
    name, first = next(iter(found.items()))
    shares.plot(first.truth.ravel(), first.found.ravel(), ".", color=_COLORS[0], alpha=0.4, markersize=4)
    most = max(float(first.truth.max()), float(first.found.max()))
    shares.plot([0, most], [0, most], color="0.7", lw=0.8)
    shares.set(xlabel="true share", ylabel=f"estimate of {name}")
    for (name, one), color in zip(found.items(), _COLORS, strict=False):
        detected = one.detection
        label = f"{name} ({detected.false_rate:.0%} false)"
        rates.plot(list(detected.found), list(detected.found.values()), "o-", color=color, label=label)
    rates.axhline(OFTEN, color="0.7", lw=0.8)
    rates.set(xlabel=f"share of {spike}", ylabel="share of mixtures in which it is found", xscale="log", ylim=(0, 1.03))
    rates.legend(fontsize=8)
    write_png(path, figure)
