"""A model's outputs for sequences of the user's own, without a genome: embeddings, or the scores of single windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .errors import UsageError
from .inference.activation import activate
from .inference.batching import batches
from .inference.session import Model
from .reading.fasta import CODES
from .reading.sequence import UNKNOWN


def predict(model: Model, sequences: Sequence[str]) -> np.ndarray:
    """Scores after activation, float64 (sequences, outputs), or (sequences, bins, outputs) of a model that scores bins.

    The sequences are read as they stand, on their own strand; each must have ``model.card.window`` bases. Rows of NaN
    stand for those that make more tokens than the model can read. `UsageError` names a sequence of another length.
    """
    card = model.card
    for number, sequence in enumerate(sequences):
        if len(sequence) != card.window:
            raise UsageError(
                f"sequence {number + 1} has {len(sequence)} bases; model {card.name} reads windows of {card.window}"
            )
    text = "".join(sequences).encode("ascii", "replace").translate(CODES)
    codes = np.minimum(np.frombuffer(text, dtype=np.uint8), UNKNOWN).reshape(-1, card.window)
    bins = (card.window // card.output.bin,) if card.task == "segmentation" else ()
    scores = np.full((len(codes), *bins, len(card.output.names)), np.nan)

    def fill(chosen: np.ndarray, out: np.ndarray) -> None:
        out[:] = codes[chosen]

    for chosen, tensor in batches(model.encoder, np.arange(len(codes)), card.window, model.rows(card.window), fill):
        if tensor is not None:
            scores[chosen] = activate(model.run(tensor)[: len(chosen)], card.output.activation)
    return scores
