"""Checkpoints for the benchmark of exports, in folders as their owners publish them.

Architectures are the published ones, weights are seeded: nothing is downloaded. A network with random weights gives
nearly every window the same score, and then any two networks agree. So weights are large enough for attention to
choose, and the head is fitted: windows come from as many Markov chains as there are classes, and the head learns
(ridge regression on the network's pooled output) which chain a window is from. Labels then differ from window to
window, with margins of all sizes.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from genoscan.training.data.simulate import markov_sequence

SHARPNESS = 12.0
"""What the fitted scores, about 0 and 1, are multiplied with to be logits."""


class Bert(NamedTuple):
    """A configuration; ``tokens`` with the two special ones; windows that the head is ``fitted`` to, that exports are
    ``compared`` with the checkpoint on, of each kind, that labels of exports are compared on (``labelled``), and of one
    pass of the loop (``looped``); and the batches that are tried."""

    k: int
    tokens: int
    width: int
    layers: int
    heads: int
    labels: int
    fitted: int
    compared: int
    labelled: int
    looped: int
    torch_batches: tuple[int, ...]
    session_batches: tuple[int, ...]

    @property
    def window(self) -> int:
        """Bases."""
        return self.tokens - 2 + self.k - 1


CONFIGURATIONS = {
    "TissueBERT": Bert(
        k=3,
        tokens=150,
        width=512,
        layers=6,
        heads=8,
        labels=39,
        fitted=780,
        compared=64,
        labelled=512,
        looped=32,
        torch_batches=(8, 32),
        session_batches=(1, 2, 4, 8),
    ),
    "DNABERT": Bert(
        k=6,
        tokens=512,
        width=768,
        layers=12,
        heads=12,
        labels=2,
        fitted=48,
        compared=12,
        labelled=128,
        looped=8,
        torch_batches=(4,),
        session_batches=(1, 2),
    ),
}
SMALL = {
    "TissueBERT": Bert(
        k=3,
        tokens=60,
        width=64,
        layers=2,
        heads=4,
        labels=5,
        fitted=200,
        compared=32,
        labelled=32,
        looped=16,
        torch_batches=(8,),
        session_batches=(1, 2),
    ),
    "DNABERT": Bert(
        k=6,
        tokens=90,
        width=96,
        layers=2,
        heads=4,
        labels=2,
        fitted=60,
        compared=32,
        labelled=32,
        looped=16,
        torch_batches=(8,),
        session_batches=(1, 2),
    ),
}


def words(sequence: str, k: int) -> str:
    """Overlapping k-mers with blanks between them, as DNABERT's tokenizer takes a sequence."""
    return " ".join(sequence[i : i + k] for i in range(len(sequence) - k + 1))


def chain_tables(bert: Bert) -> list[np.ndarray]:
    """A Markov chain of order 2 for each class: cumulative float32 (16, 4). Steep ones, whose k-mers differ much."""
    generator = np.random.default_rng(1)
    return [np.cumsum(generator.dirichlet([0.4] * 4, 16), axis=1).astype(np.float32) for _ in range(bert.labels)]


def windows_of_chains(bert: Bert, count: int, seed: int, length: int | None = None) -> tuple[list[str], np.ndarray]:
    """Windows as text (or sequences of another length), and the chain that each is from."""
    tables, generator = chain_tables(bert), np.random.default_rng((2, seed))
    chains = np.arange(count) % bert.labels
    letters = np.array(list("ACGT"))
    return ["".join(letters[markov_sequence(generator, tables[one], length or bert.window)]) for one in chains], chains


def write_bert(folder: Path, bert: Bert) -> int:
    """Write a checkpoint with its tokenizer; returns its number of parameters."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map("".join, product("ACGT", repeat=bert.k))]
    torch.manual_seed(0)
    net = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=bert.width,
            num_hidden_layers=bert.layers,
            num_attention_heads=bert.heads,
            intermediate_size=4 * bert.width,
            max_position_embeddings=512,
            num_labels=bert.labels,
        )
    ).eval()
    sharpen(net)
    fit_head(net, bert, {word: number for number, word in enumerate(vocabulary)})
    net.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    settings = {"do_lower_case": False, "model_max_length": 512, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return sum(one.numel() for one in net.parameters())


def sharpen(net: BertForSequenceClassification) -> None:
    """Larger weights than a network starts with: queries and keys that choose, words that differ."""
    for name, weight in net.named_parameters():
        if weight.dim() != 2:
            continue
        if "embeddings" in name:
            nn.init.normal_(weight, std=1.0 if "word" in name else 0.3)
        else:
            gain = 1.5 if name.split(".")[-2] in ("query", "key") else 1.0
            nn.init.normal_(weight, std=gain * weight.shape[1] ** -0.5)


@torch.inference_mode()
def fit_head(net: BertForSequenceClassification, bert: Bert, numbers: dict[str, int]) -> None:
    texts, chains = windows_of_chains(bert, bert.fitted, 0)
    tokens = torch.tensor(
        [[numbers["[CLS]"], *(numbers[one] for one in words(text, bert.k).split()), numbers["[SEP]"]] for text in texts]
    )
    pooled = torch.cat([net.bert(input_ids=part).pooler_output for part in tokens.split(8)]).double().numpy()
    inputs = np.column_stack([pooled, np.ones(len(pooled))])
    wanted = np.eye(bert.labels)[chains]
    strength = 0.01 * len(inputs) * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + strength, inputs.T @ wanted) * SHARPNESS
    net.classifier.weight.copy_(torch.from_numpy(weights[:-1].T))
    net.classifier.bias.copy_(torch.from_numpy(weights[-1]))


def build_cnn() -> nn.Module:
    """A promoter-like network for windows of 1,000 bases: valid convolutions, poolings, a mean over the window."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 64, 9), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(64, 96, 7, dilation=2), nn.ReLU(),
        nn.Conv1d(96, 96, 7, dilation=4), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(96, 2),
    )  # fmt: skip


def write_cnn(path: Path) -> int:
    """Write the weights of `build_cnn`; returns their number."""
    net = build_cnn()
    torch.save(net.state_dict(), path)
    return sum(one.numel() for one in net.parameters())
