"""Atlases: both forms to the digit, and what is wrong with a table named by file, line and column."""

import gzip

import numpy as np
import pytest

from genoscan.scanner.errors import UsageError
from genoscan.scanner.reading.atlas import read_atlas

UXM = (
    "chr\tstart\tend\tstartCpG\tendCpG\ttarget\tname\tdirection\tLiver\tBlood-T\n"
    "chr1\t100\t150\t7\t12\tLiver\tchr1:100-150\tU\t0.9\tNA\n"
    "\n"
    "chr2\t5\t9\t40\t41\tBlood-T\tchr2:5-9\tM\t1\t0.125\n"
)
PANEL = (
    "chr\tstart\tend\ttarget\tdirection\tflank\tcpgs_in_sequence\tsequence\tA\tB\n"
    "chr1\t2\t5\tA\tU\t2\t1\tacCGTNN\t1\t0\n"
)


@pytest.mark.parametrize("pack", [lambda text: text, gzip.compress, lambda text: text.replace(b"\n", b"\r\n")])
def test_the_form_of_uxm(tmp_path, pack):
    path = tmp_path / "atlas.tsv"
    path.write_bytes(pack(UXM.encode()))
    atlas = read_atlas(path)
    assert atlas.chroms == ["chr1", "chr2"]
    assert atlas.starts.tolist() == [100, 5]
    assert atlas.ends.tolist() == [150, 9]
    assert atlas.first_cpgs.tolist() == [7, 40]
    assert atlas.last_cpgs.tolist() == [12, 41]
    assert atlas.targets == ["Liver", "Blood-T"]
    assert atlas.directions == ["U", "M"]
    assert atlas.cell_types == ("Liver", "Blood-T")
    np.testing.assert_array_equal(atlas.unmethylated, [[0.9, np.nan], [1, 0.125]])
    assert atlas.unmethylated.dtype == np.float64
    assert atlas.sequences is None
    assert atlas.flank == 0


def test_the_form_with_sequences(tmp_path):
    path = tmp_path / "panel.tsv"
    path.write_text(PANEL)
    atlas = read_atlas(path)
    assert atlas.sequences == ["ACCGTNN"]
    assert atlas.flank == 2
    assert atlas.first_cpgs is None
    assert atlas.cell_types == ("A", "B")


def test_only_places_and_cell_types(tmp_path):
    path = tmp_path / "plain.tsv"
    path.write_text("chrom\tstart\tend\tA\tB\n1\t0\t3\t0.5\tnan\n")
    atlas = read_atlas(path)
    assert atlas.targets == [""]
    assert atlas.directions == ["U"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no atlas"),
        ("a\tb\n1\t2\n", "is no atlas"),
        (UXM.splitlines()[0] + "\n", "no markers"),
        (UXM.replace("0.9", "1.5"), "line 2: column Liver: '1.5'"),
        (UXM.replace("0.125", "high"), "line 4: column Blood-T: 'high'"),
        (UXM.replace("\t0.125", ""), "line 4: has 9 columns, its header 10"),
        (UXM.replace("\t100\t", "\t-1\t"), "line 2: start '-1'"),
        (UXM.replace("\t100\t150", "\t150\t150"), "line 2: end 150"),
        (UXM.replace("40\t41", "41\t40"), "line 4: endCpG 40"),
        (UXM.replace("\tM\t", "\tX\t"), "line 4: direction 'X'"),
        (UXM.replace("Blood-T\n", "Liver\n", 1), "two columns 'Liver'"),
        (UXM.replace("endCpG", "endcpg"), "startCpG and no endCpG"),
        (PANEL.replace("acCGTNN", "acCGTN"), "line 2: sequence has 6 bases"),
        (PANEL.replace("acCGTNN", "acCGTXN"), "line 2: sequence has a letter"),
        (PANEL.replace("\tflank", "\tedge"), "sequence and no flank"),
        (PANEL.replace("\tB\n", "\t\n"), "column 10 has no name"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, said):
    path = tmp_path / "atlas.tsv"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_atlas(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.data
def test_published_atlases(data_folder):
    panel = read_atlas(data_folder / "methylation" / "panel_hg38.tsv.gz")
    assert panel.unmethylated.shape == (163, 40)
    assert panel.flank == 300
    assert {sequence[300:-300].count("CG") > 3 for sequence in panel.sequences} == {True}
    uxm = read_atlas(data_folder / "methylation" / "uxm_deconv.Atlas.U25.l4.hg19.tsv.gz")
    assert uxm.unmethylated.shape == (900, 36)
    assert int(np.isnan(uxm.unmethylated).any(axis=1).sum()) == 82
