"""Human core promoters of the GUE benchmark (Zhou et al. 2023, https://arxiv.org/abs/2306.15006): small networks from
scratch.

    python benchmarks/gue_core_promoters.py --data GUE --runs runs/gue --out benchmarks/results/gue_core_promoters.json

GUE holds the folders GUE.prom.prom_core_all and GUE.prom.prom_core_tata with train, dev and test tables as published:
70 bases, promoter or not. The network is that of plant core promoters at that size. The epoch with the best MCC on dev
counts; test is measured once, at the end. Runs that are there go on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from genoscan import __version__
from genoscan.training.supervised.recipe import SequenceRecipe
from genoscan.training.supervised.run import train_sequences

SETS = {"prom_core_all": 3, "prom_core_tata": 12}
"""Folders, and the epochs that are trained."""
PUBLISHED = {"Nucleotide Transformer v2": 0.720, "DNABERT-2": 0.579}
"""MCC of networks pretrained on genomes and fine-tuned, as DNALLM-Mark reports them for core promoters."""


def recipe_of(folder: Path, epochs: int) -> SequenceRecipe:
    """The recipe for one of the sets."""
    return SequenceRecipe.model_validate(
        {
            "name": folder.name.lower(),
            "seed": 1,
            "inputs": {"data": str(folder)},
            "task": {"kind": "classification", "targets": ["label"], "classes": ["0", "1"]},
            "data": {"window": 70, "split": {"duplicates": "drop"}},
            "net": {"kind": "core-promoter", "window": 70, "start": 0, "members": 1, "width": 64, "dropout": 0.2},
            "adapt": {"way": "scratch"},
            "fit": {
                "batch": 128,
                "epochs": epochs,
                "learning_rate": 3e-3,
                "schedule": "cosine",
                "warmup": 100,
                "weight_decay": 2e-2,
                "moving_average": 0.99,
            },
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--set", choices=SETS, action="append", help="only this set; repeatable")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    result = {"genoscan": __version__, "published MCC": PUBLISHED, "sets": {}}
    for name in arguments.set or SETS:
        out = arguments.runs / name
        out.parent.mkdir(parents=True, exist_ok=True)
        found = train_sequences(recipe_of(arguments.data / f"GUE.prom.{name}", SETS[name]), out, "cpu", 1)
        described = json.loads((out / "data" / "data.json").read_text())
        run = json.loads((out / "run.json").read_text())
        result["sets"][name] = {
            "rows": described["sizes"],
            "weights": json.loads((out / "parameters.json").read_text())["all"],
            "seconds": round(sum(one.get("seconds", 0.0) for one in run["sessions"])),
            **{split: {key: one._asdict() for key, one in found.measures[split].items()} for split in found.measures},
        }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({name: one["test"]["mcc"] for name, one in result["sets"].items()}, indent=2))


if __name__ == "__main__":
    main()
