"""Reads to windows: where they lie, what is marked, and the ends of contigs."""

import numpy as np
import pytest
from bams import write_fasta
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.read_windows import marked_windows, read_windows, windows_on
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.methylation.reads import MethylationReads, joined


def reads(*rows):
    """Rows of start, end and states by position."""
    starts, ends, sites = zip(*rows, strict=True)
    return MethylationReads(
        "chr1",
        np.array(starts),
        np.array(ends),
        np.cumsum([0, *map(len, sites)]),
        np.array([position for one in sites for position in one], dtype=np.int64),
        np.array([state for one in sites for state in one.values()], dtype=np.uint8),
        np.ones(len(rows), dtype=np.int64),
    )


def test_a_read_lies_in_the_middle_of_its_window():
    windows = read_windows(reads((100, 110, {101: 1}), (100, 111, {105: 0})), 20)
    assert windows.reads.tolist() == [0, 1]
    assert windows.starts.tolist() == [95, 96]


def test_a_long_read_is_cut_into_equal_parts():
    windows = read_windows(reads((100, 150, {100: 1, 116: 0, 132: 1, 149: 1}), (200, 210, {205: 1})), 20)
    # parts [100, 116), [116, 133) and [133, 150)
    assert windows.reads.tolist() == [0, 0, 0, 1]
    assert windows.starts.tolist() == [98, 115, 132, 195]
    assert [(a, b) for a, b in zip(windows.first_sites.tolist(), windows.end_sites.tolist(), strict=True)] == [
        (0, 1), (1, 3), (3, 4), (4, 5),
    ]  # fmt: skip


def test_parts_without_a_cpg_have_no_window():
    windows = read_windows(
        reads(
            (0, 60, {41: 1}),
        ),
        20,
    )
    assert windows.starts.tolist() == [40]
    assert windows.cpgs.tolist() == [1]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.lists(st.integers(0, 90), min_size=1, unique=True)), min_size=1),
    st.integers(1, 40),
)
def test_each_cpg_is_in_one_window_and_inside_of_it(rows, window):
    made = reads(*((start, start + 91, {start + at: at % 2 for at in sorted(sites)}) for start, sites in rows))
    windows = read_windows(made, window)
    covered = [site for a, b in zip(windows.first_sites, windows.end_sites, strict=True) for site in range(a, b)]
    assert covered == list(range(len(made.positions)))
    for number in range(len(windows.reads)):
        places = made.positions[windows.first_sites[number] : windows.end_sites[number]]
        assert (places >= windows.starts[number]).all()
        assert (places < windows.starts[number] + window).all()


@pytest.fixture
def genome(tmp_path):
    with open_genome(write_fasta(tmp_path / "g.fa", {"chr1": "ACGTACGTTCGA" + "T" * 200_000 + "CG"})) as genome:
        yield genome


def test_codes_and_marks(genome):
    made = reads((0, 4, {1: 1}), (4, 12, {5: 0, 9: 1}), (200_012, 200_014, {200_012: 1}))
    codes = marked_windows(genome, made, read_windows(made, 8), 8)
    assert codes.tolist() == [
        [4, 4, 0, 1 + 16, 2, 3, 0, 1],  # from -2: beyond the contig nothing is known
        [0, 1 + 8, 2, 3, 3, 1 + 16, 2, 0],
        [3, 3, 3, 1 + 16, 2, 4, 4, 4],
    ]


def test_bases_at_hand_are_as_good_as_a_genome(genome):
    made = reads((0, 4, {1: 1}), (4, 12, {5: 0, 9: 1}))
    windows = read_windows(made, 8)
    expected = marked_windows(genome, made, windows, 8)
    np.testing.assert_array_equal(windows_on(genome.codes(0, 0, 40), 0, made, windows, 8), expected)
    part = windows_on(genome.codes(0, 1, 9), 1, made, windows, 8)
    assert part.tolist() == [
        [4, 4, 4, 1 + 16, 2, 3, 0, 1],  # what lies before the first base is not known, nor behind the last
        [0, 1 + 8, 2, 3, 3, 4, 4, 4],
    ]


def test_states_at_what_is_no_c_leave_the_bases_alone(genome):
    made = reads((4, 12, {6: 1, 9: 1}))
    assert marked_windows(genome, made, read_windows(made, 8), 8).tolist() == [[0, 1, 2, 3, 3, 1 + 16, 2, 0]]


def test_no_reads(genome):
    made = MethylationReads.empty("chr1")
    assert marked_windows(genome, made, read_windows(made, 8), 8).shape == (0, 8)


def test_parts_of_reads_join_to_the_whole():
    made = reads((0, 4, {1: 1}), (4, 12, {5: 0, 9: 1}), (20, 25, {21: 1}))
    parts = [made.take(np.array([0])), made.take(np.array([1, 2]))]
    for whole, again in zip(made[1:], joined(parts)[1:], strict=True):
        np.testing.assert_array_equal(whole, again)
    assert made.take(np.array([False, True, False])).positions.tolist() == [5, 9]
