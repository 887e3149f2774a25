"""Splits: groups and blocks stay whole, margins are kept, copies on either strand are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import sequences as random_sequences

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.errors import UsageError
from genoscan.training.data.partition import (
    Places,
    digests,
    related_groups,
    share_related,
    split_by_block,
    split_by_group,
    without_copies,
)
from genoscan.training.data.store import LEFT_OUT, Row, open_sequences, write_rows

SHARES = (0.8, 0.1, 0.1)


def coded(text):
    return np.array(["ACGT".index(letter) for letter in text], dtype=np.uint8)


def stored(folder, texts):
    rows = [Row(coded(text), np.array([0.0]), number, number + 2) for number, text in enumerate(texts)]
    write_rows(folder, rows)
    return open_sequences(folder, 1)


@given(st.integers(0, 1000), st.integers(1, 40))
@settings(max_examples=25)
def test_groups_stay_whole_and_shares_are_kept(seed, size):
    groups = np.random.default_rng(seed).integers(0, 2000 // size, 2000)
    splits = split_by_group(np.random.default_rng(seed), groups, SHARES)
    assert all(len(set(splits[groups == one].tolist())) == 1 for one in np.unique(groups)[:50])
    np.testing.assert_allclose(np.bincount(splits, minlength=3) / 2000, SHARES, atol=0.15)


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_no_row_comes_within_the_margin_of_another_split(seed):
    generator = np.random.default_rng(seed)
    start = generator.integers(0, 100_000, 400)
    places = Places(generator.integers(0, 2, 400), start, start + 150)
    splits = split_by_block(generator, places, (0.6, 0.2, 0.2), 5000, 300)
    middle = (places.start + places.end) // 2
    assert len(set(splits.tolist()) - {LEFT_OUT}) == 3
    for contig in (0, 1):
        owner = {}
        for row in np.flatnonzero((places.contig == contig) & (splits != LEFT_OUT)):
            assert owner.setdefault(middle[row] // 5000, splits[row]) == splits[row]
        for row in np.flatnonzero((places.contig == contig) & (splits != LEFT_OUT)):
            for block in ((places.start[row] - 300) // 5000, (places.end[row] + 299) // 5000):
                assert owner.get(block, splits[row]) == splits[row]


def test_relatives_on_either_strand_are_one_cluster(tmp_path):
    first, second, third = random_sequences(3, 200)
    changed = first[:90] + "ACGTACGTAC" + first[100:]
    turned = "".join("ACGT"[code] for code in reverse_complement(coded(second)))
    sequences = stored(tmp_path, [first, second, changed, turned, third])
    clusters = related_groups(sequences, 0.5)
    assert clusters.tolist() == [0, 1, 0, 1, 4]
    assert related_groups(sequences, 0.5, np.array([0, 1, 2, 3, 0])).tolist() == [0, 1, 0, 1, 0]
    assert share_related(sequences, np.array([0, 0, 1, 2, 2])) == {"validation": 1.0, "test": 0.5}


def test_digests_are_those_of_both_strands(tmp_path):
    one, other = random_sequences(2, 60)
    turned = "".join("ACGT"[code] for code in reverse_complement(coded(one)))
    found = digests(stored(tmp_path, [one, turned, other, one[:-1]]))
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 3


@pytest.mark.parametrize("copy", ["same", "reverse complement"])
def test_copies_between_splits(tmp_path, copy):
    texts = random_sequences(6, 60)
    texts[5] = texts[0] if copy == "same" else "".join("ACGT"[code] for code in reverse_complement(coded(texts[0])))
    sequences, splits, told = stored(tmp_path, texts), np.array([0, 0, 0, 1, 2, 2], dtype=np.uint8), []
    with pytest.raises(
        UsageError, match="set: train and test share 1 sequences or reverse complements, such as rows 2 and 7"
    ):
        without_copies(sequences, splits, "refuse", "set", told.append)
    assert without_copies(sequences, splits, "warn", "set", told.append).tolist() == splits.tolist()
    assert without_copies(sequences, splits, "drop", "set", told.append).tolist() == [LEFT_OUT, 0, 0, 1, 2, 2]
    assert [line.endswith("left out of train") for line in told] == [False, True]
    assert without_copies(sequences, np.array([2, 0, 0, 1, 2, 2]), "refuse", "set", told.append)[0] == 2
