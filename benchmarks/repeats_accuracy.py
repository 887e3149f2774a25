"""Per-base accuracy on simulated genomes with known repeats: genoscan beside TRF and tantan, all in one run.

    python benchmarks/repeats_accuracy.py --background hg38_piece.fa --out benchmarks/results/repeats_accuracy.json

The test genome comes from seeds that training never uses. With --background its composition is a Markov chain of
order 3 fitted on that sequence (take one that the model was not trained on); without, compositions are random.
Written: a JSON with precision, recall, F1 and Matthews correlation of every tool, and recall by period and
divergence; and beside it a plot (PNG) of the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from peers import TOOLS, Run, available, run_tool

from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.reading.genome import open_genome
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import (
    PERIOD_CLASSES,
    RepeatSimulation,
    label_bases,
    markov_table,
    random_table,
    simulate,
)
from genoscan.training.metrics import count, measures

TEST_SEED = (2_026_112_1, 77)
"""Training and validation draw from seed sequences that begin with the recipe's seed (1) and a split number."""
DIVERGENCES = (0.0, 0.02, 0.05, 0.10, 0.15, 0.20, 0.2501)
SKIPPED = ("genoscan repeats (2 threads)",)


def simulate_test(background: str | None, contigs: int, bases: int) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(TEST_SEED)
    table = None
    if background:
        with open_genome(background) as genome:
            codes = [genome.codes(i, 0, int(length)) for i, length in enumerate(genome.lengths)]
        table = markov_table(np.concatenate(codes), 3)
    settings = RepeatSimulation()
    return [
        simulate(generator, bases, settings, random_table(generator) if table is None else table)
        for _ in range(contigs)
    ]


def bases_of(run: Run, contig: str, length: int) -> np.ndarray:
    marked = np.zeros(length, dtype=bool)
    for start, end in run.intervals.get(contig, ()):
        marked[start:end] = True
    return marked


def recall_table(marked: list[np.ndarray], truths: list[np.ndarray]) -> list[dict]:
    """Recall of bases in every cell of period class and divergence, with the number of repeats in it."""
    cells = []
    for low, high in PERIOD_CLASSES:
        for least, most in pairwise(DIVERGENCES):
            found = total = repeats = 0
            for bases, truth in zip(marked, truths, strict=True):
                inside = (truth["period"] >= low) & (truth["period"] <= high)
                inside &= (truth["divergence"] >= least) & (truth["divergence"] < most)
                for one in truth[inside]:
                    found += int(bases[one["start"] : one["end"]].sum())
                    total += int(one["end"] - one["start"])
                repeats += int(inside.sum())
            share = found / total if total else None
            cells.append({"period": [low, high], "divergence": [least, most], "repeats": repeats, "recall": share})
    return cells


def plot(result: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    tools = list(result["tools"])
    columns = -(-(len(tools) + 1) // 2)
    figure, axes = plt.subplots(2, columns, figsize=(3.4 * columns, 6.2), layout="constrained")
    points, *grids = axes.flat
    for tool in tools:
        points.plot(result["tools"][tool]["recall"], result["tools"][tool]["precision"], "o", label=tool)
    points.set(xlabel="recall", ylabel="precision", title="bases in repeats", xlim=(0, 1.02), ylim=(0.4, 1.02))
    points.legend(fontsize=7, loc="lower left")
    divergences = [f"{least:.0%}-{most:.0%}" for least, most in pairwise(DIVERGENCES)]
    for axis, tool in zip(grids, tools, strict=False):
        cells = result["tools"][tool]["recall_by_period_and_divergence"]
        grid = np.array([np.nan if cell["recall"] is None else cell["recall"] for cell in cells], dtype=float)
        grid = grid.reshape(len(PERIOD_CLASSES), -1)
        image = axis.imshow(grid, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        for (row, column), value in np.ndenumerate(grid):
            color = "w" if value < 0.6 else "k"
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=color)
        axis.set_title(f"{tool}\nMCC {result['tools'][tool]['mcc']:.3f}", fontsize=9)
        axis.set_xticks(range(grid.shape[1]), divergences, fontsize=7, rotation=30)
        axis.set_yticks(range(len(PERIOD_CLASSES)), [f"{low}-{high}" for low, high in PERIOD_CLASSES], fontsize=7)
        axis.set(xlabel="substitutions in each copy", ylabel="period (bases)")
    for axis in grids[len(tools) :]:
        axis.axis("off")
    figure.colorbar(image, ax=axes[:, -1], label="recall of bases")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--background", help="FASTA whose composition the test genome takes")
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--contigs", type=int, default=4)
    parser.add_argument("--bases", type=int, default=1_000_000, help="bases of a contig")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    pieces = simulate_test(arguments.background, arguments.contigs, arguments.bases)
    truths = [truth for _, truth in pieces]
    labels = np.concatenate([label_bases(truth, len(codes)) for codes, truth in pieces]).astype(bool)
    result = {
        "genoscan": __version__,
        "model": read_card(find_model(arguments.model)).version,
        "machine": platform.processor() or platform.machine(),
        "bases": len(labels),
        "repeats": sum(map(len, truths)),
        "share_in_repeats": float(labels.mean()),
        "background": Path(arguments.background).name if arguments.background else "random composition",
        "settings": vars(RepeatSimulation()),
        "tools": {},
    }
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        fasta = Path(folder) / "test.fa"
        fasta.write_bytes(b"".join(fasta_record(f"t{i}", codes) for i, (codes, _) in enumerate(pieces)))
        for tool in TOOLS:
            if tool in SKIPPED or not available(tool):
                continue
            run = run_tool(tool, fasta, arguments.model)
            marked = [bases_of(run, f"t{i}", len(codes)) for i, (codes, _) in enumerate(pieces)]
            found = measures(count(np.concatenate(marked), labels))
            result["tools"][tool] = {
                **{key: round(float(value), 4) for key, value in found.items()},
                "seconds": round(run.seconds, 2),
                "recall_by_period_and_divergence": recall_table(marked, truths),
            }
            print(f"{tool:32s}", " ".join(f"{key} {value:.4f}" for key, value in found.items()), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    plot(result, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
