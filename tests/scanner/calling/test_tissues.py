"""Regions called from reads: shares by hand, merging whatever the parts, colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling import tissues
from genoscan.scanner.calling.tissue_colours import tissue_colour
from genoscan.scanner.calling.tissues import (
    RegionShares,
    TissueThresholds,
    called,
    marker_shares,
    merged_shares,
    shares_and_evidence,
)
from genoscan.scanner.read_likelihoods import RegionReads
from genoscan.scanner.reading.tiles import INTERVAL


def part(rows):
    """Rows of region, contig, start, end, count, cpgs and likelihoods."""
    columns = [np.array([row[at] for row in rows], dtype=np.int64) for at in range(6)]
    likelihoods = np.array([row[6] for row in rows], dtype=np.float64) if rows else np.empty((0, 2))
    return RegionReads(*columns, np.log(likelihoods).astype(np.float32))


def on_a_grid(logs, counts):
    """The best share of the first of two classes, and its log-likelihood, by trying all of a fine grid."""
    grid = np.linspace(0, 1, 20_001)
    with np.errstate(divide="ignore"):
        totals = (counts[:, None] * np.log(np.exp(logs[:, :1]) * grid + np.exp(logs[:, 1:]) * (1 - grid))).sum(axis=0)
    return grid[totals.argmax()], totals.max()


def test_two_classes_as_a_search_finds_them():
    logs, counts = np.log([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([3, 1, 2])
    shares, evidence = shares_and_evidence(logs - [[5.0], [-3.0], [0.0]], counts)  # constants play no part
    share, best = on_a_grid(logs, counts)
    assert shares[0] == pytest.approx(share, abs=0.01)
    without = (counts[:, None] * logs).sum(axis=0)[::-1]  # all of the one, none of the other
    np.testing.assert_allclose(evidence, (best - without) / np.log(10), atol=0.001)


def test_classes_that_are_not_told_apart_have_no_evidence():
    """Half of the reads can only be from the first of three; of the others either may be."""
    logs = np.log([[0.98, 0.01, 0.01]] * 5 + [[0.01, 0.495, 0.495]] * 5)
    shares, evidence = shares_and_evidence(logs, np.ones(10, dtype=np.int64))
    assert shares[0] == pytest.approx(0.5, abs=0.02)
    assert evidence[0] == pytest.approx(5 * np.log10(98 / 1) - 10 * np.log10(2), abs=0.2)
    np.testing.assert_allclose(evidence[1:], 0, atol=0.001)


def test_one_class_alone():
    shares, evidence = shares_and_evidence(np.zeros((3, 1)), np.ones(3))
    assert (shares.tolist(), evidence.tolist()) == ([1], [0])


def test_marker_shares():
    markers = np.array([(0, 0, 9), (0, 20, 30), (1, 0, 9)], INTERVAL)
    rows = [(2, 1, 1, 5, 1, 1, (0.5, 0.5)), (0, 0, 1, 5, 3, 2, (0.9, 0.1)), (0, 0, 2, 8, 1, 4, (0.1, 0.9))]
    first, second = marker_shares([part(rows[1:]), part(rows[:1])], markers)
    assert first.places.tolist() == [(0, 0, 9)]
    assert second.places.tolist() == [(1, 0, 9)]
    assert (first.reads.tolist(), first.cpgs.tolist(), first.markers.tolist()) == ([4], [10], [0])
    logs = np.log([[0.9, 0.1], [0.1, 0.9]]).astype(np.float32)
    np.testing.assert_array_equal(first.shares[0], shares_and_evidence(logs, np.array([3, 1]))[0])


def regions_of(*rows):
    """Rows of reads, shares and evidence."""
    places = np.zeros(len(rows), INTERVAL)
    reads, shares, evidence = (np.array(column) for column in zip(*rows, strict=True))
    return RegionShares(places, np.arange(len(rows)), reads, reads, shares.astype(float), evidence.astype(float))


def test_called_regions():
    found = regions_of(
        (9, (0.2, 0.8, 0), (7, 0, 0)),  # the most evidence is called, not the largest share
        (9, (0.5, 0.5, 0), (1, 1.5, 0)),  # too little evidence
        (9, (0.04, 0.96, 0), (7, 0, 0)),  # too small a share
        (2, (0.2, 0.8, 0), (7, 0, 0)),  # too few reads
        (9, (0.3, 0.7, 0), (3, 3, 0)),  # of equals the larger share
    )
    calls = called(found, TissueThresholds(share=0.05, listed=0.01, evidence=2, reads=3))
    assert calls.regions.markers.tolist() == [0, 4]
    assert calls.best.tolist() == [[0, 1], [1, 0]]


def naive_regions(rows):
    regions = []
    for _, contig, start, end, count, cpgs, _ in rows:
        if regions and regions[-1][0] == contig and start < regions[-1][2]:
            regions[-1][2] = max(regions[-1][2], end)
            regions[-1][3] += count
            regions[-1][4] += count * cpgs
        else:
            regions.append([contig, start, end, count, count * cpgs])
    return regions


read = st.tuples(st.integers(0, 1), st.integers(0, 60), st.integers(1, 20), st.integers(1, 3), st.integers(1, 4))


@given(st.lists(read, min_size=1, max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_merged_regions_do_not_depend_on_parts(reads, cuts):
    rows = [(-1, contig, start, start + size, count, cpgs, (0.6, 0.4)) for contig, start, size, count, cpgs in reads]
    rows.sort(key=lambda row: (row[1], row[2]))
    borders = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    parts = [part(rows[a:b]) for a, b in zip(borders[:-1], borders[1:], strict=True)]
    found = list(merged_shares(parts))
    regions = [
        [*place, reads, cpgs]
        for one in found
        for place, reads, cpgs in zip(one.places.tolist(), one.reads.tolist(), one.cpgs.tolist(), strict=True)
    ]
    assert regions == naive_regions(rows)


def test_no_reads_no_regions():
    assert list(merged_shares([])) == []


def test_a_region_of_many_reads_is_cut(monkeypatch):
    monkeypatch.setattr(tissues, "_MOST_WINDOWS", 4)
    rows = [(-1, 0, start, start + 50, 1, 1, (0.6, 0.4)) for start in range(10)]
    for borders in ([0, 10], [0, 3, 7, 10]):
        parts = [part(rows[a:b]) for a, b in zip(borders[:-1], borders[1:], strict=True)]
        found = [(*one.places[0].tolist(), int(one.reads[0])) for each in merged_shares(parts) for one in split(each)]
        assert found == [(0, 0, 53, 4), (0, 4, 57, 4), (0, 8, 59, 2)]


def split(regions):
    for row in range(len(regions.reads)):
        yield RegionShares(*(column[row : row + 1] for column in regions))


def test_colours_are_stable_and_differ():
    names = ["Liver-Hep", "Blood-T", "Blood-NK", "Neuron", "Colon-Ep", "Lung-Ep-Alveo", "no such organ"]
    colours = [tissue_colour(name) for name in names]
    assert len(set(colours)) == len(names)
    for colour in colours:
        levels = [int(one) for one in colour.split(",")]
        assert all(0 <= level <= 255 for level in levels)
        assert sum(levels) < 600  # readable on white
    assert tissue_colour("unknown") == "128,128,128"
    red, green, blue = (int(one) for one in tissue_colour("Liver-Hep").split(","))
    assert green > max(red, blue)


@pytest.mark.parametrize("name", ["Adipocytes", "Blood-B", "x"])
def test_a_colour_follows_from_the_name(name):
    assert tissue_colour(name) == tissue_colour(name.upper())
