"""Names in one block of bytes: a list of str in all that can be seen, and a table that finds each."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.reading import names as names_module
from genoscan.scanner.reading.names import Names, NameTable

some_names = st.lists(st.text("aAbé#\U0001f9ec7", max_size=4), max_size=20)


@given(some_names, st.slices(20))
def test_as_a_list(listed, part):
    names = Names(listed)
    assert names == listed
    assert listed == list(names) == [names[i] for i in range(len(listed))]
    assert len(names) == len(listed)
    assert [names[-i] for i in range(1, len(listed) + 1)] == listed[::-1]
    assert names[part] == listed[part]
    assert isinstance(names[part], Names)
    assert pickle.loads(pickle.dumps(names)) == names == Names(listed)
    assert names.sizes.tolist() == [len(name.encode()) for name in listed]
    for bad in (len(listed), -len(listed) - 1):
        with pytest.raises(IndexError):
            names[bad]


def test_equality():
    assert Names(["ab", "c"]) != Names(["a", "bc"])
    assert Names(["ab", "c"]) != ["ab"]
    assert Names(["ab"]) != "ab"
    assert Names(["ab"]) != 1
    assert Names() == []
    assert repr(Names(["a"])) == "Names(['a'])"


@given(st.lists(st.text("abé", max_size=4), max_size=20))
def test_from_lines(listed):
    lines = "".join(f"{name}\n" for name in listed).encode()
    assert Names.from_lines(lines) == Names.from_lines(bytearray(lines)) == listed


def test_from_lines_that_are_no_text():
    with pytest.raises(UnicodeDecodeError):
        Names.from_lines(b"a\xc3\n\xa9b\n")  # together they would be a letter


@given(some_names, st.data())
def test_take(listed, data):
    numbers = data.draw(st.lists(st.integers(0, len(listed) - 1), max_size=10) if listed else st.just([]))
    taken = Names(listed).take(np.array(numbers, dtype=np.int64))
    assert taken == [listed[number] for number in numbers]
    assert Names(listed).take(np.arange(len(listed))) == listed


@given(some_names, some_names)
def test_table_finds_each_and_the_first_repeat(listed, wanted):
    seen: dict[str, int] = {}
    repeated = None
    for number, name in enumerate(listed):
        if name in seen:
            repeated = repeated or (seen[name], number)
        seen.setdefault(name, number)
    assert NameTable(Names(listed)).repeated == repeated
    unique = list(seen)
    found = NameTable(Names(unique)).find(wanted)
    assert found.dtype == np.int32
    assert found.tolist() == [unique.index(name) if name in unique else -1 for name in wanted]


def test_table_with_a_hash_that_always_collides():
    """Real names decide: the same with compiled code that begins its search for each of them in the last slot."""
    listed = [f"c{number}" for number in range(50)]
    table = NameTable(Names(listed))
    crowded = np.full(table._table.shape, -1, dtype=np.int32)
    text, bounds = np.frombuffer("".join(listed).encode(), dtype=np.uint8), table.names._bounds
    slots = {int(names_module._slot(text, bounds, crowded, text, bounds[n], bounds[n + 1])) for n in range(50)}
    assert len(slots) < 50  # some share a slot, and yet
    assert table.find(listed).tolist() == list(range(50))


def test_arguments_that_are_no_text():
    assert NameTable(Names(["a", "é"])).find(["a\udc80", "\ud800", "a\nb", "é", ""]).tolist() == [-1, -1, -1, 1, -1]


def test_a_million_names_are_small():
    lines = b"".join(b"scaffold_%d\n" % number for number in range(1_000_000))
    names = Names.from_lines(lines)
    assert names[999_999] == "scaffold_999999"
    table = NameTable(names)
    assert table.repeated is None
    assert table.find(["scaffold_0", "scaffold_123456", "scaffold_1000000"]).tolist() == [0, 123_456, -1]
    assert len(pickle.dumps(names)) <= len(lines) + 8 * (len(names) + 1) + 1000


@given(some_names, st.sampled_from(["a", "A", "ab", "#", ""]))
def test_beginning_with(listed, word):
    def lower(text: str) -> str:
        return text.encode().lower().decode()

    expected = [number for number, name in enumerate(listed) if lower(name).startswith(lower(word))]
    assert Names(listed).beginning_with(word).tolist() == expected


def test_control_characters():
    assert Names(["a", "\x00b", "", "c\x7f\x1f", "é", "d"]).with_control_characters().tolist() == [1, 3]
