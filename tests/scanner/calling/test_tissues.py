"""Regions called from reads: shares by hand, merging whatever the parts, colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.tissue_colours import tissue_colour
from genoscan.scanner.calling.tissues import TissueThresholds, called, marker_totals, merged_totals, read_shares
from genoscan.scanner.read_likelihoods import RegionReads
from genoscan.scanner.reading.tiles import INTERVAL


def part(rows):
    """Rows of region, contig, start, end, count, cpgs and likelihoods."""
    columns = [np.array([row[at] for row in rows], dtype=np.int64) for at in range(6)]
    likelihoods = np.array([row[6] for row in rows], dtype=np.float64) if rows else np.empty((0, 2))
    return RegionReads(*columns, np.log(likelihoods).astype(np.float32))


def test_shares_of_a_read():
    logs = np.log([[0.5, 0.25, 0.25], [8.0, 1.0, 1.0]]) - np.array([[1000.0], [-50.0]])  # a constant plays no part
    assert read_shares(logs).tolist() == [[5000, 2500, 2500], [8000, 1000, 1000]]
    assert read_shares(np.empty((0, 3))).shape == (0, 3)


def test_marker_totals_by_hand():
    markers = np.array([(0, 0, 9), (0, 20, 30), (1, 0, 9)], INTERVAL)
    first = part([(0, 0, 1, 5, 3, 2, (0.9, 0.1)), (2, 1, 1, 5, 1, 1, (0.5, 0.5))])
    totals = marker_totals([first, part([(0, 0, 2, 8, 1, 4, (0.1, 0.9))])], markers, 2)
    assert totals.reads.tolist() == [4, 0, 1]
    assert totals.cpgs.tolist() == [10, 0, 1]
    assert totals.shares.tolist() == [[28000, 12000], [0, 0], [5000, 5000]]


def test_called_regions():
    markers = np.array([(0, 0, 9), (0, 20, 30), (1, 0, 9)], INTERVAL)
    rows = [(0, 0, 1, 5, 4, 2, (0.7, 0.2, 0.1)), (2, 1, 1, 5, 1, 1, (0.2, 0.4, 0.4))]
    totals = marker_totals([part(rows)], markers, 3)
    found = called(totals, TissueThresholds(call=4000, listed=1000, reads=1))
    assert found.totals.markers.tolist() == [0, 2]
    assert found.best.tolist() == [[0, 1], [1, 2]]  # of equals the first
    assert called(totals, TissueThresholds(4000, 1000, 2)).totals.markers.tolist() == [0]
    assert called(totals, TissueThresholds(7001, 1000, 1)).totals.markers.tolist() == []


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
    found = list(merged_totals(parts))
    regions = [
        [*place, reads, cpgs]
        for one in found
        for place, reads, cpgs in zip(one.places.tolist(), one.reads.tolist(), one.cpgs.tolist(), strict=True)
    ]
    assert regions == naive_regions(rows)
    assert sum(one.shares.sum() for one in found) == 10_000 * sum(row[4] for row in rows)


def test_no_reads_no_regions():
    assert list(merged_totals([])) == []


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
