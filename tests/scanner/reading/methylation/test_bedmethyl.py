"""bedMethyl of ENCODE's and modkit's forms: counts of sites as reads of one CpG."""

import pytest
from bams import told, write_fasta

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.methylation.reads import Region
from genoscan.scanner.reading.methylation.sample import open_sample

REFERENCE = "TTACGTTCGATTTTCGAA"  # CpGs at 3, 7 and 14


def row(start, strand, *counts, name=".", separator="\t"):
    return f"chr1\t{start}\t{start + 1}\t{name}\t0\t{strand}\t{start}\t{start + 1}\t0,0,0\t" + separator.join(
        map(str, counts)
    )


@pytest.fixture
def genome(tmp_path):
    with open_genome(write_fasta(tmp_path / "genome.fa", {"chr1": REFERENCE})) as genome:
        yield genome


def opened(tmp_path, genome, *rows):
    path = tmp_path / "sample.bed"
    path.write_text("".join(f"{one}\n" for one in rows))
    return open_sample(path, genome)


def test_coverage_and_percent(tmp_path, genome):
    sample = opened(
        tmp_path, genome, row(3, "+", 10, 30), row(4, "-", 4, 100), row(7, ".", 3, 66.7), row(10, "+", 5, 0)
    )
    (found,) = sample.reads([Region("chr1", 0, 18)])
    rows = [(3, 5, {3: 0}, 7), (3, 5, {3: 1}, 3), (3, 5, {3: 1}, 4), (7, 9, {7: 0}, 1), (7, 9, {7: 1}, 2)]
    assert told(found) == rows
    assert sample.tally.records == 22
    assert sample.tally.without_cpg == 5
    assert [len(one.starts) for one in sample.reads([Region("chr1", 4, 7), Region("chr1", 7, 8)])] == [0, 2]


@pytest.mark.parametrize("separator", ["\t", " "])
def test_counts_of_modkit(tmp_path, genome, separator):
    """Rows of 5mC are used, those of other modifications of the same C are counted in them."""
    counts = {"separator": separator}
    sample = opened(
        tmp_path,
        genome,
        row(3, "+", 9, 44.44, 4, 3, 2, 0, 0, 0, 0, name="m", **counts),
        row(3, "+", 9, 22.22, 2, 3, 4, 0, 0, 0, 0, name="h", **counts),
        row(7, "+", 2, 50, 1, 1, 0, 0, 0, 0, 0, name="m,CG,0", **counts),
        row(14, "+", 2, 50, 1, 1, 0, 0, 0, 0, 0, name="a", **counts),
    )
    (found,) = sample.reads()
    assert told(found) == [(3, 5, {3: 0}, 3), (3, 5, {3: 1}, 6), (7, 9, {7: 0}, 1), (7, 9, {7: 1}, 1)]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([row(3, "+", 10, 30), row(7, "+", "x", 30)], "line 2: the coverage is no whole number"),
        ([row(3, "+", 10, 30), row(7, "+", 10, 130)], "line 2: the percent methylated is no number from 0 to 100"),
        ([row(3, "+", 10, 30), row(7, "+", 10)], "line 2: expected at least 11 columns"),
        ([row(7, "+", 10, 30), row(3, "+", 10, 3)], "line 2: is out of order"),
        ([row(30, "+", 10, 30)], "is of another assembly than .*: it has a site at 30 of 'chr1', which has 18 bases"),
        ([row(3, "+", 10, 30).replace("chr1", "1")], r"none of its contigs \(1\) is in .*'1' is 'chr1' there"),
        ([row(3, "+", 9, 44, 4, "x", 2, 0, name="m")], "line 1: a count is no whole number"),
    ],
)
def test_what_is_refused(tmp_path, genome, rows, problem):
    with pytest.raises(GenoscanError, match=problem):
        opened(tmp_path, genome, *rows)


def test_sites_that_no_cytosine_is_at(tmp_path):
    rows = [row(at, "+", 5, 50) for at in range(300)]
    with open_genome(write_fasta(tmp_path / "g.fa", {"chr1": "A" * 300})) as genome:
        sample = opened(tmp_path, genome, *rows)
        with pytest.raises(GenoscanError, match="100% of 300 methylation calls do not fit the bases"):
            list(sample.reads())
