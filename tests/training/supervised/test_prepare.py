"""From tables to splits on disk: values, places in a genome, what is refused, and memory."""

import tracemalloc

import numpy as np
import pytest
from labelled import class_table, regression_table, sequences, write_recipe, write_table

from genoscan.scanner.errors import UsageError
from genoscan.training.supervised.prepare import centred, input_digests, prepare
from genoscan.training.supervised.recipe import load_sequence_recipe


def prepared(tmp_path, table, *changes, recipe=None, log=lambda _: None):
    path = recipe or write_recipe(tmp_path / "r.toml")
    made = load_sequence_recipe(path, [f"inputs.data={table}", *changes])
    return prepare(made, tmp_path / "data", input_digests(made), log)


def letters(codes):
    return "".join("ACGTN"[code] for code in codes)


def test_rows_and_values(tmp_path):
    table = write_table(
        tmp_path / "t.tsv",
        ["sequence", "a", "b"],
        [["ACGTA", "1", ""], ["CC", "", "4"], ["GG", "", ""], ["TTT", "2", "8"]],
    )
    found = prepared(
        tmp_path, table, 'task.targets=["a","b"]', "task.transform=log2", "task.pseudocount=0.0", "data.window=4",
        "data.split.shares=[0.4,0.3,0.3]",
    )  # fmt: skip
    assert [letters(found.sequence(row)) for row in range(len(found))] == ["ACGT", "NCCN", "TTTN"]
    np.testing.assert_array_equal(found.targets, [[0, np.nan], [np.nan, 2], [1, 3]])
    assert found.lines.tolist() == [2, 3, 5]
    assert found.described["unlabelled"] == 1
    assert sorted(found.splits.tolist()) == [0, 1, 2]


def test_small_values_are_raised_before_the_logarithm(tmp_path):
    table = write_table(
        tmp_path / "t.tsv",
        ["sequence", "strength"],
        [[s, v] for s, v in zip(sequences(6), [-5, 0, 0.9, "", 1, 2], strict=True)],
    )
    found = prepared(
        tmp_path,
        table,
        "task.transform=log",
        "task.pseudocount=0.1",
        "task.lowest=0",
        "data.split.shares=[0.4,0.3,0.3]",
    )
    np.testing.assert_allclose(found.targets[:, 0], np.log([0.1, 0.1, 1.0, 1.1, 2.1]), rtol=1e-6)


def test_classes_are_numbered_as_the_recipe_names_them(tmp_path):
    recipe = write_recipe(
        tmp_path / "c.toml",
        (
            'kind = "regression"\ntargets = ["strength"]',
            'kind = "classification"\ntargets = ["kind"]\nclasses = ["rich", "poor"]',
        ),
    )
    found = prepared(tmp_path, class_table(tmp_path / "c.csv"), recipe=recipe)
    gc = np.array([np.isin(found.sequence(row), (1, 2)).mean() for row in range(len(found))])
    np.testing.assert_array_equal(found.targets[:, 0], np.where(gc > 0.5, 0, 1))


def test_places_in_a_genome(tmp_path):
    (genome,) = sequences(1, 1000)
    (tmp_path / "g.fa").write_text(f">c1\n{genome}\n>c2\nACGTACGTAC\n")
    rows = [["c1", 100, 120, "+", 1], ["c1", 300, 320, "-", 2], ["c2", 0, 10, "+", 3], ["c1", 990, 1000, "+", 4]]
    rows *= 3
    table = write_table(tmp_path / "t.tsv", ["contig", "start", "end", "strand", "strength"], rows)
    found = prepared(
        tmp_path,
        table,
        "data.sequence=",
        "data.strand=strand",
        f"inputs.genome={tmp_path / 'g.fa'}",
        "data.window=30",
        "data.split.duplicates=warn",
    )
    complement = str.maketrans("ACGT", "TGCA")
    assert [letters(found.sequence(row)) for row in range(4)] == [
        genome[95:125],
        genome[295:325].translate(complement)[::-1],
        "N" * 10 + "ACGTACGTAC" + "N" * 10,
        genome[980:] + "N" * 10,
    ]


def test_a_folder_has_its_splits(tmp_path):
    for number, name in enumerate(("train.tsv", "dev.csv.gz", "test.tsv.gz")):
        regression_table(tmp_path / "set" / name if (tmp_path / "set").mkdir(exist_ok=True) is None else "", 20, number)
    found = prepared(tmp_path, tmp_path / "set")
    assert found.splits.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    (tmp_path / "set" / "dev.csv.gz").unlink()
    with pytest.raises(UsageError, match="set: needs one validation"):
        prepared(tmp_path, tmp_path / "set")


def test_a_column_has_the_splits_and_groups_are_kept_together(tmp_path):
    rows = [[s, i, ("train", "Validation", "test", "")[i % 4], f"g{i // 8}"] for i, s in enumerate(sequences(64))]
    table = write_table(tmp_path / "t.tsv", ["sequence", "strength", "part", "gene"], rows)
    found = prepared(tmp_path, table, "data.split.by=column", 'data.split.columns=["part"]')
    assert found.splits.tolist() == [0, 1, 2, 255] * 16
    found = prepared(
        tmp_path, table, "data.split.by=group", 'data.split.columns=["gene"]', "data.split.shares=[0.5,0.25,0.25]"
    )
    assert (found.splits.reshape(8, 8) == found.splits[::8, None]).all()
    assert (found.keys.reshape(8, 8) == found.keys[::8, None]).all()
    assert set(found.splits.tolist()) == {0, 1, 2}


def test_blocks_of_a_genome(tmp_path):
    rows = [[s, i, 100 * i, 100 * i + 40] for i, s in enumerate(sequences(200))]
    table = write_table(tmp_path / "t.tsv", ["sequence", "strength", "start", "end"], rows)
    found = prepared(
        tmp_path, table, "data.contig=", "data.split.by=block", "data.split.block=1000", "data.split.margin=100"
    )
    blocks = [set(found.splits[begin : begin + 10].tolist()) - {255} for begin in range(0, 200, 10)]
    assert all(len(one) == 1 for one in blocks)
    changes = sum(one != other for one, other in zip(blocks, blocks[1:], strict=False))
    assert (found.splits == 255).sum() == 2 * changes  # the last row of a block and the first of the next


def test_homologues_are_kept_together_and_copies_are_refused(tmp_path):
    families = sequences(20, 200)
    rows = [[f[: 100 + n] + "ACGT"[n] + f[101 + n :], n] for f in families for n in range(4)]
    table = write_table(tmp_path / "t.tsv", ["sequence", "strength"], rows)
    changes = ("data.window=200", "data.split.shares=[0.6,0.2,0.2]")
    found = prepared(tmp_path, table, "data.split.by=homology", *changes)
    assert (found.splits.reshape(20, 4) == found.splits[::4, None]).all()
    assert found.described["related_to_training"] == {"validation": 0.0, "test": 0.0}
    table = write_table(tmp_path / "t.tsv", ["sequence", "strength"], rows + rows)
    with pytest.raises(UsageError, match=r"share \d+ sequences or reverse complements, such as rows \d+ and \d+"):
        prepared(tmp_path, table, *changes)
    told = []
    found = prepared(tmp_path, table, "data.split.duplicates=drop", *changes, log=told.append)
    assert found.described["left_out"] > 0
    assert found.described["related_to_training"]["test"] > 0.2
    assert any("left out of train" in line for line in told)


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([["ACGT", "x"]], [], r"t\.tsv line 2: could not convert string to float: 'x'"),
        ([["ACGT", "inf"]], [], r"t\.tsv line 2: has an infinite value"),
        ([["AC-T", "1"]], [], r"t\.tsv line 2: has letters that are no nucleotides"),
        ([["", "1"]], [], r"t\.tsv line 2: has no sequence"),
        ([["ACGT", "-3"]], ["task.transform=log1p"], r"t\.tsv line 2: has a value with no logarithm"),
        ([["ACGT", ""]], [], "has no row with a sequence and a value of strength"),
        ([["ACGT", "1"]], [], "the validation split is empty"),
        ([["ACGT", "1"]], ["data.sequence="], "say --genome FASTA"),
        ([["ACGT", "1"]], ["data.sequence=seq"], r"has no column 'seq'"),
        ([["ACGT", "1"]], ["data.split.by=column", 'data.split.columns=["sequence"]'], "'acgt' is no split"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, rows, changes, message):
    table = write_table(tmp_path / "t.tsv", ["sequence", "strength"], rows)
    with pytest.raises(UsageError, match=message):
        prepared(tmp_path, table, *changes)
    with pytest.raises(UsageError, match=r"nowhere\.tsv: no such table"):
        prepared(tmp_path, "nowhere.tsv")


def test_a_whole_set_is_taken_as_it_is_and_another_made_anew(tmp_path):
    table = regression_table(tmp_path / "t.tsv")
    first = prepared(tmp_path, table)
    stamp = (tmp_path / "data" / "codes.bin").stat().st_mtime_ns
    np.testing.assert_array_equal(prepared(tmp_path, table).splits, first.splits)
    assert (tmp_path / "data" / "codes.bin").stat().st_mtime_ns == stamp
    prepared(tmp_path, table, "data.window=20")
    assert (tmp_path / "data" / "codes.bin").stat().st_size == 20 * 160


def test_the_middle_is_kept_or_filled_up():
    codes = np.arange(5, dtype=np.uint8)
    assert centred(codes, 3).tolist() == [1, 2, 3]
    assert centred(codes, 2).tolist() == [1, 2]
    assert centred(codes, 8).tolist() == [4, 0, 1, 2, 3, 4, 4, 4]


def test_memory_does_not_grow_with_the_set(tmp_path):
    """A row costs a quarter of its own 4,000 bases at most: its sketch and places, while the splits are made."""
    recipe, peaks = write_recipe(tmp_path / "r.toml"), []
    for rows in (500, 3500):
        table = write_table(tmp_path / f"{rows}.tsv", ["sequence", "strength"], ([s, 1] for s in sequences(rows, 4000)))
        made = load_sequence_recipe(recipe, [f"inputs.data={table}", "data.window=4000"])
        prepare(made, tmp_path / "warm", input_digests(made), lambda _: None)  # what is compiled is in neither figure
        tracemalloc.start()
        prepare(made, tmp_path / f"data{rows}", input_digests(made), lambda _: None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 3000 < 1000
