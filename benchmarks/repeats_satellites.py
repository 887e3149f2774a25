"""T2T sequence: whether satellites are called as long unbroken intervals, with which periods and names."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from peers import GENOSCAN, Calls, covered, run_tools
from real_sequences import CODES, Sequences, intervals_of, read_letters, write_plain

GENOMES = {"CHM13 chr8 centromere": "chm13_chr8_cen.fa.gz", "HG002 chr13 short arm": "hg002_chr13_mat_1-4000000.fa.gz"}
SATELLITES = "dna-brnn"
TOOLS = (SATELLITES, "longdust", "tantan -f3 -w500", "tantan -f4 -w500", GENOSCAN)
ABOUT = "never trained on; TRF is left out here, since it does not end within minutes on these (repeats_speed.py)"


def satellites(data: Path, model: str) -> dict:
    result: dict = {"about": ABOUT, "genomes": {}}
    for name, file in GENOMES.items():
        records = read_letters(data / "genomes" / file)
        with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
            fasta = write_plain(records, Path(folder) / "genome.fa")
            calls = {tool: run.calls for tool, run in run_tools(TOOLS, fasta, model)}
        known = {contig: CODES[letters] < 4 for contig, letters in records.items()}
        rows = {tool: {**shape(some, known), **annotation(some)} for tool, some in calls.items()}
        if SATELLITES in calls:
            for tool, row in rows.items():
                row["in_dna_brnn_calls"] = inside(calls[tool], calls[SATELLITES], records)
        result["genomes"][name] = {"bases": sum(int(one.sum()) for one in known.values()), "tools": rows}
    return result


def shape(calls: Calls, known: dict[str, np.ndarray]) -> dict:
    """How much is called, in how many intervals (overlapping calls are one), and how long these are."""
    bases = sum(int(one.sum()) for one in known.values())
    runs = [run for contig, one in known.items() for run in intervals_of(covered(calls, contig, len(one)))]
    sizes = np.sort([end - start for start, end in runs])[::-1] if runs else np.zeros(1, dtype=int)
    half = int(np.searchsorted(np.cumsum(sizes), sizes.sum() / 2))
    return {
        "share_called": round(float(sizes.sum()) / bases, 4),
        "intervals_per_mb": round(len(runs) / bases * 1e6, 1),
        "n50": int(sizes[half]),
        "longest": sizes[:10].tolist(),
        "share_in_intervals_of_10_kb": round(float(sizes[sizes >= 10_000].sum() / max(1, sizes.sum())), 4),
    }


def annotation(calls: Calls) -> dict:
    """Bases by period and by name, of the calls that tell them; the most frequent first."""
    periods: Counter = Counter()
    names: Counter = Counter()
    for some in calls.values():
        for one in some:
            size = int(one["end"] - one["start"])
            if one["period"]:
                periods[int(one["period"])] += size
            if one["name"]:
                names[str(one["name"])] += size
    found: dict = {"bases_by_name": dict(names.most_common(20))}
    if periods:
        found["bases_by_period"] = dict(periods.most_common(25))
    return found


def inside(calls: Calls, satellites_: Calls, records: Sequences) -> dict:
    """Within dna-brnn's calls of each kind: share that a tool calls, its breaks a Mb, and its names there by bases."""
    result = {}
    for kind in sorted({str(name) for some in satellites_.values() for name in some["name"]}):
        total = held = breaks = 0
        names: Counter = Counter()
        for contig, letters in records.items():
            some = satellites_.get(contig)
            if some is None:
                continue
            truth = covered({contig: some[some["name"] == kind]}, contig, len(letters))
            mark = covered(calls, contig, len(letters))
            total += int(truth.sum())
            held += int((truth & mark).sum())
            breaks += len(intervals_of(truth & ~mark))
            for one in calls.get(contig, ()):
                names[str(one["name"])] += int(truth[one["start"] : one["end"]].sum())
        result[kind] = {
            "bases": total,
            "share_called": round(held / max(1, total), 4),
            "gaps_per_mb": round(breaks / max(1, total) * 1e6, 1),
            "names": {name: bases for name, bases in names.most_common(8) if bases},
        }
    return result
