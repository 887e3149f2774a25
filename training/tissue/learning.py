"""What a network of reads learns: its losses, and the measures of an epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, log_softmax

from ..nets.read_bert import ReadBert, ReadEncoder
from .examples import label_columns
from .measures import calibration_error
from .recipe import FIRST_KMER, Losses, ReadNet, TissueRecipe


def build_encoder(recipe: TissueRecipe) -> ReadEncoder:
    """The recipe's encoder with random weights."""
    net, data = recipe.net, recipe.data
    return ReadEncoder(
        FIRST_KMER + 4**data.k, data.tokens, net.width, net.layers, net.heads, net.feedforward, net.dropout, net.patch,
        net.kernel, net.embedding, net.sees,
    )  # fmt: skip


def build_net(recipe: TissueRecipe, classes: int, markers: int) -> ReadBert:
    """The recipe's network with random weights; ``markers`` are told only where a loss asks for it."""
    told = markers if recipe.losses.markers or recipe.losses.within else 0
    net = recipe.net
    return ReadBert(build_encoder(recipe), classes, net.mixtures, net.hidden, net.dropout, told)


class Learner(nn.Module):
    """The network as training calls it: all that it says of a batch, side by side, float (reads, columns)."""

    def __init__(self, net: ReadBert):
        super().__init__()
        self.net = net

    def forward(self, tokens: Tensor, methylation: Tensor) -> Tensor:
        logits, kinds, markers, within = self.net.training_logits(tokens, methylation)
        return torch.cat([logits, *([] if kinds is None else [kinds]), markers, within], dim=1)


def loss_of(
    losses: Losses, net: ReadNet, weights: np.ndarray, prior: np.ndarray, drawn: np.ndarray
) -> Callable[[Tensor, Tensor], Tensor]:
    """Cross-entropy to the posteriors, classes weighing ``weights`` (classes,), and what the recipe adds to it.

    prior: float (classes,), that of the posteriors. drawn: float (markers, classes), by which reads are drawn at each
    marker; without markers only the posteriors of reads are known, and nothing is added.
    """
    markers, classes = drawn.shape
    losses = losses if markers else Losses()
    shares = torch.from_numpy(weights.astype(np.float32))
    odds = torch.from_numpy(np.log(drawn / prior).astype(np.float32))
    columns, kinds = label_columns(classes), net.mixtures if net.mixtures > 1 else 0

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        wanted = labels[:, columns.posterior] * shares.to(labels.device)
        logits = outputs[:, :classes]
        total = -(wanted * log_softmax(logits, dim=1)).sum(dim=1).mean()
        if losses.drawing:
            shift = odds.to(labels.device)[labels[:, columns.marker].long()]
            wanted = wanted * shift.exp()
            wanted = wanted / wanted.sum(dim=1, keepdim=True)
            total = total - losses.drawing * (wanted * log_softmax(logits + shift, dim=1)).sum(dim=1).mean()
        if losses.kinds:
            total = (
                total - losses.kinds * (labels[:, columns.kinds] * outputs[:, classes : classes + kinds]).sum(1).mean()
            )
        rest = outputs[:, classes + kinds :]
        if losses.markers:
            total = total + losses.markers * cross_entropy(rest[:, :markers], labels[:, columns.marker].long())
        if losses.within:
            found, within = rest[:, markers:], labels[:, columns.within]
            total = total + losses.within * binary_cross_entropy_with_logits(found, within)
        return total

    return loss


REDUCED = ("log_loss", "divergence", "accuracy", "top3", "confidence")


def reduced(classes: int) -> Callable[[Tensor, Tensor], Tensor]:
    """Of each read the parts of its measures, float (reads, 5): `REDUCED`."""
    columns = label_columns(classes)

    def reduce(outputs: Tensor, labels: Tensor) -> Tensor:
        logs = log_softmax(outputs[:, :classes].float(), dim=1)
        exact, true = labels[:, columns.posterior], labels[:, columns.true_class].long()[:, None]
        apart = torch.xlogy(exact, exact) - exact * logs
        best = logs.topk(min(3, classes), dim=1)
        right = best.indices == true
        parts = [
            -logs.gather(1, true)[:, 0],
            apart.sum(1),
            right[:, 0].float(),
            right.any(1).float(),
            best.values[:, 0].exp(),
        ]  # fmt: skip
        return torch.stack(parts, dim=1)

    return reduce


def measure(parts: np.ndarray, _labels: np.ndarray) -> dict[str, float]:
    """An epoch's measures of the parts that `reduced` gave."""
    found = dict(zip(REDUCED, parts.mean(axis=0).tolist(), strict=True))
    del found["confidence"]
    right = parts[:, REDUCED.index("accuracy")] > 0
    return {**found, "calibration": calibration_error(parts[:, REDUCED.index("confidence")], right)}
