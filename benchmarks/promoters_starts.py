"""Calls of a promoter model beside annotated transcription starts.

    python benchmarks/promoters_starts.py --genome genome.fa --gff genes.gff3 --model promoter-plant \
      --out benchmarks/results/promoters_starts.json

A start is the first base of an mRNA of the GFF3 on its strand; a call is near one when its summit is at most `NEAR`
bases from it, on the same strand. By chance that is so of as many calls as there are places near starts. Annotated
starts are often tens of bases off, and a promoter that an assay finds strong need not be one of an annotated gene.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import numpy as np

import genoscan
from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.throughput.machine import provenance

NEAR = 50
THRESHOLDS = 5
"""So many thresholds are told, from the card's on in steps of half a unit."""
Starts = dict[tuple[str, str], np.ndarray]


def read_starts(path: Path) -> Starts:
    """Sorted starts int64 (0-based) by contig and strand; of equal ones one."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
    found: dict[tuple[str, str], set[int]] = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) > 8 and fields[2] == "mRNA" and fields[6] in "+-":
            start = int(fields[3]) if fields[6] == "+" else int(fields[4])
            found.setdefault((fields[0], fields[6]), set()).add(start - 1)
    return {key: np.array(sorted(values)) for key, values in found.items()}


def distances(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """From each place to the nearest of the sorted others; infinite where there is none."""
    if not len(others):
        return np.full(len(places), np.inf)
    after = np.searchsorted(others, places)
    left = np.abs(places - others[np.maximum(after - 1, 0)])
    return np.minimum(left, np.abs(others[np.minimum(after, len(others) - 1)] - places)).astype(float)


def covered(starts: Starts, lengths: dict[str, int]) -> int:
    """Places, on both strands, that are near a start."""
    total = 0
    for (contig, _), places in starts.items():
        marked = np.zeros(lengths[contig] + 1, dtype=np.int64)
        np.add.at(marked, np.maximum(places - NEAR, 0), 1)
        np.add.at(marked, np.minimum(places + NEAR + 1, lengths[contig]), -1)
        total += int((np.cumsum(marked)[:-1] > 0).sum())
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genome", type=Path, required=True)
    parser.add_argument("--gff", type=Path, required=True)
    parser.add_argument("--model", default="promoter-plant")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    card = read_card(find_model(arguments.model))
    with open_genome(arguments.genome) as genome:
        lengths = dict(zip(genome.names, genome.lengths.tolist(), strict=True))
    starts = {key: places for key, places in read_starts(arguments.gff).items() if key[0] in lengths}
    calls = list(genoscan.scan(arguments.genome, arguments.model, device="cpu", threads=1))
    megabases = sum(lengths.values()) / 1e6
    rows = []
    for threshold in card.calling.threshold + 0.5 * np.arange(THRESHOLDS):
        chosen = [one for one in calls if one.peak >= threshold]
        near, found = 0, 0
        for key, places in starts.items():
            summits = np.array(
                sorted(one.columns["summit"] for one in chosen if (one.chrom, one.strand) == key), dtype=np.int64
            )
            near += int((distances(summits, places) <= NEAR).sum())
            found += int((distances(places, summits) <= NEAR).sum())
        rows.append(
            {
                "threshold": float(threshold),
                "calls a megabase": len(chosen) / megabases,
                "share near a start": near / len(chosen) if chosen else None,
                "share of starts found": found / sum(map(len, starts.values())),
            }
        )
    result = {
        **provenance(),
        "genoscan": __version__,
        "model": f"{card.name} {card.version}",
        "megabases": megabases,
        "starts": sum(map(len, starts.values())),
        "share near a start by chance": covered(starts, lengths) / (2e6 * megabases),
        "thresholds": rows,
    }
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
