"""Pieces: however tiles are put together, what is found is the same; sizes follow the pace."""

import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest
import toys
from commands import scan_file
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.intervals import RUN, Caller, Thresholds, in_genome_order, reduce_runs
from genoscan.scanner.pieces import (
    MOST_BASES,
    MOST_ROWS,
    PIECE_SECONDS,
    Finished,
    Pace,
    Piece,
    PieceResult,
    Search,
    cut_pieces,
)
from genoscan.scanner.reading.tiles import INTERVAL, Tile


def tile(index, bases=100):
    interval = np.array([(0, index * bases, (index + 1) * bases)], dtype=INTERVAL)
    return Tile(index, interval, np.array([10_000]))


def result(bases, seconds):
    return PieceResult(0, 1, (0, bases), bases, seconds, (), (), ())


class SteadyPace:
    """Wants so many bases whatever is left."""

    def __init__(self, bases):
        self.bases = bases

    def wanted(self, _):
        return self.bases


@given(
    count=st.integers(0, 40),
    wanted=st.integers(0, 900),
    borders=st.sets(st.integers(0, 40), max_size=8),
    take=st.lists(st.booleans(), min_size=9, max_size=9),
)
def test_pieces_hold_every_tile_once_and_finished_ones_apart(count, wanted, borders, take):
    edges = sorted(border for border in borders if border <= count)
    finished = {a: b for (a, b), taken in zip(zip(edges, edges[1:], strict=False), take, strict=False) if taken}
    pieces = list(cut_pieces(map(tile, range(count)), 100 * count, (), finished, SteadyPace(wanted)))
    assert [one.index for piece in pieces for one in piece.tiles] == list(range(count))
    assert {piece.first: piece.last for piece in pieces if isinstance(piece, Finished)} == finished
    for piece in pieces:
        if isinstance(piece, Piece):
            assert piece.bases < wanted + 100 or len(piece.tiles) == 1
            assert not any(piece.first <= first < piece.last for first in finished)


def test_what_was_finished_beyond_the_last_tile_is_scanned_again():
    pieces = list(cut_pieces(map(tile, range(3)), 300, (), {2: 9}, SteadyPace(1)))
    assert [(type(piece), piece.first, piece.last) for piece in pieces] == [(Piece, 0, 1), (Piece, 1, 2), (Piece, 2, 3)]


def test_a_piece_knows_where_it_begins_and_ends():
    first = Tile(4, np.array([(2, 50, 80), (5, 0, 7)], dtype=INTERVAL), np.array([80, 7]))
    second = Tile(5, np.array([(9, 0, 30)], dtype=INTERVAL), np.array([100]))
    piece = Piece((first, second), (Search(0, None),))
    assert (piece.first, piece.last, piece.bases) == (4, 6, 67)
    assert (piece.start, piece.end) == ((2, 50), (9, 30))
    assert piece.contigs().tolist() == [2, 5, 9]


def test_pieces_grow_to_some_seconds_of_work_and_shrink_at_the_end():
    pace = Pace(slots=4)
    assert pace.wanted(10**12) == 0  # nothing is known: one tile
    pace.heard(result(1_000_000, 0.1))
    assert pace.wanted(10**12) == MOST_BASES
    pace.heard(result(1_000_000, 10.0))
    pace.heard(result(1_000_000, 10.0))
    rate = 1_750_000 / 15.025
    assert pace.wanted(10**12) == pytest.approx(rate * PIECE_SECONDS, rel=0.01)
    assert pace.wanted(800_000) == pytest.approx(800_000 / 8, rel=0.01)
    assert pace.wanted(1000) == pytest.approx(rate * 0.25, rel=0.01)  # not so small that overheads count


def test_pieces_are_never_larger_than_their_results_allow():
    pace = Pace(slots=1, most=lambda: 5000)
    pace.heard(result(10**9, 1.0))
    assert pace.wanted(10**12) == 5000


def test_what_is_noisy_comes_in_small_pieces():
    pace = Pace(slots=1)
    pace.heard(replace(result(10**6, 0.01), found=(np.zeros(300_000, RUN), np.zeros(200_000, RUN))))
    assert pace.wanted(10**12) == pytest.approx(2 * MOST_ROWS, rel=0.01)


def test_the_pace_forgets():
    pace = Pace(slots=1)
    for _ in range(10):
        pace.heard(result(10**7, 1.0))
    for _ in range(30):
        pace.heard(result(10**6, 1.0))
    assert pace.wanted(10**15) == pytest.approx(PIECE_SECONDS * 10**6, rel=0.1)


def test_the_pace_may_be_heard_by_many_threads():
    pace = Pace(slots=1)
    threads = [threading.Thread(target=lambda: [pace.heard(result(1000, 0.001)) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pace.wanted(10**12) == pytest.approx(PIECE_SECONDS * 10**6, rel=0.01)


def runs_of(spans):
    """Runs of channel 0 or 1 from (contig, channel, start, length, peak), kept apart within a contig and channel."""
    rows = np.zeros(len(spans), dtype=RUN)
    for row, (contig, channel, start, length, peak) in zip(rows, spans, strict=True):
        row["contig"], row["channel"], row["start"], row["end"] = contig, channel, start, start + length
        row["scored"], row["total"], row["peak"] = length, length * peak, peak
    rows = rows[np.lexsort((rows["start"], rows["channel"], rows["contig"]))]
    apart = np.ones(len(rows), dtype=bool)
    for i in range(1, len(rows)):
        same = rows["contig"][i] == rows["contig"][i - 1] and rows["channel"][i] == rows["channel"][i - 1]
        apart[i] = not (same and rows["start"][i] <= rows["end"][i - 1] + 1)
    return in_genome_order(rows[apart])


def cut_at(runs, cuts):
    """The runs cut at (contig, position) cuts: the parts of each piece, piece by piece, with the piece's ends."""
    edges = [(0, 0), *cuts, (9, 0)]
    for start, end in zip(edges, edges[1:], strict=False):
        part = []
        for run in runs:
            first = max((run["contig"], run["start"]), start)
            last = min((run["contig"], run["end"]), end)
            if first < last and first[0] == run["contig"] == last[0]:
                piece = run.copy()
                piece["start"], piece["end"] = first[1], last[1]
                piece["scored"] = last[1] - first[1]
                piece["total"] = piece["scored"] * run["peak"]
                part.append(piece)
        yield np.array(part, dtype=RUN), start, end


@given(
    spans=st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 1), st.integers(0, 200), st.integers(1, 30), st.sampled_from([40, 70])
        ),
        max_size=25,
    ),
    cuts=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 220)), max_size=8, unique=True),
    gap=st.sampled_from([0, 1, 5, 40]),
    min_length=st.sampled_from([1, 8, 25]),
)
def test_reduced_pieces_give_the_calls_of_the_uncut_genome(spans, cuts, gap, min_length):
    thresholds = Thresholds(60, 30, gap, min_length)
    runs = runs_of(spans)
    whole = Caller(thresholds)
    expected = np.concatenate([whole.add(runs, 9, 0), whole.finish()])
    caller, chunks = Caller(thresholds), []
    for part, start, end in cut_at(runs, sorted(cuts)):
        reduced = reduce_runs(in_genome_order(part), thresholds, start, end)
        assert len(reduced) <= len(part)
        chunks.append(caller.add(reduced, *end))
    found = np.concatenate([*chunks, caller.finish()])
    assert found.tolist() == expected.tolist()


def test_weak_runs_inside_of_a_piece_are_dropped_and_at_its_edges_kept():
    runs = runs_of([(0, 0, 0, 5, 40), (0, 0, 50, 5, 40), (0, 0, 95, 5, 40), (0, 0, 70, 5, 70)])
    reduced = reduce_runs(runs, Thresholds(60, 30, 3, 1), (0, 0), (0, 100))
    assert reduced["start"].tolist() == [0, 70, 95]


@pytest.mark.parametrize("rows", [1, 50, 10**6])
def test_reducing_on_the_way_changes_nothing(tmp_path, monkeypatch, rows):
    letters = np.random.default_rng(5).choice(list("ACGT"), 30_000)
    (tmp_path / "a.fa").write_text(">one\n" + "".join(letters[:20_000]) + "\n>two\n" + "".join(letters[20_000:]) + "\n")
    model = toys.write(tmp_path / "a.onnx", toys.base_model("A", 64, 16, strand="both"))
    scan_file(tmp_path / "a.fa", model, tmp_path / "whole.bed", tile_size=10**6)
    monkeypatch.setattr("genoscan.scanner.pieces.MOST_ROWS", rows)
    monkeypatch.setattr("genoscan.scanner.pieces.Pace.wanted", lambda *_: 12_000)
    scan_file(tmp_path / "a.fa", model, tmp_path / "cut.bed", tile_size=1000)
    assert (tmp_path / "cut.bed").read_bytes() == (tmp_path / "whole.bed").read_bytes()
    assert (tmp_path / "cut.bed").read_bytes().count(b"\n") > 10_000


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6), first=st.integers(0, 9), seed=st.integers(0, 99))
def test_a_piece_travels_as_it_is(sizes, first, seed):
    random, tiles = np.random.default_rng(seed), []
    for index, size in enumerate(sizes, first):
        intervals = np.zeros(size, dtype=INTERVAL)
        for field in INTERVAL.names:
            intervals[field] = random.integers(0, 99, size)
        tiles.append(Tile(index, intervals, random.integers(0, 999, size), bool(random.integers(2))))
    piece = Piece(tuple(tiles), (Search(1, Thresholds(6, 4, 2, 1)), Search(0, None)))
    arrived = pickle.loads(pickle.dumps(piece))
    assert arrived.searches == piece.searches
    assert [(one.index, one.continues) for one in arrived.tiles] == [(one.index, one.continues) for one in tiles]
    for one, other in zip(arrived.tiles, tiles, strict=True):
        assert one.intervals.dtype == INTERVAL
        assert (one.intervals.tolist(), one.lengths.tolist()) == (other.intervals.tolist(), other.lengths.tolist())
