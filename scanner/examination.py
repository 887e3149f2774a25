"""What a model file is, seen from outside: its card, its tensors, the devices that can run it, and what it says of a
window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .card import ModelCard
from .encoding.encoder import rows_by_length
from .errors import GenoscanError
from .inference.devices import DEVICES
from .inference.session import Model, require_device
from .inference.stitch import SCORE_UNIT, fixed_scores
from .reading.genome import open_genome


@dataclass(frozen=True)
class Examination:
    """A model opened and run on one window.

    input, output: name or meaning, dtype and shape for one window. devices: device to why it cannot be used here, empty
    where it can. scores: activated, float64 (outputs,) or, of models with a score per bin, (bins, outputs).
    """

    input: str
    output: str
    devices: dict[str, str]
    scores: np.ndarray


def example_window(card: ModelCard, genome: str | None = None) -> np.ndarray:
    """uint8 (window,): the first window of a genome that is known enough to be scored, or random bases.

    `GenoscanError` where a genome has none; errors of `open_genome`.
    """
    if genome is None:
        return np.random.default_rng(0).integers(0, 4, card.window).astype(np.uint8)
    with open_genome(genome) as reading:
        for contig, length in enumerate(reading.lengths.tolist()):
            for start in range(0, length - card.window + 1, card.window):
                codes = reading.codes(contig, start, start + card.window)
                if np.mean(codes > 3) <= card.max_unknown:
                    return codes
    raise GenoscanError(f"{genome}: no window of {card.window} known bases: give another genome")


def examine(model: Model, codes: np.ndarray) -> Examination:
    """Run an opened model on a window, uint8 (window,). Errors are those of the run."""
    card, encode = model.card, model.encoder
    batch = np.repeat(codes[None], model.batch_size, axis=0)
    tensor = np.zeros((len(batch), *encode.window_shape(card.window)), dtype=encode.dtype)
    encode.encode(batch, tensor)
    ((_, tensor),) = rows_by_length(encode, tensor)
    shape = encode.tensor_shape(card.window) if not encode.ragged else tensor.shape[1:]
    logits = model.run(tensor)[:1]
    scores = fixed_scores(logits, card.output.activation)[0] / SCORE_UNIT
    return Examination(
        input=f"{', '.join(encode.names)} {encode.dtype} {['batch', *shape]}",
        output=f"{', '.join(card.output.names)}: {logits.dtype} {['batch', *logits.shape[1:]]}",
        devices={device: _hindrance(device) for device in DEVICES if device != "auto"},
        scores=scores,
    )


def _hindrance(device: str) -> str:
    try:
        require_device(device)
    except GenoscanError as error:
        return str(error)
    return ""
