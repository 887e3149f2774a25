"""Which encoding a card asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..card import KmerInput, ModelCard, NucleotideInput, SpectrumInput
from ..errors import GenoscanError
from .kmers import kmer_tokens, token_count
from .nucleotides import base_codes, one_hot
from .spectrum import BIN, encode_spectrum, feature_count


@dataclass(frozen=True)
class Encoder:
    """How windows of bases become a model's input tensor.

    name: what the model calls the tensor, by convention.
    dtype: of the tensor.
    window_shape: bases in a window to the shape of one row of the tensor, without the batch.
    encode: fills ``out[:rows]`` from codes uint8 (rows, window); ``out`` is (at least rows, *window_shape(window))
        of ``dtype`` and C-contiguous, and its other rows stay as they are. Safe to call from several threads.
    """

    name: str
    dtype: np.dtype
    window_shape: Callable[[int], tuple[int, ...]]
    encode: Callable[[np.ndarray, np.ndarray], None]


def encoder(card: ModelCard) -> Encoder:
    """The encoder for the card's input; `GenoscanError` names the model and the field that cannot be followed."""
    match card.input:
        case SpectrumInput():
            return _spectrum(card.input)
        case KmerInput():
            return _kmers(card, card.input)
        case NucleotideInput():
            return _nucleotides(card.input)


def _spectrum(spec: SpectrumInput) -> Encoder:
    features = feature_count(spec.lags)

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        encode_spectrum(codes, spec.lags, out[: len(codes)])

    return Encoder("spectrum", np.dtype(np.uint8), lambda window: (window // BIN, features), encode)


def _kmers(card: ModelCard, spec: KmerInput) -> Encoder:
    if len(set(spec.letters)) != len(spec.letters):
        raise GenoscanError(
            f"model {card.name}: wrong model card: input.letters: '{spec.letters}' must hold each of A, C, G and T once"
        )
    if (card.shortest_window or card.window) < spec.k:
        raise GenoscanError(
            f"model {card.name}: wrong model card: window: {card.window} bases are too few for a k-mer of {spec.k}"
        )

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        kmer_tokens(codes, spec, out)

    return Encoder("input_ids", np.dtype(np.int64), lambda window: (token_count(window, spec),), encode)


def _nucleotides(spec: NucleotideInput) -> Encoder:
    if spec.layout == "one-hot":
        dtype, shape, fill = np.float32, lambda window: (4, window), one_hot
    else:
        dtype, shape, fill = np.int64, lambda window: (window,), base_codes

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        fill(codes, out)

    return Encoder("sequence", np.dtype(dtype), shape, encode)
