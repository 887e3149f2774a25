"""Networks of transformers as the scanner feeds them: from one tensor of tokens to logits in the card's shape."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...scanner.card import KmerInput
from ...scanner.encoding.kmers import token_count


class TokenNetwork(nn.Module):
    """int64 tokens (batch, tokens) to what the network's head gives, or to pooled hidden states.

    pad: the token that fills rows up and is masked; None where rows are never filled up, and nothing is masked.
    pooling: None: the logits. "mean": hidden states averaged over the tokens that are not padding, special ones too.
        "cls": those of the first token.
    first_position: for networks to which positions can be said outright; what transformers would make of buffers or of
        the tokens, the exporter cannot fold. None: the network makes its own.
    """

    def __init__(
        self, net: nn.Module, pad: int | None = None, pooling: str | None = None, first_position: int | None = None
    ):
        super().__init__()
        self.net, self.pad, self.pooling, self.first_position = net, pad, pooling, first_position
        self.typed = isinstance(getattr(net.config, "type_vocab_size", None), int) and first_position == 0

    def forward(self, tokens: Tensor) -> Tensor:
        said = {}
        if self.pad is not None:
            said["attention_mask"] = (tokens != self.pad).long()
        if self.first_position is not None:
            said["position_ids"] = (torch.arange(tokens.shape[1], device=tokens.device) + self.first_position)[None]
        if self.typed:
            said["token_type_ids"] = torch.zeros_like(tokens)
        found = self.net(input_ids=tokens, **said)
        if self.pooling is None:
            return found.logits
        hidden = found.last_hidden_state
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pad is None:
            return hidden.mean(dim=1)
        known = (tokens != self.pad).unsqueeze(-1).to(hidden.dtype)
        return (hidden * known).sum(dim=1) / known.sum(dim=1)


def first_position(net: nn.Module) -> int | None:
    """The first token's position in networks that take positions, as they count them; None for others."""
    kind = getattr(net.config, "model_type", "")
    if kind == "bert" and not hasattr(net.config, "alibi_starting_size"):
        return 0
    if kind == "esm":  # positions of tokens that are not padding are counted from behind the padding's own
        return net.config.pad_token_id + 1
    return None


class KmersToBins(nn.Module):
    """A score for each k-mer becomes one for each bin of bases: (batch, window / bin, outputs).

    A base's score is that of the k-mer whose middle it is nearest to; a bin's is the mean of its bases'.
    """

    def __init__(self, net: nn.Module, spec: KmerInput, window: int, bin: int):
        super().__init__()
        self.net, self.window, self.bin = net, window, bin
        kmers = token_count(window, spec) - len(spec.prefix) - len(spec.suffix)
        bases = torch.arange(window) - (spec.k - spec.stride) // 2
        places = torch.clamp(torch.div(bases, spec.stride, rounding_mode="floor"), 0, kmers - 1)
        self.register_buffer("places", places + len(spec.prefix), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return _in_bins(self.net(tokens)[:, self.places], self.window, self.bin)


class TokensToBins(nn.Module):
    """The same for tokens of any length: a base has the score of the token that it lies in.

    lengths: int64 (vocabulary,), bases of each token, 0 for special ones. Every base of a window must be in a token.
    """

    def __init__(self, net: nn.Module, lengths: Tensor, window: int, bin: int):
        super().__init__()
        self.net, self.window, self.bin = net, window, bin
        self.register_buffer("lengths", lengths, persistent=False)
        self.register_buffer("bases", torch.arange(window), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        ends = self.lengths[tokens].cumsum(dim=1)
        before = (ends[:, None, :] <= self.bases[None, :, None]).long().sum(dim=2)
        places = before.clamp(max=tokens.shape[1] - 1)
        logits = self.net(tokens)
        scores = torch.gather(logits, 1, places[:, :, None].expand(-1, -1, logits.shape[2]))
        return _in_bins(scores, self.window, self.bin)


def _in_bins(scores: Tensor, window: int, bin: int) -> Tensor:
    """(batch, window, outputs) to the mean of each bin, (batch, window / bin, outputs)."""
    if bin == 1:
        return scores
    return scores.reshape(-1, window // bin, bin, scores.shape[2]).mean(dim=2)
