"""Speed of exported models beside the ways in which people run their checkpoints, on the same work in one run.

    python benchmarks/export_speed.py --out benchmarks/results/export_speed.json [--threads 2]

Windows a second of a BERT in the TissueBERT configuration (19.2 M parameters, 150 tokens) and of one of DNABERT's size
(86 M, 512 tokens), both of export_checkpoints.py, run as

- loop: the loop that people write: a tokenizer call a window, eager PyTorch in float32;
- torch: PyTorch at its best: tokens made beforehand; the best of eager and compiled, float32 and bfloat16, and of
  some sizes of a batch;
- session fp32, session int8: a bare ONNX Runtime session on the exported file; the best of some batches and of three
  ways to open it and to use the threads;
- scan fp32, scan int8: the whole command `genoscan scan`, from FASTA to BED, less its start-up.

Ways are measured in rounds, one after the other; the first round finds out which of a group's are worth more of them.
Sessions are measured before and after their scan in each round, and the mean counts, so that a machine that becomes
slower or faster meanwhile favours neither. Speeds are medians of the rounds, ratios those of what was measured in the
same round. Both exports are compared with
the checkpoint ("parity"); labels of the int8 model with those of the float32 one, on more windows of kinds that the
head knows, none of which it was calibrated on.
"overlap" scans the same genome with a network of convolutions (windows of 1,000 bases, 100 bases apart), window by
window and as an export whose windows share their work.

The machine must be idle for all but the exports, which take as long as the measurements (--prepare makes them alone).
--quick tries everything on small networks in some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from export_checkpoints import CONFIGURATIONS, SMALL, Bert, windows_of_chains, words, write_bert, write_cnn
from export_loops import (
    command_seconds,
    labels_of,
    rate,
    scan_rate,
    session_ways,
    torch_ways,
    written_loop,
)
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from genoscan.export.export import export_model
from genoscan.export.families import CheckpointSettings
from genoscan.export.parity import Limits
from genoscan.scanner.inference.devices import available_threads
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.data.demo import fasta_record

ROUNDS, SECONDS, SCAN_SECONDS = 3, 4.0, 20.0
NEARLY = 0.93
"""Of the best way in the first round: what a way must reach to be measured in the others."""
OVERLAP = "overlap"
CNN_WINDOW, CNN_STEP = 1000, 100


def codes_of(texts: list[str]) -> np.ndarray:
    return np.array(["ACGT".index(one) for one in "".join(texts)], dtype=np.uint8)


def write_windows(path: Path, texts: list[str], count: int) -> Path:
    """A genome of ``count`` windows, one behind the other."""
    codes = codes_of(texts)
    path.write_bytes(fasta_record("windows", np.resize(codes, count * len(texts[0]))))
    return path


def prepared(name: str, bert: Bert, folder: Path) -> dict:
    """The checkpoint and its exports in ``folder``, made where no earlier run has, and what was found out then."""
    made = folder / f"{name}.json"
    if made.exists():
        return json.loads(made.read_text())
    checkpoint, genome = folder / name, folder / f"{name}.fa"
    parameters = write_bert(checkpoint, bert)
    chains, _ = windows_of_chains(bert, 4 * bert.labels, 2, 20 * bert.window)
    genome.write_bytes(b"".join(fasta_record(f"chain{i}", codes_of([one])) for i, one in enumerate(chains)))
    parity = {}
    for precision in ("fp32", "int8"):
        report = export_model(
            checkpoint,
            folder / f"{name}.{precision}.onnx",
            precision,
            genome=genome,
            limits=None if precision == "fp32" else Limits(),  # labels of the heads' own sequences are what counts
            windows=bert.compared,
            settings=CheckpointSettings(window=bert.window, step=bert.window, strand="forward", name=name),
            say=print,
        )
        parity[precision] = report.figures()
    found = {"parameters": parameters, "parity": parity}
    made.write_text(json.dumps(found))
    return found


def bert_section(name: str, bert: Bert, folder: Path, settings: argparse.Namespace) -> dict:
    found = prepared(name, bert, folder)
    if settings.prepare:
        return found
    checkpoint = folder / name
    models = {precision: folder / f"{name}.{precision}.onnx" for precision in found["parity"]}
    texts, _ = windows_of_chains(bert, bert.looped, 1)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tokens = np.array([tokenizer(words(text, bert.k))["input_ids"] for text in texts])
    loop, scanned, tiny = (
        written_loop(checkpoint, texts, bert.k, settings.threads),
        folder / "scanned.fa",
        folder / "tiny.fa",
    )
    write_windows(tiny, texts, 1)
    ways: dict[str, dict[str, Callable[[], int]]] = {
        "loop": {"": lambda: len(loop())},
        "torch": torch_ways(checkpoint, tokens, settings.threads, bert.torch_batches),
    }
    rounds: Rounds = {}
    for precision in models:
        ways[f"session {precision}"] = session_ways(models[precision], tokens, settings.threads, bert.session_batches)
    for turn in range(settings.rounds):
        for group, members in ways.items():
            measure(rounds.setdefault(group, {}), members, settings.seconds)
            if group.startswith("session "):
                precision = group.split()[1]
                write_windows(scanned, texts, max(32, int(typical(rounds[group]) * settings.scan_seconds)))
                speed = scan_rate(models[precision], scanned, tiny, settings.threads)
                rounds.setdefault(f"scan {precision}", {}).setdefault("", []).append(speed)
                measure_again(rounds[group], members, settings.seconds)
        said = ", ".join(f"{group} {typical(some):.2f}" for group, some in rounds.items())
        print(f"{name}, windows/s after round {turn + 1}: {said}", flush=True)
    labels = {"int8_labels": label_agreement(models, bert, tokenizer)}
    return {"window": bert.window, "tokens": bert.tokens, **found, **labels, **summary(rounds)}


def label_agreement(models: dict[str, Path], bert: Bert, tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
    """How often the int8 model gives the label of the float32 one, on windows of the kinds that the head knows."""
    texts, _ = windows_of_chains(bert, bert.labelled, 3)
    tokens = np.array([tokenizer(words(text, bert.k))["input_ids"] for text in texts])
    exact, rounded = (labels_of(model, tokens) for model in models.values())
    return {"windows": bert.labelled, "labels": len(np.unique(exact)), "agreement": float((exact == rounded).mean())}


Rounds = dict[str, dict[str, list[float]]]
"""Windows a second in each round, by group and way."""


def measure(rounds: dict[str, list[float]], members: dict[str, Callable[[], int]], seconds: float) -> None:
    """A round of one group. A way whose first try was clearly slower than the group's best is not tried again."""
    best = max((found[0] for found in rounds.values()), default=0.0)
    for name, work in members.items():
        if name not in rounds or rounds[name][0] >= NEARLY * best:
            rounds.setdefault(name, []).append(rate(work, seconds))


def measure_again(rounds: dict[str, list[float]], members: dict[str, Callable[[], int]], seconds: float) -> None:
    """What was just measured of the ways that are worth it becomes the mean of then and now."""
    best, turn = max(found[-1] for found in rounds.values()), max(len(found) for found in rounds.values())
    for name, found in rounds.items():
        if len(found) == turn and found[-1] >= NEARLY * best:
            found[-1] = (found[-1] + rate(members[name], seconds)) / 2


def best_way(rounds: dict[str, list[float]]) -> str:
    """The way with the highest median, of those that were tried in every round."""
    most = max(len(found) for found in rounds.values())
    return max((name for name, found in rounds.items() if len(found) == most), key=lambda name: median(rounds[name]))


def typical(rounds: dict[str, list[float]]) -> float:
    return median(rounds[best_way(rounds)])


def summary(rounds: Rounds) -> dict:
    """Speeds are medians of the rounds, and so are ratios of what was measured in the same round."""

    def ratio(one: str, other: str) -> float:
        pairs = (rounds[group][best_way(rounds[group])] for group in (one, other))
        return median(found / beside for found, beside in zip(*pairs, strict=True))

    return {
        "windows_per_second": {group: typical(found) for group, found in rounds.items()},
        "best_way": {group: best_way(found) for group, found in rounds.items()},
        "rounds": rounds,
        "scan_of_session": {one: ratio(f"scan {one}", f"session {one}") for one in ("fp32", "int8")},
        "scan_of_loop": {one: ratio(f"scan {one}", "loop") for one in ("fp32", "int8")},
        "scan_int8_of_torch": ratio("scan int8", "torch"),
    }


def overlap_section(folder: Path, settings: argparse.Namespace) -> dict:
    """A network of convolutions over overlapping windows, with and without shared work."""
    checkpoint = folder / "cnn.pt"
    parameters = write_cnn(checkpoint)
    card = CheckpointSettings(
        input="one-hot", window=CNN_WINDOW, step=CNN_STEP, task="regression", strand="forward", name="cnn",
        module="export_checkpoints:build_cnn",
    )  # fmt: skip
    generator = np.random.default_rng(4)
    genome, tiny = folder / "cnn.fa", folder / "cnn.tiny.fa"
    genome.write_bytes(fasta_record("c", generator.integers(0, 4, settings.cnn_bases).astype(np.uint8)))
    tiny.write_bytes(fasta_record("c", generator.integers(0, 4, 2 * CNN_WINDOW).astype(np.uint8)))
    speeds, differences = {}, {}
    for name, per_bin in (("windows", False), ("shared", True)):
        model = folder / f"cnn.{name}.onnx"
        report = export_model(checkpoint, model, settings=card, per_bin=per_bin)
        differences[name] = max(one.largest for one in report.differences.values())
        seconds = [command_pair(model, genome, tiny, settings.threads) for _ in range(settings.rounds)]
        speeds[name] = settings.cnn_bases / 1e6 / min(seconds)
        print(f"overlap, {name}: {speeds[name]:.3f} Mb/s", flush=True)
    return {
        "parameters": parameters,
        "window": CNN_WINDOW,
        "step": CNN_STEP,
        "mb_per_second": speeds,
        "gain": speeds["shared"] / speeds["windows"],
        "largest_difference_from_checkpoint": differences,
    }


def command_pair(model: Path, genome: Path, tiny: Path, threads: int) -> float:
    """Seconds of a scan less those of its start-up."""
    start, _ = command_seconds(model, tiny, threads)
    return command_seconds(model, genome, threads)[0] - start


def plot(result: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    models = result["models"]
    figure, places = pyplot.subplots(1, len(models), figsize=(4.6 * len(models), 3.4), squeeze=False)
    for place, (name, found) in zip(places[0], models.items(), strict=True):
        speeds = found["windows_per_second"]
        colors = ["#9aa0a6" if not one.startswith("scan") else "#1f77b4" for one in speeds]
        bars = place.barh(list(speeds), list(speeds.values()), color=colors)
        place.bar_label(bars, fmt="%.1f", padding=2, fontsize=8)
        place.invert_yaxis()
        place.margins(x=0.15)
        place.set(title=f"{name}, {found['parameters'] / 1e6:.1f} M, {found['tokens']} tokens", xlabel="windows/s")
    figure.suptitle(f"{result['machine']['processor']}, {result['machine']['threads']} threads", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def machine(threads: int) -> dict:
    """The machine, with the threads that are used here and the packages of the loops."""
    packages = {name: __import__(name).__version__ for name in ("torch", "transformers")}
    return {**provenance()["machine"], "threads": threads, "load_before": os.getloadavg()[0], **packages}


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file; the plot lies beside it")
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument(
        "--only", choices=(*CONFIGURATIONS, OVERLAP), help="one part; the others are taken over from OUT"
    )
    parser.add_argument("--work", type=Path, help="a folder for checkpoints and exports, which a later run takes over")
    parser.add_argument("--prepare", action="store_true", help="only make what --work keeps; the machine may be busy")
    parser.add_argument("--quick", action="store_true", help="small networks, one round: only to see that all works")
    settings = parser.parse_args(argv)
    quick = settings.quick
    settings.rounds, settings.seconds = (1, 0.3) if quick else (ROUNDS, SECONDS)
    settings.scan_seconds = 3.0 if quick else SCAN_SECONDS
    settings.cnn_bases = 100_000 if quick else 3_000_000
    return settings


def main(argv: list[str] | None = None) -> int:
    settings = parse(argv)
    sys.path.insert(0, str(Path(__file__).parent))  # where --module finds export_checkpoints
    result: dict = {"models": {}}
    if settings.only and settings.out.exists():
        result = json.loads(settings.out.read_text())
    result |= {**provenance(), "machine": machine(settings.threads), "quick": settings.quick}
    with tempfile.TemporaryDirectory(prefix="genoscan-") as name:
        folder = settings.work or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for model in (one for one in CONFIGURATIONS if settings.only in (None, one)):
            bert = (SMALL if settings.quick else CONFIGURATIONS)[model]
            found = bert_section(model, bert, folder, settings)
            if not settings.prepare:
                result["models"][model] = found
                write(settings.out, result)
        if settings.prepare:
            return 0
        if settings.only in (None, OVERLAP):
            result["overlap"] = overlap_section(folder, settings)
    write(settings.out, result)
    plot(result, settings.out.with_suffix(".png"))
    return 0


def write(path: Path, result: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
