"""BERT with linear attention biases in place of position embeddings: DNABERT-2, DNABERT-S and MosaicBERT.

The architecture is MosaicBERT's (Portes et al. 2023, https://arxiv.org/abs/2312.17482): attention biases that fall off
with distance (ALiBi: Press et al. 2022, https://arxiv.org/abs/2108.12409), gated linear units, post-norm layers.
Modules are named as in the published checkpoints (`zhihan1996/DNABERT-2-117M`), whose own code asks for Triton; this is
plain PyTorch. Attention is computed in full precision over all tokens, which is what that code does without Triton.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from transformers import BertConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput, TokenClassifierOutput

_MASKED = -10000.0


def alibi_slopes(heads: int) -> list[float]:
    """How fast each head's bias falls: a geometric series, and for other numbers than powers of two every other member
    of the next longer one behind it (Press et al. 2022)."""
    whole = 2 ** math.floor(math.log2(heads))
    series = [2 ** (-8 * (number + 1) / whole) for number in range(whole)]
    between = [2 ** (-8 * (number + 1) / (2 * whole)) for number in range(0, 2 * whole, 2)]
    return series + between[: heads - whole]


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, input_ids: Tensor) -> Tensor:
        words = self.word_embeddings(input_ids) + self.token_type_embeddings.weight[0]
        return self.dropout(self.LayerNorm(words))


class _SelfAttention(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.heads, self.size = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        self.Wqkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        batch, tokens, width = hidden.shape
        query, key, value = (
            part.reshape(batch, tokens, self.heads, self.size).transpose(1, 2)
            for part in self.Wqkv(hidden).split(width, dim=2)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(self.size) + bias
        mixed = self.dropout(torch.softmax(scores, dim=-1)) @ value
        return mixed.transpose(1, 2).reshape(batch, tokens, width)


class _AttentionOutput(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, mixed: Tensor, hidden: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(mixed)) + hidden)


class _Attention(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.self = _SelfAttention(config)
        self.output = _AttentionOutput(config)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        return self.output(self.self(hidden, bias), hidden)


class _GatedUnit(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.gated_layers = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.wo = nn.Linear(config.intermediate_size, config.hidden_size)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, hidden: Tensor) -> Tensor:
        gate, kept = self.gated_layers(hidden).chunk(2, dim=-1)
        return self.layernorm(self.wo(self.dropout(nn.functional.gelu(gate) * kept)) + hidden)


class _Layer(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.attention = _Attention(config)
        self.mlp = _GatedUnit(config)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        return self.mlp(self.attention(hidden, bias))


class _Encoder(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))


class _Pooler(nn.Module):
    def __init__(self, config: BertConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        return torch.tanh(self.dense(hidden[:, 0]))


class AlibiBertPreTrainedModel(PreTrainedModel):
    """What lets transformers load and save these networks."""

    config_class = BertConfig
    base_model_prefix = "bert"
    _keys_to_ignore_on_load_unexpected = (r"\.alibi$", r"^cls\.", r"position_embeddings")
    _keys_to_ignore_on_load_missing = (r"pooler\.",)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.normal_(0.0, self.config.initializer_range)
        elif isinstance(module, nn.LayerNorm):
            module.weight.fill_(1.0)
        if getattr(module, "bias", None) is not None:
            module.bias.zero_()


class AlibiBertModel(AlibiBertPreTrainedModel):
    """int64 tokens (batch, tokens), and a mask that is 0 at padding, to hidden states (batch, tokens, width)."""

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config)
        self.pooler = _Pooler(config)
        self.post_init()

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> BaseModelOutput:
        hidden = self.embeddings(input_ids)
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        distances = (places[None] - places[:, None]).abs().to(hidden.dtype)
        slopes = torch.tensor(alibi_slopes(self.config.num_attention_heads), device=hidden.device, dtype=hidden.dtype)
        bias = -slopes[:, None, None] * distances
        if attention_mask is not None:
            bias = bias + (1 - attention_mask[:, None, None].to(hidden.dtype)) * _MASKED
        for layer in self.encoder.layer:
            hidden = layer(hidden, bias)
        return BaseModelOutput(last_hidden_state=hidden)

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.embeddings.word_embeddings = value


class _WithHead(AlibiBertPreTrainedModel):
    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = AlibiBertModel(config)
        rate = config.classifier_dropout
        self.dropout = nn.Dropout(config.hidden_dropout_prob if rate is None else rate)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()


class AlibiBertForSequenceClassification(_WithHead):
    """Logits (batch, labels) from the pooled first token."""

    _keys_to_ignore_on_load_missing = ()

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SequenceClassifierOutput:
        hidden = self.bert(input_ids, attention_mask).last_hidden_state
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(self.bert.pooler(hidden))))


class AlibiBertForTokenClassification(_WithHead):
    """Logits (batch, tokens, labels)."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> TokenClassifierOutput:
        hidden = self.bert(input_ids, attention_mask).last_hidden_state
        return TokenClassifierOutput(logits=self.classifier(self.dropout(hidden)))
