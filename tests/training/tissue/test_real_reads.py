"""Tables of real reads, by hand."""

import methylomes
import numpy as np
import pytest

from genoscan.scanner.encoding.kmers_methylation import METHYLATED, UNMETHYLATED
from genoscan.scanner.errors import UsageError
from genoscan.training.tissue.baselines import fit_naive_bayes, mean_methylation, naive_bayes, read_states
from genoscan.training.tissue.real_reads import read_table

HEADER = "dna_seq\tmethyl_seq\tctype\tdmr_label\n"
GOOD = HEADER + "ACG CGT GTC TCG CGA\t12202\tT\tx\n" + "AAC ACG CGT\t202\tN\ty\n"


def table(tmp_path, text, window=9):
    path = tmp_path / "reads.csv"
    path.write_text(text)
    return read_table(path, window, 3)


def test_by_hand(tmp_path):
    found = table(tmp_path, GOOD)
    assert found.classes == ("N", "T")
    assert found.labels.tolist() == [1, 0]
    expected = np.array([4, 0, 1 + METHYLATED, 2, 3, 1 + UNMETHYLATED, 2, 0, 4])
    np.testing.assert_array_equal(found.codes[0], expected)
    np.testing.assert_array_equal(found.codes[1], [4, 4, 0, 0, 1 + UNMETHYLATED, 2, 3, 4, 4])
    assert mean_methylation(found.codes).tolist() == [0.5, 0.0]
    short = table(tmp_path, GOOD, window=3)
    np.testing.assert_array_equal(short.codes[0], [2, 3, 1 + UNMETHYLATED])


def test_regions_are_in_one_split(tmp_path):
    found = read_table(methylomes.write_reads(tmp_path / "r.tsv", 30), 60, 3)
    splits = found.splits(["1"], ["2"])
    assert {name: set(found.regions[rows]) for name, rows in splits.items()} == {
        "training": {"0"}, "validation": {"1"}, "test": {"2"}
    }  # fmt: skip
    with pytest.raises(UsageError, match="no region '7'"):
        found.splits(["7"], [])
    with pytest.raises(UsageError, match="share a region"):
        found.splits(["1"], ["1"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("12202", "1220", "line 2: methyl_seq must have a digit"),
        ("12202", "12302", "line 2: methyl_seq must have a digit"),
        ("12202", "20202", "line 2: methyl_seq has a state at k-mer 2"),
        ("ACG CGT", "ACG GGT", "line 2: dna_seq: its k-mers do not overlap"),
        ("ACG CGT", "ACG CG", "line 2: dna_seq must be 3-mers"),
        ("\tN\ty", "\t\ty", "line 3: has no class"),
        ("\tN\ty", "\tT\ty", "one class alone, T"),
        ("ctype", "kind", "no column 'ctype'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, said):
    with pytest.raises(UsageError, match=said):
        table(tmp_path, GOOD.replace(old, new, 1))


def test_naive_bayes_by_hand():
    states = read_states(np.array([[4, 1], [4, 3], [4, 2], [0, 0]]))
    assert states.tolist() == [0, 1, 2, -1]
    markers, classes = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])
    counted = fit_naive_bayes(states, markers, classes, (2, 2))
    assert counted[0, 0] == pytest.approx([0.5, 0.25, 0.25])
    assert counted[1, 0] == pytest.approx([1 / 3] * 3)
    prior = np.array([0.25, 0.75])
    found = naive_bayes(counted, states, markers, prior)
    assert found[0] == pytest.approx(np.array([0.5 * 0.25, 0.25 * 0.75]) / (0.125 + 0.1875))
    assert found[3] == pytest.approx(prior)


@pytest.mark.data
def test_methylberts_reads(data_folder):
    found = read_table(data_folder / "methylation" / "methylbert.train_seq.csv.gz", 150, 3)
    assert found.codes.shape == (1429, 150)
    assert found.classes == ("N", "T")
    assert np.bincount(found.labels).tolist() == [727, 702]
