"""k-mer tokens with methylation: values by hand, and what must hold for any window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.card import KmerMethylationInput
from genoscan.scanner.encoding.kmers import kmer_tokens
from genoscan.scanner.encoding.kmers_methylation import METHYLATED, UNMETHYLATED, kmers_and_methylation, tensor_shape

SPEC = KmerMethylationInput(k=3, offset=5, unknown=1, prefix=(2,), suffix=(3,))


def encoded(codes, spec=SPEC):
    codes = np.array(codes, dtype=np.uint8)
    out = np.full((len(codes) + 1, *tensor_shape(codes.shape[1], spec)), 77, dtype=np.int64)
    kmers_and_methylation(codes, spec, out)
    assert (out[-1] == 77).all()
    return out[:-1]


def test_golden():
    """ACGTCGCGAN: a methylated, an unmethylated and an unknown CpG, each at the 3-mer whose middle is its C."""
    codes = [[0, 1 + METHYLATED, 2, 3, 1 + UNMETHYLATED, 2, 1, 2, 0, 4]]
    tokens = [2, 5 + 6, 5 + 27, 5 + 45, 5 + 54, 5 + 25, 5 + 38, 5 + 24, 1, 3]
    assert encoded(codes).tolist() == [[tokens, [2, 1, 2, 2, 0, 2, 2, 2, 2, 2]]]


@pytest.mark.parametrize(("k", "places"), [(1, [1, 4]), (2, [0, 3]), (3, [0, 3]), (4, [2]), (5, [2]), (6, [1])])
def test_the_middle_base_has_the_state(k, places):
    """Number k // 2 of the k-mer; a C too close to the window's end has no k-mer with it in the middle."""
    codes = [[0, 1 + METHYLATED, 2, 0, 1 + METHYLATED, 2, 0, 0]]
    found = encoded(codes, KmerMethylationInput(k=k, unknown=0))
    assert np.flatnonzero(found[0, 1] == 1).tolist() == places


@given(
    st.integers(1, 6),
    st.lists(st.lists(st.integers(0, 4), min_size=12, max_size=12), min_size=1, max_size=4),
    st.data(),
)
def test_marks_change_the_second_tensor_alone(k, rows, data):
    spec = KmerMethylationInput(k=k, offset=7, unknown=3, prefix=(1, 2), suffix=(4,))
    codes = np.array(rows, dtype=np.uint8)
    marks = np.array(data.draw(st.lists(st.sampled_from([0, 8, 16]), min_size=codes.size, max_size=codes.size)))
    marks = np.where(codes == 1, marks.reshape(codes.shape), 0).astype(np.uint8)
    found = encoded(codes + marks, spec)
    np.testing.assert_array_equal(found[:, 0], kmer_tokens(codes, spec.kmers))
    assert (encoded(codes, spec)[:, 1] == 2).all()
    for row in range(len(codes)):
        states = [{0: 2, 8: 0, 16: 1}[one] for one in marks[row].tolist()]
        expected = [2, 2, *(states[i + k // 2] for i in range(12 - k + 1)), 2]
        assert found[row, 1].tolist() == expected
