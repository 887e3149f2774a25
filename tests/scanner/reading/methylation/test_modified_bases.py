"""MM and ML tags: marks worked out by hand, htslib as judge, and tags that are not about the read."""

import array

import bams
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.reading.methylation.modified_bases import UnusableTags, methylation_marks


def marks(letters, mm, ml=None, backward=False, length=None, clipped=False):
    values = None if ml is None else np.array(ml, dtype=np.uint8)
    return "".join(map(str, methylation_marks(letters.encode(), backward, mm, values, length, clipped)))


# ---- golden values: 0 nothing, 1 unmethylated, 2 methylated


@pytest.mark.parametrize(
    ("mm", "ml", "expected"),
    [
        # the C's of ACGTCCGACG are letters 1, 4, 5 and 8
        ("C+m?,1,0;", [255, 0], "0000210000"),  # skipped with ?: nothing known of letters 1 and 8
        ("C+m.,1,0;", [255, 0], "0100210010"),  # skipped with .: unmodified
        ("C+m,1,0;", [255, 0], "0100210010"),  # the default is .
        ("C+m?;", [], "0000000000"),
        ("C+m;", [], "0100110010"),  # no C is modified
        ("C+m?,0,0,0,0;", [171, 172, 83, 84], "0000210000"),  # 0.6699, 0.674; 0.326, 0.3301
        ("C+mh?,0,2;", [10, 240, 5, 6], "0200000010"),  # m and h interleaved: their sum counts
        ("C+m?,0,2;C+h?,0,2;", [10, 5, 240, 6], "0200000010"),  # the same as two groups
        ("C+27551?,3;", [250], "0000000020"),  # ChEBI numbers
        ("C+76792?,3;C+27551?,3;", [250, 2], "0000000020"),
        ("C+C?,3;", [250], "0000000020"),  # any modification of C
        ("C+h?,3;", [1], "0000000000"),  # h alone does not say that a C is not 5mC
        ("C+m?,1;A+a?,0;", [255, 255], "0000200000"),  # another base's group
        ("A+a?,0;C+m?,1;", [1, 255], "0000200000"),  # ML is shared out in the order of MM
        ("N+m?,1,2;", [255, 255], "0200200000"),  # N counts all letters: 1 and 4
        ("N+m?,0;", [255], "0000000000"),  # letter 0 is an A
        ("C+m?,1;", None, "0000200000"),  # without ML what is listed is certain
        ("G-m?,0,1;", [255, 0], "0020000001"),  # the C opposite of letters 2 and 9
        ("C-m?,0;", [255], "0000000000"),  # a modified base opposite of a C is a G
    ],
)
def test_golden(mm, ml, expected):
    assert marks("ACGTCCGACG", mm, ml) == expected


def test_backward_reads_count_from_the_other_end():
    # sequenced as CGTCGGACGT; the alignment holds its reverse complement, whose G's are the C's that MM counts
    assert marks("ACGTCCGACG", "C+m?,0,1;", [255, 0], backward=True) == "0010000002"


def test_letters_of_either_case():
    assert marks("acgtccgacg".upper(), "C+m?,1;", [255]) == "0000200000"


@pytest.mark.parametrize(
    ("mm", "ml", "options", "problem"),
    [
        ("C+m?,4;", [255], {}, "MM counts 5 C in a sequence that has 4"),
        ("C+m?,0;", [255, 255], {}, "ML has 2 values, MM asks for 1"),
        ("C+m?,0,0;", [255], {}, "ML has 1 values, MM asks for more"),
        ("C+mh?,0;", [255], {}, "ML has 1 values, MM asks for more"),
        ("C+m?,0;", [255], {"length": 12}, "MN says 12 bases, the alignment has 10"),
        ("C+m?,0;", [255], {"clipped": True}, "hard-clipped and has no MN tag"),
        ("C+m?,x;", [255], {}, "'C\\+m\\?,x' in MM is not as the SAM specification has it"),
        ("m,3;", [255], {}, "is not as the SAM specification has it"),
    ],
)
def test_tags_that_are_not_about_the_letters(mm, ml, options, problem):
    with pytest.raises(UnusableTags, match=problem):
        marks("ACGTCCGACG", mm, ml, **options)


def test_a_clipped_read_whose_tags_were_made_anew():
    assert marks("ACGTCCGACG", "C+m?,1;", [255], clipped=True, length=10) == "0000200000"


@given(st.text("ACGT", min_size=1, max_size=60), st.randoms(use_true_random=False), st.booleans())
def test_the_same_places_as_htslib(letters, random, backward):
    sequenced = letters.translate(str.maketrans("ACGT", "TGCA"))[::-1] if backward else letters
    cytosines = [i for i, letter in enumerate(sequenced) if letter == "C"]
    chosen = sorted(random.sample(range(len(cytosines)), random.randint(0, len(cytosines))))
    skips = np.diff(chosen, prepend=-1) - 1
    values = [random.randint(0, 255) for _ in chosen]
    mm = "C+m?" + "".join(f",{skip}" for skip in skips) + ";"
    read = bams.read("r", letters, 0, flag=16 * backward)
    read.set_tag("MM", mm, "Z")
    read.set_tag("ML", array.array("B", values))
    judged = {}
    for places in read.modified_bases.values():
        judged |= {place: 2 if value >= 172 else 1 if value <= 83 else 0 for place, value in places}
    found = methylation_marks(letters.encode(), backward, mm, np.array(values, dtype=np.uint8), None, False)
    assert {i: mark for i, mark in enumerate(found.tolist()) if i in judged} == judged
    assert all(mark == 0 for i, mark in enumerate(found.tolist()) if i not in judged)
