"""A model as a function of sequences, against toys whose answers are known by hand and against scans."""

import numpy as np
import pytest
import toys
from commands import scan_file

import genoscan
from genoscan.scanner.errors import UsageError

NAN = np.nan


@pytest.fixture
def gc(tmp_path):
    return genoscan.load_model(toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4)), device="cpu", batch_size=2)


def test_scores_of_windows(gc):
    sequences = ["ACGTACGG", "acguacgg", "NNNNNNNC", "ATATATAT", "GCGCGCGC"]
    np.testing.assert_array_equal(gc(sequences), [[5 / 8], [5 / 8], [1 / 8], [0], [1]])
    assert gc([]).shape == (0, 1)
    assert repr(gc) == "<Scorer gc 1 on cpu>"


@pytest.mark.parametrize("length", [1, 5, 8, 21])
def test_scores_of_bins_of_sequences_of_any_length(tmp_path, length):
    """Windows of 8 bases of which the middle 4 are scored: the answer does not show where they are cut."""
    model = genoscan.load_model(toys.write(tmp_path / "t.onnx", toys.base_model("T", 4, 2)), "cpu", batch_size=2)
    sequences = ["ATTNCGTATTACGNNNTAGCTTA"[:length], "TTTTTTTTTTTTTTTTTTTTTTT"[:length]]
    value = {"T": 1.0, "N": NAN}
    expected = [[value.get(letter, 0.0) for letter in sequence] for sequence in sequences]
    np.testing.assert_array_equal(model(sequences), np.array(expected)[:, :, None])
    assert model([]).shape == (0, 8, 1)


def test_a_last_bin_is_that_of_the_bases_it_has(tmp_path):
    model = genoscan.load_model(toys.write(tmp_path / "t.onnx", toys.base_model("T", 8, 4, 4)), device="cpu")
    np.testing.assert_array_equal(model(["TTATACGTTT"])[0, :, 0], [3 / 4, 1 / 4, 2 / 4])


@pytest.mark.parametrize("shortest", [None, 16])
def test_scores_of_bins_are_those_of_a_scan(tmp_path, shortest):
    """Ten contigs at once, as a bedGraph of the same model has them."""
    random = np.random.default_rng(5)
    model = toys.write(tmp_path / "g.onnx", toys.base_model("G", 48, 8, 8, shortest_window=shortest))
    for length in (9, 30, 500):
        contigs = ["".join(row) for row in np.array(list("ACGTN"))[random.integers(0, 5, (10, length))]]
        (tmp_path / "g.fa").write_text("".join(f">{number}\n{text}\n" for number, text in enumerate(contigs)))
        scan_file(tmp_path / "g.fa", model, tmp_path / "g.bedgraph")
        found = genoscan.load_model(model, device="cpu")(contigs)[:, :, 0]
        expected = np.full((10, length), NAN)
        for line in (tmp_path / "g.bedgraph").read_text().splitlines():
            contig, start, end, score = line.split("\t")
            expected[int(contig), int(start) : int(end)] = float(score)
        np.testing.assert_allclose(np.repeat(found, 8, axis=1)[:, :length], expected, atol=5e-5)


def test_activation(tmp_path):
    path = toys.write(tmp_path / "bert.onnx", toys.kmer_bert(window=32))
    scores = genoscan.load_model(path, device="cpu")(["ACGTTGCA" * 4, "A" * 32])
    np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_a_bundled_model_is_loaded_by_its_name():
    """On the lac promoter of E. coli it says that transcription starts where it does, at AATTGTGAGC."""
    lac = (
        "ATTAATGCAGCTGGCACGACAGGTTTCCCGACTGGAAAGCGGGCAGTGAGCGCAACGCAATTAATGTGAGTTAGCTCACTCATTAGGCACCCCAGGCTTTACACTTTATGCTTCC"
        "GGCTCGTATGTTGTGTGGAATTGTGAGCGGATAACAATTTCACACAGGAAACAGCTATGACCATGATTACGGATTCACTGGCC"
    )
    model = genoscan.load_model("promoter-ecoli", device="cpu")
    scores = model([lac])
    assert scores.shape == (1, 40, 2)
    highest = 5 * int(scores[0, :, model.card.output.names.index("start")].argmax())
    assert abs(highest - lac.index("AATTGTGAGC")) <= 5


def test_other_lengths_are_refused(gc, tmp_path):
    said = r"^sequence 2 has 3 bases; model gc scores windows of 8: cut such out of it, or scan a FASTA file with genos"
    with pytest.raises(UsageError, match=said):
        gc(["ACGTACGG", "ACG"])
    with pytest.raises(UsageError, match=r"^give a list of sequences, of one too"):
        gc("ACGTACGG")
    bins = genoscan.load_model(toys.write(tmp_path / "t.onnx", toys.base_model("T", 4, 2)), device="cpu")
    with pytest.raises(UsageError, match=r"^sequence 2 has 3 bases, the first 4: those of one call must be of one len"):
        bins(["ACGT", "ACG"])
    with pytest.raises(UsageError, match=r"^sequence 1 has 0 bases"):
        bins([""])
    with pytest.raises(UsageError, match=r"^no such model: 'nothing'"):
        genoscan.load_model("nothing")
