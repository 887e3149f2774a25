"""Making a data set takes the memory of its examples and of the genome's unmasked runs, not that of the genome."""

import tracemalloc

import numpy as np
import pytest
from fastas import silent

from genoscan.scanner.reading.tiles import INTERVAL
from genoscan.training.data.negatives import unmasked_runs
from genoscan.training.data.repeat_windows import WindowSettings, build_from_genome
from genoscan.training.data.window_dataset import read_description

SMALL, LARGE = 2_000_000, 18_000_000
LOCI = 60


def write_genome(folder, bases, gap_every=0):
    """Random sequence in one record of lines of 80 bases, with repeats in its first part, and their BED."""
    generator = np.random.default_rng(1)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[generator.integers(0, 4, bases)]
    starts = 10_000 + 30_000 * np.arange(LOCI)
    for start in starts.tolist():
        letters[start : start + 100] = np.tile(letters[start : start + 20], 5)
    if gap_every:
        letters[gap_every - 1 :: gap_every] = ord("N")
    lines = np.full((bases // 80, 81), ord("\n"), dtype=np.uint8)
    lines[:, :80] = letters[: bases // 80 * 80].reshape(-1, 80)
    (folder / "genome.fa").write_bytes(b">c\n" + lines.tobytes())
    (folder / "loci.bed").write_text("".join(f"c\t{start}\t{start + 100}\n" for start in starts.tolist()))
    return str(folder / "genome.fa"), str(folder / "loci.bed")


def peak_of(work):
    """Bytes allocated at most while ``work`` runs, beside what there was before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory):
    """Everything is compiled before memory is measured."""
    folder = tmp_path_factory.mktemp("first")
    genome, loci = write_genome(folder, SMALL, 500)
    build_from_genome(folder / "data", genome, loci, None, False, [], WindowSettings(), silent)


def test_memory_does_not_grow_with_the_genome(tmp_path):
    peaks = []
    for bases in (SMALL, LARGE):
        folder = tmp_path / str(bases)
        folder.mkdir()
        genome, loci = write_genome(folder, bases)

        def make(folder=folder, genome=genome, loci=loci):
            build_from_genome(folder / "data", genome, loci, None, False, [], WindowSettings(), silent)

        peaks.append(peak_of(make))
        counts = read_description(folder / "data")["splits"]
        assert sum(one["positives"] for one in counts.values()) == LOCI
    assert peaks[1] - peaks[0] < (LARGE - SMALL) / 20


def test_a_run_takes_few_bytes(tmp_path):
    genome, _ = write_genome(tmp_path, LARGE, gap_every=30)
    found = []
    peak = peak_of(lambda: found.append(unmasked_runs(genome, False, 26)[1]))
    assert len(found[0]) == LARGE // 30
    assert peak < 4 * INTERVAL.itemsize * len(found[0]) + (8 << 20)
