"""Several recipes, or ways to adapt one network, side by side: one table of quality and of what it costs.

Each run is a process of its own, so that its memory is its own, and a folder of its own, so that it is resumed.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...scanner.errors import GenoscanError, UsageError
from ..checkpoint import RUN
from ..fit import say
from ..whole_files import write_whole
from .recipe import SequenceRecipe, load_sequence_recipe
from .run import MEASURES

TABLE, PLOT, RESULTS = "compare.tsv", "compare.png", "compare.json"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WAYS = ("full", "scratch", "lora", "frozen", "probe")


@dataclass(frozen=True)
class Variant:
    """A run of the comparison. changes: ``FIELD=VALUE``, as `--set` takes them."""

    label: str
    recipe: str
    changes: tuple[str, ...]


def parse_variants(recipes: Sequence[str], texts: Sequence[str], changes: Sequence[str]) -> list[Variant]:
    """Each recipe in each variant: "LABEL FIELD=VALUE ...", or the bare name of a way to adapt.

    ``changes`` are common to all. `UsageError` for labels that are no names or come twice.
    """
    variants = []
    for recipe in recipes:
        for text in texts or ("",):
            label, *own = text.split()[:1], *text.split()[1:]
            name = label[0] if label else ""
            if name in _WAYS and not own:
                own = [f"adapt.way={name}"]
            stem = Path(recipe).stem if len(recipes) > 1 or not name else ""
            whole = "-".join(part for part in (stem, name) if part)
            if not _LABEL.fullmatch(whole) or any("=" not in one for one in own):
                raise UsageError(f"--variant {text}: say LABEL FIELD=VALUE ..., or one of {', '.join(_WAYS)}")
            variants.append(Variant(whole, recipe, (*changes, *own)))
    labels = [one.label for one in variants]
    twice = {one for one in labels if labels.count(one) > 1}
    if twice:
        raise UsageError(f"--variant {min(twice)}: comes twice: give each a label of its own")
    return variants


def compare(
    variants: Sequence[Variant],
    out: str | Path,
    device: str = "auto",
    threads: int | None = None,
    time_limit: float | None = None,
    log: Callable[[str], None] = say,
) -> list[dict[str, Any]]:
    """Train every variant into ``out``/LABEL and write compare.json, compare.tsv and compare.png.

    Returns a dictionary a variant: label, way, trainable parameters, seconds, peak memory in bytes, and measures by split;
    those of finished runs only, where the time limit (minutes) came first. `GenoscanError` where a run fails.
    """
    start, out = time.monotonic(), Path(out)
    recipes = [load_sequence_recipe(one.recipe, one.changes) for one in variants]  # before any is trained
    out.mkdir(parents=True, exist_ok=True)
    _note(out, False)
    found = []
    for variant, recipe in zip(variants, recipes, strict=True):
        left = None if time_limit is None else time_limit - (time.monotonic() - start) / 60
        if left is not None and left <= 0:
            break
        folder = out / variant.label
        log(f"{variant.label}:")
        _train(variant, folder, device, threads, left)
        if not json.loads((folder / RUN).read_text(encoding="utf-8"))["finished"]:
            break
        found.append(_result(variant, recipe, folder))
        _write(out, found, recipes[0].best_by)
    if len(found) < len(variants):
        log(f"time limit: {len(found)} of {len(variants)} are trained; the same command goes on from there")
    else:
        _note(out, True)
    return found


def _note(out: Path, finished: bool) -> None:
    write_whole(out / RUN, (json.dumps({"finished": finished}) + "\n").encode())


def _train(variant: Variant, folder: Path, device: str, threads: int | None, left: float | None) -> None:
    command = [sys.executable, "-m", "genoscan", "train", "promoter", "--recipe", variant.recipe, "-o", str(folder)]
    command += [word for change in variant.changes for word in ("--set", change)]
    command += ["--device", device, *(["--threads", str(threads)] if threads else [])]
    command += ["--time-limit", f"{left:.6f}"] if left is not None else []
    status = subprocess.run(command, check=False).returncode
    if status in (130, 143):
        raise SystemExit(status)
    if status:
        raise GenoscanError(f"{variant.label}: the run ended with exit code {status}: see its last line above")


def _result(variant: Variant, recipe: SequenceRecipe, folder: Path) -> dict[str, Any]:
    run, measures, parameters = (
        json.loads((folder / name).read_text(encoding="utf-8")) for name in (RUN, MEASURES, "parameters.json")
    )
    return {
        "label": variant.label,
        "way": recipe.adapt.way,
        "changes": list(variant.changes),
        "trainable": parameters["trainable"],
        "parameters": parameters["all"],
        "seconds": round(sum(one.get("seconds", 0.0) for one in run["sessions"]), 1),
        "peak_memory": max(one.get("peak_memory", 0) for one in run["sessions"]),
        "device": run["sessions"][-1]["device"],
        "measures": measures,
    }


def table_text(found: Sequence[dict[str, Any]]) -> str:
    """Tab-separated: a row a variant, the measures of the test split (validation where there is none) with intervals."""
    splits = ["test" if "test" in one["measures"] else "validation" for one in found]
    names = list(
        dict.fromkeys(name for one, split in zip(found, splits, strict=True) for name in one["measures"][split])
    )
    header = ["label", "way", "trainable", "parameters", "seconds", "peak_memory_MB", "split"]
    lines = ["\t".join(header + [part for name in names for part in (name, f"{name}_low", f"{name}_high")])]
    for one, split in zip(found, splits, strict=True):
        fields = [one["label"], one["way"], one["trainable"], one["parameters"], one["seconds"]]
        fields += [round(one["peak_memory"] / 1e6), split]
        for name in names:
            fields += [
                f"{value:.4f}" for value in one["measures"][split].get(name, dict.fromkeys("vlh", math.nan)).values()
            ]
        lines.append("\t".join(map(str, fields)))
    return "\n".join(lines) + "\n"


def shown_table(found: Sequence[dict[str, Any]], best_by: str) -> str:
    """The table for the eye: one measure, in columns."""
    rows = [("", "way", best_by, "95 % interval", "trainable", "seconds", "peak MB")]
    for one in found:
        measure = _measure(one, best_by)
        interval = f"{measure['low']:.4f} to {measure['high']:.4f}"
        cost = (f"{one['trainable']:,}", f"{one['seconds']:.1f}", f"{one['peak_memory'] / 1e6:,.0f}")
        rows.append((one["label"], one["way"], f"{measure['value']:.4f}", interval, *cost))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) if column < 2 else text.rjust(width) for column, (text, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    )


def _measure(one: dict[str, Any], name: str) -> dict[str, float]:
    found = one["measures"].get("test") or one["measures"]["validation"]
    return found.get(name) or dict.fromkeys(("value", "low", "high"), math.nan)


def _write(out: Path, found: Sequence[dict[str, Any]], best_by: str) -> None:
    write_whole(out / RESULTS, (json.dumps(found, indent=2) + "\n").encode())
    write_whole(out / TABLE, table_text(found).encode())
    try:
        import matplotlib.figure as figures
    except ImportError:
        return
    labels, chosen = [one["label"] for one in found], [_measure(one, best_by) for one in found]
    values = [one["value"] for one in chosen]
    ends = [[one["value"] - one["low"] for one in chosen], [one["high"] - one["value"] for one in chosen]]
    figure = figures.Figure(figsize=(9, 0.5 * len(found) + 1.6), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    panels[0].errorbar(values, labels, xerr=[[max(0.0, one) for one in side] for side in ends], fmt="o", capsize=3)
    panels[0].set_xlabel(f"{best_by}, 95 % interval")
    for panel, name, unit in ((panels[1], "trainable", "trainable parameters"), (panels[2], "seconds", "seconds")):
        panel.barh(labels, [one[name] for one in found])
        panel.set_xlabel(unit)
        panel.set_xscale("symlog" if name == "trainable" else "linear")
    panels[0].invert_yaxis()
    figure.savefig(out / PLOT, dpi=150)
