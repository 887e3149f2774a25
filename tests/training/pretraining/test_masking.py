"""What is to be told stands in no visible token: by hand, and for any k, stride, share and span."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.scanner.card import BytePairInput, KmerInput, NucleotideInput
from genoscan.training.pretraining.masking import IGNORED, mask_row, masked_tokens, special_tokens, token_bases


class First:
    """A generator that draws the places it is given."""

    def __init__(self, *places):
        self.places = list(places)

    def integers(self, low, high):
        place = self.places.pop(0)
        assert low <= place < high
        return place


def test_a_hidden_base_masks_every_kmer_that_holds_it():
    """Base 4 of ten 3-mers over 12 bases is in the 3-mers that begin at 2, 3 and 4; two bases take one more."""
    assert np.flatnonzero(masked_tokens(First(4), 10, 3, 1, 0.1, 1)).tolist() == [2, 3, 4]
    assert np.flatnonzero(masked_tokens(First(4), 10, 3, 1, 0.1, 2)).tolist() == [2, 3, 4, 5]
    assert np.flatnonzero(masked_tokens(First(0, 11), 10, 3, 1, 0.2, 1)).tolist() == [0, 9]
    assert np.flatnonzero(masked_tokens(First(7), 4, 3, 3, 0.1, 3)).tolist() == [2, 3]


@given(
    st.integers(0, 10_000),
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(5, 60),
    st.floats(0.05, 0.6),
    st.integers(1, 8),
)
@settings(max_examples=200)
def test_nothing_leaks(seed, k, stride, tokens, share, span):
    """Each masked token holds a hidden base, and no visible token does."""
    stride = min(stride, k)
    masked = masked_tokens(np.random.default_rng(seed), tokens, k, stride, share, span)
    bases = [set(range(token * stride, token * stride + k)) for token in range(tokens)]
    seen = set().union(*(bases[token] for token in np.flatnonzero(~masked)))
    hidden = set().union(*bases) - seen
    assert masked.sum() >= share * tokens
    assert all(bases[token] & hidden for token in np.flatnonzero(masked))


def test_single_kmer_masks_would_leak():
    """The check above is one: a token masked by itself has all its bases in its neighbours."""
    bases = [set(range(token, token + 3)) for token in range(10)]
    seen = set().union(*(bases[token] for token in range(10) if token != 5))
    assert bases[5] <= seen


def test_special_tokens_are_left_alone():
    spec = KmerInput(k=3, stride=1, offset=5, unknown=1, prefix=(2,), suffix=(3,))
    row = np.array([2, *range(10, 30), 3])
    shown, labels = mask_row(np.random.default_rng(0), row, spec, 0.3, 3, mask=4)
    chosen = shown == 4
    assert chosen.sum() >= 6
    assert (shown[~chosen] == row[~chosen]).all()
    assert (labels[chosen] == row[chosen]).all()
    assert (labels[~chosen] == IGNORED).all()
    assert (shown[0], shown[-1]) == (2, 3)


@pytest.mark.parametrize(
    ("spec", "bases", "special"),
    [
        (KmerInput(k=6, stride=1, unknown=1, prefix=(2,), suffix=(3,)), (6, 1), (1, 1)),
        (KmerInput(k=6, stride=6, unknown=1, prefix=(3,), singles=(1, 2, 3, 4, 5)), (1, 1), (1, 0)),
        (BytePairInput(tokenizer="{}", pad=3), (1, 1), (1, 1)),
        (NucleotideInput(layout="codes"), (1, 1), (1, 1)),
    ],
)
def test_tokens_of_each_kind(spec, bases, special):
    assert token_bases(spec) == bases
    assert special_tokens(spec) == special
