"""Loci from others' files: golden records, pysam and TRF as judges, and one line for what is wrong."""

import gzip
import shutil
import subprocess

import numpy as np
import pysam
import pytest
from fastas import silent, write
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.errors import UsageError
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.tiles import INTERVAL
from genoscan.training.data.loci import distinct_loci, read_loci

UNIT = "ACGTTGCAAT"
ARRAY = UNIT * 3
FIRST = "TTGACCATGA" + ARRAY + "GGCATAGCTTAACCGT"
"""The array lies at [10, 40)."""
GENOME = f">one\n{FIRST}\n>two\nACGTACGTAC{ARRAY}\n"
VNTRSEEK = (
    "##fileformat=VCFv4.2\n##source=Vntrseek ver. 1.10\n"
    '##INFO=<ID=RC,Number=1,Type=Float,Description="Reference Copies">\n'
    '##INFO=<ID=RPL,Number=1,Type=Integer,Description="Reference Pattern Length">\n'
    '##INFO=<ID=RAL,Number=1,Type=Integer,Description="Reference Tandem Array Length">\n'
    '##INFO=<ID=RCP,Number=1,Type=String,Description="Reference Consensus Pattern">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tsample\n"
)
INFO = f"RC=3.00;RPL=10;RAL=30;RCP={UNIT};"
PLAIN = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def record(chrom, position, ref=ARRAY, alt=".", info=INFO):
    return f"{chrom}\t{position}\ttd1\t{ref}\t{alt}\t.\tPASS\t{info}\tGT:SP:CGL\t0/0:7:0\n"


@pytest.fixture
def genome(tmp_path):
    with open_genome(write(tmp_path, GENOME), silent) as opened:
        yield opened


def loci_of(tmp_path, genome, text, name="loci"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [tuple(locus) for locus in read_loci(str(path), genome).tolist()]


def test_vntrseek_counts_from_zero(tmp_path, genome):
    text = VNTRSEEK + record("one", 10, alt=UNIT * 2 + "," + UNIT * 4) + record("two", 10)
    assert loci_of(tmp_path, genome, text) == [(0, 10, 40), (1, 10, 40)]


def test_other_vcfs_count_from_one(tmp_path, genome):
    assert loci_of(tmp_path, genome, PLAIN + record("one", 11) + record("two", 11)) == [(0, 10, 40), (1, 10, 40)]


def test_what_the_genome_has_decides_and_not_the_header(tmp_path, genome):
    assert loci_of(tmp_path, genome, VNTRSEEK + record("one", 11)) == [(0, 10, 40)]
    assert loci_of(tmp_path, genome, PLAIN + record("one", 10)) == [(0, 10, 40)]


def test_arrays_without_their_sequence(tmp_path, genome):
    assert loci_of(tmp_path, genome, VNTRSEEK + record("one", 10, ref=".")) == [(0, 10, 40)]
    assert loci_of(tmp_path, genome, PLAIN + record("one", 11, ref=".", info="END=40")) == [(0, 10, 40)]
    padded = record("one", 10, ref="A", alt="<CNV:TR>", info="SVTYPE=CNV;END=40")
    assert loci_of(tmp_path, genome, PLAIN + padded) == [(0, 10, 40)]


def test_pysam_places_records_alike(tmp_path, genome):
    header = "##fileformat=VCFv4.2\n##contig=<ID=one>\n##contig=<ID=two>\n"
    header += '##INFO=<ID=END,Number=1,Type=Integer,Description="End">\n'
    text = header + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    text += f"one\t11\t.\t{ARRAY}\t{UNIT}\t.\t.\t.\ntwo\t13\t.\t{ARRAY[2:9]}\t.\t.\t.\tEND=19\n"
    found = loci_of(tmp_path, genome, text, "loci.vcf")
    with pysam.VariantFile(str(tmp_path / "loci.vcf")) as records:
        expected = [({"one": 0, "two": 1}[one.chrom], one.start, one.stop) for one in records]
    assert found == expected


def test_bed_and_gzip(tmp_path, genome):
    bed = "#chrom\tstart\tend\ntrack name=x\none\t10\t40\ttrf\t64\none\t12\t30\n"
    assert loci_of(tmp_path, genome, bed) == [(0, 10, 40), (0, 12, 30)]
    assert loci_of(tmp_path, genome, gzip.compress(bed.encode()), "loci.gz") == [(0, 10, 40), (0, 12, 30)]


def test_both_outputs_of_trf(tmp_path, genome):
    row = "11 40 10 3.0 10 100 0 60 30 20 20 30 1.97 ACGTTGCAAT ACGTTGCAAT\n"
    assert loci_of(tmp_path, genome, f"@one some words\n{row}@two\n{row}") == [(0, 10, 40), (1, 10, 40)]
    dat = f"Tandem Repeats Finder Program written by:\n\nGary Benson\n\nSequence: two\n\nParameters: 2 7 7\n\n\n{row}"
    assert loci_of(tmp_path, genome, dat) == [(1, 10, 40)]


@pytest.mark.skipif(shutil.which("trf") is None, reason="TRF is not installed")
def test_what_trf_prints_is_read(tmp_path, genome):
    command = ["trf", str(tmp_path / "genome.fa"), "2", "7", "7", "80", "10", "50", "500", "-h", "-ngs"]
    printed = subprocess.run(command, capture_output=True, check=False, timeout=60).stdout
    assert loci_of(tmp_path, genome, printed) == [(0, 10, 40), (1, 10, 40)]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (PLAIN + record("three", 11), 3, "unknown contig 'three'"),
        (PLAIN + record("one", 12), 3, "REF is not what"),
        (PLAIN + record("two", 11) + record("one", "x"), 4, "'x' is not a position"),
        (PLAIN + "one\t11\t.\tACGT\n", 3, "has 4 columns"),
        (PLAIN + record("one", 11, ref="AC!"), 3, "is no sequence"),
        (PLAIN + record("one", 11, info="END=forty"), 3, "INFO END"),
        (PLAIN + record("one", 11, ref=".", info="RC=3"), 3, "neither by REF nor by INFO END or RAL"),
        (PLAIN + record("one", 30, ref=".", info="END=400"), 3, "beyond the end of 'one', which has 56 bases"),
        (PLAIN + record("one", 30, ref=".", info="END=20"), 3, "not after its start"),
        ("one\t10\t400\n", 1, "beyond the end of 'one'"),
        ("three\t10\t40\n", 1, "unknown contig 'three'"),
        ("one\tten\t40\n", 1, "is not a position"),
        ("@one\n11 x 10\n", 2, "no row of TRF"),
        ("@\n11 40 10 3.0 10 100 0 60 30 20 20 30 1.97 A A\n", 2, "no row of TRF"),
        ("@one\n11 400 10 3.0 10 100 0 60 30 20 20 30 1.97 A A\n", 2, "beyond the end of 'one'"),
    ],
)
def test_errors_name_file_and_line(tmp_path, genome, text, line, message):
    with pytest.raises(UsageError) as caught:
        loci_of(tmp_path, genome, text)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / 'loci'} line {line}: ")
    assert message in told
    assert "\n" not in told


@pytest.mark.parametrize("text", ["", "\n", PLAIN, "#chrom\tstart\tend\n", "@one\n"])
def test_a_file_without_records_is_an_error(tmp_path, genome, text):
    with pytest.raises(UsageError, match=r"loci: has no records"):
        loci_of(tmp_path, genome, text)


def test_the_longest_of_overlapping_loci_stays():
    rows = [(0, 40, 70), (0, 0, 30), (0, 20, 60), (0, 70, 99), (1, 0, 30), (1, 0, 31), (1, 50, 60)]
    kept = distinct_loci(np.array(rows, dtype=INTERVAL), 26)
    assert kept.tolist() == [(0, 20, 60), (0, 70, 99), (1, 0, 31)]


spans = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 80), st.integers(1, 30)), max_size=20)


@given(spans)
def test_distinct_loci_share_no_base_and_leave_no_place_out(rows):
    loci = np.array([(contig, start, start + size) for contig, start, size in rows], dtype=INTERVAL)
    kept = distinct_loci(loci, 1)
    covered, before = np.zeros((3, 120), dtype=int), np.zeros((3, 120), dtype=bool)
    for contig, start, end in kept.tolist():
        covered[contig, start:end] += 1
    for contig, start, end in loci.tolist():
        before[contig, start:end] = True
    assert covered.max(initial=0) <= 1
    for contig in range(3):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], before[contig], [False])).astype(int)))
        for start, end in edges.reshape(-1, 2):
            assert covered[contig, start:end].any()
