"""The library of satellites: what it names and what not, and the FASTA files it refuses."""

import pickle

import numpy as np
import pytest
from repeat_text import codes_of, mutated, random_text, reverse_complement

from genoscan.scanner.calling.satellites import LIBRARY, find_satellite, load_satellites, read_satellites
from genoscan.scanner.errors import GenoscanError

LETTERS = np.array(list("ACGTN"))


def name_of(unit, satellites):
    found = find_satellite(
        codes_of(unit),
        satellites.rings,
        satellites.bounds,
        satellites.owners,
        satellites.words,
        satellites.holders,
    )
    return satellites.names[found] if found >= 0 else None


@pytest.fixture(scope="module")
def library():
    return load_satellites()


@pytest.fixture(scope="module")
def alpha():
    return "".join(LETTERS[dict(read_satellites(str(LIBRARY)))["alpha-satellite"]])


def test_every_satellite_is_its_own_in_any_rotation_and_strand(library):
    for name, codes in read_satellites(str(LIBRARY)):
        text = "".join(LETTERS[codes])
        turned = text[len(text) // 3 :] + text[: len(text) // 3]
        assert name_of(turned, library) == name
        assert name_of(reverse_complement(turned), library) == name


def test_diverged_alpha_monomers_are_named(library, alpha):
    generator = np.random.default_rng(1)
    named = [name_of(mutated(generator, alpha, 0.2), library) for _ in range(100)]
    assert named.count("alpha-satellite") >= 95


def test_random_and_shuffled_units_are_not_named(library, alpha):
    generator = np.random.default_rng(2)
    for length in (12, 20, 42, 68, 171, 342):
        assert [name_of(random_text(generator, length), library) for _ in range(50)].count(None) == 50
    shuffled = ["".join(generator.permutation(list(alpha))) for _ in range(50)]
    assert [name_of(one, library) for one in shuffled].count(None) == 50


def test_the_users_satellites_come_first(tmp_path, alpha):
    path = tmp_path / "mine.fa"
    path.write_text(f">mine of another kind\n{alpha[:90]}\n{alpha[90:]}\n>short\nacguu\n")
    satellites = load_satellites(str(path))
    assert satellites.names[:2] == ("mine", "short")
    assert name_of(alpha, satellites) == "mine"
    assert name_of("TTACG", satellites) == "short"
    assert satellites.digest() != load_satellites().digest()


def test_digest_and_pickle(library):
    again = pickle.loads(pickle.dumps(library))
    assert again.digest() == library.digest() == load_satellites().digest()
    assert len(library.digest()) == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT\n", "no FASTA"),
        ("", "no FASTA"),
        (">one\n>two\nACG\n", "record 'one' has no bases"),
        ("> \nACG\n", "record 1 has no name"),
        (">one\nACGE\n", "record 'one' has the letter 'E'"),
        (">one\n" + "A" * 4097, "record 'one' has 4,097 bases"),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    path = tmp_path / "bad.fa"
    path.write_text(text)
    with pytest.raises(GenoscanError, match=message) as caught:
        load_satellites(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(GenoscanError, match=r"none\.fa: cannot be read: No such file"):
        load_satellites(str(tmp_path / "none.fa"))
