"""Sample sheets: what they mean, and one line that names the sheet and the line for what they cannot mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.batch import Sample
from genoscan.scanner.errors import UsageError
from genoscan.scanner.sheet import read_sheet


def sheet(tmp_path, text, models=()):
    path = tmp_path / "sheet.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sheet(str(path), models)


def test_every_column(tmp_path):
    text = (
        "sample\tgenome\tmodels\tregions\n"
        "# a comment\n"
        "one\ta.fa\trepeats, my.onnx\tchr1:1,001-2,000;chr2 ; targets.bed\n"
        "\n"
        "two\tb b.fa.gz\trepeats\t\n"
    )
    assert sheet(tmp_path, text) == [
        Sample("one", "a.fa", ("repeats", "my.onnx"), ("chr1:1,001-2,000", "chr2", "targets.bed")),
        Sample("two", "b b.fa.gz", ("repeats",), ()),
    ]


@pytest.mark.parametrize(
    "text", ["genome\tsample\na.fa\tone\n", "\ufeffsample\tgenome\r\none\ta.fa\r\n", "sample\tgenome\none\ta.fa"]
)
def test_columns_in_any_order_and_any_line_ends(tmp_path, text):
    assert sheet(tmp_path, text, ("repeats",)) == [Sample("one", "a.fa", ("repeats",))]


def test_models_of_the_command_are_for_rows_without(tmp_path):
    text = "sample\tgenome\tmodels\none\ta.fa\ntwo\tb.fa\tmine\n"
    assert [one.models for one in sheet(tmp_path, text, ("repeats",))] == [("repeats",), ("mine",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: expected a line with the columns sample, genome, models, regions"),
        ("\n# only comments\n", "is empty"),
        ("sample\tgenome\n", "has no samples"),
        ("sample\tmodels\none\trepeats\n", "line 1: no column 'genome'"),
        ("#x\nsample genome\none a.fa\n", "line 2: no column 'sample'"),
        ("sample\tgenome\tcolour\none\ta.fa\tred\n", "line 1: column 'colour'; the columns are"),
        ("sample\tgenome\tgenome\none\ta.fa\tb.fa\n", "line 1: a column twice"),
        ("sample\tgenome\none\ta.fa\tmore\n", "line 2: 3 cells for 2 columns"),
        ("sample\tgenome\none\t\n", "line 2: a sample needs a name and a genome"),
        ("sample\tgenome\n\ta.fa\n", "line 2: a sample needs a name and a genome"),
        ("sample\tgenome\none\ta.fa\none\tb.fa\n", "line 3: sample 'one' is there twice"),
        ("sample\tgenome\n../one\ta.fa\n", "sample '../one' cannot be part of a file name"),
        ("sample\tgenome\n.one\ta.fa\n", "cannot be part of a file name"),
        (b"sample\tgenome\n\xff\xfe\ta.fa\n", "is not a text file in UTF-8"),
    ],
)
def test_what_a_sheet_cannot_mean(tmp_path, text, said):
    with pytest.raises(UsageError) as raised:
        sheet(tmp_path, text, ("repeats",))
    assert str(raised.value).startswith(str(tmp_path / "sheet.tsv"))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_row_without_models_needs_some_from_the_command(tmp_path):
    with pytest.raises(UsageError, match="line 2: no models"):
        sheet(tmp_path, "sample\tgenome\tmodels\none\ta.fa\t \n")


@given(text=st.text(alphabet="sample\tgenome\nx,;#\"'\r\x00 \u2028ä", max_size=80))
def test_anything_else_is_a_clear_error_too(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("sheet")
    for one in (text, f"sample\tgenome\n{text}"):
        try:
            samples = sheet(folder, one, ("repeats",))
        except UsageError as error:
            samples, said = [], str(error)
            assert "\n" not in said
        assert all(sample.name and sample.genome and sample.models for sample in samples)
