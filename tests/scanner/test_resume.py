"""Finished pieces on disk: whole or absent, taken up only for the same genome, model and options."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.intervals import RUN
from genoscan.scanner.calling.levels import LEVEL
from genoscan.scanner.calling.repeats import SEGMENT, Annotation
from genoscan.scanner.errors import GenoscanError, OutputError
from genoscan.scanner.pieces import PieceResult
from genoscan.scanner.resume import MANIFEST, discard_store, open_store, pack, unpack

IDENTITY = {
    "genome": "d1",
    "models": {"repeats": "a" * 64},
    "options": {"format": "bed", "thresholds of repeats": [6000, 4000, 5, 15]},
}


def rows(dtype, seed, count):
    random = np.random.default_rng(seed)
    found = np.zeros(count, dtype=dtype)
    for field in dtype.names:
        bounds = np.iinfo(dtype[field])
        found[field] = np.sort(random.integers(bounds.min // 4, bounds.max // 4, count))
    return found


def result(first, last, count=5):
    return PieceResult(
        first, last, (3, 1000 * last), 1000, 0.25, (rows(RUN, first, count), rows(LEVEL, last, 3)), (7, 8), (1, 2)
    )


def same(one, other):
    assert (one.first, one.last, one.end, one.bases) == (other.first, other.last, other.end, other.bases)
    assert (one.windows, one.skipped, one.seconds) == (other.windows, other.skipped, other.seconds)
    for a, b in zip(one.found, other.found, strict=True):
        assert a.dtype == b.dtype
        assert a.tolist() == b.tolist()


@given(seed=st.integers(0, 10**6), counts=st.lists(st.integers(0, 50), min_size=1, max_size=3))
def test_what_is_packed_comes_back(seed, counts):
    found = tuple(rows(RUN if number % 2 else LEVEL, seed + number, count) for number, count in enumerate(counts))
    windows = tuple(range(len(counts)))
    packed = PieceResult(4, 9, (2, 77), 12345, 1.5, found, windows, windows[::-1])
    unpacked = unpack(pack(packed))
    same(unpacked, packed)
    assert unpacked.kept
    assert not packed.kept


@given(seed=st.integers(0, 10**6), counts=st.lists(st.integers(0, 50), min_size=1, max_size=3))
def test_what_is_said_of_calls_comes_back(seed, counts):
    random = np.random.default_rng(seed)
    found = tuple(rows(RUN, seed + number, count) for number, count in enumerate(counts))
    said = {
        number: Annotation(random.permutation(rows(SEGMENT, seed, 2 * count)), random.integers(65, 90, count, np.uint8))
        for number, count in enumerate(counts)
        if random.integers(2)
    }
    kept = unpack(pack(PieceResult(4, 9, (2, 77), 12345, 1.5, found, (1,) * len(counts), (0,) * len(counts))))
    assert kept.annotations == {}
    packed = PieceResult(4, 9, (2, 77), 12345, 1.5, found, (1,) * len(counts), (0,) * len(counts), annotations=said)
    there = unpack(pack(packed))
    same(there, packed)
    assert there.annotations.keys() == said.keys()
    for number, annotation in said.items():
        for one, other in zip(there.annotations[number], annotation, strict=True):
            assert one.dtype == other.dtype
            assert one.tolist() == other.tolist()
    assert there.rows == packed.rows >= kept.rows


def store(folder, *, identity=IDENTITY, tile_size=1000, resume=True, warnings=None):
    return open_store(folder, lambda: identity, tile_size, resume, (warnings if warnings is not None else []).append)


def interrupted(folder, pieces=((0, 2), (5, 6))):
    """A folder as a killed scan leaves it."""
    one = store(folder)
    for first, last in pieces:
        one.commit(result(first, last))
    one.close()
    return folder


def test_pieces_are_there_again_after_an_interruption(tmp_path):
    folder = interrupted(tmp_path / "x.pieces")
    again = store(folder, tile_size=77)
    assert again.finished == {0: 2, 5: 6}
    assert again.tile_size == 1000  # as it was cut when it began
    same(again.load(5, 6), result(5, 6))
    again.commit(result(2, 5))
    assert again.close() == 3
    assert store(folder).finished == {0: 2, 2: 5, 5: 6}


def test_the_manifest_says_what_the_pieces_belong_to(tmp_path):
    folder = interrupted(tmp_path / "x.pieces")
    manifest = json.loads((folder / MANIFEST).read_text())
    assert len(manifest.pop("check_sum")) == 32
    assert manifest == {**IDENTITY, "tile_size": 1000}


def test_the_identity_is_asked_for_only_when_it_is_needed(tmp_path):
    def never():
        raise AssertionError

    one = open_store(tmp_path / "x.pieces", never, 1000, True, [].append)
    assert one.finished == {}
    one.close()


def test_nothing_is_left_when_the_scan_is_complete_or_nothing_was_finished(tmp_path):
    complete = store(interrupted(tmp_path / "x.pieces"))
    complete.remove()
    assert complete.close() == 0
    assert store(tmp_path / "y.pieces").close() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"genome": "d2"}, "the genome differs (digest d1 then, d2 now)"),
        ({"models": {"repeats": "b" * 64}}, "the model repeats differs (SHA-256 aaaaaaaaaaaa then, bbbbbbbbbbbb now)"),
        ({"models": {"other": "a" * 64}}, "the model other differs (SHA-256 not there then"),
        (
            {"options": {**IDENTITY["options"], "format": "bedgraph"}},
            "the options differ (format: bed then, bedgraph now)",
        ),
        (
            {"options": {**IDENTITY["options"], "thresholds of repeats": [5000, 4000, 5, 15]}},
            "the options differ (thresholds of repeats: [6000, 4000, 5, 15] then, [5000, 4000, 5, 15] now)",
        ),
    ],
)
def test_pieces_of_another_scan_are_refused_and_kept(tmp_path, change, said):
    folder = interrupted(tmp_path / "x.pieces")
    with pytest.raises(GenoscanError, match=re.escape(said)) as raised:
        store(folder, identity={**IDENTITY, **change})
    assert "\n" not in str(raised.value)
    assert len([name for name in ("genome", "model", "options") if f"the {name}" in str(raised.value)]) == 1
    assert store(folder).finished == {0: 2, 5: 6}


def test_without_resume_they_are_discarded_and_that_is_said(tmp_path):
    folder, warnings = interrupted(tmp_path / "x.pieces"), []
    assert store(folder, resume=False, warnings=warnings).finished == {}
    assert len(warnings) == 1
    assert "2 finished pieces" in warnings[0]
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_one_process_at_a_time(tmp_path):
    one = store(tmp_path / "x.pieces")
    with pytest.raises(GenoscanError, match="another genoscan is at work here"):
        store(tmp_path / "x.pieces")
    one.close()
    store(tmp_path / "x.pieces").close()


def test_a_damaged_piece_is_not_believed(tmp_path):
    folder = interrupted(tmp_path / "x.pieces", [(0, 2)])
    path = next(folder.glob("*.piece"))
    data, good = path.read_bytes(), store(folder)
    same(good.load(0, 2), result(0, 2))
    for place in range(0, len(data), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        assert good.load(0, 2) is None
    for size in range(0, len(data), 7):
        path.write_bytes(data[:size])
        assert good.load(0, 2) is None
    path.unlink()
    assert good.load(0, 2) is None
    good.close()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"genome": 1}', '{"genome": 1, "models": {}, "options": {}, "tile_size": 0}']
)
def test_a_damaged_manifest_is_one_clear_line(tmp_path, text):
    folder = interrupted(tmp_path / "x.pieces")
    (folder / MANIFEST).write_text(text)
    with pytest.raises(GenoscanError, match=r"manifest\.json: is damaged; delete the folder"):
        store(folder)


@pytest.mark.parametrize(
    ("written", "changed"),
    [
        ('"tile_size": 1000', '"tile_size": 1001'),
        ('"tile_size": 1000', '"tile_size": 1e3'),
        ('"genome": "d1"', '"genome": "d0"'),
        ('"models": {', '"models": 1, "more": {'),
        ('"a' + "a" * 63 + '"', "null"),
        ('"genome"', '"x": ' + "[" * 100_000 + ', "genome"'),
    ],
)
def test_a_manifest_that_says_something_else_is_not_believed(tmp_path, written, changed):
    path = interrupted(tmp_path / "x.pieces") / MANIFEST
    text = path.read_text()
    assert written in text
    path.write_text(text.replace(written, changed))
    with pytest.raises(GenoscanError, match=r"manifest\.json: is damaged; delete the folder"):
        store(path.parent)


def test_a_piece_in_the_place_of_another_is_not_believed(tmp_path):
    folder = interrupted(tmp_path / "x.pieces")
    (folder / "00000005-00000006.piece").write_bytes((folder / "00000000-00000002.piece").read_bytes())
    one = store(folder)
    same(one.load(0, 2), result(0, 2))
    assert one.load(5, 6) is None
    one.close()


def test_pieces_without_a_manifest_belong_to_nobody(tmp_path):
    folder = interrupted(tmp_path / "x.pieces")
    (folder / MANIFEST).unlink()
    assert store(folder).finished == {}


def test_a_folder_that_is_gone_is_one_clear_line(tmp_path):
    one = store(tmp_path / "x.pieces")
    one.commit(result(0, 1))
    for path in (tmp_path / "x.pieces").iterdir():
        path.unlink()
    (tmp_path / "x.pieces").rmdir()
    with pytest.raises(OutputError, match=r"x\.pieces: cannot write: No such file"):
        one.commit(result(1, 2))
    one.close()


def test_leftovers_of_a_write_that_was_killed_are_no_pieces(tmp_path):
    folder = interrupted(tmp_path / "x.pieces")
    (folder / ".00000009-00000010.piece.17.partial").write_bytes(b"half")
    assert store(folder).finished == {0: 2, 5: 6}


def test_a_folder_with_files_of_somebody_else_is_left_alone(tmp_path):
    folder = tmp_path / "x.pieces"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    for resume in (True, False):
        with pytest.raises(GenoscanError, match=r"x\.pieces: .* there is a file 'notes\.txt' that is none of them"):
            store(folder, resume=resume)
        discard_store(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_complete_scan_does_not_touch_the_folder_of_the_next(tmp_path):
    one = store(interrupted(tmp_path / "x.pieces"))
    one.remove()
    next_one = store(tmp_path / "x.pieces")
    next_one.commit(result(0, 2))
    assert one.close() == 0
    assert next_one.close() == 1


def test_what_is_left_of_a_complete_scan_is_discarded_unless_somebody_is_at_work(tmp_path):
    folder = interrupted(tmp_path / "x.pieces")
    at_work = store(folder)
    discard_store(folder)
    assert at_work.close() == 2
    (folder / "lock").unlink()  # the kill came while the folder was being removed
    discard_store(folder)
    assert not folder.exists()
    discard_store(folder)
    assert not folder.exists()
