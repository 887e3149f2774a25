"""A small BERT over k-mer tokens that says of a sequence whether it is a tandem repeat.

The architecture is BERT's (Devlin et al. 2019; over k-mers: DNABERT, Ji et al. 2021), as `transformers` has it. What
differs is where training starts from. A repeat is told by k-mers that come again, and from small random weights some
thousand sequences do not teach attention to look for them. So the first layer starts out doing so
(`start_by_matching`); all weights are then trained.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from ...scanner.card import KmerInput

UNKNOWN, CLS, FIRST_KMER = 0, 1, 2
"""Tokens: what stands for k-mers with N (and fills short sequences up), the sequence's own, and AA...A."""
LABELS = ("other", "tandem_repeat")

_SAME_TOKEN = 12.0
"""Attention logit between two equal k-mers at the start: e^12, against e^(12 / k) for each base that agrees."""
_LONGEST_WAVE = 1000.0


def kmer_input(k: int) -> KmerInput:
    """The tokens of overlapping k-mers. Nothing stands behind them: where N begins, the sequence has ended."""
    return KmerInput(k=k, stride=1, offset=FIRST_KMER, unknown=UNKNOWN, prefix=(CLS,))


def build_kmer_bert(
    k: int, width: int, layers: int, heads: int, feedforward: int, longest: int, dropout: float
) -> BertForSequenceClassification:
    """A network for sequences of at most ``longest`` bases, with fresh weights from torch's random numbers."""
    config = BertConfig(
        vocab_size=FIRST_KMER + 4**k,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feedforward,
        max_position_embeddings=longest - k + 2,
        type_vocab_size=1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=0.0,
        pad_token_id=UNKNOWN,
        initializer_range=width**-0.5,
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    net = BertForSequenceClassification(config)
    start_by_matching(net, k)
    return net


@torch.no_grad()
def start_by_matching(net: BertForSequenceClassification, k: int) -> None:
    """Let the first layer attend from each k-mer to its like, wherever they are, and bring back where that is.

    Half of the embedding says which bases a k-mer has, a direction for each base and place in it, so that the product
    of two tokens counts the bases that agree. The other half says where it is, in waves of 4 to 1000 bases (Vaswani et
    al. 2017). Queries and keys of the first layer start as the same projection of the former half; its values, and all
    other layers, start random.
    """
    width = net.config.hidden_size
    half = width // 2
    embeddings, attention = net.bert.embeddings, net.bert.encoder.layer[0].attention.self
    bases, _ = torch.linalg.qr(torch.randn(half, half))
    bases = bases[:, : 4 * k].T.reshape(k, 4, half) * math.sqrt(half / k)
    words = torch.arange(4**k)
    tokens = torch.zeros_like(embeddings.word_embeddings.weight)
    tokens[CLS, :half] = torch.randn(half)
    for place in range(k):
        tokens[FIRST_KMER:, :half] += bases[place][words // 4 ** (k - 1 - place) % 4]
    embeddings.word_embeddings.weight.copy_(tokens)
    lengths = torch.linspace(math.log(4), math.log(_LONGEST_WAVE), (width - half) // 2).exp()
    angles = torch.arange(net.config.max_position_embeddings)[:, None] * (2 * math.pi / lengths)
    waves = torch.cat([angles.sin(), angles.cos()], dim=1) / math.sqrt(2)
    embeddings.position_embeddings.weight.zero_()
    embeddings.position_embeddings.weight[:, half : half + waves.shape[1]] = waves
    embeddings.token_type_embeddings.weight.zero_()
    size = width // net.config.num_attention_heads
    for head in range(net.config.num_attention_heads):
        directions, _ = torch.linalg.qr(torch.randn(max(half, size), max(half, size)))
        logit = _SAME_TOKEN * (1.0 if head % 2 == 0 else 0.6)  # heads of two tempers
        scale = math.sqrt(logit * math.sqrt(size) / (half * min(1.0, size / half)))
        for projection in (attention.query, attention.key):
            rows = projection.weight[head * size : (head + 1) * size]
            rows.zero_()
            rows[:, :half] = directions[:size, :half] * scale
            projection.bias.zero_()


class KmerClassifier(nn.Module):
    """int64 tokens (batch, tokens) to logits (batch, labels): the network as the scanner feeds it.

    Unknown tokens are masked, so that what fills a window behind a short sequence changes nothing.
    """

    def __init__(self, net: BertForSequenceClassification):
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor) -> Tensor:
        # Said outright, what transformers would take from a buffer: the exporter cannot fold that.
        places = torch.arange(tokens.shape[1], device=tokens.device)[None]
        kinds, mask = torch.zeros_like(tokens), (tokens != UNKNOWN).long()
        return self.net(input_ids=tokens, attention_mask=mask, position_ids=places, token_type_ids=kinds).logits
