"""The encoder that a card asks for: name, dtype, shape, and batches that are not full."""

from __future__ import annotations

import numpy as np
import pytest

from genoscan.scanner.card import Calling, KmerInput, ModelCard, NucleotideInput, Output, SpectrumInput
from genoscan.scanner.encoding.encoder import encoder
from genoscan.scanner.encoding.kmers import kmer_tokens
from genoscan.scanner.encoding.spectrum import encode_spectrum, feature_count
from genoscan.scanner.errors import GenoscanError

CODES = np.random.default_rng(4).integers(0, 5, (2, 32)).astype(np.uint8)
KMERS = KmerInput(k=6, stride=1, offset=5, unknown=1, prefix=(2,), suffix=(3,))


def card_for(spec, window: int = 32) -> ModelCard:
    return ModelCard(
        name="toy",
        version="1",
        task="classification",
        input=spec,
        window=window,
        step=window,
        context=0,
        strand="forward",
        output=Output(names=("yes",), activation="sigmoid", bin=window),
        calling=Calling(threshold=0.5, extend=0.5),
    )


@pytest.mark.parametrize(
    ("spec", "name", "dtype", "shape", "expected"),
    [
        pytest.param(
            SpectrumInput(lags=64),
            "spectrum",
            np.uint8,
            (2, feature_count(64)),
            np.stack([encode_spectrum(row, 64) for row in CODES]),
            id="spectrum",
        ),
        pytest.param(KMERS, "input_ids", np.int64, (29,), kmer_tokens(CODES, KMERS), id="k-mers"),
        pytest.param(
            NucleotideInput(),
            "sequence",
            np.float32,
            (4, 32),
            np.equal(CODES[:, None], np.arange(4)[:, None]),
            id="one-hot",
        ),
        pytest.param(NucleotideInput(layout="codes"), "sequence", np.int64, (32,), CODES, id="codes"),
    ],
)
def test_fills_the_rows_of_a_batch_that_is_not_full(spec, name, dtype, shape, expected):
    encode = encoder(card_for(spec))
    assert (*encode.names, encode.dtype, encode.window_shape(32)) == (name, np.dtype(dtype), shape)
    out = np.full((3, *shape), 77, dtype=dtype)
    encode.encode(CODES, out)
    np.testing.assert_array_equal(out[:2], expected)
    assert (out[2] == 77).all()


@pytest.mark.parametrize("spec", [SpectrumInput(lags=64), KMERS, NucleotideInput(), NucleotideInput(layout="codes")])
def test_shape_follows_the_window(spec):
    encode = encoder(card_for(spec, window=64))
    for window in (16, 32, 64):
        shape = encode.window_shape(window)
        codes = np.zeros((1, window), dtype=np.uint8)
        filled = [np.full((1, *shape), before, dtype=encode.dtype) for before in (77, 78)]
        for out in filled:
            encode.encode(codes, out)
        np.testing.assert_array_equal(*filled)  # nothing is left of what was there


def test_letters_that_repeat_are_refused():
    spec = KmerInput(k=3, stride=1, letters="AACG", unknown=0)
    with pytest.raises(GenoscanError, match=r"^model toy: .*input\.letters: 'AACG'"):
        encoder(card_for(spec))


def test_a_window_shorter_than_a_kmer_is_refused():
    with pytest.raises(GenoscanError, match=r"^model toy: .*window: 5 bases are too few for a k-mer of 6"):
        encoder(card_for(KMERS, window=5))
