"""k-mers side by side with single bases between them, against values by hand and a second way to do it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.card import KmerInput
from genoscan.scanner.encoding.single_bases import NO_TOKEN, kmer_and_base_tokens, most_tokens, usual_tokens

SPEC = KmerInput(
    k=3, stride=3, letters="ATCG", offset=10, unknown=0, prefix=(2,), suffix=(3,), singles=(80, 81, 82, 83, 84)
)
LETTERS = "ACGTN"


def tokens(text, spec=SPEC, trim=False):
    codes = np.array([[LETTERS.index(letter) for letter in text]], dtype=np.uint8)
    out = np.full((2, most_tokens(len(text), spec)), 77, dtype=np.int64)
    kmer_and_base_tokens(codes, spec, out, trim=trim)
    assert (out[1] == 77).all()
    found = out[0].tolist()
    end = found.index(NO_TOKEN) if NO_TOKEN in found else len(found)
    assert set(found[end:]) <= {NO_TOKEN}
    return found[:end]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AAA", [10]),
        ("AAT", [11]),  # A T C G are the digits 0 1 2 3
        ("GCAAAA", [10 + 3 * 16 + 2 * 4, 10]),
        ("AAAAA", [10, 80, 80]),  # what is left over goes base by base
        ("AC", [80, 81]),
        ("ANAAAT", [80, 84, 10, 83]),  # after an unknown base the 3-mers begin anew
        ("AAANNAAA", [10, 84, 84, 10]),
        ("NNN", [84, 84, 84]),
    ],
)
def test_by_hand(text, expected):
    assert tokens(text) == [2, *expected, 3]


def test_unknown_bases_at_the_ends_can_be_left_out():
    assert tokens("NNAAANAN", trim=True) == [2, 10, 84, 80, 3]
    assert tokens("NNN", trim=True) == [2, 3]


def slowly(text):
    found, at = [], 0
    while at < len(text):
        kmer = text[at : at + 3]
        if len(kmer) == 3 and "N" not in kmer:
            found.append(10 + sum(4 ** (2 - i) * "ATCG".index(base) for i, base in enumerate(kmer)))
            at += 3
        else:
            found.append(80 + LETTERS.index(text[at]))
            at += 1
    return [2, *found, 3]


@given(st.text(alphabet=LETTERS, min_size=1, max_size=60))
def test_as_a_slow_tokenizer(text):
    assert tokens(text) == slowly(text)
    assert tokens(text, trim=True) == slowly(text.strip("N"))


@given(st.text(alphabet="ACGT", min_size=1, max_size=60))
def test_the_usual_number_of_tokens(text):
    assert len(tokens(text)) == usual_tokens(len(text), SPEC)
