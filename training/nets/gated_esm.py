"""ESM with gated linear units: the second version of the Nucleotide Transformer.

transformers has the first version's network, ESM. The second one differs in its feed-forward layers alone, which are
bias-free SwiGLU (Dalla-Torre et al. 2024, https://doi.org/10.1038/s41592-024-02523-z; Shazeer 2020,
https://arxiv.org/abs/2002.05202). Modules are named as in the published checkpoints
(`InstaDeepAI/nucleotide-transformer-v2-*`), so that these are read without the code that comes with them.
"""

from __future__ import annotations

from torch import Tensor, nn
from transformers import EsmConfig, EsmForSequenceClassification, EsmForTokenClassification, EsmModel


class _Gate(nn.Module):
    """Twice as wide as what comes out: one half is the other's gate."""

    def __init__(self, config: EsmConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=config.add_bias_fnn)

    def forward(self, hidden: Tensor) -> Tensor:
        gate, kept = self.dense(hidden).chunk(2, dim=-1)
        return nn.functional.silu(gate) * kept


def _gate_layers(model: EsmModel, config: EsmConfig) -> None:
    for layer in model.encoder.layer:
        layer.intermediate = _Gate(config)
        layer.output.dense = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.add_bias_fnn)


class GatedEsmModel(EsmModel):
    """`EsmModel` with gated units."""

    def __init__(self, config: EsmConfig, add_pooling_layer: bool = False):
        super().__init__(config, add_pooling_layer=add_pooling_layer)
        _gate_layers(self, config)
        self.post_init()


class GatedEsmForSequenceClassification(EsmForSequenceClassification):
    """`EsmForSequenceClassification` with gated units."""

    def __init__(self, config: EsmConfig):
        super().__init__(config)
        _gate_layers(self.esm, config)
        self.post_init()


class GatedEsmForTokenClassification(EsmForTokenClassification):
    """`EsmForTokenClassification` with gated units."""

    def __init__(self, config: EsmConfig):
        super().__init__(config)
        _gate_layers(self.esm, config)
        self.post_init()
