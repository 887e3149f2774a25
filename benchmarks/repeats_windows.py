"""Window classifiers of tandem repeats on real sequence: the k-mer BERT beside the spectrum network and two baselines.

    python benchmarks/repeats_windows.py --pieces piece1.fa.gz piece2.fa.gz --catalogue simpleRepeat.bed.gz \\
        --within callable.bed.gz --exclude trf.bed.gz --work runs/windows --out benchmarks/results/repeats_windows.json

The pieces are soft-masked records named CHROM_START_END, 0-based half-open; the catalogues count along the chromosome.
Positives are the catalogue's loci, negatives come from what is not masked and what no other catalogue calls a repeat;
classes have the same lengths, and no locus or family is in two splits (`genoscan data repeats`). Thresholds of those
that have one are chosen on the validation split. The spectrum network was trained on simulated sequence only; it scores
bases, and a sequence gets the highest or the mean of its bases' scores, by itself or with its flanks beside it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genoscan import __version__
from genoscan.scanner.card import KmerInput
from genoscan.scanner.encoding.kmers import kmer_tokens
from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.throughput.machine import provenance
from genoscan.training.classify import predict
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.window_dataset import SPLITS, Window, read_description, read_split
from genoscan.training.metrics import count, measures

K = 4
Piece = tuple[str, int, int]


def read_pieces(paths: Sequence[str], genome: Path) -> list[tuple[str, Piece]]:
    """Join the pieces in one FASTA; their names, and where each lies."""
    places = []
    with genome.open("wb") as joined:
        for path in paths:
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as lines:
                for line in lines:
                    joined.write(line)
                    if line.startswith(b">"):
                        name = line[1:].split()[0].decode()
                        chrom, start, end = name.rsplit("_", 2)
                        places.append((name, (chrom, int(start), int(end))))
    return places


def read_bed(path: str) -> list[Piece]:
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [(row[0], int(row[1]), int(row[2])) for row in rows]


def place_in_pieces(loci: Sequence[Piece], pieces: Sequence[tuple[str, Piece]], bed: Path) -> int:
    """Write the loci that lie in a piece with the piece's coordinates; how many."""
    rows = [
        f"{name}\t{start - first}\t{end - first}\n"
        for chrom, start, end in loci
        for name, (of, first, last) in pieces
        if of == chrom and first <= start and end <= last
    ]
    bed.write_text("".join(rows))
    return len(rows)


def genoscan(*arguments: str | Path) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "genoscan", *map(str, arguments)], check=True)


def base_scores(rows: Sequence[Window], flanks: bool, model: str, work: Path) -> list[np.ndarray]:
    """For each sequence the spectrum network's scores of its bases."""
    fasta, track = work / "sequences.fa", work / "scores.bedgraph"
    whole = [np.concatenate((one.left, one.codes, one.right)) if flanks else one.codes for one in rows]
    fasta.write_bytes(b"".join(fasta_record(f"s{number}", codes) for number, codes in enumerate(whole)))
    genoscan("scan", fasta, "-m", model, "-o", track, "--format", "bedgraph", "-t", "1", "--device", "cpu", "-q")
    scores = [np.zeros(len(codes)) for codes in whole]
    for line in track.read_text().splitlines():
        if line.startswith("s"):
            name, start, end, score = line.split("\t")
            scores[int(name[1:])][int(start) : int(end)] = float(score)
    begins = [len(one.left) if flanks else 0 for one in rows]
    return [one[begin : begin + len(row.codes)] for one, begin, row in zip(scores, begins, rows, strict=True)]


def kmer_shares(rows: Sequence[Window]) -> np.ndarray:
    """Shares of the k-mers of both strands, float64 (rows, 4**k)."""
    shares = np.zeros((len(rows), 4**K))
    spec = KmerInput(k=K, stride=1, offset=0, unknown=4**K)
    for row, one in zip(shares, rows, strict=True):
        for codes in (one.codes, reverse_complement(one.codes)):
            row += np.bincount(kmer_tokens(codes[None], spec)[0], minlength=4**K + 1)[: 4**K]
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The one with the highest MCC, in the middle between two scores."""
    values = np.unique(scores)
    between = np.concatenate(([values[0] - 1e-6], (values[1:] + values[:-1]) / 2))
    found = [measures(count(scores >= one, labels))["mcc"] for one in between]
    return float(between[int(np.argmax(found))])


def by_length(rows: dict[str, list[Window]]) -> dict[str, float]:
    """The commoner label of training sequences of the nearest length."""
    lengths = np.array([len(one.codes) for one in rows["train"]])
    labels = np.array([one.label for one in rows["train"]])
    answers = [labels[np.abs(lengths - len(one.codes)) == np.abs(lengths - len(one.codes)).min()].mean() > 0.5
               for one in rows["test"]]  # fmt: skip
    return measures(count(np.array(answers), np.array([one.label for one in rows["test"]])))


def by_kmers(rows: dict[str, list[Window]]) -> dict[str, float]:
    """Logistic regression of the shares of k-mers, fitted on the training split."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))
    model.fit(kmer_shares(rows["train"]), [one.label for one in rows["train"]])
    answers = model.predict(kmer_shares(rows["test"]))
    return measures(count(answers, np.array([one.label for one in rows["test"]])))


def thresholded(rows: dict[str, list[Window]], score: Callable[[str], np.ndarray]) -> dict[str, float]:
    """Measures on the test split at the threshold that is best on the validation split."""
    labels = {split: np.array([one.label for one in rows[split]]) for split in ("validation", "test")}
    threshold = best_threshold(score("validation"), labels["validation"])
    return {**measures(count(score("test") >= threshold, labels["test"])), "threshold": round(threshold, 4)}


def spectrum(rows: dict[str, list[Window]], model: str, work: Path) -> dict[str, dict[str, float]]:
    found = {}
    for place, flanks in (("by itself", False), ("with its flanks", True)):
        bases = {split: base_scores(rows[split], flanks, model, work) for split in ("validation", "test")}
        for name, function in (("highest", np.max), ("mean", np.mean)):
            scores = {split: np.array([function(one) for one in each]) for split, each in bases.items()}
            found[f"spectrum network, {name} base score, sequence {place}"] = thresholded(rows, scores.__getitem__)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", nargs="+", required=True)
    parser.add_argument("--catalogue", required=True)
    parser.add_argument("--within", help="BED: take loci inside of these blocks only")
    parser.add_argument("--exclude", nargs="*", default=[])
    parser.add_argument("--recipe", default="repeats-kmer-bert")
    parser.add_argument("--model", default="repeats", help="the network that scores bases")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    work, data, run = arguments.work, arguments.work / "data", arguments.work / "run"
    work.mkdir(parents=True, exist_ok=True)
    pieces = read_pieces(arguments.pieces, work / "genome.fa")
    loci = read_bed(arguments.catalogue)
    if arguments.within:
        blocks = read_bed(arguments.within)
        loci = [one for one in loci if any(b[0] == one[0] and b[1] <= one[1] and one[2] <= b[2] for b in blocks)]
    place_in_pieces(loci, pieces, work / "positives.bed")
    excluded = []
    for number, path in enumerate([arguments.catalogue, *arguments.exclude]):
        if place_in_pieces(read_bed(path), pieces, work / f"excluded{number}.bed"):
            excluded += ["--exclude", work / f"excluded{number}.bed"]
    genoscan("data", "repeats", "--genome", work / "genome.fa", "--soft-masked", "--positives",
             work / "positives.bed", *excluded, "-o", data)  # fmt: skip
    genoscan("train", "repeats", "--net", "kmer-bert", "--recipe", arguments.recipe, "--data", data,
             "--device", "cpu", "-t", arguments.threads, "-o", run)  # fmt: skip
    rows = {split: read_split(data, split) for split in SPLITS}
    labels = np.array([one.label for one in rows["test"]])
    result = {
        "length alone": by_length(rows),
        f"logistic regression of {K}-mer shares": by_kmers(rows),
        **spectrum(rows, arguments.model, work),
        "k-mer BERT, sequence by itself": measures(
            count(predict(run, [one.codes for one in rows["test"]], "cpu") > 0.5, labels)
        ),
    }
    tested = json.loads((run / "test.json").read_text())
    sessions = json.loads((run / "run.json").read_text())["sessions"]
    description = read_description(data)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    report = {
        **provenance(),
        "genoscan": __version__,
        "loci": description["loci"],
        "splits": description["splits"],
        "training_seconds": round(sum(one["seconds"] for one in sessions)),
        "threads": int(arguments.threads),
        "test": result,
        "k-mer BERT, middles of windows in the genome": tested["windows"],
        "published, other data": {"accuracy": 0.978, "mcc": 0.955},
    }
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    for name, one in result.items():
        print(f"{name:66s} accuracy {one['accuracy']:.4f}  MCC {one['mcc']:.4f}")


if __name__ == "__main__":
    main()
