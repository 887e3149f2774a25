"""Tables: TSV, CSV, gzip and Parquet give the same rows; what is wrong is named with its line."""

import pytest
from labelled import write_table

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.data.table import column_names, read_table

COLUMNS = ["id", "sequence", "value"]
ROWS = [["a", "ACGT", "1.5"], ["b", "GG", ""], ["c, d", "T", "-2"]]


@pytest.mark.parametrize("name", ["t.tsv", "t.csv", "t.txt.gz", "t.csv.gz"])
def test_text_tables(tmp_path, name):
    path = write_table(tmp_path / name, COLUMNS, ROWS)
    assert column_names(path) == COLUMNS
    assert list(read_table(path, ["value", "id"])) == [(2, ["1.5", "a"]), (3, ["", "b"]), (4, ["-2", "c, d"])]


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table as write_parquet

    path = tmp_path / "t.parquet"
    write_parquet(arrow.table({"sequence": ["ACGT", "GG"], "value": [1.5, None]}), path)
    assert column_names(path) == ["sequence", "value"]
    assert list(read_table(path, ["value", "sequence"])) == [(1, ["1.5", "ACGT"]), (2, ["", "GG"])]
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(GenoscanError, match=r"t\.parquet: cannot be read as Parquet"):
        list(read_table(path, ["value"]))


def test_what_is_wrong_is_named(tmp_path):
    path = write_table(tmp_path / "t.tsv", COLUMNS, [*ROWS, ["short"]])
    with pytest.raises(UsageError, match="has no column 'strength'; its columns are id, sequence, value"):
        list(read_table(path, ["strength"]))
    with pytest.raises(UsageError, match=r"t\.tsv line 5: has 1 columns, its header 3"):
        list(read_table(path, ["value"]))
    path.write_text("")
    with pytest.raises(UsageError, match="is empty"):
        list(read_table(path, ["value"]))
    (tmp_path / "cut.tsv.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    with pytest.raises(GenoscanError, match=r"cut\.tsv\.gz: cannot be read as a table"):
        list(read_table(tmp_path / "cut.tsv.gz", ["value"]))
