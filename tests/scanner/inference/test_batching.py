"""Windows into batches: every window once, shapes that follow from the window alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.encoding.encoder import Encoder
from genoscan.scanner.encoding.single_bases import NO_TOKEN
from genoscan.scanner.inference.batching import batches

WINDOW = 10


def ragged(longest=None, usual=None):
    """A row is as many ones as the window's first code says."""

    def encode(codes, out):
        out[: len(codes)] = NO_TOKEN
        for row, length in enumerate(codes[:, 0].tolist()):
            out[row, :length] = 1 + codes[row, 1]

    shape = lambda window: (window,)  # noqa: E731
    return Encoder("x", np.dtype(np.int64), shape, encode, ragged=True, longest=longest, usual=usual)


def windows_of(lengths):
    codes = np.zeros((len(lengths), WINDOW), dtype=np.uint8)
    codes[:, 0] = lengths
    codes[:, 1] = np.arange(len(lengths)) % 200
    return codes


def collect(encode, lengths, rows):
    codes = windows_of(lengths)

    def fill(chosen, out):
        out[:] = codes[chosen]

    queue = np.arange(len(lengths))
    return [(chosen.tolist(), None if tensor is None else tensor.copy()) for chosen, tensor in
            batches(encode, queue, WINDOW, rows, fill)]  # fmt: skip


@given(st.lists(st.integers(1, WINDOW), max_size=40), st.integers(1, 7))
def test_every_window_is_in_one_batch_of_its_length(lengths, rows):
    found = collect(ragged(), lengths, rows)
    assert sorted(number for chosen, _ in found for number in chosen) == list(range(len(lengths)))
    for chosen, tensor in found:
        assert tensor.shape[0] == rows
        for number, row in zip(chosen, tensor, strict=False):
            assert row.tolist() == [1 + number] * lengths[number]
        for row in tensor[len(chosen) :]:
            np.testing.assert_array_equal(row, tensor[0])


@given(st.lists(st.integers(1, WINDOW), min_size=1, max_size=40), st.integers(1, 7))
def test_unusual_lengths_go_alone(lengths, rows):
    for chosen, tensor in collect(ragged(usual=lambda _: 4), lengths, rows):
        assert tensor.shape[0] == (rows if lengths[chosen[0]] == 4 else 1)


def test_windows_that_are_too_long_come_without_a_tensor():
    found = collect(ragged(longest=5), [5, 6, 2, 10], 2)
    assert [chosen for chosen, tensor in found if tensor is None] == [[1], [3]]
    assert sorted(number for chosen, tensor in found if tensor is not None for number in chosen) == [0, 2]


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_even_lengths_share_one_tensor(count):
    def encode(codes, out):
        out[: len(codes)] = codes

    even = Encoder("x", np.dtype(np.uint8), lambda window: (window,), encode)
    found = collect(even, [7] * count, 4)
    assert [chosen for chosen, _ in found] == [list(range(count))[at : at + 4] for at in range(0, count, 4)]
    assert all(tensor.shape == (4, WINDOW) for _, tensor in found)
