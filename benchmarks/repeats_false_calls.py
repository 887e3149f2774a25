"""False calls: bases called in sequence that holds no tandem repeat but by chance, by every tool in one run.

    python benchmarks/repeats_false_calls.py --sequence chr20.fa --out benchmarks/results/repeats_false_calls.json

Controls, all of the same size:
- the real sequence, its dinucleotides shuffled exactly (`shuffling`): all of it at once, and within windows of 2,000
  bases, which keeps isochores and islands. A reversed or masked sequence would keep real repeats and be no control;
- Markov chains of order 1 and 3 fitted on it;
- dispersed copies: stretches of 30 to 400 bases that recur two to four times with other sequence between them, as
  transposons do, and are no tandem repeats; the arrays that some of them carry at their end do not count.

Shuffling within windows cannot hide what fills a window: an array of a few thousand bases leaves windows of so poor a
composition that their shuffle repeats itself. Of each tool the largest false calls are kept, with their sequence.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from peers import GENOSCAN, SENSITIVE, Run, covered, run_tools
from repeat_sets import SHUFFLE_WINDOW, read_codes
from self_matches import best_lag
from shuffling import shuffled

from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.data.demo import LETTERS, fasta_record
from genoscan.training.data.simulate import RepeatSimulation, label_bases, markov_sequence, markov_table, simulate

TOOLS = (
    GENOSCAN, SENSITIVE, "TRF 2 7 7 80 10 50 500", "TRF 2 5 7 80 10 40 2000", "TRF 2 3 5 80 10 30 2000", "tantan -f3",
    "tantan -f3 -w500", "tantan -f4 -w500", "longdust", "longdust -s2 -t0.5", "longdust -k8 -w20000",
)  # fmt: skip
SLOW = "ULTRA"
SLOW_BASES = 1_000_000
"""The slow tool gets the first bases of each control."""
SEED = 20_261_121


def control_sequence(control: str, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes, and the labels of the arrays that some dispersed families carry at their end (none elsewhere)."""
    generator = np.random.default_rng((SEED, *control.encode()))
    bases = len(codes)
    match control:
        case "shuffled":
            sequence = shuffled(generator, codes)
        case "shuffled in windows":
            sequence = shuffled(generator, codes, SHUFFLE_WINDOW)
        case "dispersed copies":
            sequence, truth = simulate(
                generator, bases, RepeatSimulation(gap=2000, dispersed=1.0), markov_table(codes, 3)
            )
            return sequence, label_bases(truth, bases)
        case _:
            sequence = markov_sequence(generator, markov_table(codes, int(control[-1])), bases)
    return sequence, np.zeros(bases, dtype=np.uint8)


CONTROLS = ("shuffled", "shuffled in windows", "Markov order 1", "Markov order 3", "dispersed copies")


def figures(run: Run, codes: np.ndarray, labels: np.ndarray) -> dict:
    """False bases and calls a megabase, and the largest calls: what they look like."""
    calls = run.calls.get("s", np.empty(0))
    false = covered(run.calls, "s", len(codes)) & (labels == 0)
    result: dict = {
        "bases_per_mb": round(float(false.mean()) * 1e6, 1),
        "calls_per_mb": round(len(calls) / len(codes) * 1e6, 2),
    }
    if len(calls) and not labels.any():
        sizes = calls["end"] - calls["start"]
        result["size_quantiles"] = np.quantile(sizes, (0.1, 0.5, 0.9, 1.0)).round().astype(int).tolist()
        result["largest"] = [example(codes, one) for one in calls[np.argsort(-sizes)[:5]]]
    return result


def example(codes: np.ndarray, call: np.void) -> dict:
    start, end = int(call["start"]), int(call["end"])
    return {
        "start": start,
        "end": end,
        "score": None if np.isnan(call["score"]) else float(call["score"]),
        **best_lag(codes, start, end),
        "sequence": LETTERS[codes[start : min(end, start + 120)]].tobytes().decode(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequence", required=True, help="FASTA of real sequence; N runs are left out")
    parser.add_argument("--bases", type=int, default=10_000_000, help="use so many of its first known bases")
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    codes = read_codes(arguments.sequence)
    codes = codes[codes < 4][: arguments.bases]
    result: dict = {
        **provenance(),
        "genoscan": __version__,
        "model": read_card(find_model(arguments.model)).version,
        "sequence": Path(arguments.sequence).name,
        "bases": len(codes),
        "controls": {},
    }
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        for control in CONTROLS:
            sequence, labels = control_sequence(control, codes)
            rows = result["controls"][control] = {}
            for tools, size in ((TOOLS, len(codes)), ((SLOW,), min(len(codes), SLOW_BASES))):
                fasta = Path(folder) / f"control{size}.fa"
                fasta.write_bytes(fasta_record("s", sequence[:size]))
                for tool, run in run_tools(tools, fasta, arguments.model):
                    rows[tool] = {"bases": size, **figures(run, sequence[:size], labels[:size])}
                    print(f"{control:20s} {tool:26s} {rows[tool]['bases_per_mb']} bases a Mb", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
