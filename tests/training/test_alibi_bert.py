"""DNABERT-2's network against its definition, written out in NumPy, and the names of its published weights."""

import math

import numpy as np
import pytest
import torch
from transformers import BertConfig

from genoscan.training.nets.alibi_bert import (
    AlibiBertForSequenceClassification,
    AlibiBertForTokenClassification,
    AlibiBertModel,
    alibi_slopes,
)

CONFIG = {
    "vocab_size": 30,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "pad_token_id": 0,
    "initializer_range": 0.4,
    "layer_norm_eps": 1e-12,
}
LAYER = {
    "attention.self.Wqkv": ("weight", "bias"),
    "attention.output.dense": ("weight", "bias"),
    "attention.output.LayerNorm": ("weight", "bias"),
    "mlp.gated_layers": ("weight",),
    "mlp.wo": ("weight", "bias"),
    "mlp.layernorm": ("weight", "bias"),
}


def network(kind=AlibiBertForSequenceClassification):
    torch.manual_seed(1)
    net = kind(BertConfig(**CONFIG)).eval()
    with torch.no_grad():
        for weights in net.parameters():
            weights.add_(torch.randn_like(weights) * 0.1)
    return net


def test_names_are_those_of_the_published_checkpoint():
    expected = {f"bert.embeddings.{name}.weight" for name in ("word_embeddings", "token_type_embeddings", "LayerNorm")}
    expected |= {"bert.embeddings.LayerNorm.bias", "classifier.weight", "classifier.bias"}
    expected |= {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    for layer in range(2):
        expected |= {f"bert.encoder.layer.{layer}.{name}.{part}" for name, parts in LAYER.items() for part in parts}
    assert set(network().state_dict()) == expected


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [
        (8, [2.0**-power for power in range(1, 9)]),
        (4, [1 / 4, 1 / 16, 1 / 64, 1 / 256]),
        (12, [2.0**-power for power in range(1, 9)] + [2.0**-power for power in (0.5, 1.5, 2.5, 3.5)]),
    ],
)
def test_slopes(heads, slopes):
    assert alibi_slopes(heads) == pytest.approx(slopes)


def normalized(x, weight, bias):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * weight + bias


def written_out(weights, tokens):
    """Logits of one sequence without padding, step by step in float64."""
    w = {name: value.double().numpy() for name, value in weights.items()}
    x = w["bert.embeddings.word_embeddings.weight"][tokens] + w["bert.embeddings.token_type_embeddings.weight"][0]
    x = normalized(x, w["bert.embeddings.LayerNorm.weight"], w["bert.embeddings.LayerNorm.bias"])
    count, width, heads = len(tokens), x.shape[1], 3
    size = width // heads
    far = np.abs(np.arange(count)[:, None] - np.arange(count))
    erf = np.vectorize(math.erf)
    for layer in range(2):
        own = {name.removeprefix(f"bert.encoder.layer.{layer}."): value for name, value in w.items()}
        qkv = x @ own["attention.self.Wqkv.weight"].T + own["attention.self.Wqkv.bias"]
        mixed = []
        for head, slope in enumerate([1 / 16, 1 / 256, 1 / 4]):  # two heads' series, and one of four heads'
            q, k, v = (qkv[:, part * width + head * size :][:, :size] for part in range(3))
            scores = np.exp(q @ k.T / math.sqrt(size) - slope * far)
            mixed.append(scores / scores.sum(1, keepdims=True) @ v)
        out = np.concatenate(mixed, 1) @ own["attention.output.dense.weight"].T + own["attention.output.dense.bias"]
        x = normalized(out + x, own["attention.output.LayerNorm.weight"], own["attention.output.LayerNorm.bias"])
        gate, kept = np.split(x @ own["mlp.gated_layers.weight"].T, 2, axis=1)
        gate = gate * 0.5 * (1 + erf(gate / math.sqrt(2)))
        out = (gate * kept) @ own["mlp.wo.weight"].T + own["mlp.wo.bias"]
        x = normalized(out + x, own["mlp.layernorm.weight"], own["mlp.layernorm.bias"])
    pooled = np.tanh(x[0] @ w["bert.pooler.dense.weight"].T + w["bert.pooler.dense.bias"])
    return x, pooled @ w["classifier.weight"].T + w["classifier.bias"]


def test_the_network_is_its_definition():
    net = network()
    tokens = [1, *range(4, 17), 2]
    with torch.inference_mode():
        found = net(torch.tensor([tokens])).logits[0].numpy()
        hidden = net.bert(torch.tensor([tokens])).last_hidden_state[0].numpy()
    expected_hidden, expected = written_out(net.state_dict(), tokens)
    np.testing.assert_allclose(hidden, expected_hidden, atol=1e-4)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_padding_changes_nothing():
    net, tokens = network(), [1, *range(4, 17), 2]
    padded = torch.tensor([[*tokens, 0, 0, 0]])
    with torch.inference_mode():
        expected = net(torch.tensor([tokens])).logits
        torch.testing.assert_close(net(padded, (padded != 0).long()).logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [AlibiBertModel, AlibiBertForTokenClassification])
def test_other_heads_read_the_same_weights(kind, tmp_path):
    net = network()
    net.save_pretrained(tmp_path)
    other = kind.from_pretrained(tmp_path).eval()
    tokens = torch.tensor([[1, 5, 6, 7, 2]])
    base = other if kind is AlibiBertModel else other.bert
    with torch.inference_mode():
        expected = net.bert(tokens).last_hidden_state
        torch.testing.assert_close(base(tokens).last_hidden_state, expected)
        if kind is AlibiBertForTokenClassification:
            assert other(tokens).logits.shape == (1, 5, 2)
