"""promoter-plant on genes it was never trained on, beside a network like that of Jores et al. on the same rows.

    genoscan train promoter --recipe promoter-plant --data plant_core_promoters.tsv.gz -o runs/plant
    python benchmarks/promoters_plant.py --run runs/plant --out benchmarks/results/promoters_plant.json

The baseline has the shape of the network of Jores et al. 2021 (https://doi.org/10.1038/s41477-021-00932-y): filters
of 13 bases that take the better of both strands, two further convolutions, and a dense layer over all places. It learns
from the rows that promoter-plant learned from, and is measured on the same test rows; of both the epoch with the best
validation counts. A checkpoint beside OUT lets a long job go on.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genoscan import __version__
from genoscan.scanner.encoding.nucleotides import one_hot
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.data.store import Sequences, open_sequences
from genoscan.training.measures.bootstrap import with_intervals
from genoscan.training.measures.regression import regression_measures
from genoscan.training.supervised.distilling import teacher_recipes
from genoscan.training.supervised.load import load_trained, predict
from genoscan.training.supervised.networks import restore_network

BATCH, LEARNING_RATE, SEED = 128, 1e-3, 1
SHOWN = ("leaf_enh_dark", "proto_enh")
OURS, TEACHER, THEIRS = "promoter-plant", "its teacher", "like Jores et al."


class JoresNet(nn.Module):
    """One-hot float32 (batch, 4, bases) to float32 (batch, outputs)."""

    def __init__(self, outputs: int, bases: int, width: int = 128, kernel: int = 13, dropout: float = 0.15):
        super().__init__()
        self.first = nn.Conv1d(4, width, kernel, padding=kernel // 2)
        self.more = nn.ModuleList(nn.Conv1d(width, width, kernel, padding=kernel // 2) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Sequential(nn.Linear(width * (bases // 8), 64), nn.BatchNorm1d(64), nn.ReLU())
        self.head = nn.Linear(64, outputs)

    def forward(self, bases: Tensor) -> Tensor:
        found = torch.maximum(self.first(bases), self.first(bases.flip(1, 2)).flip(2)).relu()
        for convolution in self.more:
            found = self.dropout(convolution(F.max_pool1d(found, 2)).relu())
        return self.head(self.dense(F.max_pool1d(found, 2).flatten(1)))


def rows_of(sequences: Sequences, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes uint8 (rows, bases) and targets float32 (rows, outputs)."""
    rows = sequences.rows(split)
    return np.stack([sequences.sequence(row) for row in rows]), np.asarray(sequences.targets[rows])


def said(net: nn.Module, codes: np.ndarray) -> np.ndarray:
    """Predictions float32 (rows, outputs)."""
    net.eval()
    with torch.inference_mode():
        parts = [net(torch.from_numpy(one_hot(codes[at : at + 256]))) for at in range(0, len(codes), 256)]
    net.train()
    return torch.cat(parts).numpy()


def train_baseline(sequences: Sequences, names: tuple[str, ...], epochs: int, kept: Path) -> tuple[nn.Module, float]:
    """The baseline at its best epoch, its outputs in standard deviations, and the seconds that it took."""
    (codes, targets), (other_codes, other_targets) = (rows_of(sequences, split) for split in ("train", "validation"))
    mean, deviation = np.nanmean(targets, axis=0), np.nanstd(targets, axis=0)
    scaled = (targets - mean) / deviation
    torch.manual_seed(SEED)
    net = JoresNet(len(names), codes.shape[1])
    steps = len(codes) // BATCH * epochs
    optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, step / 200) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    state = torch.load(kept, weights_only=False) if kept.exists() else {"epoch": 0, "best": -1.0, "seconds": 0.0}
    if state["epoch"]:
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
    for epoch in range(state["epoch"], epochs):
        began = time.monotonic()
        order = np.random.default_rng((SEED, epoch)).permutation(len(codes))
        for at in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            wanted = torch.from_numpy(scaled[chosen])
            known = ~wanted.isnan()
            loss = F.mse_loss(net(torch.from_numpy(one_hot(codes[chosen])))[known], wanted[known])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        measured = regression_measures(said(net, other_codes) * deviation + mean, other_targets, names)
        state["seconds"] += time.monotonic() - began
        if measured["mean/pearson"] > state["best"]:
            state |= {"best": measured["mean/pearson"], "weights": {k: v.clone() for k, v in net.state_dict().items()}}
        print(f"epoch {epoch + 1}/{epochs}  mean/pearson {measured['mean/pearson']:.4f}", flush=True)
        state |= {"epoch": epoch + 1, "net": net.state_dict(), "optimiser": optimiser.state_dict()}
        state["schedule"] = schedule.state_dict()
        torch.save(state, kept)
    net.load_state_dict(state["weights"])
    with torch.no_grad():
        net.head.weight *= torch.from_numpy(deviation)[:, None]
        net.head.bias *= torch.from_numpy(deviation)
        net.head.bias += torch.from_numpy(mean)
    return net, state["seconds"]


class Measured(NamedTuple):
    """A network, and the seconds that its training took, where they are known apart."""

    module: nn.Module
    seconds: int | None

    def described(self) -> dict[str, Any]:
        return {"weights": sum(one.numel() for one in self.module.parameters()), "seconds": self.seconds}


def taken_over(path: Path, result: dict[str, Any]) -> dict[str, Any]:
    """The baseline of an earlier result, which was of the same rows: as many of each output in each split."""
    earlier = json.loads(path.read_text())
    if any(earlier[name] != result[name] for name in ("validation rows", "test rows")):
        raise SystemExit(f"{path}: is of other rows: train the baseline anew, without --baseline")
    return {THEIRS: earlier["networks"][THEIRS]}


def plot(predicted: dict[str, np.ndarray], targets: np.ndarray, names: tuple[str, ...], path: Path) -> None:
    """Predicted over measured, a panel for each network and shown output."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        len(predicted), len(SHOWN), figsize=(7, 3.5 * len(predicted)), layout="constrained", squeeze=False
    )
    for row, (label, values) in zip(panels, predicted.items(), strict=True):
        for axes, name in zip(row, SHOWN, strict=True):
            column = names.index(name)
            known = ~np.isnan(targets[:, column])
            axes.scatter(targets[known, column], values[known, column], s=4, alpha=0.4)
            r = np.corrcoef(targets[known, column], values[known, column])[0, 1]
            axes.set_title(f"{label}, {name}: r² {r * r:.2f}", fontsize=9)
            axes.set(xlabel="measured", ylabel="predicted")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run of the recipe promoter-plant")
    parser.add_argument("--epochs", type=int, default=5, help="of the baseline")
    parser.add_argument("--baseline", type=Path, help="earlier result of this script: its baseline is taken over")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    trained = load_trained(arguments.run)
    names = trained.recipe.task.targets
    sequences = open_sequences(arguments.run / "data", len(names))
    run = json.loads((arguments.run / "run.json").read_text())
    networks = {OURS: Measured(trained.module, round(sum(one.get("seconds", 0.0) for one in run["sessions"])))}
    saying = {OURS: lambda codes: predict(trained, list(codes), "cpu")}
    teacher = next(teacher_recipes(trained.recipe))
    module = restore_network(teacher.net, len(names), arguments.run / "teachers" / "1" / "best")
    networks[TEACHER], saying[TEACHER] = Measured(module, None), lambda codes: said(module, codes)
    kept = arguments.out.with_suffix(".partial.pt")
    if arguments.baseline is None:
        net, seconds = train_baseline(sequences, names, arguments.epochs, kept)
        networks[THEIRS], saying[THEIRS] = Measured(net, round(seconds)), lambda codes: said(net, codes)
    result = {**provenance(), "genoscan": __version__, "epochs of the baseline": arguments.epochs}
    found = {label: one.described() for label, one in networks.items()}
    for split in ("validation", "test"):
        codes, targets = rows_of(sequences, split)
        keys = np.asarray(sequences.keys[sequences.rows(split)])
        predicted = {label: say(codes) for label, say in saying.items()}
        result[f"{split} rows"] = (~np.isnan(targets)).sum(axis=0).tolist()
        for label, values in predicted.items():
            measured = with_intervals(
                lambda rows, v=values, t=targets: regression_measures(v[rows], t[rows], names), len(codes), keys
            )
            found[label][split] = {name: value._asdict() for name, value in measured.items()}
    result["networks"] = found if arguments.baseline is None else {**found, **taken_over(arguments.baseline, result)}
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    plot(predicted, targets, names, arguments.out.with_suffix(".png"))
    kept.unlink(missing_ok=True)
    for label, one in result["networks"].items():
        shown = "  ".join(f"{name} {one['test'][f'r2_pearson/{name}']['value']:.3f}" for name in names)
        print(f"{label}: r2 {shown}")


if __name__ == "__main__":
    main()
