"""docs/spectrum.md tells what scanner/encoding/lag_scores.py scores and takes off: its two tables against the code."""

import re
from pathlib import Path

import numpy as np
import pytest

from genoscan.scanner.encoding import lag_scores

TEXT = (Path(__file__).parents[1] / "docs" / "spectrum.md").read_text(encoding="utf-8")
LAGS = np.arange(1, lag_scores.LANES + 1)
LONG = np.arange(lag_scores.LANES + 1, 2049)


def table(first: str) -> list[list[str]]:
    """The rows of the table whose head begins with ``first``, cell by cell."""
    (found,) = re.findall(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found.splitlines()]


def value(said: str, variables: dict[str, np.ndarray]) -> np.ndarray:
    """What a cell such as ``0.7 *m* - 8, at least 12`` comes to for each lag, the product rounded to a whole number."""
    cell = re.fullmatch(r"(?:([\d.]+) \*([mp])\*)?(?:(?: - )?(\d+))?(?:, at (least|most) (\d+))?", said)
    assert cell, said
    factor, name, constant, bound, limit = cell.groups()
    if factor is None:
        return np.broadcast_to(int(constant), len(next(iter(variables.values()))))
    values = np.round(float(factor) * variables[name]).astype(np.int64) - int(constant or 0)
    return {None: lambda *one: one[0], "least": np.maximum, "most": np.minimum}[bound](values, int(limit or 0))


def test_a_cell_is_read_as_it_is_meant():
    lags = {"p": np.array([1, 10, 100])}
    assert value("20", lags).tolist() == [20, 20, 20]
    assert value("0.25 *p*, at most 20", lags).tolist() == [0, 2, 20]
    assert value("2 *p* - 10, at least 3", lags).tolist() == [3, 10, 190]


def test_gains_losses_and_steps():
    near = zip((lag_scores.TOLERANT, lag_scores.MODERATE, lag_scores.STRICT), (
        f"costs {lag_scores.TOLERANT_STEP}", f"costs {lag_scores.MODERATE_STEP}", "never"
    ), strict=True)  # fmt: skip
    expected = [[str(gain), str(loss), round(100 * loss / (gain + loss)), step] for (gain, loss), step in near]
    long = (lag_scores.LONG_GAIN, lag_scores.LONG_LOSS)
    share = round(100 * long[1] / (long[0] * lag_scores.QUARTER))
    expected.append([str(long[0]), f"{long[1]} every four bases, match or not", share, f"costs {lag_scores.LONG_STEP}"])
    rows = table("lags")
    assert [row[1] for row in rows] == ["tolerant", "moderate", "strict", "one"]
    assert [[row[2], row[3], int(row[4].split(" %")[0]), row[5]] for row in rows] == expected
    assert rows[3][0] == f"middle, 65-{lag_scores.MIDDLE_LAGS}, and far, {lag_scores.MIDDLE_LAGS + 1}-2048"


def test_what_is_taken_off_and_how_the_rest_is_multiplied():
    assert f"{lag_scores.SHORTEST} bases of a shorter unit, need\n*m* = max(*p*, {lag_scores.SHORTEST} - *p*)" in TEXT
    near = {"p": LAGS, "m": np.maximum(LAGS, lag_scores.SHORTEST - LAGS)}
    strict = lag_scores.near_track_bias()[2]
    bands = [lag_scores.TOLERANT_NOISE, lag_scores.MODERATE_NOISE, strict, lag_scores.LONG_NOISE]
    tracks = [*lag_scores.near_track_bias(), lag_scores.long_track_bias(LONG)]
    times = [1, 1, 2**lag_scores.STRICT_DOUBLINGS, 1]
    rows = table("scores")
    assert [row[0] for row in rows] == ["near, tolerant", "near, moderate", "near, strict", "middle and far"]
    for row, band, track, factor in zip(rows, bands, tracks, times, strict=True):
        variables = {"p": LONG} if row[0].startswith("middle") else near
        np.testing.assert_array_equal(value(row[1], variables), np.broadcast_to(band, len(variables["p"])), row[0])
        np.testing.assert_array_equal(value(row[2], variables), track, row[0])
        assert int(row[3]) == factor


@pytest.mark.parametrize("said", ["1.5 *q*", "about 3", "2 (*m* - 5)"])
def test_a_cell_that_is_not_understood_is_an_error(said):
    with pytest.raises(AssertionError):
        value(said, {"p": LAGS})
