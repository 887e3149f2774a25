"""Training of `RegionMeansNet` on simulated mixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..nets.region_means import RegionMeansNet
from .compositions import KINDS, composition, weights_at
from .moments import Moments, drawn_means

_LEAST_COVERAGE, _MOST_COVERAGE = 10.0, 500.0
_UNKNOWN_MIXTURES, _MOST_UNKNOWN, _FLIPPED = 0.2, 0.3, 0.03
"""A fifth of the mixtures have a part that is none of the cell types: like most of them, but for a few regions."""


@dataclass(frozen=True)
class MixtureFit:
    """How to train. steps: of ``batch`` mixtures each, the last third nearly all like cell-free DNA; donors: people
    whose reads are mixed."""

    steps: int = 4000
    batch: int = 128
    rate: float = 1e-3
    donors: int = 4
    width: int = 256
    seed: int = 0


def fit_mixtures(
    moments: Moments, blood: np.ndarray, settings: MixtureFit, report: Callable[[int, float], None]
) -> RegionMeansNet:
    """A trained network. ``report`` hears of every 500th step and of the mean absolute error of its mixtures."""
    torch.manual_seed(settings.seed)
    generator = np.random.default_rng(settings.seed)
    network = RegionMeansNet(torch.from_numpy(moments.profiles), torch.from_numpy(blood), settings.width)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, total_steps=settings.steps)
    for step in range(settings.steps):
        shares, means, calls = mixtures(
            moments, blood, settings.batch, min(1.0, 1.5 * step / settings.steps), generator
        )
        truth = torch.from_numpy(shares)
        stages = network.stages(torch.from_numpy(means), torch.from_numpy(calls))
        loss = _loss(*stages, truth, torch.from_numpy(blood))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 500 == 0 or step + 1 == settings.steps:
            with torch.no_grad():
                found = network(torch.from_numpy(means), torch.from_numpy(calls))
            report(step + 1, float((found - truth).abs().mean()))
    return network.eval()


def mixtures(
    moments: Moments, blood: np.ndarray, many: int, progress: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares (mixtures, cell types + 1), unknown as the last, means and calls (mixtures, regions), float32."""
    kinds = generator.choice(KINDS, many, p=weights_at(progress))
    shares = np.stack([composition(kind, blood, generator) for kind in kinds])
    low, high = np.log(_LEAST_COVERAGE), np.log(_MOST_COVERAGE)
    coverages = np.exp(generator.uniform(low, high, many))
    unknown = np.where(generator.random(many) < _UNKNOWN_MIXTURES, generator.uniform(0, _MOST_UNKNOWN, many), 0)
    means, calls = drawn_means(moments, shares, coverages, generator)
    foreign = np.repeat(np.median(moments.profiles, axis=1)[None], many, axis=0)
    flipped = generator.random(foreign.shape) < _FLIPPED
    foreign = np.where(flipped, 1 - foreign, foreign)
    means = means * (1 - unknown[:, None]) + foreign * unknown[:, None]
    told = np.column_stack([shares * (1 - unknown[:, None]), unknown])
    return told.astype(np.float32), np.where(calls > 0, means, 0).astype(np.float32), calls


def _loss(blood_found: Tensor, others_found: Tensor, truth: Tensor, blood: Tensor) -> Tensor:
    """Cross-entropy and absolute error of both stages, the second weighted by how much there is of the rest."""
    cells, others = truth[:, :-1][:, blood], torch.cat([truth[:, :-1][:, ~blood], truth[:, -1:]], dim=1)
    rest = others.sum(dim=1, keepdim=True)
    first = torch.cat([cells, rest], dim=1)
    made_up = others / rest.clamp(min=1e-6)
    total = -(first * torch.log(blood_found + 1e-7)).sum(1) + 2 * (first - blood_found).abs().sum(1)
    second = -(made_up * torch.log(others_found + 1e-7)).sum(1) + 2 * (made_up - others_found).abs().sum(1)
    return (total + torch.sqrt(rest[:, 0]) * second).mean()
