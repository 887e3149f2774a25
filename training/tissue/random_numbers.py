"""Random numbers for compiled loops, each a pure function of a key: SplitMix64 (Steele et al. 2014,
https://doi.org/10.1145/2714064.2660195)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def mixed(word):
    """A bijection of 64-bit words that spreads them."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@njit(nogil=True, cache=True)
def uniform(state):
    """The next number of [0, 1); ``state`` uint64 (1,) moves on."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return np.float64(mixed(state[0]) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(nogil=True, cache=True)
def normal(state):
    """The next number of the standard normal distribution (Box and Muller 1958)."""
    return math.sqrt(-2.0 * math.log(1.0 - uniform(state))) * math.cos(2 * math.pi * uniform(state))


def keys(*numbers: int, rows: np.ndarray) -> np.ndarray:
    """uint64 (rows,): a key for each row number, other ones for other ``numbers``."""
    word = np.uint64(0)
    with np.errstate(over="ignore"):
        for number in numbers:
            word = mixed(word + np.uint64(number) + np.uint64(0x9E3779B97F4A7C15))
        return mixed(word ^ mixed(np.asarray(rows).astype(np.uint64) + np.uint64(0x632BE59BD9B4E019)))
