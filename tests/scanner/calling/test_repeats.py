"""What calls are: golden values by hand, and that nothing but a call's own bases decides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repeat_text import annotate_text, mutated, random_text, reverse_complement, smallest_rotation, units

from genoscan.scanner.calling.repeats import COLUMNS, SEGMENT
from genoscan.scanner.calling.satellites import load_satellites
from genoscan.scanner.calling.segments import WINDOW

FIELDS = ("start", "end", "period", "copies", "consensus_size", "match", "indel", "purity")


def only(text):
    """The one segment of a text, and its unit."""
    annotation = annotate_text(text)
    assert len(annotation.segments) == 1
    return annotation.segments[0], units(annotation)[0]


def test_dinucleotide_by_hand():
    segment, unit = only("CA" * 13)
    assert unit == "AC"
    assert [segment[field] for field in FIELDS] == [0, 26, 2, 130, 2, 100, 0, 100]
    assert [segment[field] for field in ("a", "c", "g", "t", "entropy")] == [50, 50, 0, 0, 100]


def test_one_insertion_by_hand():
    segment, unit = only("CAG" * 5 + "T" + "CAG" * 5)
    assert unit == "AGC"
    # 27 columns compare the ten copies, and the inserted base is one in the pair before and one in the pair behind it.
    assert [segment[field] for field in FIELDS] == [0, 31, 3, 100, 3, 93, 7, 97]


def test_period_one():
    segment, unit = only("T" * 30)
    assert (unit, segment["period"], segment["copies"], segment["entropy"]) == ("T", 1, 300, 0)


def test_two_copies_of_five_hundred():
    unit = random_text(np.random.default_rng(1), 500)
    segment, found = only(unit * 2)
    assert found == smallest_rotation(unit)
    assert (segment["period"], segment["copies"], segment["purity"]) == (500, 20, 100)


def test_two_copies_of_two_thousand():
    unit = random_text(np.random.default_rng(2), 2000)
    segment, found = only(unit * 2)
    assert found == smallest_rotation(unit)
    assert (segment["period"], segment["copies"]) == (2000, 20)


def test_unknown_bases_inside():
    segment, unit = only("CA" * 10 + "N" + "ACNC" + "AC" * 10)
    assert unit == "AC"
    assert segment["purity"] == 96  # two of 45 bases are unknown
    assert (segment["a"], segment["c"]) == (49, 51)


def test_nothing_but_unknown_bases():
    segment, unit = only("N" * 20)
    assert (unit, segment["purity"], segment["a"], segment["entropy"]) == ("N", 0, 0, 0)


@pytest.mark.parametrize(("rate", "wrong"), [(0.05, 0), (0.1, 0), (0.2, 5)])
def test_diverged_copies_give_their_majority(rate, wrong):
    generator = np.random.default_rng(3)
    unit = random_text(generator, 171)
    copies = [mutated(generator, unit, rate) for _ in range(15)]
    votes = np.array([[column.count(letter) for letter in "ACGT"] for column in zip(*copies, strict=True)])
    determined = np.sort(votes)[:, -1] > np.sort(votes)[:, -2]
    majority = np.array(list("ACGT"))[votes.argmax(axis=1)]
    segment, found = only("".join(copies))
    assert len(found) == 171
    turned = [np.array(list(found[turn:] + found[:turn])) for turn in range(171)]
    assert min(np.count_nonzero((one != majority) & determined) for one in turned) <= wrong
    assert segment["period"] == 171
    assert segment["purity"] == pytest.approx(100 * (1 - rate), abs=3)
    assert segment["match"] == pytest.approx(100 * ((1 - rate) ** 2 + rate**2 / 3), abs=4)


@pytest.mark.parametrize("unit", ["AAAAC", "AAAAAAT", "ACACAG", "GAAAGAAC"])
def test_a_unit_that_nearly_repeats_itself_is_one(unit):
    assert only(unit * 8)[1] == smallest_rotation(unit)


def test_monomers_win_over_their_higher_order_repeat():
    generator = np.random.default_rng(4)
    unit = random_text(generator, 171)
    higher = "".join(mutated(generator, unit, 0.18) for _ in range(4))
    segment, found = only("".join(mutated(generator, higher, 0.01) for _ in range(3)))
    assert (segment["period"], len(found)) == (171, 171)


def test_compound_is_split_where_the_unit_changes():
    annotation = annotate_text("CA" * 20 + "GATA" * 10)
    segments = annotation.segments
    assert units(annotation) == ["AC", "AGAT"]
    assert segments["call"].tolist() == [0, 0]
    assert (segments["start"][0], segments["end"][1]) == (0, 80)
    assert segments["end"][0] == segments["start"][1]
    assert abs(int(segments["end"][0]) - 40) <= 1


def test_nested_repeat_is_told_apart():
    generator = np.random.default_rng(5)
    unit = random_text(generator, 60)
    annotation = annotate_text(unit * 4 + "CA" * 40 + unit * 4)
    outer = smallest_rotation(unit)
    assert units(annotation) == [outer, "AC", outer]
    assert np.abs(annotation.segments["end"][:2] - [240, 320]).max() <= 3


def test_two_long_arrays_in_one_call_are_told_apart():
    generator = np.random.default_rng(6)
    first, second = random_text(generator, 171), random_text(generator, 68)
    left = "".join(mutated(generator, first, 0.15) for _ in range(40))
    right = "".join(mutated(generator, second, 0.1) for _ in range(60))
    annotation = annotate_text(left + right)
    assert units(annotation) == [smallest_rotation(first), smallest_rotation(second)]
    assert abs(int(annotation.segments["end"][0]) - len(left)) <= 10


def test_long_diverged_array_is_one_segment():
    generator = np.random.default_rng(7)
    unit = random_text(generator, 171)
    segment, found = only("".join(mutated(generator, unit, 0.2) for _ in range(120)))
    assert found == smallest_rotation(unit)
    assert segment["end"] > 10 * 2048 - 512
    assert abs(int(segment["copies"]) - 1200) <= 5
    assert 75 <= segment["purity"] <= 85


def test_reversed_sequence_is_told_alike():
    generator = np.random.default_rng(8)
    unit = random_text(generator, 37)
    text = "".join(mutated(generator, unit, 0.08) for _ in range(9))
    (one, unit_one), (other, unit_other) = only(text), only(reverse_complement(text))
    assert smallest_rotation(reverse_complement(unit_one)) == unit_other
    for field in ("period", "copies", "consensus_size", "match", "indel", "purity", "entropy"):
        assert one[field] == other[field]
    assert (one["a"], one["c"]) == (other["t"], other["g"])


def test_calls_do_not_know_of_each_other():
    generator = np.random.default_rng(9)
    pieces = [random_text(generator, 8) * 5, "CA" * 30 + "GATA" * 12, random_text(generator, 90) * 3, "G" * 40]
    gaps = [random_text(generator, 50 + 20_000 * k) for k in range(4)]
    text, starts, ends = "", [], []
    for gap, piece in zip(gaps, pieces, strict=True):
        text += gap
        starts.append(len(text))
        text += piece
        ends.append(len(text))
    together = annotate_text(text, starts, ends)
    assert np.all(np.diff(together.segments["call"]) >= 0)
    for call in range(4):
        alone = annotate_text(pieces[call])
        mine = together.segments[together.segments["call"] == call]
        assert (mine["start"] - starts[call]).tolist() == alone.segments["start"].tolist()
        for field in SEGMENT.names[3:-2]:
            assert mine[field].tolist() == alone.segments[field].tolist()
        assert [unit for unit, one in zip(units(together), together.segments, strict=True) if one["call"] == call] == (
            units(alone)
        )


def test_no_calls():
    annotation = annotate_text("ACGT", (), ())
    assert (len(annotation.segments), len(annotation.letters)) == (0, 0)
    assert annotation.segments.dtype == SEGMENT


@settings(max_examples=60, deadline=None)
@given(st.text("ACGTN", min_size=1, max_size=8), st.integers(1, 30), st.text("ACGT", max_size=60), st.integers(1, 20))
def test_segments_lie_one_behind_the_other_in_their_call(unit, copies, other, more):
    text = unit * copies + other * more
    annotation = annotate_text(text)
    segments = annotation.segments
    assert segments["start"][0] >= 0
    assert segments["end"][-1] <= len(text)
    assert segments["start"][1:].tolist() == segments["end"][:-1].tolist()
    assert np.all(segments["start"] < segments["end"])
    sizes = segments["unit_end"] - segments["unit_start"]
    assert sizes.tolist() == segments["consensus_size"].tolist()
    assert np.all(sizes >= 1)
    for field in ("match", "indel", "purity", "a", "c", "g", "t"):
        assert np.all((segments[field] >= 0) & (segments[field] <= 100))
    assert np.all(segments["entropy"] <= 200)
    assert all(smallest_rotation(one) == one for one in units(annotation) if "N" not in one)


def test_columns_are_those_of_simple_repeat():
    names = " ".join(column.name for column in COLUMNS)
    assert names == "period copyNum consensusSize perMatch perIndel purity A C G T entropy sequence"
    assert all(column.text and column.kind for column in COLUMNS)


def test_names_are_looked_up():
    satellites = load_satellites()
    annotation = annotate_text("TTAGGG" * 10)
    assert satellites.names[annotation.segments["name"][0]] == "telomere"
    assert annotate_text("TTACGG" * 10).segments["name"][0] == -1


def test_long_calls_are_long():
    assert WINDOW < 171 * 120  # what the tests of long arrays rely on
