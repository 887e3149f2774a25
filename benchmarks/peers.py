"""The tools that genoscan is measured against: how each is run and how its output is read.

TRF and tantan are packages of Debian and Bioconda; longdust, ULTRA and dna-brnn are built from their repositories
(README.md beside this file). A tool that is not on the PATH is left out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

CALL = np.dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        ("score", "f8"),
        ("period", "i4"),
        ("copies", "f4"),
        ("match", "f4"),
        ("name", "U24"),
    ]
)
"""A call, 0-based half-open. What a tool does not tell is NaN, 0 or empty; match is in percent of adjacent copies."""

Calls = dict[str, np.ndarray]
"""Calls of each contig, in the tool's order; they may overlap."""


class Run(NamedTuple):
    """A finished tool: its calls, wall and CPU seconds, and the largest resident size of its process in MB."""

    calls: Calls
    seconds: float
    cpu_seconds: float
    peak_mb: float


GENOSCAN = "genoscan repeats"
SENSITIVE = "genoscan repeats --threshold 0.5"
_SCAN = [sys.executable, "-m", "genoscan", "scan", "{fasta}", "-m", "{model}", "-q"]
_ULTRA = ["ultra", "--tsv", "--hs", "--max_split", "-1", "--max_consensus", "-1"]

TOOLS: dict[str, list[str]] = {
    GENOSCAN: [*_SCAN, "-t", "1"],
    SENSITIVE: [*_SCAN, "-t", "1", "--threshold", "0.5"],
    "genoscan repeats (2 threads)": [*_SCAN, "-t", "2"],
    "TRF 2 7 7 80 10 50 500": ["trf", "{fasta}", "2", "7", "7", "80", "10", "50", "500", "-h", "-ngs"],
    "TRF 2 7 7 80 10 50 2000": ["trf", "{fasta}", "2", "7", "7", "80", "10", "50", "2000", "-h", "-ngs"],
    "TRF 2 5 7 80 10 40 2000": ["trf", "{fasta}", "2", "5", "7", "80", "10", "40", "2000", "-h", "-ngs"],
    "TRF 2 3 5 80 10 30 2000": ["trf", "{fasta}", "2", "3", "5", "80", "10", "30", "2000", "-h", "-ngs"],
    "tantan -f3": ["tantan", "-f3", "{fasta}"],
    "tantan -f3 -w500": ["tantan", "-f3", "-w", "500", "{fasta}"],
    "tantan -f4 -w500": ["tantan", "-f4", "-w", "500", "{fasta}"],
    "tantan -f3 -w2000": ["tantan", "-f3", "-w", "2000", "{fasta}"],
    "tantan -f4 -w2000": ["tantan", "-f4", "-w", "2000", "{fasta}"],
    "longdust": ["longdust", "{fasta}"],
    "longdust -s2 -t0.5": ["longdust", "-s2", "-t0.5", "{fasta}"],
    "longdust -k8 -w20000": ["longdust", "-k8", "-w20000", "{fasta}"],
    "ULTRA": [*_ULTRA, "{fasta}"],
    "ULTRA (2 threads)": [*_ULTRA, "-t", "2", "{fasta}"],
    "ULTRA -p 500": [*_ULTRA, "-p", "500", "-i", "5", "-d", "5", "{fasta}"],
    "dna-brnn": ["dna-brnn", "-Ai", "{dna_brnn_model}", "{fasta}"],
    "dna-brnn (2 threads)": ["dna-brnn", "-Ai", "{dna_brnn_model}", "-t", "2", "{fasta}"],
}
"""Command lines. TRF: the settings of its documentation (and of UCSC's simpleRepeat), then ever more sensitive ones.
tantan: -f3 reports its repeat probability above 0.5, -f4 alignments with gaps of at least two copies. longdust: its
defaults, more sensitive thresholds (start from 7-mers seen twice), and what its help suggests for longer motifs.
ULTRA: its defaults (periods to 100), and periods to 500 with half of the default insertion and deletion states, which
is what can be waited for. dna-brnn: its published model of alpha satellite and (ATTCC)n."""


def available(tool: str) -> bool:
    found = shutil.which(TOOLS[tool][0]) is not None
    return found and (not tool.startswith("dna-brnn") or _dna_brnn_model().exists())


def run_tool(
    tool: str, fasta: Path, model: str = "repeats", limit: float | None = None, options: Sequence[str] = ()
) -> Run:
    """Run one tool of TOOLS on a FASTA file and read what it prints; TimeoutExpired after ``limit`` seconds.

    The FASTA must be plain text, its names without white space. ``options`` stand at the end of the command line.
    """
    places = {"fasta": fasta, "model": model, "dna_brnn_model": _dna_brnn_model() if "brnn" in tool else ""}
    command = [*(part.format(**places) for part in TOOLS[tool]), *options]
    text, *spent = _run(command, fasta.parent, limit)
    return Run(read_calls(command[0], text), *spent)


def run_tools(
    tools: Iterable[str], fasta: Path, model: str, limit: float | None = None
) -> Iterator[tuple[str, Run | None]]:
    """The runs of the tools that are there, two side by side; None for one that ``limit`` stopped. Not for timing."""

    def run(tool: str) -> Run | None:
        try:
            return run_tool(tool, fasta, model, limit)
        except subprocess.TimeoutExpired:
            return None

    chosen = [tool for tool in tools if available(tool)]
    with ThreadPoolExecutor(2) as pool:
        yield from zip(chosen, pool.map(run, chosen), strict=True)


def base_scores(fasta: Path, lengths: dict[str, int], model: str) -> dict[str, np.ndarray]:
    """genoscan's score of every base in ten-thousandths, int16, 0 where it gives none."""
    text, *_ = _run(
        [*(part.format(fasta=fasta, model=model) for part in TOOLS[GENOSCAN]), "--format", "bedgraph"],
        fasta.parent,
        None,
    )
    scores = {contig: np.zeros(length, dtype=np.int16) for contig, length in lengths.items()}
    for line in text.splitlines():
        if not line.startswith("#"):
            contig, start, end, score = line.split("\t")
            scores[contig][int(start) : int(end)] = round(float(score) * 10_000)
    return scores


def read_calls(program: str, text: str) -> Calls:
    """What a program printed, as calls."""
    readers = {"trf": _trf_rows, "tantan": _tantan_rows, "longdust": _plain_rows, "ultra": _ultra_rows}
    reader = readers.get(Path(program).name, _brnn_rows if "brnn" in program else _genoscan_rows)
    rows: dict[str, list[tuple]] = {}
    for contig, *row in reader(text.splitlines()):
        rows.setdefault(contig, []).append(tuple(row))
    return {contig: np.array(some, dtype=CALL) for contig, some in rows.items()}


def covered(calls: Calls, contig: str, length: int) -> np.ndarray:
    """bool of shape (length,): the bases that calls cover."""
    marked = np.zeros(length, dtype=bool)
    for start, end in (
        zip(*(calls[contig][edge].tolist() for edge in ("start", "end")), strict=True) if contig in calls else ()
    ):
        marked[start:end] = True
    return marked


def covered_bases(calls: Calls) -> int:
    """Bases that calls cover, overlaps counted once."""
    return sum(int(covered(calls, contig, int(some["end"].max())).sum()) for contig, some in calls.items())


def _dna_brnn_model() -> Path:
    """attcc-alpha.knm of dna-nn's repository, beside the program."""
    return Path(shutil.which("dna-brnn") or "").resolve().parent / "attcc-alpha.knm"


_CHILD = """
import json, resource, subprocess, sys
try:
    code = subprocess.run(sys.argv[2:], timeout=float(sys.argv[1]) or None).returncode
except subprocess.TimeoutExpired:
    code = None
sys.stdout.flush()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("#child", json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


def _run(command: list[str], folder: Path, limit: float | None) -> tuple[str, float, float, float]:
    """What a command printed, its wall and CPU seconds and its peak MB.

    By way of a child of our own, so that the peak is its alone.
    """
    started = time.perf_counter()
    measured = subprocess.run(
        [sys.executable, "-c", _CHILD, str(limit or 0), *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    seconds = time.perf_counter() - started
    text, _, footer = measured.stdout.rpartition("#child ")
    code, cpu_seconds, peak_mb = json.loads(footer)
    if code is None:
        raise subprocess.TimeoutExpired(command, limit or 0)
    if code not in (0, 253):  # TRF ends with 253 under -ngs though all is well
        raise RuntimeError(f"{command} failed with {code}: {measured.stderr[-500:]}")
    return text, seconds, cpu_seconds, peak_mb


_NONE = float("nan")


def _genoscan_rows(lines: list[str]) -> Iterator[tuple]:
    """BED6, and what of UCSC simpleRepeat's columns the header names after it."""
    columns: dict[str, int] = {}
    for line in lines:
        values = line.lstrip("#").split("\t")
        if line.startswith("#"):
            columns = {name: place for place, name in enumerate(values)}
            continue

        def value(name: str, absent: float, columns=columns, values=values) -> float:
            text = values[columns[name]] if name in columns else "."
            return absent if text in (".", "") else float(text)

        yield (
            values[0], int(values[1]), int(values[2]), float(values[4]),
            int(value("period", 0)), value("copyNum", 0), value("perMatch", _NONE), values[3],
        )  # fmt: skip


def _trf_rows(lines: list[str]) -> Iterator[tuple]:
    contig = ""
    for line in lines:
        if line.startswith("@"):
            contig = line[1:].split()[0]
        elif line.strip():
            start, end, period, copies, _, match, _, score = line.split()[:8]
            yield contig, int(start) - 1, int(end), float(score), int(period), float(copies), float(match), ""


def _tantan_rows(lines: list[str]) -> Iterator[tuple]:
    """-f3: three columns; -f4: period, copies and consensus after them."""
    for line in lines:
        contig, start, end, *rest = line.split("\t")
        period, copies = (int(rest[0]), float(rest[1])) if len(rest) > 1 else (0, 0.0)
        yield contig, int(start), int(end), _NONE, period, copies, _NONE, ""


def _plain_rows(lines: list[str]) -> Iterator[tuple]:
    for line in lines:
        contig, start, end = line.split("\t")[:3]
        yield contig, int(start), int(end), _NONE, 0, 0.0, _NONE, ""


def _ultra_rows(lines: list[str]) -> Iterator[tuple]:
    """SeqID, Start, End, Period, Score; lines of dashes, settings and progress are mixed in."""
    for line in lines:
        values = line.split("\t")
        if len(values) >= 5 and values[1].isdigit():
            yield values[0], int(values[1]), int(values[2]), float(values[4]), int(values[3]), 0.0, _NONE, ""


BRNN_NAMES = {"1": "(ATTCC)n", "2": "alpha satellite"}


def _brnn_rows(lines: list[str]) -> Iterator[tuple]:
    for line in lines:
        contig, start, end, label = line.split("\t")[:4]
        yield contig, int(start), int(end), _NONE, 0, 0.0, _NONE, BRNN_NAMES.get(label, "")
