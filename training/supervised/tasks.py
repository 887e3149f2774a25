"""What a task means for numbers: the loss, missing labels, from logits to predictions, measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data.store import Sequences
from ..measures.classification import classification_measures
from ..measures.regression import regression_measures
from .recipe import Task


@dataclass(frozen=True)
class Scale:
    """Values as a network learns them: (value - mean) / deviation, float64 (outputs,) each.

    weights: (outputs,) of each output, or class, in the loss.
    """

    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray


def scale_of(task: Task, sequences: Sequences, rows: np.ndarray) -> Scale:
    """From the training rows alone. An output without variance keeps its deviation of 1."""
    targets = np.asarray(sequences.targets[rows], dtype=np.float64)
    count = len(task.outputs)
    if task.kind == "classification":
        counts = np.bincount(targets[:, 0].astype(np.int64), minlength=count)
        weights = len(rows) / (count * np.maximum(counts, 1)) if task.balance else np.ones(count)
        return Scale(np.zeros(count), np.ones(count), weights)
    weights = np.array(task.weights or np.ones(count), dtype=np.float64)
    if not task.standardize:
        return Scale(np.zeros(count), np.ones(count), weights)
    known = ~np.isnan(targets)
    numbers = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, targets, 0).sum(axis=0) / numbers
    deviation = np.sqrt(np.where(known, (targets - mean) ** 2, 0).sum(axis=0) / numbers)
    return Scale(mean, np.where(deviation > 0, deviation, 1.0), weights)


def loss_of(task: Task, scale: Scale, logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss over what was measured, outputs by their weights; labels float (batch, targets), NaN where not, which
    adds nothing.

    A batch in which nothing was measured has a loss of 0, with a gradient of 0.
    """
    logits = logits.float()
    if task.kind == "classification":
        weights = torch.as_tensor(scale.weights, dtype=logits.dtype, device=logits.device)
        return functional.cross_entropy(logits, labels[:, 0].long(), weight=weights)
    mean = torch.as_tensor(scale.mean, dtype=logits.dtype, device=logits.device)
    deviation = torch.as_tensor(scale.deviation, dtype=logits.dtype, device=logits.device)
    known = ~torch.isnan(labels)
    wanted = torch.where(known, (labels - mean) / deviation, logits.detach())
    each = functional.huber_loss if task.loss == "huber" else functional.mse_loss
    weights = torch.as_tensor(scale.weights, dtype=logits.dtype, device=logits.device) * known
    return (each(logits, wanted, reduction="none") * weights).sum() / weights.sum().clamp(min=1e-6)


def predictions(task: Task, scale: Scale, logits: np.ndarray) -> np.ndarray:
    """Values (rows, outputs) in the table's units, or probabilities (rows, classes); float64."""
    logits = logits.astype(np.float64)
    if task.kind == "regression":
        return logits * scale.deviation + scale.mean
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def measures_of(task: Task, predicted: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """The task's measures by name: `measures.regression` or `measures.classification`."""
    if task.kind == "regression":
        return regression_measures(predicted, targets, task.targets)
    return classification_measures(predicted, targets[:, 0].astype(np.int64))


@torch.no_grad()
def fold_scale(head: nn.Linear, scale: Scale) -> None:
    """Let the last layer give values in the table's units instead of standard deviations."""
    mean = torch.as_tensor(scale.mean, dtype=torch.float64, device=head.weight.device)
    deviation = torch.as_tensor(scale.deviation, dtype=torch.float64, device=head.weight.device)
    head.weight.copy_(head.weight.double() * deviation[:, None])
    head.bias.copy_(head.bias.double() * deviation + mean)
