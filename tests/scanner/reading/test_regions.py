"""Regions: what a user writes, and the half-open intervals that it means."""

import gzip
import random

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.errors import UsageError
from genoscan.scanner.reading import regions as regions_module
from genoscan.scanner.reading.names import Names
from genoscan.scanner.reading.regions import merge_intervals, parse_regions
from genoscan.scanner.reading.tiles import INTERVAL

NAMES = Names(["chr1", "chr2", "HLA:A*01", "HLA", "empty", "chr2:5-9"])
LENGTHS = np.array([5000, 100, 50, 20, 0, 7], dtype=np.int64)


def parsed(*texts: str) -> list[tuple[int, int, int]]:
    return [tuple(interval) for interval in parse_regions(texts, NAMES, LENGTHS, "genome.fa").tolist()]


def complaint(*texts: str) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(*texts)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("chr1", (0, 0, 5000)),
        ("chr1:1-1", (0, 0, 1)),
        ("chr1:1,001-2,000", (0, 1000, 2000)),
        ("chr1:1001-2000", (0, 1000, 2000)),
        ("chr1:5000-5000", (0, 4999, 5000)),
        ("chr1:5", (0, 4, 5000)),
        ("chr1:5-", (0, 4, 5000)),
        ("chr1:-5", (0, 0, 5)),
        ("HLA:A*01", (2, 0, 50)),
        ("HLA:A*01:5-10", (2, 4, 10)),
        ("HLA:5-10", (3, 4, 10)),
        ("chr2:5-9", (5, 0, 7)),  # a contig of that name comes first
        ("chr2:5-9:2-3", (5, 1, 3)),
        ("chr2:5-10", (1, 4, 10)),
    ],
)
def test_region_strings(text, interval):
    assert parsed(text) == [interval]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chr1:0-5", "counted from 1"),
        ("chr1:0", "counted from 1"),
        ("chr1:6-5", "starts after its end"),
        ("chr1:4990-5001", "reaches beyond the end of 'chr1', which has 5,000 bases"),
        ("chr1:5001", "reaches beyond the end of 'chr1', which has 5,000 bases"),
        ("chr1:" + "9" * 25, "reaches beyond"),
        ("chr1:", "expected chr1:START-END"),
        ("chr1:-", "expected chr1:START-END"),
        ("chr1:a-b", "expected chr1:START-END"),
        ("chr1:1-2-3", "expected chr1:START-END"),
        ("chr1:1_0-20", "expected chr1:START-END"),
        ("chr1:١-٥", "expected chr1:START-END"),
        ("chr1:" + "9" * 5000, "expected chr1:START-END"),
        ("chr3:1-5", "unknown contig 'chr3' in genome.fa; contigs are: chr1, chr2, HLA:A*01, HLA, empty, ... (6 in"),
        ("absent.bed", "unknown contig 'absent.bed'"),
        ("a\0b", "unknown contig"),
        ("empty", "no bases"),
        ("", "unknown contig ''"),
    ],
)
def test_bad_region_strings(text, said):
    message = complaint(text)
    assert said in message
    assert text in message


def test_sorted_and_merged():
    assert parsed("chr2:50-60", "chr1:11-20", "chr1:1-10", "chr1:15-30", "chr1:32", "chr2:60-61") == [
        (0, 0, 30),
        (0, 31, 5000),
        (1, 49, 61),
    ]
    with pytest.raises(UsageError, match="no bases"):
        parsed()


@given(
    st.lists(st.tuples(st.sampled_from([0, 2, 3]), st.integers(1, 20), st.integers(0, 8)), min_size=1, max_size=12),
    st.randoms(),
)
def test_the_same_bases_as_a_set(pieces, rng: random.Random):
    texts = [f"{NAMES[contig]}:{start}-{min(start + extra, int(LENGTHS[contig]))}" for contig, start, extra in pieces]
    expected = {
        (contig, position)
        for contig, start, extra in pieces
        for position in range(start - 1, min(start + extra, int(LENGTHS[contig])))
    }
    found = parsed(*texts)
    assert {(contig, position) for contig, start, end in found for position in range(start, end)} == expected
    assert all(a[0] < b[0] or a[2] < b[1] for a, b in zip(found, found[1:], strict=False))
    rng.shuffle(texts)
    assert parsed(*texts) == found


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 12)), max_size=20))
def test_merge_as_one_by_one(pieces):
    merged: list[tuple[int, int, int]] = []
    for contig, start, end in sorted(pieces):
        if start >= end:
            continue
        if merged and merged[-1][0] == contig and start <= merged[-1][2]:
            merged[-1] = (contig, merged[-1][1], max(merged[-1][2], end))
        else:
            merged.append((contig, start, end))
    intervals = np.array(pieces, dtype=INTERVAL)
    found = merge_intervals(intervals)
    assert found.dtype == INTERVAL
    assert found.tolist() == merged
    assert intervals.tolist() == pieces  # the caller's own


BED = """# comment
track name=x
browser position chr1:1-5
chr2\t10\t20\tname\t0\t+

chr1 0 5
chr1\t7\t7\r
chr1\t5\t6\r
HLA:A*01\t49\t50
"""


def test_bed(tmp_path):
    plain = tmp_path / "regions.bed"
    plain.write_bytes(BED.encode())
    packed = tmp_path / "regions.gz"
    packed.write_bytes(gzip.compress(BED.encode()))
    blocked = tmp_path / "blocked"
    with pysam.BGZFile(str(blocked), "wb") as file:
        file.write(BED.encode())
    for path in (plain, packed, blocked):
        assert parsed(str(path)) == [(0, 0, 6), (1, 10, 20), (2, 49, 50)]
    assert parsed(str(plain), "chr2:21-30") == [(0, 0, 6), (1, 10, 30), (2, 49, 50)]


def test_a_contig_comes_before_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chr1").write_text("chr2\t0\t1\n")
    assert parsed("chr1") == [(0, 0, 5000)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("chr1\t5", "at least three columns"),
        ("chr9\t5\t6", "unknown contig 'chr9' in genome.fa; contigs are: chr1"),
        ("chr1\t-5\t6", "'-5' is not a position"),
        ("chr1\t5\tx", "'x' is not a position"),
        ("chr1\t5\t6.0", "'6.0' is not a position"),
        ("chr1\t1_0\t20", "'1_0' is not a position"),
        ("chr1\t6\t5", "starts at 6, after its end at 5"),
        ("chr1\t4999\t5001", "beyond the end of 'chr1', which has 5,000 bases"),
    ],
)
def test_bad_bed(tmp_path, line, said):
    path = tmp_path / "regions.bed"
    path.write_text(f"# comment\nchr1\t1\t2\n{line}\n")
    message = complaint(str(path))
    assert said in message
    assert f"{path} line 3" in message


@pytest.mark.parametrize("block", [1, 2, 1000])
def test_the_first_bad_line_of_a_bed_is_told(tmp_path, monkeypatch, block):
    monkeypatch.setattr(regions_module, "LINES_IN_BLOCK", block)
    path = tmp_path / "regions.bed"
    lines = ["chr1\t0\t5", "chr2\t0\t5", "chr9\t0\tx", "chr1\t1", "chr8\t0\t1"]
    path.write_text("\n".join(lines))
    assert f"{path} line 3: unknown contig 'chr9'" in complaint(str(path))
    path.write_text("\n".join([*lines[:2], lines[3], "chr9\t0\t1"]))
    assert f"{path} line 3: expected at least three columns" in complaint(str(path))
    path.write_text("\n".join([*lines[:2], "chr2\t0\t101", "chr1\t0\tx"]))
    assert f"{path} line 3: ends at 101" in complaint(str(path))
    path.write_text("\n".join(lines[:2]))
    assert parsed(str(path)) == [(0, 0, 5), (1, 0, 5)]


def test_unreadable_bed(tmp_path):
    path = tmp_path / "regions.bed"
    path.write_bytes(gzip.compress(BED.encode() * 50)[:-10])
    assert "truncated" in complaint(str(path))
    path.write_bytes(b"chr1\t\xff\xfe\n")
    assert "not a text file" in complaint(str(path))
    path.write_bytes(b"# nothing\nchr1\t5\t5\n")
    assert "no bases" in complaint(str(path))
    assert "unknown contig" in complaint(str(tmp_path))
