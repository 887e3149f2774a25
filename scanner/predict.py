"""A model's outputs for sequences of the user's own, without a genome: embeddings, or the scores of single windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .card import ModelCard
from .encoding.kmers_methylation import METHYLATED, UNMETHYLATED
from .errors import UsageError
from .inference.activation import activate
from .inference.batching import batches
from .inference.session import Model
from .reading.fasta import CODES
from .reading.sequence import UNKNOWN

_C = 1


def predict(model: Model, sequences: Sequence[str], methylation: Sequence[str] | None = None) -> np.ndarray:
    """Scores after activation, float64 (sequences, outputs), or (sequences, bins, outputs) of a model that scores bins.

    The sequences are read as they stand, on their own strand; each must have ``model.card.window`` bases. Rows of NaN
    stand for those that make more tokens than the model can read. ``methylation``, for a model of reads: for each
    sequence a text as long, Z where the C of a CpG is methylated, z where it is not, and anything else elsewhere (as
    Bismark writes it); None: nothing is known. `UsageError` names a sequence of another length.
    """
    card = model.card
    for number, sequence in enumerate(sequences):
        if len(sequence) != card.window:
            raise UsageError(
                f"sequence {number + 1} has {len(sequence)} bases; model {card.name} reads windows of {card.window}"
            )
    text = "".join(sequences).encode("ascii", "replace").translate(CODES)
    codes = np.minimum(np.frombuffer(text, dtype=np.uint8), UNKNOWN).reshape(-1, card.window)
    if methylation is not None:
        codes = codes + _marks(card, methylation, codes)
    bins = (card.window // card.output.bin,) if card.task == "segmentation" else ()
    scores = np.full((len(codes), *bins, len(card.output.names)), np.nan)

    def fill(chosen: np.ndarray, out: np.ndarray) -> None:
        out[:] = codes[chosen]

    for chosen, tensor in batches(model.encoder, np.arange(len(codes)), card.window, model.rows(card.window), fill):
        if tensor is not None:
            scores[chosen] = activate(model.run(tensor)[: len(chosen)], card.output.activation)
    return scores


def _marks(card: ModelCard, methylation: Sequence[str], codes: np.ndarray) -> np.ndarray:
    """What is added to codes uint8 (sequences, window) for what is known of their methylation."""
    if card.task != "read-classification":
        raise UsageError(f"model {card.name} reads no methylation")
    if [len(text) for text in methylation] != [card.window] * len(codes):
        raise UsageError(f"methylation must have a text of {card.window} letters for each of {len(codes)} sequences")
    letters = np.frombuffer("".join(methylation).encode("ascii", "replace"), dtype=np.uint8).reshape(codes.shape)
    marks = np.select([letters == ord("Z"), letters == ord("z")], [METHYLATED, UNMETHYLATED], np.uint8(0))
    return np.where(codes == _C, marks, np.uint8(0)).astype(np.uint8)
