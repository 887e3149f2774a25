"""The track of promoter-ecoli against promoters measured by tiling the genome, beside a scan with sigma-70's matrices.

    python benchmarks/promoters_track.py --genome ecoli.fa --peaks ecoli_peaks_LB.bed \
      --block 1600000-1900000 --block 4200000-4450000 --threshold -1.2 --out benchmarks/results/promoters_track.json

Truth: peaks of a library of genome fragments of 200 to 300 bases in a reporter assay (Urtecho et al. 2020), BED with
the height in the seventh column, on blocks of the genome that the model was never trained on. A call finds a peak when
its predicted start lies in it, on the same strand. Calls are taken from the strongest to the weakest; the first in a
peak is right, further ones in the same peak count neither way, all others are wrong. Average precision is the mean over
all peaks of the precision when each is found, 0 for those that are not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr
from sigma70 import Hits, scan_sigma70

import genoscan
from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.data.promoters import parse_block

SHARES_OF_TRUTH = (0.5, 1.0, 2.0)
"""Numbers of calls at which precision and recall are told, in multiples of the number of true peaks."""
DOWN_TO = (-0.46, -0.6, -0.9)
"""Thresholds that the model is measured at, too."""


class Truth(NamedTuple):
    """Measured peaks: bases [starts, ends) on strands, and their heights."""

    starts: np.ndarray
    ends: np.ndarray
    strands: np.ndarray
    heights: np.ndarray


class Ranking(NamedTuple):
    """Calls from the strongest on that are right or wrong: precision and recall after each, and of each true peak the
    score of the best call in it (NaN: none)."""

    precision: np.ndarray
    recall: np.ndarray
    best: np.ndarray


def read_truth(path: Path, blocks: list[tuple[int, int]]) -> Truth:
    """Peaks that lie in a block as a whole."""
    rows = [line.split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    starts, ends = (np.array([int(row[column]) for row in rows]) for column in (1, 2))
    inside = within(starts, blocks) & within(ends - 1, blocks)
    strands, heights = np.array([row[5].strip() for row in rows]), np.array([float(row[6]) for row in rows])
    return Truth(starts[inside], ends[inside], strands[inside], heights[inside])


def within(places: np.ndarray, blocks: list[tuple[int, int]]) -> np.ndarray:
    """bool (places,): which lie in a block."""
    return np.any([(places >= start) & (places < end) for start, end in blocks], axis=0)


def model_hits(genome: Path, contig: str, model: str, threshold: float | None) -> Hits:
    """The calls of the track on the whole genome, as starts and heights."""
    places, strands, scores = [np.empty(0, np.int64)], [np.empty(0, "<U1")], [np.empty(0)]
    for calls in genoscan.scan_arrays(genome, model, threshold=threshold, threads=1):
        here = calls["chrom"] == contig
        places.append((calls["thickStart"] + calls["thickEnd"])[here] // 2)
        strands.append(calls["strand"][here].astype("<U1"))
        scores.append(calls["peak"][here])
    return Hits(np.concatenate(places), np.concatenate(strands), np.concatenate(scores))


def down_to(hits: Hits, lowest: float) -> Hits:
    """The hits of that score and more."""
    return Hits(*(one[hits.scores >= lowest] for one in hits))


def rank(hits: Hits, truth: Truth, blocks: list[tuple[int, int]]) -> Ranking:
    """Precision and recall along the hits in the blocks, from the best on; of equal scores the first place leads."""
    inside = within(hits.places, blocks)
    places, strands, scores = (one[inside] for one in hits)
    best = np.full(len(truth.starts), np.nan)
    right, counted = 0, 0
    precision, recall = [], []
    for number in np.lexsort([places, -scores]).tolist():
        found = np.flatnonzero(
            (truth.starts <= places[number]) & (places[number] < truth.ends) & (truth.strands == strands[number])
        )
        if len(found) and not np.isnan(best[found]).any():
            continue
        fresh = found[np.isnan(best[found])]
        best[fresh] = scores[number]
        right += len(fresh)
        counted += max(1, len(fresh))
        precision.append(right / counted)
        recall.append(right / len(truth.starts))
    return Ranking(np.array(precision), np.array(recall), best)


def measures(ranking: Ranking, truth: Truth) -> dict[str, float]:
    """Average precision, precision and recall at numbers of calls, and Spearman's correlation with the heights."""
    gained = np.diff(ranking.recall, prepend=0.0)
    found = {"calls": len(ranking.precision), "average_precision": float((gained * ranking.precision).sum())}
    for share in SHARES_OF_TRUTH:
        at = min(round(share * len(truth.starts)), len(ranking.precision)) - 1
        found[f"precision at {share:g} calls a peak"] = float(ranking.precision[at])
        found[f"recall at {share:g} calls a peak"] = float(ranking.recall[at])
    matched = ~np.isnan(ranking.best)
    found["matched"] = int(matched.sum())
    found["spearman"] = float(spearmanr(ranking.best[matched], truth.heights[matched])[0])
    return found


def plot(rankings: dict[str, Ranking], path: Path) -> None:
    """Precision over recall of each tool."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 4), layout="constrained")
    for name, ranking in rankings.items():
        axes.plot(ranking.recall, ranking.precision, label=name)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genome", type=Path, required=True, help="FASTA with one contig")
    parser.add_argument("--peaks", type=Path, required=True, help="BED of measured peaks, heights in column 7")
    parser.add_argument("--block", type=parse_block, action="append", required=True, help="START-END; repeatable")
    parser.add_argument("--model", default="promoter-ecoli")
    parser.add_argument("--threshold", type=float, help="instead of the model's own")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with open_genome(str(arguments.genome)) as genome:
        contig, codes = genome.names[0], genome.codes(0, 0, int(genome.lengths[0]))
    truth = read_truth(arguments.peaks, arguments.block)
    card = read_card(find_model(arguments.model))
    hits = model_hits(arguments.genome, contig, arguments.model, arguments.threshold)
    rankings = {
        f"genoscan {card.name}": rank(hits, truth, arguments.block),
        "sigma-70 matrices": rank(scan_sigma70(codes), truth, arguments.block),
    }
    found = {name: measures(ranking, truth) for name, ranking in rankings.items()}
    ours, theirs = found.values()
    result = {
        **provenance(),
        "genoscan": __version__,
        "model": f"{card.name} {card.version}",
        "blocks": arguments.block,
        "peaks": len(truth.starts),
        "tools": found,
        "down to": {
            str(lowest): measures(rank(down_to(hits, lowest), truth, arguments.block), truth) for lowest in DOWN_TO
        },
        "ratios": {name: ours[name] / theirs[name] for name in ours if name not in ("calls", "matched")},
    }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    plot(rankings, arguments.out.with_suffix(".png"))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
