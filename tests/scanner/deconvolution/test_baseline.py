"""Samples against healthy ones."""

import numpy as np
import pytest

from genoscan.scanner.deconvolution.baseline import elevation, read_baseline
from genoscan.scanner.deconvolution.estimates import COLUMNS, Estimate, read_proportions, table_text
from genoscan.scanner.errors import UsageError


def estimate(proportions, low=None, sample="s", method="likelihood", tissues=("blood", "liver", "lung")):
    shares = np.array(proportions, dtype=float)
    low = shares - 0.005 if low is None else np.array(low, dtype=float)
    return Estimate(sample, method, tissues, shares, low, shares + 0.005, 100)


def table(tmp_path, *estimates):
    path = tmp_path / "healthy.tsv"
    path.write_text(table_text(COLUMNS, [line for one in estimates for line in one.lines()]))
    return path


def test_ratio_z_and_flags(tmp_path):
    """Blood 0.9 and 0.94: mean 0.92, deviation 0.02828; liver 0.04 and 0.06: mean 0.05, deviation 0.01414."""
    healthy = read_baseline(
        table(tmp_path, estimate([0.9, 0.04, 0.06], sample="a"), estimate([0.94, 0.06, 0], sample="b"))
    )
    found = elevation(estimate([0.8, 0.11, 0.09]), healthy)
    np.testing.assert_allclose(found.baseline, [0.92, 0.05, 0.03])
    np.testing.assert_allclose(found.ratios, [0.8 / 0.92, 2.2, 3.0])
    np.testing.assert_allclose(found.z, [-0.12 / 0.0282843, 0.06 / 0.0141421, 0.06 / 0.0424264], rtol=1e-4)
    assert found.elevated.tolist() == [False, True, True]


def test_ten_points_are_enough(tmp_path):
    healthy = read_baseline(table(tmp_path, estimate([0.3, 0.7, 0], sample="a")))
    assert elevation(estimate([0.41, 0.59, 0]), healthy).elevated.tolist() == [True, False, False]
    assert elevation(estimate([0.39, 0.61, 0]), healthy).elevated.tolist() == [False, False, False]


def test_what_may_be_chance_is_not_flagged(tmp_path):
    healthy = read_baseline(table(tmp_path, estimate([0.99, 0.01, 0], sample="a")))
    unsure = elevation(estimate([0.97, 0.03, 0], low=[0.9, 0.0, 0]), healthy)
    assert unsure.ratios[1] == pytest.approx(3)
    assert not unsure.elevated.any()
    no_interval = elevation(estimate([0.97, 0.03, 0], low=[np.nan] * 3), healthy)
    assert no_interval.elevated.tolist() == [False, True, False]


def test_a_single_healthy_sample_and_none_of_a_tissue(tmp_path):
    healthy = read_baseline(table(tmp_path, estimate([1, 0, 0], sample="a")))
    found = elevation(estimate([0.9, 0.1, 0]), healthy)
    assert found.lines()[1] == ["0.000000", "inf", "NA", "yes"]
    assert found.lines()[2] == ["0.000000", "NA", "NA", "no"]


def test_tables_are_read_as_written(tmp_path):
    found, method = read_proportions(table(tmp_path, estimate([0.9, 0.04, 0.06], sample="a")))
    assert found == {"blood": {"a": 0.9}, "liver": {"a": 0.04}, "lung": {"a": 0.06}}
    assert method == "likelihood"


def test_other_methods_and_missing_tissues_are_refused(tmp_path):
    healthy = read_baseline(table(tmp_path, estimate([0.9, 0.04, 0.06], sample="a")))
    with pytest.raises(UsageError, match="was made with the method likelihood"):
        elevation(estimate([1, 0, 0], method="least-squares"), healthy)
    with pytest.raises(UsageError, match="has no proportions of spleen"):
        elevation(estimate([1, 0, 0], tissues=("blood", "liver", "spleen")), healthy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("tissue", "organ"), "is no table of proportions"),
        (lambda text: text.replace("0.900000", "1.900000"), "line 2: proportion '1.900000'"),
        (lambda text: text + text.splitlines()[1] + "\n", "line 5: has blood of sample a a second time"),
        (lambda text: text.splitlines()[0] + "\n", "holds no proportions"),
        (lambda text: text + "b\tblood\t1\n", "line 5: has 3 columns"),
        (lambda text: text + "b\tblood\t1\t1\t1\t1\tother\n", "several methods: likelihood, other"),
    ],
)
def test_wrong_tables_are_named(tmp_path, change, message):
    path = table(tmp_path, estimate([0.9, 0.04, 0.06], sample="a"))
    path.write_text(change(path.read_text()))
    with pytest.raises(UsageError, match=message):
        read_baseline(path)
