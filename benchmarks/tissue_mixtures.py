"""Proportions of tissues: simulated cell-free DNA, a spike of 1 % liver, and what others have published.

    python benchmarks/tissue_mixtures.py --data methylation/ --network regions.onnx --mixtures 400 \
      --out benchmarks/results/tissue_mixtures.json

``--data``: a folder with panel_hg38.tsv.gz, uxm_deconv.Atlas.U25.l4.hg19.tsv.gz, Liver_STL011.pat.gz,
Sigmoid_Colon_STL001.pat.gz, Lung_STL001.pat.gz, meth_atlas.reference_atlas.csv.gz, meth_atlas.examples.csv.gz,
celfie.sample_data.txt.gz and celfie.tissue_proportions.csv.gz. ``--network``: of `genoscan train mixtures --atlas
panel_hg38.tsv.gz --steps 3000`, trained on other donors.

Simulated: mixtures of 6 to 9 cell types, 70 to 95 % of them the blood's, of people of whom training has seen none. A
spike is found where the estimate of hepatocytes is above the threshold that 95 % of mixtures without them stay below,
of yet other people. ``bound``: the likelihood ratio of the spike's reads where all else is known: the proportions of
the others, and each person's own share of unmethylated reads at every marker. By the lemma of Neyman and Pearson no
method finds more at the same rate of false calls.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from genoscan import __version__
from genoscan.scanner.deconvolution.estimates import UNKNOWN
from genoscan.scanner.deconvolution.marker_reads import marker_reads
from genoscan.scanner.deconvolution.methods import (
    LEAST_SQUARES,
    LIKELIHOOD,
    atlas_estimator,
    estimate_table,
    least_squares_estimator,
    network_estimator,
)
from genoscan.scanner.deconvolution.region_network import markers_of, open_region_network
from genoscan.scanner.deconvolution.region_tables import matched, read_region_table
from genoscan.scanner.deconvolution.samples import atlas_reads
from genoscan.scanner.reading.atlas import read_atlas
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.mixtures.compositions import composition, spiked
from genoscan.training.mixtures.moments import READS
from genoscan.training.tissue.evidence import chain_likelihood, kind_shares
from genoscan.training.tissue.panel import Panel, blood_types, open_panel
from genoscan.training.tissue.simulation import Simulator

LIVER, SPIKE, FALSE_RATE = "Liver-Hep", 0.01, 0.05
SEED = 11
METHODS = {LIKELIHOOD: "#1f5fa8", LEAST_SQUARES: "#c98b1d", "region network": "#3a8f5c", "bound": "0.4"}


def estimators(panel: Panel, reads, network) -> dict:
    """Proportions of the panel's cell types by method; UXM-style least squares has no unknown part."""
    atlas, types = panel.atlas, len(panel.cell_types)
    found = {
        LIKELIHOOD: atlas_estimator(reads, atlas.unmethylated, True)(reads.counts)[:types],
        LEAST_SQUARES: least_squares_estimator(reads, atlas.unmethylated, False)(reads.counts),
    }
    if network is not None:
        rows = markers_of(network, atlas, "the panel")
        shares = network_estimator(reads, rows, len(atlas.starts), network.run)(reads.counts)
        found["region network"] = shares[[network.card.tissues.index(name) for name in panel.cell_types]]
    return found


def bound(simulator: Simulator, sample, person: int, split: str, shares: np.ndarray) -> float:
    """Log-likelihood ratio of the sample's reads on liver markers with the spike and without, all else known."""
    atlas, numbers = simulator.panel.atlas, simulator._numbers
    place = simulator.panel.cell_types.index(LIVER)
    without, with_spike = spiked(shares, place, 0.0), spiked(shares, place, SPIKE)
    total = 0.0
    for marker in (number for number, target in enumerate(atlas.targets) if target == LIVER):
        reads, kinds = sample[marker], []
        for begin, end in zip(reads.offsets[:-1], reads.offsets[1:], strict=True):
            positions, states = reads.positions[begin:end], reads.states[begin:end]
            low, high = np.searchsorted(positions, (atlas.starts[marker], atlas.ends[marker]))
            kinds.append(
                [chain_likelihood(positions, states, low, high, numbers[1 + k], *numbers[5:8]) for k in range(3)]
            )
        if kinds:
            own = kind_shares(simulator.donors[split][person, marker].astype(float), simulator.settings.partial)
            likelihoods = np.array(kinds) @ own.T
            total += float(np.log((likelihoods @ with_spike) / (likelihoods @ without)).sum())
    return total


def simulated(simulator: Simulator, network, coverage: float, many: int, split: str, spike: float, seed: int) -> dict:
    """Truth and estimates (mixtures, cell types) of so many mixtures, and the bound's statistic (mixtures,)."""
    panel = simulator.panel
    place, blood = panel.cell_types.index(LIVER), blood_types(panel.cell_types)
    truths, found, statistics = [], {}, []
    for number in range(many):
        generator = np.random.default_rng((SEED, seed, number))
        shares = spiked(composition("blood", blood, generator), place, spike)
        person = int(generator.integers(len(simulator.donors[split])))
        sample = simulator.sample(shares, coverage, seed * 100_000 + number, split, person)
        reads = marker_reads(sample, panel.atlas.starts, panel.atlas.ends)
        for method, values in estimators(panel, reads, network).items():
            found.setdefault(method, []).append(values)
        truths.append(shares)
        statistics.append(bound(simulator, sample, person, split, shares))
    return {
        "truth": np.array(truths),
        "found": {name: np.array(one) for name, one in found.items()},
        "bound": np.array(statistics),
    }


def detection(panel: Panel, network, coverage: float, many: int, seed: int) -> tuple[dict, dict]:
    """How often the spike is found, by method; and the mixtures of held-out people with it and without."""
    simulator = Simulator(panel, READS, 150, SEED)
    place = panel.cell_types.index(LIVER)
    calibration = simulated(simulator, network, coverage, many, "validation", 0.0, seed)
    clean = simulated(simulator, network, coverage, many, "test", 0.0, seed + 1)
    dirty = simulated(simulator, network, coverage, many, "test", SPIKE, seed + 2)

    def statistics(one: dict) -> dict:
        return {name: values[:, place] for name, values in one["found"].items()} | {"bound": one["bound"]}

    rates = {}
    for name, values in statistics(calibration).items():
        threshold = float(np.quantile(values, 1 - FALSE_RATE))
        rates[name] = {
            "threshold": threshold,
            "false_rate": float((statistics(clean)[name] > threshold).mean()),
            "found": float((statistics(dirty)[name] > threshold).mean()),
        }
    result = {
        "coverage": coverage,
        "mixtures": many,
        "markers": len(panel.atlas.starts),
        "liver_markers": sum(target == LIVER for target in panel.atlas.targets),
        "rates": rates,
    }
    return result, {name: np.concatenate([clean["found"][name], dirty["found"][name]]) for name in clean["found"]} | {
        "truth": np.concatenate([clean["truth"], dirty["truth"]])
    }


def errors(estimates: dict) -> dict:
    """Mean absolute errors by method: over all cell types, over those present, over those absent; and R2."""
    truth = estimates["truth"]
    there = truth > 0
    result = {}
    for name, values in estimates.items():
        if name != "truth":
            apart = np.abs(values - truth)
            rest = ((values - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
            result[name] = {
                "mae": apart.mean(),
                "mae_present": apart[there].mean(),
                "mae_absent": apart[~there].mean(),
                "r2": 1 - rest,
            }
    return result


def arrays(data: Path) -> list[dict]:
    """meth_atlas' mixes of its own reference: in-sample by nature."""
    truth = [
        {"Monocytes_EPIC": 0.9, "Breast": 0.1},
        {"Adipocytes": 0.6, "Kidney": 0.3, "Prostate": 0.1},
        {"Erythrocyte_progenitors": 0.5, "Lung_cells": 0.25, "Upper_GI": 0.25},
    ]
    table, _ = read_region_table(data / "meth_atlas.examples.csv.gz")
    reference, _ = read_region_table(data / "meth_atlas.reference_atlas.csv.gz")
    table, reference = matched(table, reference)
    rows = []
    for method in (LIKELIHOOD, LEAST_SQUARES):
        for known, one in zip(truth, estimate_table(table, reference, method, True, 0, 0), strict=True):
            found = dict(zip(one.tissues, one.proportions.tolist(), strict=True))
            rows.append(
                {
                    "sample": one.sample,
                    "method": method,
                    "largest_error_of_true": max(abs(found[name] - share) for name, share in known.items()),
                    "largest_other": max(share for name, share in found.items() if name not in known),
                }
            )
    return rows


def pregnancies(data: Path) -> dict:
    """Placenta in CelFiE's cell-free DNA by method, and as its authors have it."""
    path = data / "celfie.sample_data.txt.gz"
    table, reference = read_region_table(path)
    table, reference = matched(table, reference)
    with gzip.open(data / "celfie.tissue_proportions.csv.gz", "rt") as file:
        authors = {
            row["samples"]: float(row["estimate"]) for row in csv.DictReader(file) if row["tissue"] == "placenta"
        }
    found = {"authors": {name: authors[name] for name in table.columns}}
    for method in (LIKELIHOOD, LEAST_SQUARES):
        estimates = estimate_table(table, reference, method, method == LIKELIHOOD, 0, 0)
        found[method] = {one.sample: float(one.proportions[one.tissues.index("placenta")]) for one in estimates}
    result = {}
    for name, values in found.items():
        pregnant = np.array([value for sample, value in values.items() if sample.startswith("preg")])
        others = np.array([value for sample, value in values.items() if not sample.startswith("preg")])
        result[name] = {
            "placenta": values,
            "pregnant_median": float(np.median(pregnant)),
            "other_median": float(np.median(others)),
            "times_other_median": float(np.median(pregnant) / max(np.median(others), 1e-6)),
            "smallest_pregnant": float(pregnant.min()),
            "largest_other": float(others.max()),
        }
    return result


def bulk(data: Path) -> list[dict]:
    """The first cell types of bulk tissues, by method; reads and atlas by CpG number of hg19."""
    source = data / "uxm_deconv.Atlas.U25.l4.hg19.tsv.gz"
    atlas = read_atlas(source)
    rows = []
    for name in ("Liver_STL011", "Sigmoid_Colon_STL001", "Lung_STL001"):
        reads = atlas_reads(str(data / f"{name}.pat.gz"), atlas, str(source), None)
        for method, estimator, tissues in (
            (LIKELIHOOD, atlas_estimator(reads, atlas.unmethylated, True), (*atlas.cell_types, UNKNOWN)),
            (LEAST_SQUARES, least_squares_estimator(reads, atlas.unmethylated, False), atlas.cell_types),
        ):
            shares = estimator(reads.counts)
            first = [(tissues[place], round(float(shares[place]), 4)) for place in np.argsort(-shares)[:6]]
            rows.append({"sample": name, "method": method, "reads": int(reads.counts.sum()), "first": first})
    return rows


def plot(result: dict, path: Path) -> None:
    figure, axes = plt.subplots(1, 4, figsize=(17, 4.2), layout="constrained")
    for number, (name, one) in enumerate(result["errors"].items()):
        heights = [one[kind] for kind in ("mae", "mae_present", "mae_absent")]
        axes[0].bar(np.arange(3) + (number - 1) * 0.27, heights, 0.27, color=METHODS[name], label=name)
    axes[0].axhline(0.01, color="0.7", lw=0.8)
    axes[0].set_xticks(range(3), ["all", "there", "not there"])
    axes[0].set(title="mean absolute error, blood-dominated, 30x")
    axes[0].legend(fontsize=8)
    labels = [f"{one['coverage']:.0f}x" for one in result["detection"]]
    for number, name in enumerate(METHODS):
        heights = [one["rates"].get(name, {}).get("found", 0) for one in result["detection"]]
        places = np.arange(len(labels)) + (number - 1.5) * 0.2
        axes[1].bar(places, heights, 0.2, color=METHODS[name], label=name)
    axes[1].axhline(0.95, color="0.7", lw=0.8)
    axes[1].set_xticks(range(len(labels)), labels, fontsize=8)
    axes[1].set(title="1 % liver found at 5 % false calls", ylim=(0, 1))
    axes[1].legend(fontsize=8)
    for place, one in enumerate(result["pregnancies"].values()):
        for sample, value in one["placenta"].items():
            color = "#d1495b" if sample.startswith("preg") else "#1f5fa8"
            axes[2].plot(place, value, "o", color=color, alpha=0.6)
    axes[2].set_xticks(range(len(result["pregnancies"])), list(result["pregnancies"]), fontsize=8)
    axes[2].set_title("placenta: pregnant (red), others (blue)")
    bars = [one for one in result["bulk"] if one["method"] == LIKELIHOOD]
    for place, one in enumerate(bars):
        below = 0.0
        for tissue, share in one["first"]:
            axes[3].bar(place, share, bottom=below, edgecolor="white")
            axes[3].text(place, below + share / 2, tissue, ha="center", va="center", fontsize=6)
            below += share
    axes[3].set_xticks(range(len(bars)), [one["sample"] for one in bars], fontsize=7)
    axes[3].set_title("bulk tissues, likelihood")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", type=Path, help="a network of region means of the panel")
    parser.add_argument("--mixtures", type=int, default=200, help="of each kind at 30x; fewer at other depths")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    network = open_region_network(arguments.network) if arguments.network else None
    data, many = arguments.data, arguments.mixtures
    panel = open_panel(data / "panel_hg38.tsv.gz")
    result = {
        **provenance(),
        "genoscan": __version__,
        "reads": READS.model_dump(),
        "arrays": arrays(data),
        "bulk": bulk(data),
    }
    result["pregnancies"] = pregnancies(data)
    first, estimates = detection(panel, network, 30, many, 1)
    result |= {"errors": errors(estimates), "detection": [first]}
    for coverage, seed in ((100, 11), (300, 21)):
        found, _ = detection(panel, network, coverage, max(many // 4, 2), seed)
        result["detection"].append(found)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    plot(result, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
