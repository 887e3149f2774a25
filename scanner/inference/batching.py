"""Windows into batches of one fixed shape each, so that a window's scores do not depend on what it is scored with.

Where windows differ in their number of tokens, those of the same number share batches. Which shape a window is run in
follows from the window alone, hence a tile's windows score the same however the genome was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..encoding.encoder import Encoder, row_lengths

Filler = Callable[[np.ndarray, np.ndarray], None]
"""Fills codes uint8 (windows, bases) of the windows with these numbers."""


def batches(
    encode: Encoder, queue: np.ndarray, window: int, rows: int, fill: Filler
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Encoded windows as (numbers of windows, tensor); the tensor's first rows are those windows'.

    queue: int64 numbers of windows of ``window`` bases. rows: windows in a batch; the last one of a shape is filled up
    with copies of its first row, never with zeros, which no window of bases may give. Windows with more tokens than the
    model can read come with None in place of a tensor.
    """
    codes = np.empty((rows, window), dtype=np.uint8)
    tensor = np.empty((rows, *encode.window_shape(window)), dtype=encode.dtype)
    waiting: dict[int, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for begin in range(0, len(queue), rows):
        chosen = queue[begin : begin + rows]
        fill(chosen, codes[: len(chosen)])
        encode.encode(codes[: len(chosen)], tensor)
        if not encode.ragged:
            if begin == 0:
                tensor[len(chosen) :] = tensor[0]
            yield chosen, tensor
        else:
            yield from _sorted_by_length(encode, chosen, tensor, window, rows, waiting)
    for length in sorted(waiting):
        numbers, kept = waiting[length]
        batch = np.repeat(kept[0][None], rows, axis=0)
        batch[: len(kept)] = kept
        yield np.array(numbers), batch


def _sorted_by_length(
    encode: Encoder,
    chosen: np.ndarray,
    tensor: np.ndarray,
    window: int,
    rows: int,
    waiting: dict[int, tuple[list[np.ndarray], list[np.ndarray]]],
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Hand on full batches of each length; the rest waits. Rows of an unusual length are run one by one."""
    lengths = row_lengths(tensor[: len(chosen)])
    for number, row, length in zip(chosen, tensor, lengths.tolist(), strict=False):
        tokens = row[:length].copy()
        if encode.longest is not None and length > encode.longest:
            yield np.array([number]), None
        elif encode.usual is not None and length != encode.usual(window):
            yield np.array([number]), tokens[None]
        else:
            numbers, kept = waiting.setdefault(length, ([], []))
            numbers.append(number)
            kept.append(tokens)
            if len(kept) == rows:
                yield np.array(numbers), np.stack(kept)
                del waiting[length]
