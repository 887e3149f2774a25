"""Peaks: against values by hand, a slow definition, and any way of cutting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.intervals import Thresholds
from genoscan.scanner.calling.peak_columns import output_columns, peak_columns, shuffled_rates
from genoscan.scanner.calling.peaks import PeakCaller, bin_dtype, find_bins, reduce_bins
from genoscan.scanner.card import Calling, ModelCard, NucleotideInput, Output
from genoscan.scanner.inference.stitch import NO_SCORE
from genoscan.scanner.reading.tiles import INTERVAL, Bins

SIZE = 5
THRESHOLDS = Thresholds(call=50, extend=10, gap=0, min_length=1, prominence=20)


def card(start_output="start", **calling) -> ModelCard:
    return ModelCard(
        name="peaks",
        version="1",
        task="segmentation",
        input=NucleotideInput(),
        window=100,
        step=100,
        context=0,
        strand="both",
        output=Output(names=("strength", "start"), activation="identity", bin=SIZE, called=("strength",)),
        calling=Calling(threshold=0.005, extend=0.001, prominence=0.002, start_output=start_output, **calling),
    )


def bins_of(scores, channel=0, contig=0, first=0, starts=None):
    """The bins of a stretch of scores from bin ``first``; those below the lower threshold are left out."""
    scores = np.asarray(scores)
    rows = np.zeros(len(scores), bin_dtype(2))
    rows["contig"], rows["channel"] = contig, channel
    rows["start"] = SIZE * (first + np.arange(len(scores)))
    rows["end"] = rows["start"] + SIZE
    rows["score"] = rows["output_0"] = scores
    rows["output_1"] = scores if starts is None else starts
    return rows[scores >= THRESHOLDS.extend]


def in_order(*parts):
    rows = np.concatenate(parts)
    return rows[np.lexsort([rows["channel"], rows["end"], rows["start"], rows["contig"]])]


def called(rows, cuts=(), thresholds=THRESHOLDS, start_output="start"):
    """All peaks when the bins come in parts that end at these (contig, position)."""
    caller = PeakCaller(thresholds, card(start_output))
    found, begin = [], (0, 0)
    for cut in [*cuts, (99, 0)]:
        place = list(zip(rows["contig"].tolist(), rows["start"].tolist(), strict=True))
        part = rows[[begin <= one < cut for one in place]]
        found.append(caller.add(reduce_bins(part, thresholds, begin, cut), *cut))
        begin = cut
    return np.concatenate([*found, caller.finish()])


def summary(peaks):
    fields = ("contig", "channel", "start", "end", "summit", "peak", "prominence", "thick_start")
    return [tuple(int(one[field]) for field in fields) for one in peaks]


def test_one_summit():
    assert summary(called(bins_of([5, 12, 60, 30, 9]))) == [(0, 0, 5, 20, 10, 60, 50, 10)]


def test_two_summits_are_parted_at_the_lowest_bin_between():
    peaks = called(bins_of([60, 30, 20, 41, 90]))
    assert summary(peaks) == [(0, 0, 0, 10, 0, 60, 40, 0), (0, 0, 10, 25, 20, 90, 70, 20)]


def test_a_dip_that_is_too_shallow_parts_nothing():
    assert summary(called(bins_of([60, 41, 70]))) == [(0, 0, 0, 15, 10, 70, 60, 10)]


def test_a_summit_below_the_threshold_is_no_call_but_still_parts():
    assert summary(called(bins_of([49, 20, 80]))) == [(0, 0, 5, 15, 10, 80, 60, 10)]


def test_the_start_is_where_its_output_is_highest_within_the_peak():
    peaks = called(bins_of([60, 55, 20, 80], starts=[1, 3, 9, 2]))
    assert peaks["thick_start"].tolist() == [5, 10]
    assert peaks["thick_end"].tolist() == [10, 15]
    assert called(bins_of([60, 55]), start_output=None)["thick_start"].tolist() == [0]


def test_what_outputs_say_is_that_of_the_summit():
    peaks = called(bins_of([60, 70, 20], starts=[8, 4, 9]))
    assert (peaks["output_0"].tolist(), peaks["output_1"].tolist()) == ([70], [4])


def test_equal_summits_take_the_first():
    assert summary(called(bins_of([70, 65, 70])))[0][4] == 0


def test_short_peaks_are_left_out():
    assert len(called(bins_of([60]), thresholds=THRESHOLDS._replace(min_length=6))) == 0


def slow_peaks(scores, thresholds):
    """Summits by the definition: parts of the stretch are joined until no two neighbours have a shallow dip between."""
    parts = [[i] for i in range(len(scores))]  # each bin is its own peak at first; a part's height is its maximum
    dips = [min(scores[i], scores[i + 1]) for i in range(len(scores) - 1)]

    def rise(number):
        return min(max(scores[i] for i in parts[number]), max(scores[i] for i in parts[number + 1])) - dips[number]

    while dips:
        smallest = min(range(len(dips)), key=rise)
        if rise(smallest) >= thresholds.prominence:
            break
        parts[smallest] += parts.pop(smallest + 1)
        dips.pop(smallest)
    heights = [max(scores[i] for i in part) for part in parts]
    return [height for height in heights if height >= thresholds.call]


@given(st.lists(st.integers(10, 120), min_size=1, max_size=40))
def test_summits_are_those_of_persistence(scores):
    tall = Thresholds(call=50, extend=10, gap=0, min_length=1, prominence=20)
    assert called(bins_of(scores), thresholds=tall)["peak"].tolist() == slow_peaks(scores, tall)


stretches = st.lists(st.integers(0, 120), max_size=30)


@given(stretches, stretches, stretches, st.lists(st.tuples(st.integers(0, 1), st.integers(0, 35)), max_size=6))
def test_peaks_do_not_depend_on_cuts(forward, backward, other, cuts):
    rows = in_order(bins_of(forward, 0), bins_of(backward, 1, first=2), bins_of(other, 1, contig=1))
    whole = called(rows)
    places = sorted({(contig, SIZE * place) for contig, place in cuts})
    parted = called(rows, places)
    assert parted.tobytes() == whole.tobytes()
    keys = list(zip(*(whole[field].tolist() for field in ("contig", "start", "end", "channel")), strict=True))
    assert keys == sorted(keys)


def test_bins_of_a_tile():
    scores = np.array([[1, 60, NO_SCORE, 10, 9], [7, 8, 9, 10, 11]], dtype=np.int32)
    intervals = np.array([(3, 7, 24)], dtype=INTERVAL)
    bins = Bins(intervals, np.array([5]), np.array([0, 5]), SIZE)
    found = find_bins(scores, bins, 10, 0, 4)
    assert found.tolist() == [(3, 4, 10, 15, 60, 60, 8), (3, 4, 20, 24, 10, 10, 10)]


def test_rates_in_shuffled_sequence():
    told = card(shuffled_rates=((0.005, 3.0), (0.01, 0.5)))
    assert shuffled_rates(np.array([49, 50, 99, 100, 500]), told).tolist() == [-1.0, 3.0, 3.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"prominence": 0}, "calling.prominence: must be above 0"),
        ({"gap": 3}, "calling.gap: peaks have none"),
        ({"start_output": "nowhere"}, "calling.start_output: is not among output.names"),
        ({"shuffled_rates": ((1, 2), (0.5, 1))}, "calling.shuffled_rates: scores must rise"),
        ({"prominence": None}, "calling.prominence: is missing"),
    ],
)
def test_cards_of_peaks_are_checked(changes, problem):
    good = card().model_dump()
    with pytest.raises(ValueError, match=problem):
        ModelCard.model_validate({**good, "calling": {**good["calling"], **changes}})


def test_columns_of_outputs_are_names_of_their_own():
    names = ("aLinear", "a", "start", "Score", "leaf; dark", "leaf, dark", "5mC", "leaf_dark")
    wanted = card(start_output=None)
    output = wanted.output.model_copy(update={"names": names, "called": ("a",), "pseudocount": 0.1})
    wanted = wanted.model_copy(update={"output": output})
    assert output_columns(wanted) == {
        "aLinear": "aLinear", "a": "aScore", "start": "startScore", "Score": "ScoreScore", "leaf; dark": "leaf__dark",
        "leaf, dark": "leaf__darkScore", "5mC": "_5mC", "leaf_dark": "leaf_dark",
    }  # fmt: skip
    columns = [column.name.lower() for column in peak_columns(wanted)]
    assert columns[-1] == "ascorelinear"
    assert len(set(columns) | {"chrom", "start", "end", "name", "score", "strand"}) == len(columns) + 6
