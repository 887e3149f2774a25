"""hg38 pieces: how much of the catalogued repeats each tool finds, what genoscan misses, what it calls beside them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from peers import GENOSCAN, SENSITIVE, Calls, covered, run_tools
from real_sequences import (
    CODES,
    LOWER,
    Interval,
    Sequences,
    mask_of,
    merged,
    read_bed,
    read_letters,
    write_plain,
)
from self_matches import best_lag

PIECES = ("002", "003", "030", "047", "057", "086")
ABOUT = (
    "pieces of hg38 chr1 that the model was neither trained (001, 027, 054) nor tuned (080) on; loci inside the blocks "
    "where UCSC simpleRepeat, lifted from hg19, is valid"
)
REFERENCE = "UCSC simpleRepeat"
CATALOGUES = {
    REFERENCE: "derived_chr1_UCSC_simpleRepeat_lifted_from_hg19.bed.gz",
    "UCSC microsatellites": "subset_microsat.bed.gz",
    "popSTR": "subset_popSTR_longRepeats.bed.gz",
    "HipSTR": "subset_HipSTR_CEU_chr1.bed.gz",
}
CALLABLE = "derived_chr1_lifted_callable_blocks.bed.gz"
TRF_AS_UCSC = "TRF 2 7 7 80 10 50 2000"
TOOLS = (
    "tantan -f4 -w500", TRF_AS_UCSC, "TRF 2 5 7 80 10 40 2000", "TRF 2 3 5 80 10 30 2000", "tantan -f3 -w500",
    "longdust", "longdust -s2 -t0.5", "longdust -k8 -w20000", GENOSCAN, SENSITIVE,
)  # fmt: skip
SLOW, SLOW_PIECE = "ULTRA", "086"
PERIODS = ((1, 1), (2, 6), (7, 30), (31, 100), (101, 2000))
LENGTHS = ((0, 30), (31, 50), (51, 100), (101, 300), (301, 10**9))


class Piece(NamedTuple):
    """A piece of the chromosome; all intervals and masks count from its own start."""

    chunk: str
    name: str
    start: int
    letters: np.ndarray
    callable: np.ndarray
    loci: dict[str, list[Interval]]
    """For each catalogue its merged loci that lie in callable sequence as a whole."""
    catalogued: dict[str, np.ndarray]
    """For each catalogue the bases of all of its loci, cut ones too."""


def read_pieces(data: Path) -> list[Piece]:
    """The pieces in order; of two that overlap, the bases that both hold count in the first only."""
    blocks = read_bed(data / "repeats" / CALLABLE, "chr1")
    catalogues = {name: merged(read_bed(data / "repeats" / file, "chr1")) for name, file in CATALOGUES.items()}
    pieces, done = [], 0
    for number in PIECES:
        for name, letters in read_letters(data / "genomes" / f"hg38.chr1.chunk{number}.fa.gz").items():
            start = int(name.split("_")[1])
            end = start + len(letters)
            callable_ = mask_of(inside_of(blocks, start, end), len(letters))
            callable_[: max(0, done - start)] = False
            local = {catalogue: inside_of(some, start, end) for catalogue, some in catalogues.items()}
            loci = {
                catalogue: [one for one in some if callable_[one.start : one.end].all()]
                for catalogue, some in local.items()
            }
            masks = {catalogue: mask_of(some, len(letters)) for catalogue, some in local.items()}
            pieces.append(Piece(number, name, start, letters, callable_, loci, masks))
            done = end
    return pieces


def inside_of(intervals: list[Interval], start: int, end: int) -> list[Interval]:
    """What of the intervals lies in [start, end), counted from there."""
    cut = (Interval(max(one.start, start) - start, min(one.end, end) - start) for one in intervals)
    return [one for one in cut if one.start < one.end]


def human(data: Path, model: str) -> dict:
    pieces = read_pieces(data)
    records: Sequences = {piece.name: piece.letters for piece in pieces}
    slow_pieces = [piece for piece in pieces if piece.chunk == SLOW_PIECE]
    calls: dict[str, Calls] = {}
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        fasta = write_plain(records, Path(folder) / "pieces.fa")
        calls |= {tool: run.calls for tool, run in run_tools(TOOLS, fasta, model)}
        fasta = write_plain({piece.name: piece.letters for piece in slow_pieces}, Path(folder) / "slow.fa")
        slow = {f"{tool} (piece {SLOW_PIECE})": run.calls for tool, run in run_tools([SLOW], fasta, model)}
    marks = {tool: marks_of(some, pieces) for tool, some in calls.items()}
    tools = {tool: found(some, pieces) for tool, some in marks.items()}
    tools |= {tool: found(marks_of(some, slow_pieces), slow_pieces) for tool, some in slow.items()}
    return {
        "about": ABOUT,
        "pieces": [piece.name for piece in pieces],
        "callable_bases": sum(int(piece.callable.sum()) for piece in pieces),
        "tools": tools,
        "missed": {name: missed(marks[GENOSCAN], calls.get(TRF_AS_UCSC, {}), pieces, name) for name in CATALOGUES},
        "extra": extra(calls[GENOSCAN], marks, pieces),
    }


def marks_of(calls: Calls, pieces: list[Piece]) -> list[np.ndarray]:
    return [covered(calls, piece.name, len(piece.letters)) for piece in pieces]


def found(marks: list[np.ndarray], pieces: list[Piece]) -> dict:
    """Loci touched and bases covered of every catalogue, and callable bases called in all."""
    result: dict = {}
    for name in CATALOGUES:
        loci = touched = bases = held = 0
        for mark, piece in zip(marks, pieces, strict=True):
            for one in piece.loci[name]:
                inside = int(mark[one.start : one.end].sum())
                loci, touched, bases, held = (
                    loci + 1,
                    touched + (inside > 0),
                    bases + one.end - one.start,
                    held + inside,
                )
        if loci:
            result[name] = {
                "loci": loci,
                "touched": round(touched / loci, 4),
                "bases": bases,
                "covered": round(held / bases, 4),
            }
    called = sum(int((mark & piece.callable).sum()) for mark, piece in zip(marks, pieces, strict=True))
    result["called_bases_per_mb"] = round(called / sum(int(piece.callable.sum()) for piece in pieces) * 1e6)
    return result


def missed(marks: list[np.ndarray], trf: Calls, pieces: list[Piece], catalogue: str) -> dict:
    """Loci without a call and the bases lost in them and in others, by period and length; TRF says what they are."""
    rows, lost = [], {"in_loci_without_a_call": 0, "in_loci_with_a_call": 0}
    total = 0
    for mark, piece in zip(marks, pieces, strict=True):
        for one in piece.loci[catalogue]:
            total += 1
            inside = int(mark[one.start : one.end].sum())
            lost["in_loci_with_a_call" if inside else "in_loci_without_a_call"] += one.end - one.start - inside
            if inside < 0.5 * (one.end - one.start):
                rows.append(
                    {
                        "locus": f"chr1:{piece.start + one.start + 1}-{piece.start + one.end}",
                        "length": one.end - one.start,
                        "covered": inside,
                        **described(one, piece, trf),
                    }
                )
    untouched = [row for row in rows if row["covered"] == 0]
    table = [
        {
            "period": list(period),
            "length": [length[0], min(length[1], 99_999)],
            "loci": sum(
                period[0] <= r["period"] <= period[1] and length[0] <= r["length"] <= length[1] for r in untouched
            ),
        }
        for period in PERIODS
        for length in LENGTHS
    ]
    return {
        "loci": total,
        "untouched": len(untouched),
        "less_than_half": len(rows),
        "lost_bases": lost,
        "untouched_by_period_and_length": [row for row in table if row["loci"]],
        "longest": sorted(rows, key=lambda row: row["covered"] - row["length"])[:60],
    }


def described(one: Interval, piece: Piece, trf: Calls) -> dict:
    """Period, copies, match and score of the TRF call that shares most with a locus; else its best lag."""
    calls = trf.get(piece.name)
    if calls is not None:
        shared = np.minimum(calls["end"], one.end) - np.maximum(calls["start"], one.start)
        best = int(np.argmax(shared))
        if shared[best] > 0:
            call = calls[best]
            return {
                "period": int(call["period"]),
                "copies": round(float(call["copies"]), 1),
                "match": float(call["match"]),
                "trf_score": float(call["score"]),
            }
    lag = best_lag(CODES[piece.letters], one.start, one.end)
    return {"period": lag["period"], "copies": lag["copies"], "match": lag["match"], "trf_score": None}


def extra(calls: Calls, marks: dict[str, list[np.ndarray]], pieces: list[Piece], sampled: int = 40) -> dict:
    """What genoscan calls outside of UCSC simpleRepeat: who else calls it, and what it looks like.

    The bases are those of callable sequence in no simpleRepeat; the calls those that lie in them to nine tenths.
    """
    outside = [piece.callable & ~piece.catalogued[REFERENCE] for piece in pieces]
    ours = [mark & out for mark, out in zip(marks[GENOSCAN], outside, strict=True)]
    evidence = {tool: some for tool, some in marks.items() if tool not in (GENOSCAN, SENSITIVE)}
    for name in CATALOGUES:
        if name != REFERENCE:
            evidence[name] = [piece.catalogued[name] for piece in pieces]
    total = max(1, sum(int(one.sum()) for one in ours))

    def share(some: list[np.ndarray]) -> float:
        return round(sum(int((one & other).sum()) for one, other in zip(ours, some, strict=True)) / total, 4)

    anyone = [np.logical_or.reduce([some[i] for some in evidence.values()]) for i in range(len(pieces))]
    rows = [
        row
        for piece, out, sure in zip(pieces, outside, anyone, strict=True)
        for row in extra_calls(calls.get(piece.name), piece, out, sure)
    ]
    generator = np.random.default_rng(1)
    chosen = generator.permutation(len(rows))[:sampled]
    edges = [
        not_in_calls(one, calls.get(piece.name), out) for piece, out, one in zip(pieces, outside, ours, strict=True)
    ]
    return {
        "bases": total,
        "share_of_all_called": round(
            total / max(1, sum(int((m & p.callable).sum()) for m, p in zip(marks[GENOSCAN], pieces, strict=True))), 4
        ),
        "share_in_edges_of_reference_loci": round(sum(edges) / total, 4),
        "share_also_called_by": {name: share(some) for name, some in evidence.items()},
        "share_called_by_any": share(anyone),
        "share_soft_masked": share([piece.letters >= LOWER for piece in pieces]),
        "calls": len(rows),
        "kinds": kinds(rows),
        "sample": [rows[i] for i in sorted(chosen.tolist())],
    }


def not_in_calls(ours: np.ndarray, calls: np.ndarray | None, outside: np.ndarray) -> int:
    """Extra bases that belong to calls which mostly lie in the reference."""
    alone = np.zeros(len(ours), dtype=bool)
    for one in calls if calls is not None else ():
        if outside[one["start"] : one["end"]].mean() >= 0.9:
            alone[one["start"] : one["end"]] = True
    return int((ours & ~alone).sum())


def extra_calls(calls: np.ndarray | None, piece: Piece, outside: np.ndarray, sure: np.ndarray) -> list[dict]:
    codes = CODES[piece.letters]
    rows = []
    for one in calls if calls is not None else ():
        start, end = int(one["start"]), int(one["end"])
        if outside[start:end].mean() < 0.9:
            continue
        told = {
            "period": int(one["period"]),
            "copies": round(float(one["copies"]), 1),
            "match": round(float(one["match"]), 1),
        }
        look = told if one["period"] else best_lag(codes, start, end)
        rows.append(
            {
                "call": f"chr1:{piece.start + start + 1}-{piece.start + end}",
                "length": end - start,
                "score": float(one["score"]),
                "kind": kind(look, end - start),
                **look,
                "soft_masked": round(float((piece.letters[start:end] >= LOWER).mean()), 2),
                "called_by_others": round(float(sure[start:end].mean()), 2),
                "sequence": piece.letters[start : min(end, start + 150)].tobytes().decode(),
            }
        )
    return rows


def kind(look: dict, length: int) -> str:
    period, copies = look["period"], look["copies"]
    if look.get("z", 99) < 4:
        return "no lag stands out"
    if period <= 6 and look["match"] < 75:
        return "low complexity: a lag to 6, match under 75 %"
    if period <= 6:
        return "microsatellite under 26 bases" if length < 26 else "microsatellite"
    diverged = "match under 75 %" if look["match"] < 75 else "match of 75 % or more"
    size = "period 7-30" if period <= 30 else "period 31-100" if period <= 100 else "period above 100"
    return f"{size}, {'under' if copies < 2.5 else 'from'} 2.5 copies, {diverged}"


def kinds(rows: list[dict]) -> list[dict]:
    """Extra calls by kind: calls, bases, mean score, mean share that others call and that is soft-masked."""
    table = []
    for name in sorted({row["kind"] for row in rows}):
        some = [row for row in rows if row["kind"] == name]
        lengths = np.array([row["length"] for row in some])
        means = {
            key: round(float(np.average([row[key] for row in some], weights=lengths)), 3)
            for key in ("score", "soft_masked", "called_by_others")
        }
        table.append({"kind": name, "calls": len(some), "bases": int(lengths.sum()), **means})
    return sorted(table, key=lambda row: -row["bases"])
