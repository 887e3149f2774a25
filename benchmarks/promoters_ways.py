"""Ways to adapt a k-mer transformer to promoters of E. coli, and what pretraining on its genome gives, beside the
network of pairs of boxes.

    genoscan data promoters tss.tsv.gz --contig U00096.2 --validation ... --test ... -o promoters.tsv
    python benchmarks/promoters_ways.py --data promoters.tsv --genome ecoli.fa --exclude held_out.bed --runs runs/ways \
      --out benchmarks/results/promoters_ways.json

A small BERT over 6-mers is pretrained three times: without labels, by masked spans and by contrasting views, on the
genome but for the held-out stretches, and by finding the strength that belongs to a sequence, on the training split.
Then it is adapted in each way with the data and the split of the recipe promoter-ecoli.
Runs that are there go on. The curve over layers of probing and the table's plot are written beside OUT.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from genoscan import __version__
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.pretraining.recipe import load_pretrain_recipe
from genoscan.training.pretraining.run import pretrain
from genoscan.training.supervised.compare import PLOT, compare, parse_variants, shown_table

TOKENS = "kmer:6:3"
CONFIG = {
    "model_type": "bert",
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 192,
    "max_position_embeddings": 64,
}
PRETRAINING = {
    "masked": ("fit.epochs=3", "fit.batch=64", "windows.per_epoch=5000"),
    "views": ("fit.epochs=2", "fit.batch=64", "windows.per_epoch=5000"),
    "profiles": (
        "fit.epochs=2",
        "fit.batch=128",
        'task.targets=["strength"]',
        "task.transform=log10",
        "task.pseudocount=0.1",
        'data.sequence=""',
        "data.strand=strand",
        "data.window=150",
        "data.split.by=column",
        'data.split.columns=["split"]',
        "windows.window=150",
    ),
}
FIT = ("fit.epochs=4", "fit.batch=64", "fit.learning_rate=5e-4", "fit.warmup=100", "fit.moving_average=0.0")


def net_changes() -> list[str]:
    """The transformer from random weights, as changes of a recipe."""
    config = (f"net.config.{name}={json.dumps(value)}" for name, value in CONFIG.items())
    return ["net.kind=transformers", f'net.tokens="{TOKENS}"', *config]


def variants_of(runs: Path) -> list[str]:
    """The runs that are compared, as `genoscan train compare --variant` takes them."""
    transformer = " ".join(("net.kind=transformers", f'net.tokens="{TOKENS}"', *FIT))
    ways = [("full", kind) for kind in PRETRAINING] + [(way, "masked") for way in ("lora", "frozen", "probe")]
    adapted = [f"{way}-{kind} {transformer} net.checkpoint={runs / kind} adapt.way={way}" for way, kind in ways]
    return ["boxes seed=1", " ".join(["scratch", *net_changes(), *FIT]), *adapted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="table of `genoscan data promoters`")
    parser.add_argument("--genome", type=Path, required=True)
    parser.add_argument("--exclude", type=Path, required=True, help="BED of the held-out stretches")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    genome, data = (f"inputs.{name}={json.dumps(str(getattr(arguments, name)))}" for name in ("genome", "data"))
    exclude = f"inputs.exclude={json.dumps(str(arguments.exclude))}"
    pretraining = {}
    for kind, changes in PRETRAINING.items():
        inputs = (genome, data if kind == "profiles" else exclude)
        recipe = load_pretrain_recipe(f"pretrain-{kind}", [*net_changes(), *changes, *inputs])
        pretrain(recipe, arguments.runs / kind, "cpu", 1)
        run = json.loads((arguments.runs / kind / "run.json").read_text())
        last = json.loads((arguments.runs / kind / "metrics.jsonl").read_text().splitlines()[-1])
        pretraining[kind] = {"seconds": round(sum(one["seconds"] for one in run["sessions"])), **last}
    variants = parse_variants(["promoter-ecoli"], variants_of(arguments.runs), [genome, data])
    found = compare(variants, arguments.runs / "ways", "cpu", 1)
    plain = [{key: value for key, value in one.items() if key != "changes"} for one in found]
    result = {
        **provenance(),
        "genoscan": __version__,
        "network": {**CONFIG, "tokens": TOKENS},
        "pretraining": pretraining,
        "ways": plain,
    }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    shutil.copy(arguments.runs / "ways" / PLOT, arguments.out.with_suffix(".png"))
    layers = arguments.runs / "ways" / "probe-masked" / "probing" / "layers.png"
    shutil.copy(layers, arguments.out.with_name(f"{arguments.out.stem}.layers.png"))
    print(shown_table(found, "pearson"))


if __name__ == "__main__":
    main()
