"""The map over tiles: order, a bound on what is in flight, errors, and threads that end."""

import threading
import time
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.scanner.workers import ordered_map


def threads_of_ours():
    return [one for one in threading.enumerate() if one.name.startswith("genoscan")]


@settings(max_examples=20)
@given(count=st.integers(0, 30), threads=st.integers(1, 4), seed=st.randoms(use_true_random=False))
def test_results_come_in_the_order_of_the_items(count, threads, seed):
    delays = [seed.random() / 500 for _ in range(count)]

    def work(item, _):
        time.sleep(delays[item])
        return item * item

    assert list(ordered_map(work, range(count), threads)) == [item * item for item in range(count)]
    assert threads_of_ours() == []


def test_it_runs_side_by_side():
    meeting = threading.Barrier(3, timeout=20)  # broken unless three are there at once
    assert len(list(ordered_map(lambda *_: meeting.wait(), range(9), 3))) == 9


@pytest.mark.parametrize("threads", [1, 3])
def test_few_items_are_in_flight(threads):
    taken = 0

    def items():
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    with closing(ordered_map(lambda item, _: item, items(), threads)) as results:
        for done, _ in enumerate(results, 1):
            assert taken - done < 2 * threads
    assert taken == 100


def test_an_error_comes_through_and_stops_the_rest():
    started, stopped = [], []

    def work(item, stop):
        started.append(item)
        if item == 2:
            raise ValueError("item 2")
        if item > 2:
            stopped.append(stop.wait(timeout=20))
        return item

    found = []
    with pytest.raises(ValueError, match="item 2"):  # noqa: PT012
        for result in ordered_map(work, range(1000), 2):
            found.append(result)  # noqa: PERF402
    assert found == [0, 1]
    assert max(started) < 10
    assert all(stopped)
    assert threads_of_ours() == []


def test_an_error_of_the_items_comes_through():
    def items():
        yield 1
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        list(ordered_map(lambda item, _: item, items(), 2))
    assert threads_of_ours() == []


def test_a_closed_generator_stops_its_threads():
    begun, told = threading.Event(), []

    def work(item, stop):
        if item:
            begun.set()
            told.append(stop.wait(timeout=20))
        return item

    results = ordered_map(work, range(1000), 2)
    assert next(results) == 0
    assert begun.wait(timeout=20)
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 5
    assert told == [True] * len(told) != []
    assert threads_of_ours() == []


def test_a_generator_that_was_never_started_starts_nothing():
    results = ordered_map(lambda item, _: item, iter([1]), 2)
    assert threads_of_ours() == []
    results.close()


@settings(max_examples=30)
@given(kinds=st.lists(st.booleans(), max_size=30), threads=st.integers(1, 4))
def test_what_is_no_work_keeps_its_place_and_takes_no_room(kinds, threads):
    taken, called = 0, []

    def items():
        nonlocal taken
        for number, work in enumerate(kinds):
            taken += work
            yield number, work

    def function(item, _):
        called.append((item[0], threading.current_thread() is threading.main_thread()))
        return item[0]

    given_back = 0
    for expected, result in enumerate(ordered_map(function, items(), threads, is_work=lambda item: item[1])):
        assert result == expected
        assert taken - given_back <= 2 * threads
        given_back += kinds[result]
    assert sorted(called) == [(number, not work) for number, work in enumerate(kinds)]
