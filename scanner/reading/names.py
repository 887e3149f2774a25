"""The names of a genome's contigs in one block of bytes: a million of them cost their letters and eight bytes each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import index
from typing import overload

import numpy as np
from numba import njit


class Names(Sequence[str]):
    """An unchanging sequence of names; each is made into a str when it is asked for. Equal to a list of the same."""

    __slots__ = ("_bounds", "_text")

    def __init__(self, names: Iterable[str] = ()):
        self._text, self._bounds = _packed([name.encode() for name in names])

    @classmethod
    def from_lines(cls, lines: bytes | bytearray) -> Names:
        """Names that are each ended by a line feed. Raises UnicodeDecodeError for what is not UTF-8."""
        if not lines.isascii():
            lines.decode()
        names = cls()
        ends = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == ord("\n"))
        names._bounds = np.concatenate([[0], ends - np.arange(len(ends))])
        names._text = bytes(lines.replace(b"\n", b""))
        return names

    @property
    def sizes(self) -> np.ndarray:
        """int64 (names,): bytes of each name in UTF-8."""
        return np.diff(self._bounds)

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def first_beyond(self, letters: bytes, longest: int) -> str | None:
        """The first name with other letters than these, or with more than ``longest`` bytes; None if there is none."""
        odd = np.ones(256, dtype=bool)
        odd[np.frombuffer(letters, dtype=np.uint8)] = False
        where = odd[np.frombuffer(self._text, dtype=np.uint8)]
        numbers = np.searchsorted(self._bounds, np.flatnonzero(where)[:1], side="right") - 1
        numbers = [*numbers.tolist(), *np.flatnonzero(self.sizes > longest)[:1].tolist()]
        return self[min(numbers)] if numbers else None

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Names: ...
    def __getitem__(self, number):
        if isinstance(number, slice):
            return self.take(np.arange(len(self))[number])
        number = index(number)
        if number < 0:
            number += len(self)
        if not 0 <= number < len(self):
            raise IndexError("there is no name of that number")
        return self._text[self._bounds[number] : self._bounds[number + 1]].decode()

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Names):
            return self._text == other._text and np.array_equal(self._bounds, other._bounds)
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None

    def __repr__(self) -> str:
        return f"Names({list(self)!r})" if len(self) < 10 else f"<{len(self):,} names>"

    def take(self, numbers: np.ndarray) -> Names:
        """The names of these numbers (int array), in their order."""
        taken = Names()
        if len(numbers) and (np.diff(numbers) == 1).all():
            first, end = int(numbers[0]), int(numbers[-1]) + 1
            taken._text = self._text[self._bounds[first] : self._bounds[end]]
            taken._bounds = self._bounds[first : end + 1] - self._bounds[first]
        else:
            begins, ends = self._bounds[numbers].tolist(), self._bounds[numbers + 1].tolist()
            taken._text, taken._bounds = _packed([self._text[a:b] for a, b in zip(begins, ends, strict=True)])
        return taken

    def beginning_with(self, word: str) -> np.ndarray:
        """int64: the numbers of the names that begin with an ASCII word, in letters of either case."""
        text = np.frombuffer(self._text, dtype=np.uint8)
        return np.flatnonzero(_begin_with(text, self._bounds, np.frombuffer(word.lower().encode(), dtype=np.uint8)))

    def with_control_characters(self) -> np.ndarray:
        """int64: the numbers of the names in which there are ASCII control characters."""
        text = np.frombuffer(self._text, dtype=np.uint8)
        places = np.flatnonzero((text < ord(" ")) | (text == 0x7F))
        return np.unique(np.searchsorted(self._bounds, places, side="right") - 1)


class NameTable:
    """Where each of some names stands: a hash table of 8 to 16 bytes a name, to be made when it is needed.

    repeated: the numbers of the first name that occurs a second time and of its first occurrence: (first, second);
        None if there is none. The table is complete only then.
    """

    def __init__(self, names: Names):
        self.names = names
        self._table = np.full(1 << (2 * len(names)).bit_length(), -1, dtype=np.int32)
        first, second = _fill(np.frombuffer(names._text, dtype=np.uint8), names._bounds, self._table)
        self.repeated = (int(first), int(second)) if second >= 0 else None

    def find(self, wanted: Sequence[str]) -> np.ndarray:
        """int32 (wanted,): the number of each name, -1 for those that are not there."""
        # Arguments of a command line may hold bytes that are no text; they equal no name.
        text, bounds = _packed([name.encode(errors="surrogatepass") for name in wanted])
        own = np.frombuffer(self.names._text, dtype=np.uint8)
        return _find(own, self.names._bounds, self._table, np.frombuffer(text, dtype=np.uint8), bounds)


def _packed(names: Sequence[bytes]) -> tuple[bytes, np.ndarray]:
    """The names one after the other, and int64 (names + 1,): where each begins and the last ends."""
    bounds = np.zeros(len(names) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, names), dtype=np.int64, count=len(names)), out=bounds[1:])
    return b"".join(names), bounds


@njit(nogil=True, cache=True)
def _begin_with(text, bounds, word):
    found = np.zeros(bounds.shape[0] - 1, dtype=np.bool_)
    for number in range(found.shape[0]):
        begin = bounds[number]
        if bounds[number + 1] - begin < word.shape[0]:
            continue
        same = True
        for i in range(word.shape[0]):
            letter = text[begin + i]
            if 65 <= letter <= 90:  # A-Z
                letter += 32
            same = same and letter == word[i]
        found[number] = same
    return found


@njit(nogil=True, cache=True)
def _slot(text, bounds, table, wanted, begin, end):
    """The slot of a table where the name wanted[begin:end] is, or where it would be."""
    # 64-bit FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), its halves folded together.
    hashed = np.uint64(0xCBF29CE484222325)
    for i in range(begin, end):
        hashed = (hashed ^ np.uint64(wanted[i])) * np.uint64(0x100000001B3)
    mask = table.shape[0] - 1
    slot = np.int64((hashed ^ (hashed >> np.uint64(32))) & np.uint64(mask))
    while table[slot] >= 0:
        other = bounds[table[slot]]
        same = bounds[table[slot] + 1] - other == end - begin
        i = 0
        while same and i < end - begin:
            same = text[other + i] == wanted[begin + i]
            i += 1
        if same:
            break
        slot = (slot + 1) & mask
    return slot


@njit(nogil=True, cache=True)
def _fill(text, bounds, table):
    for number in range(bounds.shape[0] - 1):
        slot = _slot(text, bounds, table, text, bounds[number], bounds[number + 1])
        if table[slot] >= 0:
            return table[slot], number
        table[slot] = number
    return -1, -1


@njit(nogil=True, cache=True)
def _find(text, bounds, table, wanted, wanted_bounds):
    found = np.empty(wanted_bounds.shape[0] - 1, dtype=np.int32)
    for number in range(found.shape[0]):
        found[number] = table[_slot(text, bounds, table, wanted, wanted_bounds[number], wanted_bounds[number + 1])]
    return found
