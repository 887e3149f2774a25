"""Accuracy on simulated repeats, base by base: genoscan beside TRF, tantan, longdust and ULTRA, all in one run.

    python benchmarks/repeats_accuracy.py --background hg38_piece.fa --out benchmarks/results/repeats_accuracy.json

The background is a sequence that the model was not trained on: the composition of the test genomes comes from it. Sets
(`repeat_sets`): drawn as the simulator draws (periods 1-500 over two kinds of background, periods 501-2000), a grid of
periods and divergences, every exact period at 0-2 %, short repeats with the limit of what can be told
(`repeats_limit`), and a larger genome for calibration. Every tool runs at its documented and at more sensitive
settings (`peers.TOOLS`), two at a time. genoscan is measured as it calls by default, as it calls along `--threshold`
(and along a threshold on its base scores, from bedGraph), and at the thresholds where its precision is that of a peer.

Written: a JSON, and plots beside it (`repeats_plots`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import repeats_plots
from peers import GENOSCAN, Calls, available, base_scores, covered, run_tool, run_tools
from repeat_measures import (
    UNIT,
    Marks,
    accuracy,
    base_reliability,
    clean_recall,
    curve,
    edge_distances,
    grid_recall,
    lost_cells,
    matched_threshold,
    period_agreement,
    reliability,
    short_recall,
    thinned,
)
from repeat_sets import RepeatSet, clean_set, drawn_set, grid_set, read_codes, short_set
from repeats_limit import limits

from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.throughput.machine import provenance

TRF = ("TRF 2 7 7 80 10 50 500", "TRF 2 5 7 80 10 40 2000", "TRF 2 3 5 80 10 30 2000")
QUICK = (
    GENOSCAN, *TRF, "tantan -f3", "tantan -f3 -w500", "tantan -f4 -w500", "longdust", "longdust -s2 -t0.5",
    "longdust -k8 -w20000",
)  # fmt: skip
SLOW = ("ULTRA -p 500", "ULTRA")
LONG = (
    GENOSCAN, "TRF 2 7 7 80 10 50 2000", *TRF[1:], "tantan -f4 -w2000", "tantan -f3 -w2000", "longdust",
    "longdust -k8 -w20000",
)  # fmt: skip
THRESHOLDS = (
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998,
)  # fmt: skip
"""Of `genoscan scan --threshold`."""


def marks_of(calls: Calls, repeats: RepeatSet) -> Marks:
    return {contig: covered(calls, contig, length) for contig, length in repeats.lengths.items()}


def calls_at(threshold: float, fasta: Path, model: str) -> Calls:
    return run_tool(GENOSCAN, fasta, model, options=("--threshold", str(threshold))).calls


def joined(parts: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate(list(parts.values()))


def drawn_result(repeats: RepeatSet, tools: tuple[str, ...], model: str) -> dict:
    """Precision, recall, MCC and edges of every tool, and genoscan's curves and matched thresholds."""
    labels = repeats.labels()
    result: dict = {
        "about": repeats.about,
        "bases": len(labels),
        "repeats": sum(map(len, repeats.truths.values())),
        "share_in_repeats": round(float(labels.mean()), 4),
        "tools": {},
    }
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        fasta = repeats.write(Path(folder))
        scores = joined(base_scores(fasta, repeats.lengths, model))
        points = [
            {"threshold": threshold, **accuracy(marks_of(calls_at(threshold, fasta, model), repeats), labels)}
            for threshold in THRESHOLDS
        ]
        for tool, run in run_tools(tools, fasta, model):
            marks = marks_of(run.calls, repeats)
            false = joined(marks) & ~labels
            result["tools"][tool] = {
                **accuracy(marks, labels),
                "false_bases_per_mb": round(float(false.mean()) * 1e6, 1),
                "edges": edge_distances(run.calls, repeats),
                "period": period_agreement(run.calls, repeats),
            }
            say(tool, result["tools"][tool], "precision", "recall", "f1", "mcc", "false_bases_per_mb")
    by_base = curve(scores, labels, UNIT)
    by_call = {key: [point[key] for point in points] for key in ("threshold", "precision", "recall", "mcc")}
    result["curve"] = {"by_base": thinned(by_base), "by_call": by_call}
    result["best_threshold"] = max(points, key=lambda point: point["mcc"])
    result["at_precision_of"] = {
        tool: {
            "precision": row["precision"],
            "recall_of_the_peer": row["recall"],
            "genoscan": matched_threshold(points, row["precision"]),
        }
        for tool, row in result["tools"].items()
        if tool != GENOSCAN
    }
    return result


def grid_result(grid: RepeatSet, matched: dict, model: str) -> dict:
    """Recall in every cell of every tool, of genoscan also at the thresholds of equal precision, and where peers win.

    ``matched``: for each peer the threshold at which genoscan's precision is the peer's.
    """
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        fasta = grid.write(Path(folder))
        tools = run_tools((GENOSCAN, *SLOW, *QUICK[1:]), fasta, model)
        marks = {tool: marks_of(run.calls, grid) for tool, run in tools}
        at = {one: marks_of(calls_at(one, fasta, model), grid) for one in sorted(set(matched.values()))}
    ours = {tool: at[threshold] for tool, threshold in matched.items()}
    result: dict = {"about": grid.about}
    for name, shortest in (("all", 0), ("50 bases or more", 50)):
        peers = {tool: grid_recall(some, grid, shortest) for tool, some in marks.items()}
        equal = {tool: grid_recall(some, grid, shortest) for tool, some in ours.items()}
        lost = {f"each peer at its own precision: {tool}": lost_cells(equal[tool], peers[tool]) for tool in equal}
        if TRF[0] in equal:
            lost |= {f"genoscan at the precision of {TRF[0]}: {t}": lost_cells(equal[TRF[0]], peers[t]) for t in equal}
        cells = {
            GENOSCAN: peers.pop(GENOSCAN),
            **{matched_name(tool): equal[tool] for tool in TRF if tool in equal},
            **peers,
        }
        result[name] = {"cells": cells, "cells_where_a_peer_finds_more": lost}
    return result


def matched_name(tool: str) -> str:
    return f"genoscan at the precision of {tool}"


def short_result(codes: np.ndarray, each: int, false_rate: float, matched: dict, model: str) -> dict:
    short = short_set(codes, each)
    result: dict = {"about": short.about, "false_bases_per_mb": round(false_rate * 1e6, 1), "cells": {}}
    result["cells"]["limit"] = limits(codes, false_rate, 40_000)
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        fasta = short.write(Path(folder))
        if TRF[0] in matched:
            calls = calls_at(matched[TRF[0]], fasta, model)
            result["cells"][matched_name(TRF[0])] = short_recall(marks_of(calls, short), short)
        for tool, run in run_tools((*QUICK, "ULTRA"), fasta, model):
            result["cells"][tool] = short_recall(marks_of(run.calls, short), short)
    return result


def clean_result(clean: RepeatSet, model: str) -> dict:
    result: dict = {"about": clean.about, "tools": {}}
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        fasta = clean.write(Path(folder))
        for tool, run in run_tools((GENOSCAN, *TRF[:2], "tantan -f4 -w500", "longdust -s2 -t0.5"), fasta, model):
            result["tools"][tool] = clean_recall(marks_of(run.calls, clean), clean)
            say(tool, result["tools"][tool], "recall", "found", "periods_below_99_percent")
    return result


def calibration_result(repeats: RepeatSet, model: str) -> dict:
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        fasta = repeats.write(Path(folder))
        scores = joined(base_scores(fasta, repeats.lengths, model))
        calls = run_tool(GENOSCAN, fasta, model).calls
    return {
        "about": repeats.about,
        "bases": len(scores),
        **reliability(calls, repeats),
        "single_bases": base_reliability(scores, repeats.labels()),
    }


def say(name: str, row: dict, *keys: str) -> None:
    print(f"{name:32s}", " ".join(f"{key} {row[key]}" for key in keys), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--background", required=True, help="FASTA whose composition the test genomes take")
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--scale", type=float, default=1.0, help="size of all sets: 0.1 for a quick look")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    started, scale, model = time.perf_counter(), arguments.scale, arguments.model
    codes = read_codes(arguments.background)
    result: dict = {
        **provenance(),
        "genoscan": __version__,
        "model": read_card(find_model(model)).version,
        "background": Path(arguments.background).name,
        "scale": scale,
        "sets": {},
    }
    bases, extra = int(1_000_000 * scale), tuple(filter(available, SLOW))
    for name, periods, real, tools in (
        ("Markov", (1, 500), False, (GENOSCAN, *extra, *QUICK[1:])),
        ("shuffled", (1, 500), True, QUICK),
        ("long periods", (501, 2000), False, LONG),
    ):
        print(f"{name}, after {time.perf_counter() - started:.0f} s", flush=True)
        result["sets"][name] = drawn_result(drawn_set(codes, name, periods, 4, bases, real), tools, model)
    main_set = result["sets"]["Markov"]
    matched = {
        tool: row["genoscan"]["threshold"] for tool, row in main_set["at_precision_of"].items() if row["genoscan"]
    }
    print(f"grid, after {time.perf_counter() - started:.0f} s", flush=True)
    result["grid"] = grid_result(grid_set(codes, max(4, int(80 * scale))), matched, model)
    print(f"short, after {time.perf_counter() - started:.0f} s", flush=True)
    reference = main_set["tools"].get(TRF[0], main_set["tools"][GENOSCAN])
    result["short"] = short_result(
        codes, max(10, int(120 * scale)), reference["false_bases_per_mb"] / 1e6, matched, model
    )
    print(f"clean, after {time.perf_counter() - started:.0f} s", flush=True)
    result["clean"] = clean_result(clean_set(codes, 500, max(1, round(2 * scale))), model)
    result["calibration"] = calibration_result(drawn_set(codes, "calibration", (1, 500), 4, 6 * bases, False), model)
    result["seconds"] = round(time.perf_counter() - started)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    repeats_plots.plot(result, arguments.out)


if __name__ == "__main__":
    main()
