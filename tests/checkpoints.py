"""Small checkpoints of the published families with seeded weights, in folders as their owners publish them."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    EsmConfig,
    EsmForSequenceClassification,
    EsmForTokenClassification,
    EsmModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from genoscan.training.nets.alibi_bert import AlibiBertForSequenceClassification, AlibiBertForTokenClassification

ORDER = "ATCG"
"""In which DNABERT and the Nucleotide Transformer count their k-mers."""
BERT = {"sequence": BertForSequenceClassification, "token": BertForTokenClassification, None: BertModel}
ESM = {"sequence": EsmForSequenceClassification, "token": EsmForTokenClassification, None: EsmModel}
ALIBI = {"sequence": AlibiBertForSequenceClassification, "token": AlibiBertForTokenClassification}


def bases(count: int, seed: int = 0, unknown: tuple[int, ...] = ()) -> str:
    """A sequence at random, with N at these places."""
    letters = np.array(list("ACGT"))[np.random.default_rng(seed).integers(0, 4, count)]
    letters[list(unknown)] = "N"
    return "".join(letters)


def kmer_words(sequence: str, k: int) -> str:
    """Overlapping k-mers with blanks between them, as DNABERT's scripts write sequences."""
    return " ".join(sequence[i : i + k] for i in range(len(sequence) - k + 1))


def dnabert(folder: Path, k: int = 3, head: str | None = "sequence", **config) -> Path:
    """BERT over k-mers; with k=3 the vocabulary of 69 that the TissueBERT configuration has, too."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map("".join, product(ORDER, repeat=k))]
    _save(folder, BERT[head], BertConfig(**_small(len(words), config)))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": False, "model_max_length": 512, "tokenizer_class": "BertTokenizer"})
    )
    return folder


def nucleotide_transformer(folder: Path, head: str | None = "sequence", net: type | None = None, **config) -> Path:
    """ESM over 6-mers side by side and single bases."""
    words = ["<unk>", "<pad>", "<mask>", "<cls>", *map("".join, product(ORDER, repeat=6)), *"ATCGN"]
    settings = {
        "pad_token_id": 1,
        "mask_token_id": 2,
        "token_dropout": True,
        "emb_layer_norm_before": False,
        "position_embedding_type": "absolute",
        "max_position_embeddings": 102,
    }
    _save(folder, net or ESM[head], EsmConfig(**_small(len(words), settings | config)))
    (folder / "vocab.txt").write_text("\n".join(words))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "EsmTokenizer", "eos_token": None, "model_max_length": 1000})
    )
    return folder


def byte_pair_tokenizer(folder: Path, words: int = 200) -> None:
    """A tokenizer.json trained on sequence at random, with the special tokens of GROVER and DNABERT-2."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    trainer = trainers.BpeTrainer(vocab_size=words, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([bases(60, seed) for seed in range(max(300, 2 * words))], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="[MASK]", **names).save_pretrained(folder)


def grover(folder: Path, head: str | None = "sequence", words: int = 200, **config) -> Path:
    """BERT over byte pairs."""
    _save(folder, BERT[head], BertConfig(**_small(words, {"pad_token_id": 3} | config)))
    byte_pair_tokenizer(folder, words)
    return folder


def dnabert2(folder: Path, head: str = "sequence", words: int = 200, **config) -> Path:
    """BERT with linear attention biases over byte pairs; its config names code that is not there."""
    settings = {"alibi_starting_size": 512, "pad_token_id": 3, "num_attention_heads": 6, "hidden_size": 24}
    _save(folder, ALIBI[head], BertConfig(**_small(words, settings | config)))
    written = json.loads((folder / "config.json").read_text())
    written["auto_map"] = {"AutoModelForSequenceClassification": "bert_layers.BertForSequenceClassification"}
    written["architectures"] = [written["architectures"][0].removeprefix("Alibi")]
    (folder / "config.json").write_text(json.dumps(written))
    byte_pair_tokenizer(folder, words)
    return folder


def _small(words: int, changes: dict) -> dict:
    small = {
        "vocab_size": words,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 128,
        "pad_token_id": 0,
        "initializer_range": 0.3,
        "num_labels": 2,
    }
    return small | changes


def _save(folder: Path, kind: type[PreTrainedModel], config) -> None:
    torch.manual_seed(1)
    net = kind(config).eval()
    with torch.no_grad():
        for name, weights in net.named_parameters():
            if name.endswith("bias"):
                weights.normal_(0, 0.1)
    net.save_pretrained(folder)


def tokens(folder: Path, text: str) -> torch.Tensor:
    """int64 (1, tokens): what the checkpoint's own tokenizer makes of a text."""
    return torch.tensor([AutoTokenizer.from_pretrained(folder)(text)["input_ids"]])
