"""What a run has trained, ready for inference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...scanner.card import ModelCard, parse_card
from ...scanner.errors import GenoscanError
from ..checkpoint import RECIPE
from ..devices import Device, resolve_device
from ..recipe import parse_recipe
from .examples import Encoding
from .networks import TransformersSettings, logits_of, restore_network
from .probe import restore_probe
from .recipe import Probe, SequenceRecipe

BEST, CARD, TOKENS = "best", "card.json", "tokens.json"
"""A run's best network: its folder, its card, and how rows of tokens are filled up in a batch."""
_TOGETHER = 64


@dataclass(frozen=True)
class Trained:
    """A run's best network.

    module: called as `networks.logits_of` does; its logits are values in the table's units (transformed), or classes'.
    card: as an export of it has. tokens, pad, longest: as in `networks.Network`.
    """

    recipe: SequenceRecipe
    module: nn.Module
    card: ModelCard
    tokens: bool
    pad: int
    longest: int | None


def load_trained(run: str | Path) -> Trained:
    """The best network of a run folder of `train_sequences`; `GenoscanError` says what is wrong."""
    run = Path(run)
    recipe = parse_recipe(_read(run / RECIPE), str(run / RECIPE), SequenceRecipe)
    folder = run / BEST
    card = parse_card(_read(folder / CARD), str(folder / CARD))
    filling = json.loads(_read(folder / TOKENS))
    tokens = isinstance(recipe.net, TransformersSettings)
    module = restore_network(recipe.net, len(recipe.task.outputs), folder)
    if isinstance(recipe.adapt, Probe):
        module = restore_probe(module, tokens, folder)
    return Trained(recipe, module.eval(), card, tokens, filling["pad"], filling["longest"])


def predict(run: str | Path | Trained, sequences: Sequence[np.ndarray], device: Device = "auto") -> np.ndarray:
    """What a run's best network says of sequences (uint8 codes, of any lengths that it can read), float32
    (sequences, outputs): values in the table's units, as transformed, or probabilities of the classes."""
    trained = run if isinstance(run, Trained) else load_trained(run)
    place = resolve_device(device)
    encoding = Encoding(trained.card, trained.tokens, trained.pad, trained.longest)
    module = trained.module.to(place)
    out = np.empty((len(sequences), len(trained.card.output.names)), dtype=np.float32)
    order = sorted(range(len(sequences)), key=lambda number: len(sequences[number]))
    with torch.inference_mode():
        for begin in range(0, len(order), _TOGETHER):
            chosen = order[begin : begin + _TOGETHER]
            inputs, mask = encoding([sequences[number] for number in chosen])
            logits = logits_of(module, trained.tokens, inputs.to(place), None if mask is None else mask.to(place))
            if trained.card.output.activation == "softmax":
                logits = logits.softmax(dim=-1)
            out[chosen] = logits.float().cpu().numpy()
    return out


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GenoscanError(f"{path}: cannot read: {error}") from None
