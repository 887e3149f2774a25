"""Proportions of tissues: simulated cell-free DNA, a spike of 1 % liver, and what others have published.

    python benchmarks/tissue_mixtures.py --data methylation/ --network regions.onnx --mixtures 50 \
      --out benchmarks/results/tissue_mixtures.json

``--data``: a folder with panel_hg38.tsv.gz, uxm_deconv.Atlas.U25.l4.hg19.tsv.gz, Liver_STL011.pat.gz,
Sigmoid_Colon_STL001.pat.gz, Lung_STL001.pat.gz, meth_atlas.reference_atlas.csv.gz, meth_atlas.examples.csv.gz,
celfie.sample_data.txt.gz and celfie.tissue_proportions.csv.gz. ``--network``: of `genoscan train mixtures --atlas
panel_hg38.tsv.gz --steps 3000`, trained on other donors.

Simulated, by the functions of `genoscan evaluate`: mixtures of 6 to 9 cell types, 70 to 95 % of them the blood's, of
people of whom no training has seen any; the read network is the bundled model. A spike is found where the estimate of
hepatocytes is above the threshold that 95 % of mixtures without them stay below, of yet other people. ``bound``: the
likelihood ratio of the spike's reads where all else is known: the proportions of the others, and each person's own
share of unmethylated reads at every marker. By the lemma of Neyman and Pearson no method finds more at the same rate of
false calls.
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
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.deconvolution.estimates import UNKNOWN
from genoscan.scanner.deconvolution.fractions import LEAST_CPGS, fractions
from genoscan.scanner.deconvolution.marker_reads import MarkerReads, marker_reads
from genoscan.scanner.deconvolution.methods import (
    LEAST_SQUARES,
    LIKELIHOOD,
    atlas_estimator,
    estimate_table,
    least_squares_estimator,
)
from genoscan.scanner.deconvolution.region_network import RegionNetwork, open_region_network
from genoscan.scanner.deconvolution.region_tables import matched, read_region_table
from genoscan.scanner.deconvolution.samples import atlas_reads
from genoscan.scanner.inference.session import Model, open_model
from genoscan.scanner.reading.atlas import Atlas, read_atlas
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.mixtures.compositions import spiked
from genoscan.training.mixtures.evaluation import SIZES, estimates
from genoscan.training.mixtures.measures import detection
from genoscan.training.mixtures.methods import (
    Method,
    ReadNetwork,
    atlas_least_squares,
    atlas_likelihood,
    region_means,
)
from genoscan.training.mixtures.samples import SpikedSample, spiked_samples
from genoscan.training.tissue.evidence import chain_likelihood, kind_shares
from genoscan.training.tissue.panel import Panel, blood_types, open_panel
from genoscan.training.tissue.settings import WINDOW, ReadSimulation
from genoscan.training.tissue.simulation import Simulator

LIVER, SPIKE = "Liver-Hep", 0.01
BULK = ("Liver_STL011", "Sigmoid_Colon_STL001", "Lung_STL001")
SEED, BATCH = 11, 16
BOUND = "bound"
METHODS = {
    LIKELIHOOD: "#1f5fa8", LEAST_SQUARES: "#c98b1d", "region network": "#3a8f5c", "read network": "#b3456e",
    BOUND: "0.4",
}  # fmt: skip


def methods(panel: Panel, network: RegionNetwork | None, model: Model) -> dict[str, Method]:
    found = {LIKELIHOOD: atlas_likelihood(panel), LEAST_SQUARES: atlas_least_squares(panel)}
    if network is not None:
        found["region network"] = region_means(panel, network)
    return found | {"read network": ReadNetwork(model, panel)}


def ratio(simulator: Simulator, split: str, sample: SpikedSample, share: float) -> float:
    """Log-likelihood ratio of a sample's reads on liver markers with the spike and without, all else known. share: of
    hepatocytes in the sample."""
    atlas, settings = simulator.panel.atlas, simulator.settings
    without, with_spike = spiked(sample.shares, sample.place, 0.0), spiked(sample.shares, sample.place, SPIKE)
    total = 0.0
    for marker, reads in enumerate(sample.at(share)):
        if atlas.targets[marker] != LIVER:
            continue
        kinds = []
        for begin, end in zip(reads.offsets[:-1], reads.offsets[1:], strict=True):
            positions, states = reads.positions[begin:end], reads.states[begin:end]
            low, high = np.searchsorted(positions, (atlas.starts[marker], atlas.ends[marker]))
            said = settings.block, settings.unconverted, settings.converted
            kinds.append([chain_likelihood(positions, states, low, high, level, *said) for level in settings.levels])
        if kinds:
            own = kind_shares(simulator.donors[split][sample.donor, marker].astype(float), settings.partial)
            likelihoods = np.array(kinds) @ own.T
            total += float(np.log((likelihoods @ with_spike) / (likelihoods @ without)).sum())
    return total


def bound(simulator: Simulator, place: int, coverage: float, many: int, seed: int) -> dict:
    """How often the ratio finds the spike, in the mixtures that the methods have seen."""

    def ratios(split: str, shares: tuple[float, ...]) -> np.ndarray:
        samples = spiked_samples(simulator, split, place, coverage, max(SIZES), many, seed)
        return np.array([[ratio(simulator, split, sample, share) for share in shares] for sample in samples]).T

    clean, dirty = ratios("test", (0.0, SPIKE))
    found = detection(ratios("validation", (0.0,))[0], clean, {SPIKE: dirty})
    return {"threshold": found.threshold, "false_rate": found.false_rate, "found": found.found[SPIKE]}


def simulated(panel: Panel, ways: dict[str, Method], coverage: float, many: int, seed: int) -> tuple[dict, dict]:
    """Errors by method, and how often hepatocytes are found by method and share."""
    simulator, place = Simulator(panel, ReadSimulation(), WINDOW, SEED), panel.cell_types.index(LIVER)
    errors, rates = {}, {}
    for name, one in estimates(simulator, ways, place, coverage, many, seed).items():
        errors[name] = one.measures()
        limit = errors[name].pop("limit_of_detection")
        rates[name] = {key: errors[name].pop(key) for key in ("threshold", "false_rate")}
        rates[name] |= {"found": one.detection.found[SPIKE], "by_share": one.detection.found, "limit": limit}
    rates[BOUND] = bound(simulator, place, coverage, many, seed)
    facts = {
        "coverage": coverage,
        "mixtures": many,
        "markers": len(panel.lefts),
        "liver_markers": sum(target == LIVER for target in panel.atlas.targets),
    }
    return errors, {**facts, "rates": rates}


def off_target(panel: Panel, data: Path) -> list[dict]:
    """Kinds of reads at markers of cell types that a sample does not have: of bulk tissues those of which the
    likelihood finds at most 0.5 %; of simulated cells of the blood, of 20 people, all others. ``atlas``: unmethylated
    ones, as the atlas has it."""
    rows = []
    atlas, source = bulk_atlas(data)
    for name in BULK:
        reads = atlas_reads(str(data / f"{name}.pat.gz"), atlas, source, None)
        shares = atlas_estimator(reads, atlas.unmethylated, True)(reads.counts)[: len(atlas.cell_types)]
        there = {kin for kin, share in zip(atlas.cell_types, shares, strict=True) if share > 0.005}
        expected = np.nan_to_num(atlas.unmethylated) @ (shares / shares.sum())
        rows.append({"sample": name, **kinds_of_reads(reads, atlas.targets, there, expected)})
    simulator, blood = Simulator(panel, ReadSimulation(), WINDOW, SEED), blood_types(panel.cell_types)
    cells = {kin for kin, one in zip(panel.cell_types, blood, strict=True) if one}
    for place in np.flatnonzero(blood).tolist():
        pure, people = np.eye(len(blood))[place], range(len(simulator.donors["test"]))
        samples = [simulator.sample(pure, 10, 100 * place + donor, "test", donor) for donor in people]
        parts = [marker_reads(sample, panel.atlas.starts, panel.atlas.ends) for sample in samples]
        reads = MarkerReads(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        found = kinds_of_reads(reads, panel.atlas.targets, cells, panel.shares[:, place])
        rows.append({"sample": f"simulated {panel.cell_types[place]}", **found})
    return rows


def kinds_of_reads(reads: MarkerReads, targets: list[str], there: set[str], expected: np.ndarray) -> dict[str, float]:
    """Shares of reads with four CpGs or more at the markers of other targets."""
    away = np.array([target != "" and target not in there for target in targets])
    chosen = away[reads.markers] & (reads.cpgs >= LEAST_CPGS)
    kept = MarkerReads(*(column[chosen] for column in reads))
    found, many = fractions(kept, len(away)), kept.counts.sum()
    throughout = kept.counts[kept.methylated == kept.cpgs].sum()
    counts = {"unmethylated": found.unmethylated.sum(), "mixed": found.mixed.sum(), "throughout": throughout}
    shares = {kind: float(count / many) for kind, count in counts.items()}
    return {**shares, "atlas": float(expected @ found.depths / many), "reads": int(many)}


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


def bulk_atlas(data: Path) -> tuple[Atlas, str]:
    """The atlas of bulk tissues, and its path."""
    source = data / "uxm_deconv.Atlas.U25.l4.hg19.tsv.gz"
    return read_atlas(source), str(source)


def bulk(data: Path) -> list[dict]:
    """The first cell types of bulk tissues, by method; reads and atlas by CpG number of hg19."""
    atlas, source = bulk_atlas(data)
    rows = []
    for name in BULK:
        reads = atlas_reads(str(data / f"{name}.pat.gz"), atlas, source, None)
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
        axes[0].bar(np.arange(3) + (number - 1.5) * 0.2, heights, 0.2, color=METHODS[name], label=name)
    axes[0].axhline(0.01, color="0.7", lw=0.8)
    axes[0].set_xticks(range(3), ["all", "there", "not there"])
    axes[0].set(title="mean absolute error, blood-dominated, 30x")
    axes[0].legend(fontsize=8)
    labels = [f"{one['coverage']:.0f}x" for one in result["detection"]]
    for number, name in enumerate(METHODS):
        heights = [one["rates"].get(name, {}).get("found", 0) for one in result["detection"]]
        places = np.arange(len(labels)) + (number - 2) * 0.17
        axes[1].bar(places, heights, 0.17, color=METHODS[name], label=name)
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
    parser.add_argument("--model", default="tissue", help="a network of reads of the panel")
    parser.add_argument("--depths", type=float, nargs="+", default=[30.0, 100.0])
    parser.add_argument("--mixtures", type=int, default=50, help="at the first depth; half as many at others")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    network = open_region_network(arguments.network) if arguments.network else None
    model, data, many = open_model(find_model(arguments.model), "cpu", BATCH), arguments.data, arguments.mixtures
    panel = open_panel(data / "panel_hg38.tsv.gz")
    result = {
        **provenance(),
        "genoscan": __version__,
        "reads": ReadSimulation().model_dump(),
        "model": {"name": model.card.name, "version": model.card.version, "sha256": model.sha256},
        "arrays": arrays(data),
        "bulk": bulk(data),
        "off_target": off_target(panel, data),
        "pregnancies": pregnancies(data),
        "detection": [],
    }
    ways = methods(panel, network, model)
    for number, coverage in enumerate(arguments.depths):
        mixtures = many if number == 0 else max(many // 2, 2)
        errors, rates = simulated(panel, ways, coverage, mixtures, number + 1)
        result.setdefault("errors", errors)
        result["detection"].append({**rates, "errors": errors})
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    plot(result, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
