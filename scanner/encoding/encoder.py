"""Which encoding a card asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..card import BytePairInput, KmerInput, KmerMethylationInput, ModelCard, NucleotideInput, SpectrumInput
from ..errors import GenoscanError
from . import byte_pairs, kmers_methylation, single_bases
from .kmers import kmer_tokens, token_count
from .nucleotides import base_codes, one_hot
from .spectrum import BIN, encode_spectrum, feature_count


@dataclass(frozen=True)
class Encoder:
    """How windows of bases become a model's input.

    names: what the model calls its tensors: of one by convention, of several as it must. A row of a batch holds what
        all tensors have of a window; where there are several, its first axis tells them apart, in the order of names.
    dtype: of the tensors.
    window_shape: bases in a window to the shape of one row of the batch.
    encode: fills ``out[:rows]`` from codes uint8 (rows, window); ``out`` is (at least rows, *window_shape(window))
        of ``dtype`` and C-contiguous, and its other rows stay as they are. Safe to call from several threads.
    ragged: rows differ in length. ``window_shape`` is then that of the longest row there can be, and a row ends where
        `NO_TOKEN` begins; `rows_by_length` takes such a tensor apart.
    longest: most tokens of a row that the model can read; longer ones cannot be scored. None: any number.
    usual: for ragged encoders whose rows mostly have one length, bases in a window to that length.
    """

    names: tuple[str, ...]
    dtype: np.dtype
    window_shape: Callable[[int], tuple[int, ...]]
    encode: Callable[[np.ndarray, np.ndarray], None]
    ragged: bool = False
    longest: int | None = None
    usual: Callable[[int], int] | None = None

    def tensor_shape(self, window: int) -> tuple[int, ...]:
        """Of a window's part of each tensor."""
        shape = self.window_shape(window)
        return shape if len(self.names) == 1 else shape[1:]


def named_tensors(batch: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The tensors of an encoded batch by these names, of the model's inputs."""
    if len(names) == 1:
        return {names[0]: batch}
    return {name: np.ascontiguousarray(batch[:, number]) for number, name in enumerate(names)}


def rows_by_length(encode: Encoder, tensor: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of one length, as (their numbers int64 (rows,), tensor of them without what is behind their tokens).

    The whole tensor at once where the encoder is not ragged.
    """
    if not encode.ragged:
        yield np.arange(len(tensor)), tensor
        return
    lengths = row_lengths(tensor)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        yield rows, np.ascontiguousarray(tensor[rows, :length])


def row_lengths(tensor: np.ndarray) -> np.ndarray:
    """int64 (rows,): tokens of each row of a ragged encoder's tensor (rows, tokens)."""
    return (tensor != single_bases.NO_TOKEN).sum(axis=1)


def encoder(card: ModelCard) -> Encoder:
    """The encoder for the card's input; `GenoscanError` names the model and the field that cannot be followed."""
    match card.input:
        case SpectrumInput():
            return _spectrum(card.input)
        case KmerInput():
            return _kmers(card, card.input)
        case KmerMethylationInput():
            return _kmers_and_methylation(card, card.input)
        case BytePairInput():
            return _byte_pairs(card, card.input)
        case NucleotideInput():
            return _nucleotides(card.input)


def _spectrum(spec: SpectrumInput) -> Encoder:
    features = feature_count(spec.lags)

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        encode_spectrum(codes, spec.lags, out[: len(codes)])

    return Encoder(("spectrum",), np.dtype(np.uint8), lambda window: (window // BIN, features), encode)


def _require_kmers(card: ModelCard, spec: KmerInput | KmerMethylationInput) -> None:
    if len(set(spec.letters)) != len(spec.letters):
        raise GenoscanError(
            f"model {card.name}: wrong model card: input.letters: '{spec.letters}' must hold each of A, C, G and T once"
        )
    if (card.shortest_window or card.window) < spec.k:
        raise GenoscanError(
            f"model {card.name}: wrong model card: window: {card.window} bases are too few for a k-mer of {spec.k}"
        )


def _kmers(card: ModelCard, spec: KmerInput) -> Encoder:
    _require_kmers(card, spec)
    if spec.singles is not None:
        return _kmers_and_bases(card, spec)

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        kmer_tokens(codes, spec, out)

    return Encoder(("input_ids",), np.dtype(np.int64), lambda window: (token_count(window, spec),), encode)


def _kmers_and_bases(card: ModelCard, spec: KmerInput) -> Encoder:
    trim = card.task != "segmentation"  # there, a token's place says which bases it is about

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        single_bases.kmer_and_base_tokens(codes, spec, out, trim=trim)

    return Encoder(
        ("input_ids",),
        np.dtype(np.int64),
        lambda window: (single_bases.most_tokens(window, spec),),
        encode,
        ragged=True,
        longest=spec.longest,
        usual=lambda window: single_bases.usual_tokens(window, spec),
    )


def _kmers_and_methylation(card: ModelCard, spec: KmerMethylationInput) -> Encoder:
    _require_kmers(card, spec)

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        kmers_methylation.kmers_and_methylation(codes, spec, out)

    return Encoder(
        ("tokens", "methylation"),
        np.dtype(np.int64),
        lambda window: kmers_methylation.tensor_shape(window, spec),
        encode,
    )


def _byte_pairs(card: ModelCard, spec: BytePairInput) -> Encoder:
    tokenizer = byte_pairs.open_tokenizer(spec, f"model {card.name}")
    special = tokenizer.num_special_tokens_to_add(is_pair=False)
    return Encoder(
        ("input_ids",),
        np.dtype(np.int64),
        lambda window: (byte_pairs.most_tokens(window, spec, special),),
        byte_pairs.byte_pair_encoder(tokenizer, spec, f"model {card.name}", trim=card.task != "segmentation"),
        ragged=True,
        longest=spec.longest,
    )


def _nucleotides(spec: NucleotideInput) -> Encoder:
    if spec.layout == "one-hot":
        dtype, shape, fill = np.float32, lambda window: (4, window), one_hot
    else:
        dtype, shape, fill = np.int64, lambda window: (window,), base_codes

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        fill(codes, out)

    return Encoder(("sequence",), np.dtype(dtype), shape, encode)
