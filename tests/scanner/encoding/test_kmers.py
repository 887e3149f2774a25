"""k-mer tokens against tokens counted by hand and against a plain Python reading of the card's definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.scanner.card import KmerInput
from genoscan.scanner.encoding.kmers import kmer_tokens, token_count
from genoscan.scanner.encoding.nucleotides import reverse_complement

CODES = {letter: code for code, letter in enumerate("ACGTN")}


def codes_of(text: str) -> np.ndarray:
    return np.array([[CODES[letter] for letter in text]], dtype=np.uint8)


def expected_tokens(row: np.ndarray, spec: KmerInput) -> list[int]:
    """The definition, one k-mer at a time, by way of text."""
    text = "".join("ACGTN"[min(code, 4)] for code in row)
    tokens = list(spec.prefix)
    for start in range(0, len(text) - spec.k + 1, spec.stride):
        kmer = text[start : start + spec.k]
        if "N" in kmer:
            tokens.append(spec.unknown)
        else:
            digits = "".join(str(spec.letters.index(base)) for base in kmer)
            tokens.append(spec.offset + int(digits, 4))
    return tokens + list(spec.suffix)


specs = st.builds(
    KmerInput,
    k=st.integers(1, 12),
    stride=st.integers(1, 15),
    letters=st.permutations("ACGT").map("".join),
    offset=st.integers(0, 1000),
    unknown=st.integers(0, 2**40),
    prefix=st.lists(st.integers(0, 9), max_size=2).map(tuple),
    suffix=st.lists(st.integers(0, 9), max_size=2).map(tuple),
)


@st.composite
def code_arrays(draw):
    """Random bases, some unknown in various codes; windows may be too short for any k-mer."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = random.integers(0, 4, (draw(st.integers(0, 3)), draw(st.integers(0, 80)))).astype(np.uint8)
    unknown = random.random(codes.shape) < draw(st.sampled_from([0, 0.02, 0.2]))
    codes[unknown] = random.choice(np.array([4, 5, 255], dtype=np.uint8), unknown.sum())
    return codes


def test_overlapping_kmers_by_hand():
    spec = KmerInput(k=2, stride=1, offset=5, unknown=1, prefix=(2,), suffix=(3,))
    # AC CG GT TN NA AA: ranks 1, 6, 11, unknown, unknown, 0
    assert kmer_tokens(codes_of("ACGTNAA"), spec).tolist() == [[2, 6, 11, 16, 1, 1, 5, 3]]


def test_side_by_side_kmers_by_hand():
    spec = KmerInput(k=3, stride=3, unknown=64)
    # AAC GTT, and TG is left over: ranks 1 and 2*16 + 3*4 + 3
    assert kmer_tokens(codes_of("AACGTTTG"), spec).tolist() == [[1, 47]]


def test_letter_order_decides_ranks():
    spec = KmerInput(k=2, stride=2, letters="TGCA", unknown=16)
    assert kmer_tokens(codes_of("TTTAAACG"), spec).tolist() == [[0, 3, 15, 9]]


def test_gaps_between_kmers_are_not_read():
    spec = KmerInput(k=2, stride=4, unknown=16)
    assert kmer_tokens(codes_of("CANNCGNNTT"), spec).tolist() == [[4, 6, 15]]


def test_largest_rank_of_the_longest_kmer():
    spec = KmerInput(k=12, stride=1, unknown=0)
    assert kmer_tokens(codes_of("T" * 13), spec).tolist() == [[4**12 - 1] * 2]


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_one_unknown_base_spoils_exactly_the_kmers_that_hold_it(stride):
    spec = KmerInput(k=3, stride=stride, unknown=999)
    codes = np.zeros((1, 40), dtype=np.uint8)
    codes[0, 20] = 4
    unknown = np.flatnonzero(kmer_tokens(codes, spec)[0] == 999) * stride
    assert unknown.tolist() == [start for start in range(0, 38, stride) if start <= 20 < start + 3]


@settings(deadline=None, max_examples=300)
@given(codes=code_arrays(), spec=specs)
def test_agrees_with_the_definition(codes, spec):
    tokens = kmer_tokens(codes, spec)
    assert tokens.dtype == np.int64
    assert tokens.shape == (len(codes), token_count(codes.shape[1], spec))
    assert tokens.tolist() == [expected_tokens(row, spec) for row in codes]


@settings(deadline=None, max_examples=300)
@given(codes=code_arrays(), spec=specs)
def test_backward_is_the_reverse_complement(codes, spec):
    expected = kmer_tokens(reverse_complement(codes), spec)
    np.testing.assert_array_equal(kmer_tokens(codes, spec, backward=True), expected)


@pytest.mark.parametrize(
    ("window", "k", "stride", "count"), [(10, 3, 1, 8), (10, 3, 3, 3), (9, 3, 3, 3), (8, 3, 3, 2), (2, 3, 1, 0)]
)
def test_token_count(window, k, stride, count):
    assert token_count(window, KmerInput(k=k, stride=stride, unknown=0)) == count
    assert token_count(window, KmerInput(k=k, stride=stride, unknown=0, prefix=(1, 2), suffix=(3,))) == count + 3


def test_only_as_many_rows_as_given_are_filled():
    spec = KmerInput(k=2, stride=1, unknown=0, prefix=(7,))
    out = np.full((3, 4), -1, dtype=np.int64)
    filled = kmer_tokens(codes_of("AACG"), spec, out)
    assert out.tolist() == [[7, 0, 1, 6], [-1] * 4, [-1] * 4]
    assert np.shares_memory(filled, out)


def test_out_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="4 bases make 3"):
        kmer_tokens(codes_of("AACG"), KmerInput(k=2, stride=1, unknown=0), np.zeros((1, 4), dtype=np.int64))
