"""Scores of single sequences, against toys whose answers are known by hand."""

import numpy as np
import pytest
import toys

import genoscan
from genoscan.scanner.errors import UsageError


@pytest.fixture
def gc(tmp_path):
    return genoscan.load_model(toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4)), device="cpu", batch_size=2)


def test_scores_of_windows(gc):
    sequences = ["ACGTACGG", "acguacgg", "NNNNNNNC", "ATATATAT", "GCGCGCGC"]
    np.testing.assert_array_equal(genoscan.predict(gc, sequences), [[5 / 8], [5 / 8], [1 / 8], [0], [1]])
    assert genoscan.predict(gc, []).shape == (0, 1)


def test_scores_of_bins(tmp_path):
    model = genoscan.load_model(toys.write(tmp_path / "t.onnx", toys.base_model("T", 4, 2)), device="cpu")
    np.testing.assert_array_equal(genoscan.predict(model, ["ATTNCGTA"])[0, :, 0], [0, 1, 1, 0, 0, 0, 1, 0])


def test_activation(tmp_path):
    path = toys.write(tmp_path / "bert.onnx", toys.kmer_bert(window=32))
    scores = genoscan.predict(genoscan.load_model(path, device="cpu"), ["ACGTTGCA" * 4, "A" * 32])
    np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_another_length_is_refused(gc):
    with pytest.raises(UsageError, match=r"^sequence 2 has 3 bases; model gc reads windows of 8$"):
        genoscan.predict(gc, ["ACGTACGG", "ACG"])
