"""Reads of cell types: the bundled model on simulated reads beside the exact posterior, and networks on real reads of
regions that they never saw.

    python benchmarks/tissue_reads.py --atlas panel_hg38.tsv.gz --reads train_seq.csv.gz --work runs/tissue-reads \
      --out benchmarks/results/tissue_reads.json

Simulated: reads of the recipe `tissue` on the atlas' markers, of 20 donors that training and the choice of the epoch
did not see, and new reads of the donors of training; `natural` has all cell types alike, in `targets` half of a
marker's reads come from its target. The model stands beside the exact posterior, naive Bayes on each read's state
(UXM's: unmethylated, methylated, mixed) at its marker, counted on 400,000 reads, and chance.

Real: a table of MethylBERT's reads (two samples, ten regions). Regions are held out two by two, in five folds; one more
chooses the epoch. A small network starts from random weights, or from an encoder pretrained on simulated reads without
labels. Beside it: the mean methylation of a read, and logistic regressions on the same folds, of what methylation alone
says (methylated and unmethylated CpGs, their share, changes of state) and of 3-mers alone.
Work is kept in --work: the same command goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import open_model
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.tissue.baselines import mean_methylation
from genoscan.training.tissue.evaluation import DRAWINGS, judge_simulated
from genoscan.training.tissue.examples import encoded
from genoscan.training.tissue.panel import open_panel
from genoscan.training.tissue.real_reads import ReadTable, read_table
from genoscan.training.tissue.recipe import load_tissue_recipe
from genoscan.training.tissue.run import restore_net, train_tissue
from genoscan.training.tissue.simulation import Simulator

FOLDS = 5
NETWORKS = {
    "pretrained": ("net.checkpoint={pretrained}",),
    "from random weights": (),
}
RESAMPLED = 1000


def simulated(model: str, atlas: str, count: int, threads: int) -> dict:
    """Measures by split, drawing and answer."""
    opened, recipe = open_model(find_model(model), "cpu"), load_tissue_recipe("tissue")
    simulator = Simulator(open_panel(atlas), recipe.simulation, recipe.data.window, recipe.seed)
    found = {}
    for split, title in (("test", "new donors"), ("training", "new reads of training's donors")):
        found[title] = {}
        for name, drawing in DRAWINGS.items():
            judged = judge_simulated(opened, simulator, split, count, drawing, threads)
            found[title][name] = judged.measures()
    facts = {"reads": count, "markers": len(simulator.panel.lefts), "classes": len(simulator.prior)}
    return {"sets": found, **facts, "sha256": opened.sha256}


def folds(regions: np.ndarray) -> list[tuple[list[str], list[str]]]:
    """Regions for validation and for the test, by fold: each is tested once."""
    names = sorted(set(regions.tolist()))
    parts = [names[number::FOLDS] for number in range(FOLDS)]
    return [([parts[(number + 1) % FOLDS][0]], parts[number]) for number in range(FOLDS)]


def real(reads: str, atlas: str, work: Path, threads: int) -> tuple[dict, dict[str, np.ndarray], np.ndarray]:
    """Measures by answer; scores float (reads,) by answer; labels."""
    table = read_table(Path(reads), 150, 3)
    pretrained = work / "pretrained"
    train_tissue(load_tissue_recipe("tissue-pretrain", [f"inputs.atlas={atlas}"]), pretrained, "cpu", threads)
    scores = {"mean methylation": mean_methylation(table.codes)}
    for name, changes in NETWORKS.items():
        scores[name] = np.zeros(len(table.labels))
        for number, (validation, test) in enumerate(folds(table.regions)):
            said = [
                f"inputs.reads={reads}",
                f"data.validation_regions={json.dumps(validation)}",
                f"data.test_regions={json.dumps(test)}",
                *(one.format(pretrained=pretrained) for one in changes),
            ]
            recipe, run = load_tissue_recipe("tissue-reads", said), work / f"{name.replace(' ', '-')}-{number}"
            train_tissue(recipe, run, "cpu", threads)
            held = np.isin(table.regions, test)
            with torch.inference_mode():
                logits = restore_net(recipe, run)(*encoded(table.codes[held], recipe.data))
            scores[name][held] = (logits[:, 1] - logits[:, 0]).numpy()
    scores |= {name: regressed(table, features) for name, features in alone(table).items()}
    found = {name: _ranked(table, one) for name, one in scores.items()}
    states = table.codes >> 3
    unlike = (table.labels == 1) & (mean_methylation(table.codes) <= 0.1) & (states > 0).any(axis=1)
    facts = {"reads": len(table.labels), "T": int(table.labels.sum()), "T_unmethylated": int(unlike.sum())}
    facts["ceiling"] = 1 - facts["T_unmethylated"] / facts["T"] / 2
    pretraining = [json.loads(line) for line in (pretrained / "metrics.jsonl").read_text().splitlines()][-1]
    return {"answers": found, **facts, "pretraining": pretraining}, scores, table.labels


def alone(table: ReadTable) -> dict[str, np.ndarray]:
    """Features float (reads, features) of methylation alone and of 3-mers alone."""
    marks, bases = table.codes >> 3, (table.codes & 7).astype(np.int64)
    counts = [(marks == 1).sum(axis=1), (marks == 2).sum(axis=1)]
    switches = [np.count_nonzero(np.diff(row[row > 0])) for row in marks]
    words = 16 * bases[:, :-2] + 4 * bases[:, 1:-1] + bases[:, 2:]
    known = (bases[:, :-2] < 4) & (bases[:, 1:-1] < 4) & (bases[:, 2:] < 4)
    kmers = [np.bincount(row[told], minlength=64) for row, told in zip(words, known, strict=True)]
    return {
        "methylation alone": np.column_stack([*counts, mean_methylation(table.codes), switches]).astype(float),
        "3-mers alone": np.array(kmers, dtype=float),
    }


def regressed(table: ReadTable, features: np.ndarray) -> np.ndarray:
    """Scores of logistic regressions, each of the regions that it did not see."""
    scores = np.zeros(len(features))
    for _, test in folds(table.regions):
        held = np.isin(table.regions, test)
        fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        scores[held] = fitted.fit(features[~held], table.labels[~held]).decision_function(features[held])
    return scores


def _ranked(table: ReadTable, scores: np.ndarray) -> dict[str, float]:
    """AUROC over all reads with a 95 % interval of reads drawn anew, and its mean over regions."""
    generator = np.random.default_rng(0)
    many, drawn = len(scores), []
    for _ in range(RESAMPLED):
        rows = generator.integers(0, many, many)
        drawn.append(roc_auc_score(table.labels[rows], scores[rows]))
    regions = [table.regions == one for one in np.unique(table.regions)]
    within = [roc_auc_score(table.labels[one], scores[one]) for one in regions]
    low, high = np.quantile(drawn, [0.025, 0.975])
    values = {"auroc": roc_auc_score(table.labels, scores), "low": low, "high": high}
    values |= {"mean_of_regions": np.mean(within), "worst_region": min(within)}
    return {name: round(float(value), 4) for name, value in values.items()}


def plot(found: dict, scores: dict[str, np.ndarray], labels: np.ndarray, path: Path) -> None:
    """Log-loss of simulated reads, and ROC curves of real ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    bars, curves = figure.subplots(1, 2)
    answers = ("exact", "model", "naive_bayes", "chance")
    for place, (name, measures) in enumerate(found["simulated"]["sets"]["new donors"].items()):
        heights = [measures[one]["log_loss"] for one in answers]
        bars.bar(np.arange(len(answers)) + 0.4 * place, heights, width=0.38, label=name)
    bars.set_xticks(np.arange(len(answers)) + 0.2, [one.replace("_", " ") for one in answers])
    bars.set_ylabel("log-loss of simulated reads (nats)")
    bars.legend()
    for name, one in scores.items():
        wrong, right, _ = roc_curve(labels, one)
        curves.plot(wrong, right, label=f"{name} ({found['real']['answers'][name]['auroc']:.3f})", linewidth=1.2)
    curves.set_xlabel("share of N reads called T")
    curves.set_ylabel("share of T reads called T")
    curves.legend(fontsize=8)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atlas", required=True)
    parser.add_argument("--reads", required=True)
    parser.add_argument("--model", default="tissue")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    said = parser.parse_args()
    torch.set_num_threads(said.threads)
    said.work.mkdir(parents=True, exist_ok=True)
    result, scores, labels = real(said.reads, said.atlas, said.work, said.threads)
    measured = simulated(said.model, said.atlas, said.count, said.threads)
    found = {**provenance(), "genoscan": __version__, "simulated": measured, "real": result}
    said.out.write_text(json.dumps(found, indent=1) + "\n")
    plot(found, scores, labels, said.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
