"""Parity: differences by hand, what is compared, and what is refused."""

import math

import numpy as np
import pytest

from genoscan.export.parity import (
    Difference,
    Limits,
    ParityReport,
    compare,
    difference,
    sample_windows,
    scored_places,
)
from genoscan.scanner.card import Calling, ModelCard, NucleotideInput, Output
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.inference.activation import activate


def card(**changes):
    values = {
        "name": "toy",
        "version": "1",
        "task": "segmentation",
        "input": NucleotideInput(layout="codes"),
        "window": 64,
        "step": 32,
        "context": 16,
        "strand": "forward",
        "output": Output(names=("gc",), activation="identity", bin=1),
        "calling": Calling(threshold=0.5, extend=0.5),
    }
    return ModelCard(**values | changes)


def gc(tensor):
    return ((tensor == 1) | (tensor == 2)).astype(np.float32)[..., None]


def test_difference_by_hand():
    found = difference(np.array([0.1, 0.4, 0.6, 0.9]), np.array([0.1, 0.5, 0.6, 0.7]), threshold=0.5)
    assert found.largest == pytest.approx(0.2)
    assert found.mean == pytest.approx(0.3 / 4)
    assert found.agreement == 0.75  # 0.4 lies below the threshold and 0.5 on it
    assert found.correlation == pytest.approx(np.corrcoef([0.1, 0.4, 0.6, 0.9], [0.1, 0.5, 0.6, 0.7])[0, 1])
    assert found.finite


@pytest.mark.parametrize(("other", "expected"), [(0.3, 1.0), (0.4, 0.0)])
def test_correlation_of_constants(other, expected):
    assert difference(np.full(3, 0.3), np.full(3, other), 0.5).correlation == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite(bad):
    found = difference(np.array([0.1, 0.2]), np.array([0.1, bad]), 0.5)
    assert not found.finite
    assert ParityReport("fp32", {"random": found}, Limits()).problems() == ["random sequence: NaN or infinite scores"]


def test_activations():
    logits = np.array([[0.0, math.log(3)], [800.0, -800.0]], dtype=np.float32)
    np.testing.assert_allclose(activate(logits, "sigmoid"), [[0.5, 0.75], [1, 0]], atol=1e-7)
    np.testing.assert_allclose(activate(logits, "softmax"), [[0.25, 0.75], [1, 0]], atol=1e-7)
    assert (activate(logits, "identity") == logits).all()


def test_limits_are_judged_one_by_one():
    one = Difference(largest=0.02, mean=0.001, correlation=0.99, agreement=0.998, finite=True)

    def problems(**limits):
        return ParityReport("int8", {"real": one}, Limits(**limits)).problems()

    assert problems() == problems(largest=0.02, mean=0.001, agreement=0.998) == []
    assert problems(largest=0.01) == ["real sequence: largest difference 0.02 > 0.01"]
    assert problems(mean=0.0005) == ["real sequence: mean difference 0.001 > 0.0005"]
    assert problems(agreement=0.999) == ["real sequence: label agreement 0.99800 < 0.999"]


def test_report_prints_and_goes_into_the_card():
    one = Difference(0.0212345, mean=0.001, correlation=0.99, agreement=0.998, finite=True, labels=2)
    report = ParityReport("int8", {"real": one}, Limits())
    assert [line.split() for line in str(report).splitlines()] == [
        ["int8", "largest", "mean", "correlation", "agreement", "labels"],
        ["real", "0.021", "0.001", "0.990000", "0.998000", "2"],
    ]
    assert report.figures() == {
        "real_largest": 0.0212,
        "real_mean": 0.001,
        "real_correlation": 0.99,
        "real_agreement": 0.998,
        "real_labels": 2,
    }


def test_samples_are_reproducible_and_of_their_kind(tmp_path):
    fasta = tmp_path / "genome.fa"
    fasta.write_text(f">long\n{'C' * 500}\n>unknown\n{'N' * 400}\n>short\n{'G' * 40}\n")
    first = sample_windows(card(), 1, 3, fasta)
    second = sample_windows(card(), 1, 3, fasta)
    other = sample_windows(card(), 2, 3)
    assert list(first) == ["random", "simulated", "real"]
    assert list(other) == ["random", "simulated"]
    for kind, codes in first.items():
        assert codes.shape == (3, 64)
        assert codes.dtype == np.uint8
        assert (codes == second[kind]).all()
    assert (first["random"] != other["random"]).any()
    assert (first["random"][0, :8] == 4).all()
    assert (first["random"][0, 8:-8] < 4).all()
    # No window of N; the short contig, where drawn, is followed by N.
    assert {tuple(np.unique(row)) for row in first["real"]} <= {(1,), (2, 4)}


def test_a_genome_of_unknown_bases_is_an_error(tmp_path):
    fasta = tmp_path / "unknown.fa"
    fasta.write_text(f">a\n{'N' * 400}\n")
    with pytest.raises(GenoscanError, match=r"unknown\.fa: no window of 64 known bases"):
        sample_windows(card(), 1, 3, fasta)


def test_scored_places():
    codes = np.zeros((1, 64), dtype=np.uint8)
    codes[0, 20:24] = 4
    inside = scored_places(card(), codes)[0]
    assert np.flatnonzero(inside).tolist() == [*range(16, 20), *range(24, 48)]
    bins = card(output=Output(names=("gc",), activation="identity", bin=8), max_unknown=0.5)
    assert np.flatnonzero(scored_places(bins, codes)[0]).tolist() == [2, 3, 4, 5]
    assert scored_places(card(), codes[:, :32])[0].sum() == 28  # a short window has no context
    whole = card(
        task="classification", window=32, step=32, context=0, output=Output(names=("a",), activation="identity", bin=32)
    )
    assert scored_places(whole, np.array([[4] * 17 + [0] * 15, [4] * 16 + [0] * 16])).tolist() == [False, True]


def test_compare_sees_one_wrong_base_and_no_context():
    windows = {"random": np.zeros((5, 64), dtype=np.uint8)}

    def wrong_at(place):
        def run(tensor):
            scores = gc(tensor)
            scores[0, place] += 1
            return scores

        return compare(card(), gc, run, windows, Limits(largest=0.5))

    assert wrong_at(15).problems() == []  # context
    assert wrong_at(16).problems() == ["random sequence: largest difference 1 > 0.5"]
    # Five windows go in batches of three and two: two wrong bases of 5 * 32.
    assert wrong_at(16).differences["random"].agreement == 1 - 2 / 160


def test_compare_tries_the_shortest_window():
    windows = {"random": np.zeros((1, 64), dtype=np.uint8)}
    seen = []

    def run(tensor):
        seen.append(tensor.shape)
        return gc(tensor)

    compare(card(shortest_window=16), gc, run, windows, Limits())
    assert seen == [(1, 64), (4, 16)]


def test_another_shape_is_an_error():
    windows = {"random": np.zeros((1, 64), dtype=np.uint8)}
    with pytest.raises(GenoscanError, match=r"model toy: the export gives scores of shape \[1, 63, 1\]"):
        compare(card(), gc, lambda tensor: gc(tensor)[:, 1:], windows, Limits())
