"""What a model says of sequenced reads: how likely each is to come from each class."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from .inference.batching import batches
from .inference.session import Model
from .read_windows import marked_windows, read_windows
from .reading.genome import Genome
from .reading.methylation.reads import MethylationReads


class ReadLikelihoods(NamedTuple):
    """Of the windows of reads, in the order of `read_windows`.

    reads: int64 (windows,), the number of the read that a window is of.
    cpgs: int64 (windows,), CpGs that it tells of.
    log_likelihoods: float32 (windows, classes), natural logarithms; each row up to a constant of its own.
    """

    reads: np.ndarray
    cpgs: np.ndarray
    log_likelihoods: np.ndarray


def read_log_likelihoods(model: Model, genome: Genome, reads: MethylationReads, threads: int = 1) -> ReadLikelihoods:
    """The log-likelihood of each read under each class of a model of reads, in the order of the card's outputs.

    By Bayes' rule that is the model's probability over the class's share in training (``output.prior``). A read longer
    than the model's window counts as several (`read_windows`). Raises KeyError for a contig that is not the genome's.
    """
    windows = read_windows(reads, model.card.window)
    codes = marked_windows(genome, reads, windows, model.card.window)
    found = window_log_likelihoods(model, codes, threads)
    return ReadLikelihoods(windows.reads, windows.ends - windows.begins, found)


def window_log_likelihoods(model: Model, codes: np.ndarray, threads: int = 1) -> np.ndarray:
    """float32 (windows, classes) of marked codes uint8 (windows, window), as `read_log_likelihoods`.

    Batches always have the same shape, so that the number of threads changes nothing.
    """
    card, rows = model.card, model.rows(model.card.window)
    logits = np.empty((len(codes), len(card.output.names)), dtype=np.float32)

    def fill(chosen: np.ndarray, out: np.ndarray) -> None:
        out[:] = codes[chosen]

    def run(numbers: np.ndarray) -> None:
        for chosen, batch in batches(model.encoder, numbers, card.window, rows, fill):
            logits[chosen] = model.run(batch)[: len(chosen)]

    share = max(1, -(-len(codes) // (rows * threads))) * rows
    parts = [np.arange(begin, min(begin + share, len(codes))) for begin in range(0, len(codes), share)]
    if len(parts) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, parts))
    elif parts:
        run(parts[0])
    values = logits.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=1, keepdims=True))
    if card.output.prior:
        values -= np.log(card.output.prior)
    return values.astype(np.float32)
