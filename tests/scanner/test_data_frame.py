"""Calls as a data frame, against the calls one by one."""

import pandas
import pytest
import toys

import genoscan

COLUMNS = ["chrom", "start", "end", "name", "score", "strand", "peak"]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "genome.fa").write_text(
        ">b\n" + "ACGT" * 20 + "G" * 40 + "A" * 30 + ">a\n".join(["\n", "T" * 9 + "G" * 30]) + "\n"
    )
    toys.write(tmp_path / "g.onnx", toys.base_model("G", 32, 8))
    return tmp_path


def test_a_frame_holds_the_calls(place):
    frame = genoscan.scan(place / "genome.fa", place / "g.onnx", device="cpu").to_dataframe()
    calls = list(genoscan.scan(place / "genome.fa", place / "g.onnx", device="cpu"))
    assert list(frame.columns) == COLUMNS
    assert [tuple(row) for row in frame.itertuples(index=False)] == [tuple(call)[:7] for call in calls]
    assert frame.groupby("chrom")["end"].max().to_dict() == {"a": 39, "b": 120}
    assert frame.index.tolist() == list(range(len(calls)))


def test_a_frame_without_calls_has_the_columns_of_the_model(place):
    (place / "none.fa").write_text(">a\n" + "N" * 500 + "\n")
    for model, more in ((place / "g.onnx", 0), ("repeats", 12)):
        frame = genoscan.scan(place / "none.fa", model, device="cpu").to_dataframe()
        assert (len(frame), len(frame.columns)) == (0, 7 + more)
        assert pandas.api.types.is_integer_dtype(frame["start"])


def test_calls_taken_before_are_not_forgotten_silently(place):
    calls = genoscan.scan(place / "genome.fa", place / "g.onnx", device="cpu")
    assert next(calls).chrom == "b"
    with pytest.raises(ValueError, match="scan again for a data frame"):
        calls.to_dataframe()
    calls.close()
    assert list(calls) == []
