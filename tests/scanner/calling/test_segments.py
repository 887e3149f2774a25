"""Which segments of a compound call are kept."""

import numpy as np
from numba.typed import List
from repeat_text import codes_of, random_text

from genoscan.scanner.calling.segments import outermost


def test_what_fades_out_beside_a_repeat_is_no_segment():
    generator = np.random.default_rng(5)
    unit = random_text(generator, 60)
    flanks = random_text(generator, 30), random_text(generator, 30)
    text = flanks[0] + unit * 5 + flanks[1]
    codes = codes_of(text)
    borders = np.array([0, 30, 330, 360])
    units = List([codes[:18].copy(), codes[30:90].copy(), codes[330:345].copy()])
    assert outermost(codes, borders, units, 20) == (1, 2)
    # two arrays that touch stay, unless one is shorter than a call may be
    both = codes_of("CA" * 20 + unit * 5)
    units = List([codes_of("CA"), codes[30:90].copy()])
    assert outermost(both, np.array([0, 40, 340]), units, 20) == (0, 2)
    assert outermost(both, np.array([0, 40, 340]), units, 41) == (1, 2)


def test_one_segment_is_always_left():
    codes = codes_of(random_text(np.random.default_rng(6), 60))
    units = List([codes[:20].copy(), codes[20:45].copy()])
    first, last = outermost(codes, np.array([0, 30, 60]), units, 20)
    assert last - first == 1
