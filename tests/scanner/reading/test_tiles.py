"""Tiles hold every base once; windows depend on the contig alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.card import Calling, ModelCard, NucleotideInput, Output
from genoscan.scanner.reading.tiles import Interval, cut_tiles, tile_size_for, windows_of


def card(task="segmentation", window=32, step=16, bin=1, shortest=None):
    return ModelCard(
        name="toy",
        version="1",
        task=task,
        input=NucleotideInput(),
        window=window,
        step=step,
        context=(window - step) // 2,
        shortest_window=shortest,
        strand="symmetric",
        output=Output(names=("x",), activation="identity", bin=bin if task == "segmentation" else step),
        calling=Calling(threshold=0.5, extend=0.5),
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 500)), max_size=30), st.integers(1, 8), st.integers(1, 7))
def test_tiles_partition_the_intervals_at_grid_positions(pieces, step, multiple):
    size = step * multiple
    intervals = [Interval(contig, start, start + length) for contig, (start, length) in enumerate(pieces)]
    tiles = list(cut_tiles(intervals, size, step))
    assert [tile.index for tile in tiles] == list(range(len(tiles)))
    flat = [interval for tile in tiles for interval in tile.intervals]
    for original in intervals:
        parts = [part for part in flat if part.contig == original.contig]
        assert parts[0].start == original.start
        assert parts[-1].end == original.end
        assert all(
            left.end == right.start and left.end % step == 0 for left, right in zip(parts, parts[1:], strict=False)
        )
    assert flat == sorted(flat)
    for tile in tiles:
        grid = sum(-(-i.end // step) * step - i.start // step * step for i in tile.intervals)
        assert grid <= size or len(tile.intervals) == 1


def test_short_contigs_are_packed():
    intervals = [Interval(contig, 0, 300) for contig in range(1000)]
    assert len(list(cut_tiles(intervals, 320 * 100, 16))) == 10


def test_tile_size_is_whole_batches_and_at_least_a_window():
    assert tile_size_for(card(), batch_size=4, wanted=100) == 128
    assert tile_size_for(card(), batch_size=1, wanted=1) == 32


def test_windows_of_a_segmentation_model_lie_on_the_contigs_grid():
    windows = windows_of(card(), 100, Interval(0, 20, 50))
    assert windows.starts.tolist() == [8, 24, 40]
    assert (windows.size, windows.first, windows.crop) == (32, 16, 8)


@pytest.mark.parametrize(("length", "size"), [(1, 8), (8, 8), (9, 16), (17, 32), (32, 32)])
def test_short_contigs_get_short_windows(length, size):
    windows = windows_of(card(shortest=8), length, Interval(0, 0, length))
    assert (windows.starts.tolist(), windows.size, windows.first, windows.crop) == ([0], size, 0, 0)


def test_a_contig_longer_than_a_window_gets_the_grid():
    windows = windows_of(card(shortest=8), 33, Interval(0, 0, 33))
    assert windows.starts.tolist() == [-8, 8, 24]


def test_windows_of_a_classifier_move_inwards_and_are_shared():
    windows = windows_of(card("classification", window=48, step=16), 100, Interval(0, 0, 100))
    assert windows.starts.tolist() == [0, 16, 32, 48, 52]
    assert windows.bins.tolist() == [0, 0, 1, 2, 3, 4, 4]


@given(st.integers(1, 300), st.integers(0, 299), st.integers(1, 300), st.sampled_from(["segmentation", "regression"]))
def test_windows_do_not_depend_on_where_an_interval_is_cut(length, start, size, task):
    start = min(start, length - 1)
    end = min(length, start + size)
    whole = windows_of(card(task), length, Interval(0, 0, length))
    part = windows_of(card(task), length, Interval(0, start, end))
    bins = (part.first - whole.first) // 16
    if task == "segmentation":
        assert np.array_equal(part.starts, whole.starts[bins : bins + len(part.starts)])
    else:
        expected = whole.starts[whole.bins][bins : bins + len(part.bins)]
        assert np.array_equal(part.starts[part.bins], expected)
