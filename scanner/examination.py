"""What a model file is, seen from outside: its card, its tensors, the devices that can run it, and what it says of a
window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .encoding.encoder import rows_by_length
from .errors import GenoscanError
from .inference.devices import DEVICES
from .inference.session import Model, require_device
from .inference.stitch import SCORE_UNIT, fixed_scores


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


def examine(model: Model, codes: np.ndarray) -> Examination:
    """Run an opened model on a window, uint8 (window,). Errors are those of the run."""
    card, encode = model.card, model.encoder
    batch = np.repeat(codes[None], model.batch_size, axis=0)
    tensor = np.zeros((len(batch), *encode.window_shape(card.window)), dtype=encode.dtype)
    encode.encode(batch, tensor)
    ((_, tensor),) = rows_by_length(encode, tensor)
    logits = model.run(tensor)[:1]
    scores = fixed_scores(logits, card.output.activation)[0] / SCORE_UNIT
    return Examination(
        input=f"{encode.name} {encode.dtype} {['batch', *tensor.shape[1:]]}",
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
