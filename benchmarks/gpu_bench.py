"""One model on one device: what every section of the GPU benchmark is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from gpu_measure import Json

from genoscan.scanner.card import ModelCard
from genoscan.scanner.encoding.encoder import encoder
from genoscan.scanner.inference.devices import available_threads
from genoscan.scanner.inference.session import read_card
from genoscan.training.data.simulate import RepeatSimulation, random_table, simulate


@dataclass
class Bench:
    """One model on one device, and what earlier sections found out. ``reference`` is its fp32 file."""

    path: Path
    reference: Path
    device: str
    genome: Path
    seconds: float
    batches: tuple[int, ...]
    results: Json = field(default_factory=dict)
    threads: int = field(default_factory=available_threads)

    @cached_property
    def card(self) -> ModelCard:
        return read_card(self.path)

    @cached_property
    def sequence(self) -> np.ndarray:
        """Simulated bases that windows are cut from."""
        generator = np.random.default_rng(3)
        return simulate(generator, max(2**20, 2 * self.card.window), RepeatSimulation(), random_table(generator))[0]

    @property
    def rows(self) -> int:
        """The batch size that `session` chose."""
        return self.results.get("session", {}).get("chosen_batch_size", self.batches[-1])

    @property
    def slowest(self) -> float:
        """Mb/s of the slowest stage measured so far."""
        speeds = [self.results.get(name, {}).get("mb_per_second") for name in ("session", "encoding")]
        return min((speed for speed in speeds if speed), default=1.0)

    def codes(self, rows: int, seed: int) -> np.ndarray:
        """uint8 (rows, window) at random places."""
        places = np.random.default_rng(seed).integers(len(self.sequence) - self.card.window, size=rows)
        return self.sequence[places[:, None] + np.arange(self.card.window)]


def tensor_of(card: ModelCard, codes: np.ndarray) -> np.ndarray:
    """The model's input of codes uint8 (rows, bases)."""
    encode = encoder(card)
    tensor = np.zeros((len(codes), *encode.window_shape(codes.shape[1])), dtype=encode.dtype)
    encode.encode(codes, tensor)
    return tensor
