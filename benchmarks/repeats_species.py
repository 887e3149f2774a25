"""Other species: what genoscan calls beside TRF."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from peers import GENOSCAN, Calls, covered, run_tools
from real_sequences import Sequences, known_count, read_letters, write_plain

GENOMES = {
    "E. coli": ("ecoli_U00096.2.fa.gz",),
    "yeast": ("yeast_R64-1-1.fa.gz",),
    "fly, 1 %": ("dmelanogaster.1pct.fa.gz",),
    "Arabidopsis, 1 %": ("athaliana.1pct.fa.gz",),
    "mouse, two pieces": ("mm10.chunk001.fa.gz", "mm10.chunk057.fa.gz"),
}
ABOUT = (
    "the composition of E. coli, yeast, fly and Arabidopsis (Markov chains, no annotation) was in the training data; "
    "the mouse pieces were not"
)
TRF = "TRF 2 7 7 80 10 50 2000"
TOOLS = ("TRF 2 5 7 80 10 40 2000", TRF, "tantan -f4 -w500", "longdust", GENOSCAN)


def species(data: Path, model: str) -> dict:
    result: dict = {"about": ABOUT, "genomes": {}}
    for name, files in GENOMES.items():
        records: Sequences = {}
        for file in files:
            records |= read_letters(data / "genomes" / file)
        with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
            fasta = write_plain(records, Path(folder) / "genome.fa")
            calls = {tool: run.calls for tool, run in run_tools(TOOLS, fasta, model)}
        bases = known_count(records)
        rows = {
            tool: {"called": total(some, records), "called_per_mb": round(total(some, records) / bases * 1e6)}
            for tool, some in calls.items()
        }
        result["genomes"][name] = {"bases": bases, "tools": rows, "agreement": agreement(calls, records)}
    return result


def total(calls: Calls, records: Sequences) -> int:
    return sum(int(covered(calls, contig, len(letters)).sum()) for contig, letters in records.items())


def agreement(calls: dict[str, Calls], records: Sequences) -> dict:
    """Bases that genoscan and a TRF both call, and that one of them calls alone; the largest calls of TRF alone."""
    result = {}
    for tool in filter(calls.__contains__, (TRF, "TRF 2 5 7 80 10 40 2000")):
        both = ours = theirs = untouched = 0
        lost = []
        for contig, letters in records.items():
            mark = covered(calls[GENOSCAN], contig, len(letters))
            other = covered(calls[tool], contig, len(letters))
            both, ours, theirs = (
                both + int((mark & other).sum()),
                ours + int((mark & ~other).sum()),
                theirs + int((other & ~mark).sum()),
            )
            for one in calls[tool].get(contig, ()):
                if not mark[one["start"] : one["end"]].any():
                    untouched += 1
                    lost.append(
                        {
                            "at": f"{contig}:{one['start'] + 1}-{one['end']}",
                            "length": int(one["end"] - one["start"]),
                            "period": int(one["period"]),
                            "copies": round(float(one["copies"]), 1),
                            "match": float(one["match"]),
                            "score": float(one["score"]),
                        }
                    )
        calls_of_trf = sum(map(len, calls[tool].values()))
        result[tool] = {
            "both": both,
            "genoscan_alone": ours,
            "trf_alone": theirs,
            "share_of_trf_bases_covered": round(both / max(1, both + theirs), 4),
            "trf_calls": calls_of_trf,
            "trf_calls_touched": round(1 - untouched / max(1, calls_of_trf), 4),
            "largest_untouched": sorted(lost, key=lambda row: -row["length"])[:8],
            "median_score_of_untouched": float(np.median([row["score"] for row in lost])) if lost else None,
        }
    return result
