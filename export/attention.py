"""How attention is written down while a network of transformers is traced: plainly, and without a mask that masks
nothing.

transformers' own ways of computing it put masks into the graph even where every token counts, or guard the softmax
against rows without any token. Neither is wanted for windows that are full, and both keep runtimes from recognising
attention.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_NAME = "genoscan"
_HIDDEN = -1e4
"""Added to the logit of a token that is masked: e to this power is nothing, and half precision can hold it."""


@contextmanager
def plain_attention(network: nn.Module) -> Iterator[None]:
    """Let every network of transformers within ``network`` compute attention as products and a softmax, masked only
    where the network hands a mask on. What it had before is put back."""
    try:
        from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
    except ModuleNotFoundError:  # then nothing of it can be in the network
        yield
        return
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, _mask)
    configs = {id(one.config): one.config for one in network.modules() if isinstance(one, PreTrainedModel)}
    before = [(config, config._attn_implementation) for config in configs.values()]
    try:
        for config, _ in before:
            config._attn_implementation = _NAME
        yield
    finally:
        for config, implementation in before:
            config._attn_implementation = implementation


def _attend(
    module: nn.Module,  # noqa: ARG001 (transformers' signature)
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_,
) -> tuple[Tensor, None]:
    """Attention of float (batch, heads, tokens, size); the result is (batch, tokens, heads, size)."""
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if attention_mask is not None:
        scores = scores + attention_mask
    return (scores.softmax(dim=-1) @ value).transpose(1, 2).contiguous(), None


def _mask(attention_mask: Tensor | None = None, dtype: torch.dtype = torch.float32, **_) -> Tensor | None:
    """What is added to the scores: float (batch, 1, 1, tokens) of a mask (batch, tokens); nothing without one."""
    if attention_mask is None:
        return None
    return torch.where(attention_mask[:, None, None, :].bool(), 0.0, _HIDDEN).to(dtype)
