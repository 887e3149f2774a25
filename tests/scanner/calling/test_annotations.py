"""What is said of calls: put together from pieces, it is what saying it of all calls at once gives."""

import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.annotations import KINDS, Annotator, Chunk, columns_of
from genoscan.scanner.calling.intervals import RUN, Thresholds, reduce_runs, settled_calls
from genoscan.scanner.calling.repeats import SEGMENT, Annotation
from genoscan.scanner.calling.satellites import load_satellites
from genoscan.scanner.errors import Interrupted

CONTIGS = tuple(np.random.default_rng(3).integers(0, 5, (4, 3000), dtype=np.uint8))


class Contigs:
    def codes(self, contig, start, end):
        assert 0 <= start < end <= len(CONTIGS[contig])
        return CONTIGS[contig][start:end]


@pytest.fixture(scope="module")
def annotator():
    return Annotator("tandem-repeat", load_satellites())


def calls_of(*places):
    calls = np.zeros(len(places), dtype=RUN)
    for field, values in zip(
        ("contig", "start", "end"), zip(*places, strict=True) if places else ((),) * 3, strict=True
    ):
        calls[field] = values
    return calls


def said(annotation):
    """Segments with their units as texts."""
    segments, letters = annotation
    fields = [name for name in segments.dtype.names if not name.startswith("unit")]
    rows = zip(segments[fields].tolist(), segments["unit_start"], segments["unit_end"], strict=True)
    return [(*row, letters[start:end].tobytes()) for row, start, end in rows]


def test_columns_are_those_of_the_segments():
    for kind in KINDS.values():
        assert len(kind.columns) == len(kind.numbers) + 1
        assert {number.field for number in kind.numbers} < set(kind.segment.names)
        assert len({number.field for number in kind.numbers}) == len(kind.numbers)
        assert kind.columns[-1].kind in ("string", "lstring")
        for column, number in zip(kind.columns, kind.numbers, strict=False):
            assert column.kind in (("float", "double") if number.decimals else ("int", "uint", "short", "ushort"))


def test_calls_of_each_contig_are_read_there(annotator):
    places = (0, 10, 60), (2, 0, 2000), (2, 2001, 2020), (3, 2900, 3000)
    whole = annotator.annotate(calls_of(*places), Contigs())
    assert whole.segments.dtype == SEGMENT
    expected = []
    for call, place in enumerate(places):
        alone = said(annotator.annotate(calls_of(place), Contigs()))
        expected += [(call, *row[1:]) for row in alone]
    assert said(whole) == expected
    assert [len(one) for one in annotator.annotate(calls_of(), Contigs())] == [0, 0]


@given(
    places=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 58)), max_size=14).map(sorted),
    more=st.lists(st.booleans(), min_size=14, max_size=14),
    known=st.lists(st.booleans(), min_size=14, max_size=14),
    data=st.data(),
)
def test_what_others_have_said_is_taken_up_and_the_rest_is_added(annotator, places, more, known, data):
    calls = calls_of(*((contig, 50 * slot, 50 * slot + 7 + 3 * slot % 43) for contig, slot in places))
    found = calls[more[: len(calls)]]  # what the piece has found, of which it has annotated some
    chosen = np.flatnonzero(known[: len(found)])
    part = None
    if len(found) and data.draw(st.booleans()):
        part = annotator.joined([(annotator.annotate(found[chosen], Contigs()), chosen)])
    assert said(annotator.completed(calls, found, part, Contigs())) == said(annotator.annotate(calls, Contigs()))


def test_a_call_that_is_not_there_any_more_is_an_error(annotator):
    found = calls_of((0, 10, 60), (1, 5, 50))
    part = annotator.annotate(found, Contigs())
    with pytest.raises(ValueError, match="has changed"):
        annotator.completed(found[:1], found, part, Contigs())


def test_annotating_ends_when_it_is_told_to(annotator):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        annotator.annotate(calls_of((0, 10, 60)), Contigs(), stop)


def test_an_annotator_travels(annotator):
    arrived = pickle.loads(pickle.dumps(annotator))
    assert arrived.satellites.digest() == annotator.satellites.digest()
    calls = calls_of((0, 10, 600))
    assert said(arrived.annotate(calls, Contigs())) == said(annotator.annotate(calls, Contigs()))


def test_the_intervals_of_a_chunk_are_its_lines():
    calls = calls_of((0, 10, 60), (2, 5, 50))
    assert Chunk(calls).intervals() is calls
    segments = np.zeros(3, dtype=SEGMENT)
    segments["call"], segments["start"], segments["end"] = (0, 0, 1), (10, 30, 5), (30, 60, 50)
    lines = Chunk(calls, Annotation(segments, np.empty(0, np.uint8))).intervals()
    assert lines.tolist() == [(0, 10, 30), (0, 30, 60), (2, 5, 50)]


def test_a_card_without_annotation_has_no_columns():
    from genoscan.scanner.catalogue import bundled_models
    from genoscan.scanner.inference.session import read_card

    card = read_card(bundled_models()["repeats"])
    assert columns_of(card) == KINDS["tandem-repeat"].columns
    silent = card.calling.model_copy(update={"annotation": None})
    assert columns_of(card.model_copy(update={"calling": silent})) == ()


@given(
    spans=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 90), st.integers(1, 12)), max_size=12),
    outside=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    gap=st.sampled_from([0, 1, 5]),
    min_length=st.sampled_from([1, 8]),
)
def test_settled_calls_are_those_that_nothing_outside_can_change(spans, outside, gap, min_length):
    """A piece from base 20 of contig 0 to base 70 of contig 2; runs as near as can be lie on both sides of it."""
    start, end, thresholds = (0, 20), (2, 70), Thresholds(60, 30, gap, min_length)
    runs = calls_of(*((contig, first, first + size) for contig, first, size in sorted(spans)))
    first, last = np.maximum(runs["start"], 20), np.minimum(runs["end"], 70)
    runs["start"] = np.where(runs["contig"] == 0, first, runs["start"])
    runs["end"] = np.where(runs["contig"] == 2, last, runs["end"])
    runs = runs[runs["start"] < runs["end"]]
    touching = np.zeros(len(runs), dtype=bool)
    touching[1:] = (runs["contig"][1:] == runs["contig"][:-1]) & (runs["start"][1:] <= runs["end"][:-1])
    runs = runs[np.cumsum(touching) == 0]
    runs["peak"], runs["scored"], runs["total"] = 70, runs["end"] - runs["start"], 70
    reduced = reduce_runs(runs, thresholds, start, end)
    settled = reduced[settled_calls(reduced, thresholds, start, end)]

    beyond = calls_of((0, 0, 20), (2, 70, 70 + 1 + outside[1]))
    beyond["start"][0] = 19 - min(19, outside[0])
    beyond["peak"], beyond["scored"], beyond["total"] = 70, 1, 70
    everything = np.concatenate([beyond[:1], runs, beyond[1:]])
    with_them = reduce_runs(everything, thresholds, (0, -1000), (9, 0)).tolist()
    assert all(row in with_them for row in settled.tolist())
    without = [row for row in reduced.tolist() if row not in settled.tolist()]
    near = [row for row in without if (row[0] == 0 and row[2] - 20 <= gap) or (row[0] == 2 and 70 - row[3] <= gap)]
    assert len(near) == len(without)
