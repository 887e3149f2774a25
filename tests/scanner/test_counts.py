"""What a scan came to, in numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.intervals import RUN
from genoscan.scanner.tracks import Counts


def calls(*places):
    found = np.zeros(len(places), dtype=RUN)
    for field, values in zip(("contig", "start", "end"), zip(*places, strict=True), strict=True):
        found[field] = values
    return found


def test_bases_in_calls_by_hand():
    counts = Counts()
    counts.add_calls(calls((0, 0, 10), (0, 5, 8), (0, 9, 12), (2, 3, 5)))
    counts.add_calls(calls((2, 4, 6), (3, 4, 6)))
    assert (counts.calls, counts.called_bases) == (6, 12 + 3 + 2)


places = st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 12)).map(lambda one: (*one[:2], sum(one[1:])))


@given(st.lists(places, min_size=1, max_size=20), st.integers(0, 20))
def test_each_base_counts_once_however_the_calls_are_shared_out(found, cut):
    found.sort()
    counts = Counts()
    for part in (found[:cut], found[cut:]):
        if part:
            counts.add_calls(calls(*part))
    bases = {(contig, base) for contig, start, end in found for base in range(start, end)}
    assert (counts.calls, counts.called_bases) == (len(found), len(bases))
