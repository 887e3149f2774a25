"""Tables of regions x samples."""

import gzip

import numpy as np
import pytest

from genoscan.scanner.deconvolution.methods import LEAST_SQUARES, LIKELIHOOD, estimate_table
from genoscan.scanner.deconvolution.region_tables import is_region_table, matched, read_region_table
from genoscan.scanner.errors import UsageError

SHARES = "CpGs,one,two\ncg1,0.5,NA\ncg2,1,0\ncg1,0.25,0.75\n"
COUNTS = (
    "chrom\tstart\tend\ta_meth\ta_depth\tchrom\tstart\tend\tliver_meth\tliver_depth\tblood_meth\tblood_depth\n"
    "chr1\t5\t9\t3\t4\tchr1\t5\t9\t10.5\t20\t0\t0\n"
    "chr1\t50\t90\t0\t2\tchr1\t50\t90\t1\t20\t9\t10\n"
)


def written(tmp_path, text, name="table.tsv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_shares_of_samples(tmp_path):
    table, reference = read_region_table(written(tmp_path, SHARES))
    assert reference is None
    assert (table.regions, table.columns, table.depths) == (("cg1", "cg2", "cg1"), ("one", "two"), None)
    np.testing.assert_array_equal(table.shares, [[0.5, np.nan], [1, 0], [0.25, 0.75]])


def test_counts_of_samples_and_their_reference(tmp_path):
    path = tmp_path / "table.tsv.gz"
    path.write_bytes(gzip.compress(COUNTS.encode()))
    table, reference = read_region_table(path)
    assert table.regions == reference.regions == ("chr1:5-9", "chr1:50-90")
    assert (table.columns, reference.columns) == (("a",), ("liver", "blood"))
    np.testing.assert_array_equal(table.shares, [[0.75], [0]])
    np.testing.assert_array_equal(reference.shares, [[0.525, np.nan], [0.05, 0.9]])
    np.testing.assert_array_equal(reference.depths, [[20, 0], [20, 10]])


def test_regions_are_matched_by_name_and_turn(tmp_path):
    table, _ = read_region_table(written(tmp_path, SHARES))
    turned, _ = read_region_table(written(tmp_path, "x\tA\tB\ncg3\t0\t0\ncg1\t0.1\t0.2\ncg1\t0.3\t0.4\n", "other"))
    ours, theirs = matched(table, turned)
    assert ours.regions == theirs.regions == ("cg1", "cg1")
    np.testing.assert_array_equal(theirs.shares, [[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_array_equal(ours.shares[:, 0], [0.5, 0.25])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SHARES, True),
        (COUNTS, True),
        ("chr1\t5\tCTC\t3\n", False),
        ("chr1\t5\t6\tm\t10\t+\t5\t6\t0,0,0\t10\t50\n", False),
        ("#chrom\tstart\n", False),
        ("", False),
    ],
)
def test_tables_are_told_from_reads(tmp_path, text, expected):
    assert is_region_table(written(tmp_path, text)) == expected


def test_what_is_compressed_and_no_text_is_no_table(tmp_path):
    path = tmp_path / "reads.bam"
    path.write_bytes(gzip.compress(b"BAM\x01\x00\x00\x00\x00name,other,third\n"))
    assert not is_region_table(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CpGs,a\ncg1,1.5\n", "line 2: column a: 1.5 is no share"),
        ("CpGs,a\ncg1,x\n", "line 2: column a: 'x' is no number"),
        ("CpGs,a\ncg1,inf\n", "line 2: column a: 'inf' is no number"),
        ("CpGs,a\ncg1,1,1\n", "line 2: has 3 columns, its header 2"),
        ("CpGs,a,a\ncg1,1,1\n", "two columns 'a'"),
        ("CpGs,a\n", "holds no regions"),
        ("chrom\tstart\tend\ta_meth\tb_depth\nchr1\t1\t2\t1\t1\n", "expected a_meth and a_depth"),
        ("chrom\tstart\tend\ta_meth\ta_depth\nchr1\t1\t2\t3\t1\n", "line 2: a: 3 methylated of 1 reads"),
    ],
)
def test_wrong_tables_are_named(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        read_region_table(written(tmp_path, text))


def test_no_region_in_common(tmp_path):
    table, _ = read_region_table(written(tmp_path, SHARES))
    other, _ = read_region_table(written(tmp_path, "x,A\ncg9,0\n", "other"))
    with pytest.raises(UsageError, match="none of its regions"):
        matched(table, other)


@pytest.mark.parametrize("method", [LIKELIHOOD, LEAST_SQUARES])
@pytest.mark.parametrize("unknown", [False, True])
def test_shares_that_are_an_exact_mix(tmp_path, method, unknown):
    generator = np.random.default_rng(0)
    profiles = generator.uniform(0.05, 0.95, (300, 3))
    lines = [f"cg{n},{0.7 * a + 0.3 * b}" for n, (a, b, _) in enumerate(profiles)]
    table, _ = read_region_table(written(tmp_path, "CpGs,mix\n" + "\n".join(lines) + "\n"))
    lines = [f"cg{n},{a},{b},{c}" for n, (a, b, c) in enumerate(profiles)]
    reference, _ = read_region_table(written(tmp_path, "CpGs,A,B,C\n" + "\n".join(lines) + "\n", "reference"))
    (found,) = estimate_table(table, reference, method, unknown, 20, 1)
    expected = [0.7, 0.3, 0, 0][: 3 + unknown]
    np.testing.assert_allclose(found.proportions, expected, atol=0.01)
    assert (found.low <= found.proportions + 1e-6).all()
    assert (found.high >= found.proportions - 1e-6).all()
    assert found.tissues == ("A", "B", "C", "unknown")[: 3 + unknown]


@pytest.mark.data
def test_mixes_of_meth_atlas(data_folder):
    """In-sample by nature: the mixes are of the reference itself."""
    folder = data_folder / "methylation"
    table, _ = read_region_table(folder / "meth_atlas.examples.csv.gz")
    reference, _ = read_region_table(folder / "meth_atlas.reference_atlas.csv.gz")
    first, *_ = estimate_table(*matched(table, reference), LIKELIHOOD, True, 0, 0)
    found = dict(zip(first.tissues, first.proportions, strict=True))
    assert abs(found.pop("Monocytes_EPIC") - 0.9) < 0.03
    assert abs(found.pop("Breast") - 0.1) < 0.03
    assert max(found.values()) < 0.03


@pytest.mark.data
def test_placenta_in_cell_free_dna_of_the_pregnant(data_folder):
    table, reference = read_region_table(data_folder / "methylation" / "celfie.sample_data.txt.gz")
    found = estimate_table(table, reference, LIKELIHOOD, True, 0, 0)
    shares = {one.sample: one.proportions[one.tissues.index("placenta")] for one in found}
    pregnant = [share for name, share in shares.items() if name.startswith("preg")]
    others = [share for name, share in shares.items() if name.startswith("nonpreg")]
    assert (len(pregnant), len(others)) == (7, 8)
    assert min(pregnant) > max(others)
    assert np.median(pregnant) >= 20 * np.median(others)
