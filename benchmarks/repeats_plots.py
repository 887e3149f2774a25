"""Plots of what repeats_accuracy.py measured.

    python benchmarks/repeats_plots.py benchmarks/results/repeats_accuracy.json

Beside the JSON: NAME.png (precision and recall), NAME.recall.png (recall by period and divergence, short repeats and
their limit) and NAME.calls.png (calibration, edges, repeats of every exact period).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

COLORS = {"genoscan": "#1f5fa8", "TRF": "#d1495b", "tantan": "#3a8f5c", "longdust": "#8d5fb0", "ULTRA": "#c98b1d"}
MARKERS = "os^Dv"
GENOSCAN = "genoscan repeats"
FIRST_TRF = "TRF 2 7 7 80 10 50 500"


def plot(result: dict, beside: Path) -> None:
    """Write the three figures next to the path of the JSON."""
    for suffix, draw in ((".png", precision_and_recall), (".recall.png", recall_maps), (".calls.png", calls)):
        figure = draw(result)
        figure.savefig(beside.with_suffix(suffix), dpi=110)
        plt.close(figure)


def color_of(tool: str) -> str:
    return COLORS.get(tool.split()[0], "0.4")


def markers(tools: list[str]) -> dict[str, str]:
    """A marker for each setting of a program."""
    seen: dict[str, int] = {}
    chosen = {}
    for tool in tools:
        number = seen[tool.split()[0]] = seen.get(tool.split()[0], -1) + 1
        chosen[tool] = MARKERS[number % len(MARKERS)]
    return chosen


def precision_and_recall(result: dict) -> plt.Figure:
    sets = result["sets"]
    figure, axes = plt.subplots(1, len(sets), figsize=(5.6 * len(sets), 8), layout="constrained", sharey=True)
    for axis, (name, one) in zip(axes, sets.items(), strict=True):
        by_base, by_call = one["curve"]["by_base"], one["curve"]["by_call"]
        axis.plot(
            by_base["recall"],
            by_base["precision"],
            color=COLORS["genoscan"],
            label="genoscan, threshold on base scores",
        )
        axis.plot(
            by_call["recall"],
            by_call["precision"],
            ":",
            color=COLORS["genoscan"],
            label="genoscan, along --threshold",
        )
        shapes = markers(list(one["tools"]))
        for tool, row in one["tools"].items():
            axis.plot(
                row["recall"],
                row["precision"],
                shapes[tool],
                color=color_of(tool),
                markersize=7,
                markeredgecolor="white",
                linestyle="none",
                label=f"{tool} (MCC {row['mcc']:.3f})",
            )
        background = one["about"].rpartition("background: ")[2]
        axis.set(xlabel="recall of bases", title=f"{name}\nbackground: {background}", xlim=(0, 1.02), ylim=(0.3, 1.02))
        axis.grid(color="0.9")
        axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.1), frameon=False)
    axes[0].set_ylabel("precision of bases")
    return figure


def recall_maps(result: dict) -> plt.Figure:
    """Above: the grid, each panel without indels | with them. Below: short repeats, first the limit of any method."""
    cells, short = result["grid"]["all"]["cells"], result["short"]["cells"]
    order = list(cells)
    first = [name for name in ("limit", *order) if name in short]
    columns = 4
    rows, short_rows = -(-len(order) // columns), -(-len(first) // columns)
    figure = plt.figure(figsize=(5.6 * columns, 2.35 * rows + 2.2 * short_rows), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(2.35 * rows, 2.2 * short_rows))
    above.suptitle(
        "recall of bases in the grid: period x substitutions in each copy; right half of a panel: with indels too"
    )
    below.suptitle(
        f"short repeats, independent bases; the limit is the exact likelihood ratio"
        f" at {result['short']['false_bases_per_mb']:g} false bases a Mb, those of {FIRST_TRF}"
    )  # fmt: skip
    for axis, name in zip_rest(above.subplots(rows, columns).flat, order):
        grid_panel(axis, cells[name], name)
    for axis, name in zip_rest(below.subplots(short_rows, columns).flat, first):
        short_panel(axis, short[name], name)
    return figure


def zip_rest(axes, names: list[str]):
    """Pairs of an axis and a name; axes that are left over are switched off."""
    axes = list(axes)
    for axis in axes[len(names) :]:
        axis.axis("off")
    return zip(axes, names, strict=False)


def grid_panel(axis: Axes, cells: list[dict], name: str) -> None:
    periods = [list(period) for period in dict.fromkeys(tuple(cell["period"]) for cell in cells)]
    columns = [
        (indels, cell["divergence"]) for indels in (False, True) for cell in cells[: len(cells) // len(periods) : 2]
    ]
    found = {(*cell["period"], cell["indels"], cell["divergence"]): cell["recall"] for cell in cells}
    table = np.array([[found[*period, *column] for column in columns] for period in periods], dtype=float)
    heat(axis, table, name)
    axis.axvline(len(columns) / 2 - 0.5, color="white", linewidth=4)
    axis.set_xticks(range(len(columns)), [f"{divergence:.0%}" for _, divergence in columns], fontsize=8)
    axis.set_yticks(range(len(periods)), [f"{low}-{high}" for low, high in periods], fontsize=8)


def short_panel(axis: Axes, cells: list[dict], name: str) -> None:
    lengths = list(dict.fromkeys(cell["length"] for cell in cells))
    table = np.array([cell["recall"] for cell in cells], dtype=float).reshape(len(lengths), -1)
    heat(axis, table, "limit of any method" if name == "limit" else name)
    axis.set_xticks(
        range(table.shape[1]), [f"{cell['divergence']:.0%}" for cell in cells[: table.shape[1]]], fontsize=8
    )
    axis.set_yticks(range(len(lengths)), [f"{length} bases" for length in lengths], fontsize=8)


def heat(axis: Axes, table: np.ndarray, title: str) -> None:
    axis.imshow(table, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        if not np.isnan(value):
            text = "1" if value == 1 else f"{np.floor(value * 100) / 100:.2f}"[1:]
            axis.text(
                column, row, text, ha="center", va="center", fontsize=8, color="white" if value > 0.55 else "black"
            )
    axis.set_title(title, fontsize=9)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def calls(result: dict) -> plt.Figure:
    figure, axes = plt.subplots(2, 2, figsize=(13, 9.5), layout="constrained")
    calibration(axes[0, 0], result["calibration"])
    edges(axes[0, 1], result["sets"]["Markov"]["tools"])
    clean_by_period(axes[1, 0], result["clean"]["tools"])
    worst_periods(axes[1, 1], result["clean"]["tools"])
    return figure


def calibration(axis: Axes, rows: dict) -> None:
    bins = rows["bins"]
    axis.plot([0, 1], [0, 1], "--", color="0.6", linewidth=1, label="perfectly calibrated")
    axis.plot(
        [b["score_of_bases"] for b in bins],
        [b["true_bases"] for b in bins],
        "o-",
        color=COLORS["genoscan"],
        label=f"bases of calls (expected error {rows['error_by_bases']:.3f})",
    )
    axis.plot(
        [b["score_of_calls"] for b in bins],
        [b["true_calls"] for b in bins],
        "s-",
        color=COLORS["ULTRA"],
        label=f"calls, at least half planted (expected error {rows['error_by_calls']:.3f})",
    )
    single = rows["single_bases"]
    axis.plot(
        [b["score_of_bases"] for b in single],
        [b["true_bases"] for b in single],
        "^:",
        color="0.4",
        label="single bases",
    )
    for one in bins:
        axis.annotate(
            f"{one['calls']}",
            (one["score_of_bases"], one["true_bases"]),
            (5, -11),
            textcoords="offset points",
            fontsize=7,
            color=COLORS["genoscan"],
        )
    axis.set(
        xlabel="score",
        ylabel="share that is true",
        title=f"calibration, {rows['bases'] / 1e6:g} Mb; figures: calls in a bin",
        xlim=(0, 1.02),
        ylim=(0, 1.02),
    )
    axis.grid(color="0.9")
    axis.legend(fontsize=8, loc="upper left")


def edges(axis: Axes, tools: dict) -> None:
    """Cumulative distances of edges, calls of repeats under 10 % divergence."""
    styles = ("-", "--", ":", "-.", (0, (1, 3)))
    seen: dict[str, int] = {}
    for tool, row in tools.items():
        counts = np.array(row["edges"].get("counts", []))
        if not len(counts):
            continue
        absolute = counts[30:].copy()
        absolute[1:] += counts[29::-1]
        number = seen[tool.split()[0]] = seen.get(tool.split()[0], -1) + 1
        axis.plot(
            np.cumsum(absolute)[:30] / absolute.sum(),
            color=color_of(tool),
            linestyle=styles[number % len(styles)],
            linewidth=2.2 if tool == GENOSCAN else 1.2,
            label=f"{tool} (median {row['edges']['median']:g})",
        )
    axis.set(
        xlabel="distance of a call's edge from the true one (bases)",
        ylabel="share of edges as near as that",
        title="edges of repeats under 10 % divergence that are called",
        ylim=(0, 1.02),
        xlim=(0, 20),
    )
    axis.grid(color="0.9")
    axis.legend(fontsize=7, loc="lower right")


def clean_by_period(axis: Axes, tools: dict) -> None:
    for tool, row in tools.items():
        bands = row["by_period"]
        middle = [np.sqrt(low * high) for low, high in (band["period"] for band in bands)]
        trf = tool.startswith("TRF") and tool != FIRST_TRF
        axis.plot(
            middle,
            [band["recall"] for band in bands],
            "--" if trf else "-",
            color=color_of(tool),
            marker=".",
            label=tool,
        )
    axis.axhline(0.99, color="0.6", linewidth=1, linestyle=":")
    axis.set(
        xscale="log",
        xlabel="period (bases)",
        ylabel="recall of bases",
        ylim=(None, 1.005),
        title="repeats of every exact period at 0-2 % divergence, from two copies on",
    )
    axis.grid(color="0.9")
    axis.legend(fontsize=8, loc="lower right")


def worst_periods(axis: Axes, tools: dict) -> None:
    worst = list(tools[GENOSCAN]["worst_periods"].items())
    axis.barh([f"{period}" for period, _ in worst][::-1], [share for _, share in worst][::-1], color=COLORS["genoscan"])
    axis.set(xlabel="recall of bases", ylabel="period", title="genoscan's worst periods of those", xlim=(0, 1))
    axis.tick_params(axis="y", labelsize=7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="JSON of repeats_accuracy.py")
    arguments = parser.parse_args()
    plot(json.loads(arguments.result.read_text()), arguments.result)


if __name__ == "__main__":
    main()
