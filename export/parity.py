"""Whether an exported model is still the checkpoint: both are run on the same windows and compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from ..scanner.card import KmerMethylationInput, ModelCard
from ..scanner.encoding.encoder import encoder, rows_by_length
from ..scanner.encoding.kmers_methylation import METHYLATED, UNMETHYLATED
from ..scanner.errors import GenoscanError
from ..scanner.inference.activation import activate
from ..scanner.reading.genome import open_genome
from ..training.data.simulate import RepeatSimulation, markov_sequence, random_table, simulate
from .files import cpu_session, inputs_of

UNKNOWN = 4


@dataclass(frozen=True)
class Limits:
    """What an export must keep to: the activated score's largest and mean difference, and label agreement."""

    largest: float = math.inf
    mean: float = math.inf
    agreement: float = 0.0

    def halved(self) -> Limits:
        """Half of what is allowed: who keeps to it on some windows will keep to the whole on others."""
        return Limits(self.largest / 2, self.mean / 2, (1 + self.agreement) / 2 if self.agreement else 0.0)


DEFAULT_LIMITS: Mapping[str, Limits] = {
    "fp32": Limits(largest=1e-4),
    "fp16": Limits(largest=1e-2),
    "int8": Limits(mean=1e-2, agreement=0.99),
}
"""How far an export may be from its checkpoint unless the user says otherwise."""


@dataclass(frozen=True)
class Difference:
    """Two sets of activated scores compared.

    agreement: share of places with the same label: all scores lie on the same side of the card's threshold, and, where
        outputs exclude each other, the same one is the highest. labels: different ones that the checkpoint gives.
    finite: neither has NaN or infinity. correlation: Pearson's, of each output apart and then their mean; where one
        side is constant it is 1 if both are the same and 0 otherwise.
    """

    largest: float
    mean: float
    correlation: float
    agreement: float
    finite: bool
    labels: int = 0


@dataclass(frozen=True)
class ParityReport:
    """A model against its checkpoint: a `Difference` for each kind of sequence, and what was asked of them."""

    precision: str
    differences: Mapping[str, Difference]
    limits: Limits

    def problems(self) -> list[str]:
        """What lies beyond the limits, each with kind of sequence and numbers; empty when the model is accepted."""
        found = []
        for kind, one in self.differences.items():
            if not one.finite:
                found.append(f"{kind} sequence: NaN or infinite scores")
                continue
            if one.largest > self.limits.largest:
                found.append(f"{kind} sequence: largest difference {one.largest:.2g} > {self.limits.largest:g}")
            if one.mean > self.limits.mean:
                found.append(f"{kind} sequence: mean difference {one.mean:.2g} > {self.limits.mean:g}")
            if one.agreement < self.limits.agreement:
                found.append(f"{kind} sequence: label agreement {one.agreement:.5f} < {self.limits.agreement:g}")
        return found

    def figures(self) -> dict[str, float]:
        """The numbers for the card, as KIND_MEASURE, to three digits (agreement and correlation to six places)."""
        figures = {}
        for kind, one in self.differences.items():
            figures[f"{kind}_largest"] = float(f"{one.largest:.3g}")
            figures[f"{kind}_mean"] = float(f"{one.mean:.3g}")
            figures[f"{kind}_correlation"] = round(one.correlation, 6)
            figures[f"{kind}_agreement"] = round(one.agreement, 6)
            figures[f"{kind}_labels"] = one.labels
        return figures

    def notes(self) -> list[str]:
        """What the figures cannot tell."""
        if self.differences and max(one.labels for one in self.differences.values()) == 1:
            return ["the checkpoint gives every window the same label: label agreement says nothing here"]
        return []

    def __str__(self) -> str:
        lines = [f"{self.precision:<12}{'largest':>10}{'mean':>10}{'correlation':>13}{'agreement':>11}{'labels':>8}"]
        lines += [
            f"{kind:<12}{one.largest:>10.2g}{one.mean:>10.2g}{one.correlation:>13.6f}{one.agreement:>11.6f}{one.labels:>8}"
            + ("" if one.finite else "  NaN or infinity")
            for kind, one in self.differences.items()
        ]
        return "\n".join(lines)


def difference(expected: np.ndarray, got: np.ndarray, threshold: float, exclusive: bool = False) -> Difference:
    """Compare activated scores of one shape, (places, outputs) or (places,); ``expected`` are the checkpoint's.

    exclusive: of the outputs one is meant (softmax), so that the highest is part of the label.
    """
    if expected.shape != got.shape:
        raise ValueError(f"scores of shape {list(expected.shape)} against {list(got.shape)}")
    expected, got = (one.astype(np.float64).reshape(len(one), -1) for one in (expected, got))
    if not (np.isfinite(expected).all() and np.isfinite(got).all()):
        return Difference(math.inf, math.inf, 0.0, 0.0, finite=False)
    apart = np.abs(expected - got)
    first, second = _labels(expected, threshold, exclusive), _labels(got, threshold, exclusive)
    return Difference(
        float(apart.max()),
        float(apart.mean()),
        float(np.mean([_correlation(*pair) for pair in zip(expected.T, got.T, strict=True)])),
        float(np.mean((first == second).all(axis=1))),
        finite=True,
        labels=len(np.unique(first, axis=0)),
    )


def _labels(scores: np.ndarray, threshold: float, exclusive: bool) -> np.ndarray:
    """What is said of each place: int (places, parts of the label)."""
    above = (scores >= threshold).astype(np.int64)
    return np.column_stack([above, scores.argmax(axis=1)]) if exclusive and scores.shape[1] > 1 else above


def _correlation(expected: np.ndarray, got: np.ndarray) -> float:
    spread = expected.std() * got.std()
    if spread > 0:
        return min(1.0, float(np.mean((expected - expected.mean()) * (got - got.mean())) / spread))
    return float(np.array_equal(expected, got))


def sample_windows(card: ModelCard, seed: int, count: int, genome: str | Path | None = None) -> dict[str, np.ndarray]:
    """Windows to compare on or to calibrate with: for each kind of sequence uint8 codes (count, window).

    random: bases of varied GC content, the first window with N at both ends. simulated: the same with tandem repeats;
    not of models of reads, for which windows are reads that tell of CpGs. real: windows spread over the FASTA
    ``genome``, where given, that are not mostly unknown.
    """
    generator = np.random.default_rng(seed)
    random = np.stack([markov_sequence(generator, random_table(generator), card.window) for _ in range(count)])
    edge = card.window // 8
    random[0, :edge] = random[0, -edge:] = UNKNOWN
    repeats = RepeatSimulation(gap=3000)
    simulated = [simulate(generator, card.window, repeats, random_table(generator))[0] for _ in range(count)]
    windows = {"random": random, "simulated": np.stack(simulated)}
    if genome is not None:
        windows["real"] = _real_windows(genome, card, generator, count)
    if isinstance(card.input, KmerMethylationInput):
        windows = {kind: _with_states(codes, generator) for kind, codes in windows.items() if kind != "simulated"}
    return windows


def _with_states(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Marked codes of reads that tell of nine in ten CpGs; a read's CpGs are mostly of one state."""
    states = generator.random((len(codes), 1)) < 0.5
    states = states ^ (generator.random(codes.shape) < 0.2)
    told = np.zeros(codes.shape, dtype=bool)
    told[:, :-1] = (codes[:, :-1] == 1) & (codes[:, 1:] == 2)
    told &= generator.random(codes.shape) < 0.9
    return codes + np.where(told, np.where(states, METHYLATED, UNMETHYLATED), 0).astype(np.uint8)


def _real_windows(path: str | Path, card: ModelCard, generator: np.random.Generator, count: int) -> np.ndarray:
    """Windows at random places of a genome, with N beyond the end of a contig shorter than the window."""
    chosen = []
    with open_genome(path) as genome:
        places = np.cumsum(np.maximum(genome.lengths - card.window, 0) + (genome.lengths > 0))
        for _ in range(20 * count):
            if len(chosen) == count:
                break
            contig = int(np.searchsorted(places, generator.integers(places[-1]), side="right"))
            length = int(genome.lengths[contig])
            start = int(generator.integers(max(length - card.window, 0) + 1))
            window = np.full(card.window, UNKNOWN, dtype=np.uint8)
            codes = genome.codes(contig, start, min(start + card.window, length))
            window[: len(codes)] = codes
            if np.mean(window > 3) <= card.max_unknown:
                chosen.append(window)
    if not chosen:
        raise GenoscanError(f"{path}: no window of {card.window} known bases to compare on: give another genome")
    return np.stack(chosen)


def encode_windows(card: ModelCard, codes: np.ndarray) -> np.ndarray:
    """The encoder's tensor (rows, ...) of codes uint8 (rows, window)."""
    encode = encoder(card)
    tensor = np.zeros((len(codes), *encode.window_shape(codes.shape[1])), dtype=encode.dtype)
    encode.encode(codes, tensor)
    return tensor


def tensors(card: ModelCard, codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same as the model gets it, as (numbers of rows, tensor): a tensor for the rows of each length."""
    return rows_by_length(encoder(card), encode_windows(card, codes))


def runner(model: onnx.ModelProto) -> Callable[[np.ndarray], np.ndarray]:
    """A function from an encoded batch to the first output of an ONNX model, on the CPU."""
    session = cpu_session(model)
    return lambda batch: session.run(None, inputs_of(session, batch))[0]


def compare(
    card: ModelCard,
    reference: Callable[[np.ndarray], np.ndarray],
    model: Callable[[np.ndarray], np.ndarray],
    windows: Mapping[str, np.ndarray],
    limits: Limits,
) -> ParityReport:
    """Run both on each kind of sequence (uint8 codes (rows, window)), in whole and in the card's shortest windows.

    ``reference`` and ``model`` take the encoded tensor and give logits; shapes that differ raise `GenoscanError`.
    """
    differences = {}
    exclusive, outputs = card.output.activation == "softmax", len(card.output.names)
    for kind, codes in windows.items():
        expected, got = [], []
        for batch in _batches(card, codes):
            scored = scored_places(card, batch)
            for rows, tensor in tensors(card, batch):
                first, second = reference(tensor), model(tensor)
                if first.shape != second.shape:
                    raise GenoscanError(
                        f"model {card.name}: the export gives scores of shape {list(second.shape)} where the "
                        f"checkpoint gives {list(first.shape)}"
                    )
                expected.append(activate(first, card.output.activation)[scored[rows]].reshape(-1, outputs))
                got.append(activate(second, card.output.activation)[scored[rows]].reshape(-1, outputs))
        differences[kind] = difference(np.concatenate(expected), np.concatenate(got), card.calling.threshold, exclusive)
    return ParityReport(card.provenance.precision, differences, limits)


def scored_places(card: ModelCard, codes: np.ndarray) -> np.ndarray:
    """bool (rows,) or for per-bin models (rows, bins): scores of windows uint8 (rows, bases) that a scan would use.

    What lies in a whole window's context or is mostly unknown is never scored, and a network may say anything there.
    """
    unknown = codes > 3
    if card.task != "segmentation":
        return unknown.mean(axis=1) <= card.max_unknown
    rows, bases = codes.shape
    scored = unknown.reshape(rows, -1, card.output.bin).mean(axis=2) <= min(card.max_unknown, 0.999)
    if bases == card.window:
        crop = card.context // card.output.bin
        scored[:, :crop] = scored[:, scored.shape[1] - crop :] = False
    return scored


def _batches(card: ModelCard, codes: np.ndarray) -> Iterable[np.ndarray]:
    """Batches of several and of one window, then the first window cut into the shortest ones."""
    yield from (codes[begin : begin + 3] for begin in range(0, len(codes), 3))
    if card.shortest_window is not None:
        yield codes[0].reshape(-1, card.shortest_window)
