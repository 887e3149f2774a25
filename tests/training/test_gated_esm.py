"""The second Nucleotide Transformer's network: gated units where ESM has none, all else as transformers has it."""

import pytest
import torch
from transformers import EsmConfig, EsmForSequenceClassification

from genoscan.training.nets.gated_esm import (
    GatedEsmForSequenceClassification,
    GatedEsmForTokenClassification,
    GatedEsmModel,
)

CONFIG = EsmConfig(
    vocab_size=30,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=64,
    pad_token_id=1,
    mask_token_id=2,
    position_embedding_type="rotary",
    emb_layer_norm_before=False,
    token_dropout=False,
    add_bias_fnn=False,
)


def test_names_and_shapes_are_those_of_the_published_checkpoints():
    """Twice the width in the first weights, and no biases beside them; the rest as of the first version."""
    plain = EsmForSequenceClassification(CONFIG).state_dict()
    gated = GatedEsmForSequenceClassification(CONFIG).state_dict()
    biases = {f"esm.encoder.layer.{layer}.{name}.dense.bias" for layer in (0, 1) for name in ("intermediate", "output")}
    assert set(plain) - set(gated) == biases
    assert not set(gated) - set(plain)
    for layer in (0, 1):
        assert gated[f"esm.encoder.layer.{layer}.intermediate.dense.weight"].shape == (40, 12)
        assert gated[f"esm.encoder.layer.{layer}.output.dense.weight"].shape == (12, 20)


def test_the_gate():
    torch.manual_seed(1)
    layer = GatedEsmModel(CONFIG).eval().encoder.layer[0]
    x, residual = torch.randn(2, 5, 12), torch.randn(2, 5, 12)
    first, second = layer.intermediate.dense.weight.split(20)
    gate = x @ first.T
    expected = (gate * torch.sigmoid(gate) * (x @ second.T)) @ layer.output.dense.weight.T + residual
    torch.testing.assert_close(layer.output(layer.intermediate(x), residual), expected)


@pytest.mark.parametrize("kind", [GatedEsmModel, GatedEsmForTokenClassification])
def test_other_heads_read_the_same_weights(kind, tmp_path):
    torch.manual_seed(1)
    net = GatedEsmForSequenceClassification(CONFIG).eval()
    net.save_pretrained(tmp_path)
    other = kind.from_pretrained(tmp_path).eval()
    base, tokens = getattr(other, "esm", other), torch.tensor([[3, 5, 6, 7]])
    with torch.inference_mode():
        torch.testing.assert_close(base(tokens).last_hidden_state, net.esm(tokens).last_hidden_state)
