"""Numbers as text, put into byte buffers by compiled loops."""

from __future__ import annotations

from numba import njit

MOST_DIGITS = 20
"""Characters that an int64 takes at most."""


@njit(nogil=True, cache=True)
def put_integer(out, at, value):
    """Write the digits of ``value`` (not negative) to ``out`` uint8 from ``at`` on; the place after them."""
    digits, rest = 1, value
    while rest >= 10:
        rest //= 10
        digits += 1
    for position in range(at + digits - 1, at - 1, -1):
        out[position] = 48 + value % 10
        value //= 10
    return at + digits


@njit(nogil=True, cache=True)
def put_decimal(out, at, value, decimals):
    """Write ``value`` (not negative), a number of units of 10 ** -decimals, with as many decimals; the place after."""
    unit = 10**decimals
    at = put_integer(out, at, value // unit)
    if decimals:
        out[at] = 46  # point
        fraction = value % unit
        for position in range(at + decimals, at, -1):
            out[position] = 48 + fraction % 10
            fraction //= 10
        at += decimals + 1
    return at


@njit(nogil=True, cache=True)
def put_bytes(out, at, text, begin, end):
    """Copy text[begin:end] to ``out`` from ``at`` on; the place after it."""
    for position in range(begin, end):
        out[at] = text[position]
        at += 1
    return at
