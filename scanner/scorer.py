"""A model as a function: from sequences of the user's own, without a genome, to scores or embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .card import ModelCard
from .catalogue import find_model
from .encoding.kmers_methylation import METHYLATED, UNMETHYLATED
from .errors import UsageError
from .inference.activation import activate
from .inference.batching import batches
from .inference.session import Model, open_model
from .inference.stitch import NO_SCORE, clear_unknown
from .reading.fasta import CODES
from .reading.sequence import UNKNOWN, TileSequence, gather
from .reading.tiles import INTERVAL, Tile, Windows, windows_of

_C = 1


def load_model(
    model: str | Path, device: str = "auto", *, batch_size: int | None = None, card: ModelCard | None = None
) -> Scorer:
    """A bundled model's name or an .onnx as a function from sequences to scores.

    ``device``: auto, cpu, cuda or tensorrt. ``batch_size``: windows that are run together (None: as many as suit the
    device). ``card``: in place of the one in the file. `GenoscanError` names a file that is missing or damaged, a card
    that its network does not fit, and a device that cannot be used.

    >>> model = genoscan.load_model("promoter-ecoli")  # doctest: +SKIP
    >>> scores = model(["TTGACAATTAATCATCGAACTAGTTAACTAGTACGCAAG"])  # doctest: +SKIP
    """
    return Scorer(open_model(find_model(str(model)), device, batch_size, card))


class Scorer:
    """What `load_model` gives: call it with sequences. ``card``: what the model says of itself; ``device``: where it
    runs."""

    def __init__(self, model: Model):
        self.card = model.card
        self.device = model.device
        self._model = model

    def __repr__(self) -> str:
        return f"<Scorer {self.card.name} {self.card.version} on {self.device}>"

    def __call__(self, sequences: Sequence[str], methylation: Sequence[str] | None = None) -> np.ndarray:
        """Scores after activation, float64: of a model that scores windows (sequences, outputs), in the order of
        ``card.output.names``; of one that scores bins (sequences, bins, outputs), bins of ``card.output.bin`` bases
        from the first base on.

        The sequences are read as they stand, not as their reverse complements, too. All must be of one length: that of
        ``card.window`` where windows are scored; any where bins are, which are then cut into windows, and scored, as
        contigs are in a scan. NaN stands for windows of more tokens than the model can read, and for bins of unknown
        bases.

        ``methylation``, for a model of reads: for each sequence a text as long, Z where the C of a CpG is methylated, z
        where it is not, and anything else elsewhere (as Bismark writes it); None: nothing is known. `UsageError` names
        a sequence of another length.
        """
        if isinstance(sequences, str):
            raise UsageError("give a list of sequences, of one too: model([sequence])")
        card = self.card
        length = _common_length(card, sequences)
        text = "".join(sequences).encode("ascii", "replace").translate(CODES)
        codes = np.minimum(np.frombuffer(text, dtype=np.uint8), UNKNOWN).reshape(len(sequences), length)
        if methylation is not None:
            codes = codes + _marks(card, methylation, codes)
        if card.task == "segmentation":
            return _bin_scores(self._model, codes)

        def fill(chosen: np.ndarray, out: np.ndarray) -> None:
            out[:] = codes[chosen]

        scores = np.full((len(codes), len(card.output.names)), np.nan)
        queue = np.arange(len(codes))
        for chosen, tensor in batches(self._model.encoder, queue, length, self._model.rows(length), fill):
            if tensor is not None:
                scores[chosen] = activate(self._model.run(tensor)[: len(chosen)], card.output.activation)
        return scores


def _common_length(card: ModelCard, sequences: Sequence[str]) -> int:
    """Bases of each sequence. `UsageError` names the first that the model cannot read beside the others."""
    if card.task == "segmentation":
        length = len(sequences[0]) if len(sequences) else card.window
        for number, sequence in enumerate(sequences):
            if len(sequence) != length or not length:
                raise UsageError(
                    f"sequence {number + 1} has {len(sequence):,} bases, the first {length:,}: those of one call must "
                    "be of one length, of at least a base"
                )
        return length
    for number, sequence in enumerate(sequences):
        if len(sequence) != card.window:
            raise UsageError(
                f"sequence {number + 1} has {len(sequence):,} bases; model {card.name} scores windows of "
                f"{card.window:,}: cut such out of it, or scan a FASTA file with genoscan.scan"
            )
    return card.window


def _bin_scores(model: Model, codes: np.ndarray) -> np.ndarray:
    """float64 (sequences, bins, outputs): those of codes uint8 (sequences, bases), each a contig by itself."""
    card, (count, length) = model.card, codes.shape
    names, bins = len(card.output.names), -(-length // card.output.bin)
    if not count:
        return np.empty((0, bins, names))
    intervals = np.zeros(count, dtype=INTERVAL)
    intervals["contig"], intervals["end"] = np.arange(count), length
    tile = Tile(0, intervals, np.full(count, length))
    offsets = np.arange(count + 1) * length
    sequence = TileSequence(codes.reshape(-1), offsets, np.zeros(count, dtype=np.int64))
    windows = windows_of(card, tile)
    scores = np.full((windows.borders[-1], names), np.nan)

    def fill(chosen: np.ndarray, out: np.ndarray) -> None:
        gather(sequence, windows, chosen, out)

    for size in np.unique(windows.sizes).tolist():
        queue = np.flatnonzero(windows.sizes == size)
        for chosen, tensor in batches(model.encoder, queue, size, model.rows(size), fill):
            if tensor is not None:
                outputs = activate(model.run(tensor)[: len(chosen)], card.output.activation)
                _keep_middles(outputs, windows, chosen, scores)
    marks = np.zeros((1, len(scores)), dtype=np.int32)
    clear_unknown(marks, windows.bins, sequence, tile.lengths, card.max_unknown)
    scores[marks[0] == NO_SCORE] = np.nan
    return scores.reshape(count, -1, names)[:, :bins]


def _keep_middles(outputs: np.ndarray, windows: Windows, chosen: np.ndarray, scores: np.ndarray) -> None:
    """Write the bins that each of the chosen windows scores; outputs: (chosen, bins, outputs)."""
    for row, window in enumerate(chosen.tolist()):
        start, end = windows.borders[window], windows.borders[window + 1]
        crop = (outputs.shape[1] - (end - start)) // 2
        scores[start:end] = outputs[row, crop : crop + end - start]


def _marks(card: ModelCard, methylation: Sequence[str], codes: np.ndarray) -> np.ndarray:
    """What is added to codes uint8 (sequences, window) for what is known of their methylation."""
    if card.task != "read-classification":
        raise UsageError(f"model {card.name} reads no methylation")
    if [len(text) for text in methylation] != [card.window] * len(codes):
        raise UsageError(f"methylation must have a text of {card.window} letters for each of {len(codes)} sequences")
    letters = np.frombuffer("".join(methylation).encode("ascii", "replace"), dtype=np.uint8).reshape(codes.shape)
    marks = np.select([letters == ord("Z"), letters == ord("z")], [METHYLATED, UNMETHYLATED], np.uint8(0))
    return np.where(codes == _C, marks, np.uint8(0)).astype(np.uint8)
