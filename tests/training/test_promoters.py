"""Tables of promoters: stretches of the genome are held out, and nothing of them is left in training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.data.promoters import Blocks, parse_block, split_by_blocks, write_promoters

BLOCKS = Blocks(validation=[(1000, 2000)], test=[(5000, 6000)], excluded=[(8000, 9000)], margin=100)


@pytest.mark.parametrize(
    ("place", "split"),
    [
        ((0, 150), 0),
        ((750, 900), 0),  # ends where the margin begins
        ((751, 901), -1),
        ((850, 1001), 1),
        ((1999, 2149), 1),
        ((2000, 2150), -1),
        ((2100, 2250), 0),
        ((5500, 5650), 2),
        ((8999, 9149), -1),
        ((9100, 9250), 0),
    ],
)
def test_where_rows_go(place, split):
    assert split_by_blocks(np.array([place]), BLOCKS).tolist() == [split]


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=60))
def test_no_base_of_a_held_out_row_or_its_margin_is_trained_on(starts):
    places = np.array([(start, start + 150) for start in starts])
    splits = split_by_blocks(places, BLOCKS)
    for start, end in [*BLOCKS.validation, *BLOCKS.test, *BLOCKS.excluded]:
        near = (places[:, 0] < end + 100) & (places[:, 1] > start - 100)
        assert not (splits[near] == 0).any()


def write_source(path, rows):
    header = "name\tsequence\texpression\tstart\tend\tstrand\n"
    path.write_text(header + "".join("\t".join(["x", *map(str, row)]) + "\n" for row in rows))
    return path


def random_sequence(seed, length=150):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length))


def test_a_table_by_hand(tmp_path):
    held = random_sequence(1)
    turned = held[::-1].translate(str.maketrans("ACGT", "TGCA"))
    rows = [
        (held, 2.5, 1500, 1650, "+"),
        (random_sequence(2), -0.3, 100, 250, "-"),
        (random_sequence(3, 120) + held[40:70], 1.0, 3000, 3150, "+"),  # 30 bases of what is held out
        (random_sequence(4, 121) + held[40:69], 1.0, 3300, 3450, "+"),  # 29
        (turned, 1.0, 4000, 4150, "-"),
        (random_sequence(5), 0.125, 5100, 5250, "-"),
    ]
    counts = write_promoters(write_source(tmp_path / "in.tsv", rows), "chr", BLOCKS, tmp_path / "out.tsv")
    assert counts == {"train": 2, "validation": 1, "test": 1}
    assert (tmp_path / "out.tsv").read_text().splitlines() == [
        "contig\tstart\tend\tstrand\tstrength\tsplit",
        "chr\t1500\t1650\t+\t2.5\tvalidation",
        "chr\t100\t250\t-\t0\ttrain",
        "chr\t3300\t3450\t+\t1\ttrain",
        "chr\t5100\t5250\t-\t0.125\ttest",
    ]


@pytest.mark.parametrize(
    "row", [("ACGT", "much", 1, 5, "+"), ("ACGT", 1.0, 5, 1, "+"), ("ACGT", 1.0, 1, 5, "."), ("ACGT", "nan", 1, 5, "+")]
)
def test_a_wrong_line_is_named(tmp_path, row):
    source = write_source(tmp_path / "in.tsv", [("ACGT", 1.0, 1, 5, "+"), row])
    with pytest.raises(GenoscanError, match=r"in\.tsv line 3: "):
        write_promoters(source, "chr", BLOCKS, tmp_path / "out.tsv")


@pytest.mark.parametrize(("text", "block"), [("1,000-2,000", (1000, 2000)), ("0-1", (0, 1))])
def test_blocks(text, block):
    assert parse_block(text) == block


@pytest.mark.parametrize("text", ["5", "7-7", "9-3", "a-b", "-5", "1-2-3"])
def test_wrong_blocks(text):
    with pytest.raises(UsageError, match="say START-END"):
        parse_block(text)
