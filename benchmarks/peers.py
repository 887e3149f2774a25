"""The tools that genoscan is measured against: how each is run and how its output is read.

Every function returns intervals as {contig: list of (start, end)}, 0-based half-open, and what it took.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

Intervals = dict[str, list[tuple[int, int]]]


class Run(NamedTuple):
    """A finished tool: its intervals, wall seconds, and the largest resident size of its process in MB."""

    intervals: Intervals
    seconds: float
    peak_mb: float


_GENOSCAN = [sys.executable, "-m", "genoscan", "scan", "{fasta}", "-m", "{model}", "-q", "-t"]

TOOLS: dict[str, list[str]] = {
    "genoscan repeats (1 thread)": [*_GENOSCAN, "1"],
    "genoscan repeats (2 threads)": [*_GENOSCAN, "2"],
    "TRF 2 7 7 80 10 50 500": ["trf", "{fasta}", "2", "7", "7", "80", "10", "50", "500", "-h", "-ngs"],
    "TRF 2 5 7 80 10 40 2000": ["trf", "{fasta}", "2", "5", "7", "80", "10", "40", "2000", "-h", "-ngs"],
    "TRF 2 3 5 80 10 30 2000": ["trf", "{fasta}", "2", "3", "5", "80", "10", "30", "2000", "-h", "-ngs"],
    "tantan -f3": ["tantan", "-f3", "{fasta}"],
    "tantan -f3 -w500": ["tantan", "-f3", "-w", "500", "{fasta}"],
    "tantan -f4 -w500": ["tantan", "-f4", "-w", "500", "{fasta}"],
}
"""Command lines. TRF's first settings are its documentation's, the others its most sensitive documented ones; tantan
-f3 reports its repeat probability above 0.5, -f4 alignments with gaps."""


def available(tool: str) -> bool:
    return shutil.which(TOOLS[tool][0]) is not None


def run_tool(tool: str, fasta: Path, model: str = "repeats", limit: float | None = None) -> Run:
    """Run one tool of TOOLS on a FASTA file and read what it prints; TimeoutExpired after ``limit`` seconds."""
    command = [part.format(fasta=fasta, model=model) for part in TOOLS[tool]]
    started = time.perf_counter()
    # A child of our own, so that its peak memory is its alone.
    measured = subprocess.run(
        [sys.executable, "-c", _CHILD, str(limit or 0), *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=fasta.parent,
    )
    seconds = time.perf_counter() - started
    text, _, footer = measured.stdout.rpartition("#child ")
    code, peak = (int(value) for value in footer.split())
    if code == -1:
        raise subprocess.TimeoutExpired(command, limit or 0)
    if code not in (0, 253):  # TRF ends with 253 under -ngs though all is well
        raise RuntimeError(f"{tool} failed with {code}: {measured.stderr[-500:]}")
    read = _read_trf if command[0] == "trf" else _read_bed
    return Run(read(text), seconds, peak / 1024)


def merged_length(intervals: list[tuple[int, int]]) -> int:
    """Bases that intervals cover, overlaps counted once."""
    total = reach = 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, reach))
        reach = max(reach, end)
    return total


_CHILD = """
import resource, subprocess, sys
try:
    code = subprocess.run(sys.argv[2:], timeout=float(sys.argv[1]) or None).returncode
except subprocess.TimeoutExpired:
    code = -1
sys.stdout.flush()
print("#child", code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _read_bed(text: str) -> Intervals:
    found: Intervals = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            chrom, start, end = line.split("\t")[:3]
            found.setdefault(chrom, []).append((int(start), int(end)))
    return found


def _read_trf(text: str) -> Intervals:
    found: Intervals = {}
    contig = ""
    for line in text.splitlines():
        if line.startswith("@"):
            contig = line[1:].split()[0]
        elif line.strip():
            start, end = line.split()[:2]
            found.setdefault(contig, []).append((int(start) - 1, int(end)))
    return found
