"""Where no repeat is known: runs beside regular expressions, subtraction beside sets, the exact check by hand."""

import gzip
import re

import numpy as np
import pytest
from fastas import write
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading.regions import merge_intervals
from genoscan.scanner.reading.tiles import INTERVAL
from genoscan.training.data import negatives
from genoscan.training.data.negatives import draw_windows, holds_tandem_repeat, subtract_intervals, unmasked_runs


def codes_of(text):
    return np.array(["ACGTN".index(letter) for letter in text], dtype=np.uint8)


def runs_of(path, soft, shortest=3):
    layout, runs, _ = unmasked_runs(path, soft, shortest)
    return list(layout.names), runs.tolist()


def test_runs_by_hand(tmp_path):
    path = write(tmp_path, ">a\nACGTNN\nacgTT\n>b\nNNN\n>c\nACG\n>d\nTTT\n")
    assert runs_of(path, soft=False) == (["a", "b", "c", "d"], [(0, 0, 4), (0, 6, 11), (2, 0, 3), (3, 0, 3)])
    assert runs_of(path, soft=True, shortest=2)[1] == [(0, 0, 4), (0, 9, 11), (2, 0, 3), (3, 0, 3)]


def test_gzip_gives_the_same(tmp_path):
    text = b">a\nACGTNNacgTT\n"
    packed = write(tmp_path, gzip.compress(text), "a.fa.gz")
    assert runs_of(packed, soft=False) == runs_of(write(tmp_path, text), soft=False)


records = st.lists(st.text("ACGTacgtN", min_size=1, max_size=60), min_size=1, max_size=5)


@settings(max_examples=60)
@given(texts=records, soft=st.booleans(), width=st.integers(1, 20), chunk=st.integers(1, 50))
def test_runs_are_what_a_regular_expression_finds(tmp_path_factory, texts, soft, width, chunk):
    folded = ["\n".join(text[at : at + width] for at in range(0, len(text), width)) for text in texts]
    path = write(tmp_path_factory.mktemp("f"), "".join(f">r{i}\n{text}\n" for i, text in enumerate(folded)))
    before, negatives._CHUNK = negatives._CHUNK, chunk
    try:
        found = runs_of(path, soft)[1]
    finally:
        negatives._CHUNK = before
    pattern = "[ACGT]{3,}" if soft else "[ACGTacgt]{3,}"
    assert found == [(i, *match.span()) for i, text in enumerate(texts) for match in re.finditer(pattern, text)]


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(GenoscanError, match=r"nothing\.fa: cannot be read: No such file"):
        unmasked_runs(tmp_path / "nothing.fa", False, 26)


spans = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60), st.integers(1, 25)), max_size=12)


@given(spans, spans, st.integers(1, 5))
def test_subtraction_is_that_of_sets(first, second, shortest):
    runs, taken = (
        merge_intervals(np.array([(c, s, s + n) for c, s, n in rows], dtype=INTERVAL)) for rows in (first, second)
    )
    left = np.zeros((2, 100), dtype=bool)
    for contig, start, end in runs.tolist():
        left[contig, start:end] = True
    for contig, start, end in taken.tolist():
        left[contig, start:end] = False
    expected = []
    for contig in range(2):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], left[contig], [False])).astype(int))).reshape(-1, 2)
        expected += [(contig, *edge) for edge in edges.tolist() if edge[1] - edge[0] >= shortest]
    assert subtract_intervals(runs, taken, shortest).tolist() == expected


@pytest.mark.parametrize(
    ("text", "repeat"),
    [
        ("AC" * 13, True),  # 2 + 24 bases at 2 each: 52
        ("AC" * 12, False),  # 48
        ("GATTACAGATCCTGAACGTC" + "AC" * 13 + "GGTCTATAGCATTGACCTAG", True),
        ("ACGTTGCAATCCGATGAGTCTTAAC" * 2, True),
        ("ACGTTGCAATCCGATGAGTCTTAAC" + "ACGTTGCAATCCGATGAGTC", True),  # 1.8 copies
        ("ACGTTGCAATCCGATGAGTCTTAAC" + "ACGTTGCAATCCGATGA", False),  # fewer
        ("ACGTTGCAATCCGATGAGTCTTAAC" + "ACGTTGCTATCCGATGAGTCTTAAC", True),  # a mismatch costs 9
        ("N" * 60, False),
        ("A" * 24, False),
        ("A" * 25, True),
        ("", False),
    ],
)
def test_the_exact_check(text, repeat):
    assert holds_tandem_repeat(codes_of(text)) == repeat
    assert holds_tandem_repeat(reverse_complement(codes_of(text))) == repeat


def test_random_sequence_seldom_matches_itself():
    generator = np.random.default_rng(1)
    found = [holds_tandem_repeat(generator.integers(0, 4, 300).astype(np.uint8)) for _ in range(2000)]
    assert np.mean(found) < 0.01


def test_windows_are_drawn_inside_of_runs():
    runs = np.array([(0, 10, 60), (2, 5, 40), (2, 100, 130)], dtype=INTERVAL)
    lengths = np.array([30, 26, 50, 51, 35] * 40)
    drawn = draw_windows(np.random.default_rng(1), runs, lengths, tries=4000)
    found = drawn["contig"] >= 0
    assert (found == (lengths != 51)).all()
    assert (drawn["end"] - drawn["start"] == lengths)[found].all()
    for contig, start, end in drawn[found].tolist():
        assert any(c == contig and s <= start and end <= e for c, s, e in runs.tolist())
    places = {start for contig, start, end in drawn[found].tolist() if contig == 0 and end - start == 30}
    assert len(places) > 10  # not always the same


def test_without_runs_nothing_is_drawn():
    drawn = draw_windows(np.random.default_rng(1), np.empty(0, dtype=INTERVAL), np.array([30]))
    assert drawn["contig"].tolist() == [-1]
