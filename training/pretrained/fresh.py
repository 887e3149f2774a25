"""Encoders of transformers from a configuration, over k-mers, with a tokenizer that transformers opens.

The vocabulary is DNABERT's (Ji et al. 2021, https://doi.org/10.1093/bioinformatics/btab083): five special tokens, then
all k-mers.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

from ...scanner.card import KmerInput
from ...scanner.errors import UsageError
from .model_input import parse_input

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNKNOWN, CLS, SEP, MASK = range(5)
_KINDS = ("bert", "esm")


def tokens_of_kmers(text: str) -> KmerInput:
    """The input of ``kmer:K:STRIDE`` in this vocabulary; `UsageError` for anything else."""
    spec = parse_input(f"{text},offset={len(SPECIAL)},unknown={UNKNOWN},prefix={CLS},suffix={SEP}")
    assert isinstance(spec, KmerInput)
    return spec


def kmer_words(spec: KmerInput) -> str:
    """The vocabulary, a word a line."""
    return "\n".join((*SPECIAL, *map("".join, product(spec.letters, repeat=spec.k)))) + "\n"


def write_kmer_tokenizer(folder: Path, words: str) -> None:
    """A tokenizer for k-mers with blanks between them."""
    (folder / "vocab.txt").write_text(words, encoding="utf-8")
    settings = {"do_lower_case": False, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def fresh_config(fields: dict[str, Any], k: int, labels: dict[str, Any]) -> Any:
    """A configuration of transformers; `UsageError` where it is none of bert or esm, or has wrong fields."""
    from transformers import AutoConfig

    fields = dict(fields)
    kind = fields.pop("model_type", None)
    if kind not in _KINDS:
        raise UsageError(f"net.config: model_type must be one of {', '.join(_KINDS)}")
    settings = {"vocab_size": len(SPECIAL) + 4**k, "pad_token_id": PAD, "mask_token_id": MASK}
    if kind == "bert":
        settings["type_vocab_size"] = 1
    try:
        return AutoConfig.for_model(kind, **{**settings, **fields, **labels})
    except Exception as error:  # whatever transformers' checks raise
        raise UsageError(f"net.config: {str(error).strip().splitlines()[-1][:200]}") from None
