"""Byte-pair tokens, made by the `tokenizers` library from the tokenizer that a model's card holds."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from tokenizers import Tokenizer

from ..card import BytePairInput
from ..errors import GenoscanError
from .single_bases import NO_TOKEN

_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)


def most_tokens(window: int, spec: BytePairInput, special: int) -> int:
    """Tokens of a window of so many bases in the worst case, every base by itself, with padding."""
    multiple = spec.pad_to_multiple_of
    return -(-(window + special) // multiple) * multiple


def open_tokenizer(spec: BytePairInput, source: str) -> Tokenizer:
    """The card's tokenizer, without truncation and padding of its own; `GenoscanError` names ``source``.

    The scanner's threads tokenize side by side: the library's own pool of threads, which knows nothing of
    ``--threads``, is switched off where the environment does not ask for it.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        tokenizer = Tokenizer.from_str(spec.tokenizer)
    except Exception as error:  # the library raises nothing more exact
        raise GenoscanError(f"{source}: wrong model card: input.tokenizer: {str(error)[:200]}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def text_of(codes: np.ndarray, *, trim: bool) -> str:
    """Codes uint8 (bases,) as letters, N for unknown bases; ``trim`` leaves those at both ends out."""
    text = _LETTERS[np.minimum(codes, 4)].tobytes().decode("ascii")
    return text.strip("N") if trim else text


def byte_pair_encoder(
    tokenizer: Tokenizer, spec: BytePairInput, *, trim: bool
) -> Callable[[np.ndarray, np.ndarray], None]:
    """A function that fills ``out[:rows]``, int64 (at least rows, `most_tokens`), from codes uint8 (rows, window).

    Each row's tokens are followed by ``spec.pad`` up to the next multiple, and that by `NO_TOKEN`.
    """
    multiple = spec.pad_to_multiple_of

    def encode(codes: np.ndarray, out: np.ndarray) -> None:
        texts = [text_of(row, trim=trim) for row in codes]
        out[: len(codes)] = NO_TOKEN
        for row, found in enumerate(tokenizer.encode_batch_fast(texts)):
            ids = found.ids
            out[row, : len(ids)] = ids
            out[row, len(ids) : -(-len(ids) // multiple) * multiple] = spec.pad

    return encode
