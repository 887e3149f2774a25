import numpy as np

from genoscan.training.data.negatives import holds_tandem_repeat
from genoscan.training.data.simulated_windows import simulated_windows


def pairs(brief, many=60):
    return [simulated_windows(3, number, (), 12, 512, 0, brief) for number in range(many)]


def test_a_pair_is_a_function_of_seed_and_number():
    (repeat, without), (again, _) = (simulated_windows(3, 7, (), 12, 512, 0, 0.5) for _ in range(2))
    assert np.array_equal(repeat.codes, again.codes)
    assert (repeat.label, without.label) == (1, 0)
    assert len(repeat.codes) == len(without.codes)
    other, _ = simulated_windows(3, 8, (), 12, 512, 0, 0.5)
    assert not np.array_equal(repeat.codes, other.codes)


def test_brief_arrays_are_short_and_no_background_is_a_repeat():
    brief, usual = pairs(1.0), pairs(0.0)
    assert max(len(repeat.codes) for repeat, _ in brief) <= 120  # 1.85 copies of 32 bases, some more and insertions
    assert np.median([len(one.codes) for one, _ in brief]) < 50 < np.median([len(one.codes) for one, _ in usual])
    assert not any(holds_tandem_repeat(without.codes) for _, without in (*brief, *usual))


def test_most_brief_arrays_match_themselves_as_a_repeat_does():
    assert np.mean([holds_tandem_repeat(repeat.codes) for repeat, _ in pairs(1.0)]) > 0.75
