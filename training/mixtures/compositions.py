"""What simulated mixtures are made of: from easy to realistic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

KINDS = ("two", "several", "blood")
"""Two cell types; three to nine; six to nine of which cells of the blood are 70 to 95 %, as in cell-free DNA."""
_MOST = 9
_BLOOD_LEAST, _BLOOD_MOST = 0.70, 0.95


def composition(kind: str, blood: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Proportions float64 (cell types,), of sum 1. kind: one of `KINDS`; blood: bool (cell types,)."""
    types = len(blood)
    if kind == "blood":
        return _blood_dominated(blood, generator)
    many = 2 if kind == "two" else int(generator.integers(3, min(_MOST, types) + 1))
    shares = np.zeros(types)
    chosen = generator.choice(types, min(many, types), replace=False)
    shares[chosen] = generator.dirichlet(np.ones(len(chosen)))
    return shares


def _blood_dominated(blood: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    cells, others = np.flatnonzero(blood), np.flatnonzero(~blood)
    many = int(generator.integers(6, _MOST + 1))
    of_blood = int(generator.integers(min(3, len(cells)), min(len(cells), many - 2) + 1))
    of_others = min(many - of_blood, len(others))
    share = generator.uniform(_BLOOD_LEAST, _BLOOD_MOST)
    shares = np.zeros(len(blood))
    shares[generator.choice(cells, of_blood, replace=False)] = share * generator.dirichlet(np.full(of_blood, 2.0))
    chosen = generator.choice(others, of_others, replace=False)
    shares[chosen] = (1 - share) * generator.dirichlet(np.full(of_others, 2.0))
    return shares


def spiked(shares: np.ndarray, place: int, share: float) -> np.ndarray:
    """The mixture with a cell type of this share in it, the others in proportion."""
    rest = np.where(np.arange(len(shares)) == place, 0, shares)
    rest = rest * ((1 - share) / rest.sum())
    rest[place] = share
    return rest


def weights_at(progress: float, order: Sequence[str] = KINDS) -> np.ndarray:
    """How often each kind is drawn, float64 (kinds,), of sum 1: from mostly the first at 0 to mostly the last at 1."""
    places = np.linspace(0, 1, len(order))
    weights = np.exp(-4 * np.abs(places - progress)) + 0.05
    return weights / weights.sum()
