"""How high the peaks of shuffled sequence are: the card's table `calling.shuffled_rates`.

    python benchmarks/promoters_shuffled.py --genome ecoli.fa --out benchmarks/results/promoters_shuffled.json

The genome's dinucleotides are shuffled exactly, all of it at once (`shuffling`), and scanned on both strands. The table
has the heights that so many peaks a megabase reach; the estimate of the false discovery rate at a height is the rate of
the shuffled sequence over that of the genome. It is an upper bound: of random sequences a tenth are promoters in fact,
and genes have been rid of them (Yona et al. 2018, https://doi.org/10.1038/s41467-018-04026-w).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from repeat_sets import read_codes
from shuffling import shuffled

import genoscan
from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.data.demo import fasta_record

RATES = (1000.0, 500.0, 300.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5)
"""Peaks a megabase, both strands together."""
SEED = 20_261_121


def heights_of(fasta: str | Path, model: str) -> np.ndarray:
    """Heights of all peaks, descending."""
    found = [calls["peak"] for calls in genoscan.scan_arrays(fasta, model, threads=1)]
    return np.sort(np.concatenate([np.empty(0), *found]))[::-1]


def rates_table(heights: np.ndarray, megabases: float) -> list[tuple[float, float]]:
    """(height, peaks a megabase of that height or more), heights ascending; rates that there are peaks for."""
    table = {}
    for rate in RATES:
        number = int(rate * megabases)
        if 0 < number <= len(heights):
            table[round(float(heights[number - 1]), 3)] = round(number / megabases, 3)
    return sorted(table.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genome", type=Path, required=True)
    parser.add_argument("--model", default="promoter-ecoli")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    codes = read_codes(arguments.genome)
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder, "shuffled.fa")
        control.write_bytes(fasta_record("shuffled", shuffled(np.random.default_rng(SEED), codes)))
        false = heights_of(control, arguments.model)
    real = heights_of(arguments.genome, arguments.model)
    table = rates_table(false, len(codes) / 1e6)
    card = read_card(find_model(arguments.model))
    result = {
        **provenance(),
        "genoscan": __version__,
        "model": f"{card.name} {card.version}",
        "bases": len(codes),
        "shuffled_rates": table,
        "false_discovery": [
            {
                "height": height,
                "calls": int((real >= height).sum()),
                "shuffled": int((false >= height).sum()),
                "estimate": float((false >= height).sum() / max(1, (real >= height).sum())),
            }
            for height, _ in table
        ],
    }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
