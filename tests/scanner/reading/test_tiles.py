"""Tiles hold every base once; windows depend on the contig alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.card import Calling, ModelCard, NucleotideInput, Output
from genoscan.scanner.reading.tiles import INTERVAL, Tile, cut_tiles, tile_size_for, windows_of


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


def tile_of(*intervals, lengths, continues=False):
    return Tile(0, np.array(list(intervals), dtype=INTERVAL), np.array(lengths, dtype=np.int64), continues)


def rows(array):
    return [tuple(map(int, one)) for one in array]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 500), st.booleans()), max_size=30),
    st.integers(1, 8),
    st.integers(1, 7),
)
def test_tiles_partition_the_intervals_at_grid_positions(pieces, step, multiple):
    """Each piece is (start, size, on a contig of its own or after the one before)."""
    size, contig, end, intervals = step * multiple, 0, -1, []
    for start, length, anew in pieces:
        contig, start = (contig + 1, start) if anew else (contig, end + 1 + start)
        end = start + length
        intervals.append((contig, start, end))
    intervals = np.array(intervals, dtype=INTERVAL)
    lengths = np.full(contig + 1, 20_000)
    tiles = list(cut_tiles(intervals, lengths, size, [card(window=step, step=step)]))
    assert [tile.index for tile in tiles] == list(range(len(tiles)))
    flat = [interval for tile in tiles for interval in rows(tile.intervals)]
    assert flat == sorted(flat)
    for contig, start, end in rows(intervals):
        parts = [part for part in flat if part[0] == contig and start <= part[1] < end]
        covered = [parts[0][1], *(part[2] for part in parts)] if parts else [start]
        assert covered == sorted(set(covered))
        assert (covered[0], covered[-1]) == (start, end)
        assert all(left[2] == right[1] for left, right in zip(parts, parts[1:], strict=False))
        assert all(cut % size == 0 for cut in covered[1:-1])
    assert sum(tile.bases for tile in tiles) == sum(end - start for _, start, end in rows(intervals))
    begins = {(contig, start) for contig, start, _ in rows(intervals)}
    for tile in tiles:
        grid = sum(-(-end // step) * step - start // step * step for _, start, end in rows(tile.intervals))
        assert grid <= size or len(tile.intervals) == 1
        assert tile.continues == (rows(tile.intervals)[0][:2] not in begins)
        assert tile.lengths.tolist() == [20_000] * len(tile.intervals)


def whole_contigs(lengths):
    intervals = np.zeros(len(lengths), dtype=INTERVAL)
    intervals["contig"], intervals["end"] = np.arange(len(lengths)), lengths
    return intervals


def test_short_contigs_are_packed():
    lengths = np.full(1000, 300)
    tiles = list(cut_tiles(whole_contigs(lengths), lengths, 304 * 100, [card()]))
    assert [len(tile.intervals) for tile in tiles] == [100] * 10


def test_contigs_in_short_windows_take_a_quarter_of_their_room():
    """A window of 16,384 bases, as short as 512: contigs of 300, 600 and 1,200 bases take 128, 256 and 512."""
    lengths = np.array([300, 600, 1200] * 100)
    models = [card(window=16_384, step=14_336, shortest=512)]
    tiles = list(cut_tiles(whole_contigs(lengths), lengths, 4 * 14_336, models))
    assert [len(tile.intervals) for tile in tiles] == [192, 108]
    # A model without short windows takes a whole step for each of them, so its tiles set the pace.
    tiles = list(cut_tiles(whole_contigs(lengths), lengths, 4 * 14_336, [*models, card(window=16_384, step=14_336)]))
    assert [len(tile.intervals) for tile in tiles] == [4] * 75


def test_more_intervals_than_expected_fit_into_a_tile():
    lengths = np.full(5000, 1)
    tiles = list(cut_tiles(whole_contigs(lengths), lengths, 4000, [card(window=1, step=1)]))
    assert [len(tile.intervals) for tile in tiles] == [4000, 1000]
    assert tiles[1].intervals["contig"].tolist() == list(range(4000, 5000))


def test_tile_size_is_whole_batches_and_at_least_a_window():
    assert tile_size_for([(card(), 4)], wanted=100) == 128
    assert tile_size_for([(card(), 1)], wanted=1) == 32


def test_tile_size_suits_all_models_where_it_can():
    assert tile_size_for([(card(step=12), 2), (card(), 1)], wanted=40) == 48
    assert tile_size_for([(card(step=12), 2), (card(), 1)], wanted=100) == 144
    # 30 * 7 and 32 * 11 have only 36,960 in common: more than four times what is wanted.
    assert tile_size_for([(card(step=30), 7), (card(window=32, step=32), 11)], wanted=5000) == 15 * 352


def test_windows_of_a_segmentation_model_lie_on_the_contigs_grid():
    windows = windows_of(card(), tile_of((0, 20, 50), (1, 0, 17), lengths=[100, 17]))
    assert windows.intervals.tolist() == [0, 0, 0, 1, 1]
    assert windows.starts.tolist() == [8, 24, 40, -8, 8]
    assert windows.sizes.tolist() == [32] * 5
    assert windows.borders.tolist() == [0, 16, 32, 48, 64, 80]
    assert (windows.bins.firsts.tolist(), windows.bins.offsets.tolist()) == ([16, 0], [0, 48, 80])
    assert windows.bins.size == 1


@pytest.mark.parametrize(("length", "size"), [(1, 8), (8, 8), (9, 16), (17, 32), (32, 32)])
def test_short_contigs_get_short_windows(length, size):
    windows = windows_of(card(shortest=8), tile_of((0, 0, length), (1, 0, 16), lengths=[length, 100]))
    assert windows.starts.tolist() == [0, -8]
    assert windows.sizes.tolist() == [size, 32]
    assert windows.borders.tolist() == [0, size, size + 16]
    assert windows.bins.firsts.tolist() == [0, 0]


def test_a_contig_longer_than_a_window_gets_the_grid():
    windows = windows_of(card(shortest=8), tile_of((0, 0, 33), lengths=[33]))
    assert windows.starts.tolist() == [-8, 8, 24]


def test_bins_of_several_bases():
    windows = windows_of(card(bin=4, shortest=8), tile_of((0, 17, 33), (1, 3, 5), lengths=[33, 9]))
    assert windows.borders.tolist() == [0, 4, 8, 12]
    assert (windows.bins.firsts.tolist(), windows.bins.offsets.tolist()) == ([16, 0], [0, 8, 12])


def test_windows_of_a_classifier_move_inwards_and_are_shared():
    tile = tile_of((0, 0, 100), (1, 0, 30), lengths=[100, 30])
    windows = windows_of(card("classification", window=48, step=16), tile)
    assert windows.intervals.tolist() == [0, 0, 0, 0, 0, 1]
    assert windows.starts.tolist() == [0, 16, 32, 48, 52, 0]
    assert windows.borders.tolist() == [0, 2, 3, 4, 5, 7, 9]
    assert (windows.bins.firsts.tolist(), windows.bins.offsets.tolist()) == ([0, 0], [0, 7, 9])


@given(st.integers(1, 300), st.integers(0, 299), st.integers(1, 300), st.sampled_from(["segmentation", "regression"]))
def test_windows_do_not_depend_on_where_an_interval_is_cut(length, start, size, task):
    start = min(start, length - 1)
    end = min(length, start + size)

    def scored(start, end):
        """The window that scores each bin."""
        windows = windows_of(card(task), tile_of((0, start, end), lengths=[length]))
        first = int(windows.bins.firsts[0])
        by = np.repeat(windows.starts, np.diff(windows.borders))
        return {first + number * windows.bins.size: int(window) for number, window in enumerate(by)}

    whole = scored(0, length)
    assert scored(start, end).items() <= whole.items()


@given(st.integers(1, 200), st.integers(1, 40), st.sampled_from([None, 8, 32]), st.booleans())
def test_windows_on_both_sides_of_a_cut_are_told(length, tile_size, shortest, segmentation):
    model = card("segmentation" if segmentation else "regression", shortest=shortest if segmentation else None)
    lengths = np.array([length, length])
    whole = windows_of(model, tile_of((0, 0, length), (1, 0, length), lengths=lengths))
    assert not whole.repeated.any()
    found = []
    for tile in cut_tiles(whole_contigs(lengths), lengths, tile_size, [model]):
        windows = windows_of(model, tile)
        contigs = tile.intervals["contig"][windows.intervals]
        found += [*zip(contigs[~windows.repeated], windows.starts[~windows.repeated], strict=True)]
    assert found == [*zip(whole.intervals, whole.starts, strict=True)]
