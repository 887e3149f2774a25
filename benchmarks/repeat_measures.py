"""Measures of repeat calls against what was planted: pure functions of calls, truth and marked bases."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np
from peers import CALL, Calls
from repeat_sets import CLEAN_CASES, DIVERGENCES, GRID_PERIODS, SHORT_LENGTHS, RepeatSet

from genoscan.training.metrics import count, measures

UNIT = 10_000
"""Base scores are whole ten-thousandths."""
BAND_SIZE = 10
Marks = dict[str, np.ndarray]
"""bool of each contig: the bases that are called."""


def accuracy(marks: Marks, labels: np.ndarray) -> dict[str, float]:
    found = measures(count(np.concatenate(list(marks.values())), labels))
    return {key: round(float(value), 4) for key, value in found.items()}


def curve(scores: np.ndarray, labels: np.ndarray, unit: int) -> dict[str, np.ndarray]:
    """Precision, recall and MCC of "called where the score is at least t", for t = 1 ... ``unit`` (whole numbers)."""
    hits = np.bincount(scores[labels], minlength=unit + 1)[: unit + 1]
    misses = np.bincount(scores[~labels], minlength=unit + 1)[: unit + 1]
    true = np.cumsum(hits[::-1])[::-1][1:].astype(float)
    false = np.cumsum(misses[::-1])[::-1][1:].astype(float)
    positives, negatives = float(labels.sum()), float((~labels).sum())
    called = true + false
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(called > 0, true / called, 1.0)
        spread = np.sqrt(called * positives * negatives * (positives + negatives - called))
        mcc = np.nan_to_num((true * (negatives - false) - false * (positives - true)) / spread)
    return {"threshold": np.arange(1, unit + 1) / unit, "precision": precision, "recall": true / positives, "mcc": mcc}


def thinned(points: dict[str, np.ndarray], most: int = 200) -> dict[str, list[float]]:
    """A curve of so many points, evenly spaced along precision and recall together, for plotting."""
    path = np.cumsum(np.abs(np.diff(points["precision"], prepend=1)) + np.abs(np.diff(points["recall"], prepend=1)))
    chosen = np.unique(np.searchsorted(path, np.linspace(path[0], path[-1], most)).clip(max=len(path) - 1))
    return {key: [round(float(value), 4) for value in values[chosen]] for key, values in points.items()}


def matched_threshold(points: list[dict[str, float]], precision: float) -> dict[str, float] | None:
    """Of points with 'threshold' and 'precision' the lowest threshold from which on precision is never below the wanted
    one; None where there is none."""
    matched = None
    for point in sorted(points, key=lambda one: -one["threshold"]):
        if point["precision"] < precision:
            break
        matched = point
    return matched


def found_bases(marks: Marks, truths: dict[str, np.ndarray]) -> np.ndarray:
    """int64: called bases of each planted repeat, the contigs' one after another."""
    found = []
    for contig, truth in truths.items():
        sums = np.concatenate(([0], np.cumsum(marks[contig], dtype=np.int64)))
        found.append(sums[truth["end"]] - sums[truth["start"]])
    return np.concatenate(found)


def recall_cell(found: np.ndarray, sizes: np.ndarray, chosen: np.ndarray) -> dict:
    """Recall of bases, and the share of repeats of which at least half is called."""
    total = int(sizes[chosen].sum())
    halves = found[chosen] * 2 >= sizes[chosen]
    return {
        "repeats": int(chosen.sum()),
        "recall": round(float(found[chosen].sum() / total), 4) if total else None,
        "found": round(float(halves.mean()), 4) if total else None,
    }


def _all_truth(truths: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    truth = np.concatenate(list(truths.values()))
    return truth, truth["end"] - truth["start"]


def grid_recall(marks: Marks, grid: RepeatSet, shortest: int = 0) -> list[dict]:
    """Recall in each cell of period class x divergence, without and with indels, of repeats of ``shortest`` or more."""
    truth, sizes = _all_truth(grid.truths)
    found = found_bases(marks, grid.truths)
    cells = []
    for (low, high), divergence, indels in product(GRID_PERIODS, DIVERGENCES, (False, True)):
        chosen = (truth["period"] >= low) & (truth["period"] <= high) & ((truth["indels"] > 0) == indels)
        chosen &= np.isclose(truth["divergence"], divergence) & (sizes >= shortest)
        cells.append(
            {"period": [low, high], "divergence": divergence, "indels": indels, **recall_cell(found, sizes, chosen)}
        )
    return cells


def short_recall(marks: Marks, short: RepeatSet) -> list[dict]:
    truth, sizes = _all_truth(short.truths)
    found = found_bases(marks, short.truths)
    return [
        {
            "length": length,
            "divergence": divergence,
            **recall_cell(found, sizes, (sizes == length) & np.isclose(truth["divergence"], divergence)),
        }
        for length, divergence in product(SHORT_LENGTHS, DIVERGENCES)
    ]


def clean_recall(marks: Marks, clean: RepeatSet) -> dict:
    """Of the set of every period: bases found in all, by case, by band of periods, the worst periods."""
    truth, sizes = _all_truth(clean.truths)
    found = found_bases(marks, clean.truths)
    periods, copies = truth["period"], truth["copies"]
    lost = sizes - found
    untouched = found == 0

    def bands() -> Iterable[tuple[int, int]]:
        yield from ((p, p) for p in range(1, 7))
        yield from ((low, low + BAND_SIZE - 1) for low in range(7, 47, BAND_SIZE))
        yield from ((low, min(low + 49, 500)) for low in range(47, 500, 50))

    by_period = {
        p: round(float(found[periods == p].sum() / sizes[periods == p].sum()), 4) for p in np.unique(periods).tolist()
    }
    return {
        **recall_cell(found, sizes, periods > 0),
        "periods_below_99_percent": sum(share < 0.99 for share in by_period.values()),
        "worst_periods": dict(sorted(by_period.items(), key=lambda one: one[1])[:25]),
        "repeats_without_a_call": int(untouched.sum()),
        "share_of_lost_bases_in_repeats_without_a_call": round(float(lost[untouched].sum() / max(1, lost.sum())), 3),
        "by_case_from_period_13": [
            {
                "copies": c,
                "divergence": d,
                **recall_cell(
                    found, sizes, (periods >= 13) & np.isclose(truth["divergence"], d) & (abs(copies - c) < 0.1)
                ),
            }
            for c, d in CLEAN_CASES
        ],
        "by_period": [
            {"period": [low, high], **recall_cell(found, sizes, (periods >= low) & (periods <= high))}
            for low, high in bands()
        ],
    }


def edge_distances(calls: Calls, repeats: RepeatSet, most_divergence: float = 0.10) -> dict:
    """Distances from the true edges to the outermost edges of the calls that overlap a repeat, in bases.

    Repeats of less than ``most_divergence`` that some call overlaps. Signed: positive where the call reaches too far.
    """
    signed = []
    for contig, truth in repeats.truths.items():
        some = calls.get(contig)
        for one in truth[truth["divergence"] < most_divergence] if some is not None else ():
            over = some[(some["start"] < one["end"]) & (some["end"] > one["start"])]
            if len(over):
                signed += [one["start"] - over["start"].min(), over["end"].max() - one["end"]]
    if not signed:
        return {"edges": 0}
    distances = np.array(signed)
    absolute = np.abs(distances)
    return {
        "edges": len(distances),
        "median": float(np.median(absolute)),
        "quantiles": {f"{q}": float(np.quantile(absolute, q)) for q in (0.25, 0.5, 0.75, 0.9, 0.95)},
        "mean_signed": round(float(distances.mean()), 2),
        "within_3": round(float((absolute <= 3).mean()), 4),
        "counts": np.bincount(np.clip(distances, -30, 30) + 30, minlength=61).tolist(),
    }


def period_agreement(calls: Calls, repeats: RepeatSet, most_divergence: float = 0.10) -> dict | None:
    """How often the call that shares most with a repeat tells its period, or a whole multiple of it.

    Of repeats under ``most_divergence`` that some call overlaps; None for a tool that tells no periods.
    """
    told = exact = multiple = 0
    for contig, truth in repeats.truths.items():
        some = calls.get(contig, np.empty(0, dtype=CALL))
        for one in truth[truth["divergence"] < most_divergence] if len(some) else ():
            shared = np.minimum(some["end"], one["end"]) - np.maximum(some["start"], one["start"])
            period = int(some["period"][np.argmax(shared)])
            if shared.max() > 0 and period:
                told += 1
                exact += period == one["period"]
                multiple += period % int(one["period"]) == 0
    if not told:
        return None
    return {"repeats": told, "exact": round(exact / told, 4), "exact_or_multiple": round(multiple / told, 4)}


def reliability(calls: Calls, repeats: RepeatSet, bins: int = 10) -> dict:
    """For calls by score: how many there are, their mean score, and what share of their bases and of them is true.

    The expected calibration error is the mean over bins of the distance between score and true share, weighted by
    bases (or by calls, true where at least half of the call is planted).
    """
    scores, true, sizes = [], [], []
    for contig, some in calls.items():
        planted = np.zeros(repeats.lengths[contig] + 1, dtype=np.int64)
        for one in repeats.truths[contig]:
            planted[one["start"] + 1 : one["end"] + 1] = 1
        sums = np.cumsum(planted)
        scores.append(some["score"] / 1000)
        true.append(sums[some["end"]] - sums[some["start"]])
        sizes.append(some["end"] - some["start"])
    score, hits, size = (np.concatenate(part) for part in (scores, true, sizes))
    place = np.minimum((score * bins).astype(int), bins - 1)
    rows = [
        _bin_row(bin_, bins, *(part[place == bin_] for part in (score, hits, size)))
        for bin_ in np.unique(place).tolist()
    ]
    return {
        "calls": len(score),
        "error_by_bases": _calibration_error(rows, "bases", "score_of_bases", "true_bases"),
        "error_by_calls": _calibration_error(rows, "calls", "score_of_calls", "true_calls"),
        "bins": rows,
    }


def _bin_row(number: int, bins: int, score: np.ndarray, hits: np.ndarray, size: np.ndarray) -> dict:
    return {
        "scores": [number / bins, (number + 1) / bins],
        "calls": len(score),
        "bases": int(size.sum()),
        "score_of_calls": round(float(score.mean()), 4),
        "score_of_bases": round(float((score * size).sum() / size.sum()), 4),
        "true_calls": round(float((hits * 2 >= size).mean()), 4),
        "touching_calls": round(float((hits > 0).mean()), 4),
        "true_bases": round(float(hits.sum() / size.sum()), 4),
    }


def _calibration_error(rows: list[dict], weight: str, score: str, share: str) -> float:
    total = sum(row[weight] for row in rows)
    return round(sum(row[weight] * abs(row[score] - row[share]) for row in rows) / total, 4)


def base_reliability(scores: np.ndarray, labels: np.ndarray, bins: int = 10) -> list[dict]:
    """The same for single bases scored above 0.05: mean score and share planted, by bin."""
    place = np.minimum(scores.astype(np.int64) * bins // UNIT, bins - 1)
    rows = []
    for number in range(bins):
        chosen = (place == number) & (scores > 0.05 * UNIT)
        if chosen.any():
            mean, share = float(scores[chosen].mean()) / UNIT, float(labels[chosen].mean())
            rows.append({"bases": int(chosen.sum()), "score_of_bases": round(mean, 4), "true_bases": round(share, 4)})
    return rows


def lost_cells(mine: list[dict], theirs: list[dict]) -> list[dict]:
    """The cells of a grid in which the second's recall is above the first's, by how much."""
    return [
        {
            **{key: our[key] for key in ("period", "divergence", "indels")},
            "ours": our["recall"],
            "theirs": their["recall"],
            "by": round(their["recall"] - our["recall"], 4),
        }
        for our, their in zip(mine, theirs, strict=True)
        if our["recall"] is not None and their["recall"] > our["recall"]
    ]
