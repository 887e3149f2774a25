"""Likelihoods of reads against a toy whose answers are known, and runs that must not depend on batches and threads."""

import numpy as np
import pytest
import toys
from bams import write_fasta

import genoscan
from genoscan.scanner.errors import UsageError
from genoscan.scanner.inference.session import open_model
from genoscan.scanner.read_likelihoods import read_log_likelihoods
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.methylation.reads import MethylationReads

SEQUENCE = "TTACGTTCGATTTTCGAACCGGTTTT" * 40


def random_reads(count=60, seed=0):
    random = np.random.default_rng(seed)
    places = np.array([at for at in range(len(SEQUENCE)) if SEQUENCE[at : at + 2] == "CG"])
    firsts = np.sort(random.integers(0, len(places) - 4, count))
    sizes = random.integers(1, 4, count)
    positions = np.concatenate([places[first : first + size] for first, size in zip(firsts, sizes, strict=True)])
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    starts, ends = positions[offsets[:-1]], positions[offsets[1:] - 1] + 2
    states = random.integers(0, 2, len(positions)).astype(np.uint8)
    return MethylationReads("chr1", starts, ends, offsets, positions, states, np.ones(count, np.int64))


@pytest.fixture
def genome(tmp_path):
    with open_genome(write_fasta(tmp_path / "g.fa", {"chr1": SEQUENCE})) as genome:
        yield genome


def model_of(tmp_path, batch_size=4, **fields):
    path = toys.write(tmp_path / "reads.onnx", toys.read_model(window=60, **fields))
    return open_model(path, "cpu", batch_size)


def test_against_the_toys_own_rule(tmp_path, genome):
    reads = random_reads()
    found = read_log_likelihoods(model_of(tmp_path), genome, reads)
    assert found.reads.tolist() == list(range(60))
    np.testing.assert_array_equal(found.cpgs, np.diff(reads.offsets))
    methylated = np.add.reduceat(reads.states.astype(int), reads.offsets[:-1])
    difference = found.log_likelihoods[:, 0] - found.log_likelihoods[:, 1]
    # windows at the contig's ends hold unknown bases, which the toy takes off the first class
    inside = (reads.starts > 60) & (reads.ends < len(SEQUENCE) - 60)
    assert inside.sum() > 30
    np.testing.assert_allclose(difference[inside], (2 * methylated - 2 * (found.cpgs - methylated))[inside], atol=1e-4)
    np.testing.assert_allclose(np.exp(found.log_likelihoods).sum(axis=1), 1, atol=1e-5)


def test_the_prior_of_the_training_is_taken_out(tmp_path, genome):
    reads = random_reads()
    plain = read_log_likelihoods(model_of(tmp_path), genome, reads).log_likelihoods
    found = read_log_likelihoods(model_of(tmp_path, prior=(0.8, 0.2)), genome, reads).log_likelihoods
    np.testing.assert_allclose(found, plain - np.log([0.8, 0.2]), atol=1e-5)


def test_neither_threads_nor_batches_change_them(tmp_path, genome):
    reads = random_reads()
    expected = read_log_likelihoods(model_of(tmp_path, 1), genome, reads).log_likelihoods
    for batch_size in (2, 7, 64):
        for threads in (1, 3):
            found = read_log_likelihoods(model_of(tmp_path, batch_size), genome, reads, threads)
            np.testing.assert_array_equal(found.log_likelihoods, expected)


def test_no_reads(tmp_path, genome):
    found = read_log_likelihoods(model_of(tmp_path), genome, MethylationReads.empty("chr1"))
    assert found.log_likelihoods.shape == (0, 2)


def test_predictions_of_single_reads(tmp_path):
    model = genoscan.load_model(toys.write(tmp_path / "r.onnx", toys.read_model(window=10)), device="cpu")
    scores = model(["TTCGTTCGTT"] * 3, ["..Z...Z...", "..z...Z...", "ZZZZZZzzzz"])
    expected = [[4, 0], [2, 2], [2, 2]]  # marks count only at a C
    np.testing.assert_allclose(np.log(scores[:, 0] / scores[:, 1]), [a - b for a, b in expected], atol=1e-5)
    np.testing.assert_allclose(model(["TTCGTTCGTT"]), [[0.5, 0.5]])
    with pytest.raises(UsageError, match="a text of 10 letters for each of 1 sequences"):
        model(["TTCGTTCGTT"], ["..Z"])
    plain = genoscan.load_model(toys.write(tmp_path / "gc.onnx", toys.gc_model(10, 4)), device="cpu")
    with pytest.raises(UsageError, match="model gc reads no methylation"):
        plain(["TTCGTTCGTT"], ["..Z......."])
