"""The tables on disk: there and back, the same bytes, and one line for what is wrong."""

import gzip

import numpy as np
import pytest

from genoscan.scanner.errors import UsageError
from genoscan.training.data.window_dataset import (
    COLUMNS,
    Window,
    read_description,
    read_split,
    split_file,
    write_split,
)


def codes(text):
    return np.array(["ACGTN".index(letter) for letter in text.upper()], dtype=np.uint8)


def window(sequence="ACGT", label=1, left="aCN", right=""):
    lower = [np.array([letter.islower() for letter in text], dtype=bool) for text in (left, right)]
    return Window(codes(sequence), label, "chr1", 3, 7, 12, codes(left), codes(right), *lower)


def test_there_and_back(tmp_path):
    rows = [window(), window("ACNTA", 0, "", "GGtt")]
    assert write_split(tmp_path, "train", rows) == 2
    lines = gzip.decompress(split_file(tmp_path, "train").read_bytes()).decode().splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert lines[1:] == ["ACGT\t1\tchr1\t3\t7\t12\taCN\t", "ACNTA\t0\tchr1\t3\t7\t12\t\tGGtt"]
    for one, other in zip(read_split(tmp_path, "train"), rows, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            assert np.array_equal(mine, theirs)


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("test", "validation"):
        write_split(tmp_path, name, [window()])
    assert split_file(tmp_path, "test").read_bytes() == split_file(tmp_path, "validation").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test.tsv.gz", "validation.tsv.gz"]


GOOD = "ACGT\t1\tchr1\t0\t4\t0\tA\tC"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ACGT\t1\tchr1\t0\t4\t0\tA", "has 7 columns, expected 8"),
        (GOOD.replace("\t1\t", "\t2\t"), "label '2' is neither 0 nor 1"),
        (GOOD.replace("ACGT", "ACJT"), "letters that are no nucleotides"),
        (GOOD.replace("ACGT", ""), "has no sequence"),
        (GOOD.replace("\t4\t", "\t-4\t"), "whole numbers"),
        ("", "has 1 columns"),
    ],
)
def test_errors_name_file_and_line(tmp_path, line, message):
    path = split_file(tmp_path, "train")
    path.write_bytes(gzip.compress("\n".join(["\t".join(COLUMNS), GOOD, line]).encode() + b"\n"))
    with pytest.raises(UsageError) as caught:
        read_split(tmp_path, "train")
    assert str(caught.value).startswith(f"{path} line 3: ")
    assert message in str(caught.value)


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(UsageError, match=r"train\.tsv\.gz: no such file: make the data set with"):
        read_split(tmp_path, "train")
    split_file(tmp_path, "train").write_bytes(gzip.compress(b"sequence\tlabel\n"))
    with pytest.raises(UsageError, match=r"line 1: expected the columns sequence, label"):
        read_split(tmp_path, "train")
    split_file(tmp_path, "train").write_bytes(gzip.compress(("\t".join(COLUMNS) + "\n").encode()))
    with pytest.raises(UsageError, match="has no sequences"):
        read_split(tmp_path, "train")
    with pytest.raises(UsageError, match=r"dataset\.json: no such file"):
        read_description(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(UsageError, match=r"dataset\.json: damaged"):
        read_description(tmp_path)
