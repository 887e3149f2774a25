"""wgbstools' .pat: CpG numbers to positions, reads by region and by number, and what is none."""

import gzip

import numpy as np
import pysam
import pytest
from bams import told, write_fasta

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.methylation.cpg_numbers import BLOCK, CpgNumbers
from genoscan.scanner.reading.methylation.pat import PIECE, PatSample
from genoscan.scanner.reading.methylation.reads import Region
from genoscan.scanner.reading.methylation.sample import open_sample

# In the FASTA's order; numbers go chr2, chr10, chrX, chrM, and chrUn has none.
CONTIGS = {"chrM": "CG", "chr10": "ACGTTCGA", "chrUn": "CGCG", "chrX": "TTCG", "chr2": "CGCGTTTCGA"}
#          CpG 7        4, 5                                6                1, 2, 3
PAT = "chr2\t1\tCT\t3\nchr2\t2\tT.\t1\nchr2\t2\t.H\t2\textra\nchr10\t4\tTC\t1\nchr10\t5\tC\t4\nchrX\t6\t.\t9\n"


@pytest.fixture
def genome(tmp_path):
    with open_genome(write_fasta(tmp_path / "genome.fa", CONTIGS)) as genome:
        yield genome


def write(tmp_path, text=PAT, name="sample.pat"):
    path = tmp_path / name
    path.write_text(text)
    return path


def refused(path, genome):
    with pytest.raises(GenoscanError) as caught:
        open_sample(path, genome)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


def test_cpgs_are_numbered_in_natural_order(genome):
    numbers = CpgNumbers(genome)
    spans = {name: numbers.of_contig(name) for name in CONTIGS}
    assert spans == {"chr2": (1, 4), "chr10": (4, 6), "chrX": (6, 7), "chrM": (7, 8), "chrUn": None}
    assert numbers.positions("chr2", 1, 4).tolist() == [0, 2, 7]
    assert numbers.positions("chr10", 5, 6).tolist() == [5]
    assert [numbers.before("chr2", at) for at in range(11)] == [1, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4]
    assert [numbers.owner(cpg) for cpg in (0, 3, 4, 7, 8)] == [None, "chr2", "chr10", "chrM", None]


def test_cpgs_across_blocks(tmp_path):
    """A CpG that two blocks share, and many blocks, against the letters themselves."""
    random = np.random.default_rng(1)
    letters = random.choice(list("ACGTN"), 2 * BLOCK + 100)
    letters[BLOCK - 1 : BLOCK + 1] = "C", "G"
    sequence = "".join(letters)
    places = [at for at in range(len(sequence)) if sequence[at : at + 2] == "CG"]
    with open_genome(write_fasta(tmp_path / "g.fa", {"chr1": sequence})) as genome:
        numbers = CpgNumbers(genome)
        assert numbers.of_contig("chr1") == (1, len(places) + 1)
        assert numbers.positions("chr1", 1, len(places) + 1).tolist() == places
        at = places.index(BLOCK - 1)
        assert numbers.positions("chr1", at, at + 3).tolist() == places[at - 1 : at + 2]
        for position in (0, 5, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, len(sequence) - 1, len(sequence)):
            assert numbers.before("chr1", position) == 1 + sum(place < position for place in places)


def test_reads_of_regions(tmp_path, genome):
    sample = open_sample(write(tmp_path), genome)
    regions = [
        Region("chr10", 0, 4),
        Region("chr2", 1, 9),
        Region("chr2", 0, 1),
        Region("chrUn", 0, 4),
        Region("chrX", 0, 4),
    ]
    found = [told(one) for one in sample.reads(regions)]
    both = [(0, 4, {0: 1, 2: 0}, 3), (2, 9, {2: 0}, 1), (2, 9, {7: 1}, 2)]
    assert found == [[(1, 7, {1: 0, 5: 1}, 1)], both, both[:1], [], []]
    assert sample.tally.records == 20
    assert sample.tally.without_cpg == 9


def test_the_whole_file_in_the_genomes_order(tmp_path, genome):
    sample = open_sample(write(tmp_path), genome)
    found = [(one.contig, *row[:2], row[3]) for one in sample.reads() for row in told(one)]
    assert found == [("chr10", 1, 7, 1), ("chr10", 5, 7, 4), ("chr2", 0, 4, 3), ("chr2", 2, 9, 1), ("chr2", 2, 9, 2)]


@pytest.mark.parametrize("packed", ["plain", "gzip", "bgzip"])
def test_pieces_and_compression(tmp_path, packed):
    """Several pieces and many chunks of text: every read once; each region as a search of all lines finds it."""
    random = np.random.default_rng(2)
    cpgs = 3 * PIECE
    firsts = np.sort(random.integers(1, cpgs - 8, 40_000))
    sizes = random.integers(1, 8, len(firsts))
    letters = ["".join(random.choice(list("CT."), size)) for size in sizes]
    lines = [f"chr1\t{first}\t{text}\t1\n" for first, text in zip(firsts.tolist(), letters, strict=True)]
    text = "".join(lines).encode()
    path = tmp_path / "sample.pat.gz"
    if packed == "bgzip":
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(text)
    else:
        path.write_bytes(gzip.compress(text) if packed == "gzip" else text)
    with open_genome(write_fasta(tmp_path / "g.fa", {"chr1": "CG" * cpgs})) as genome:
        sample = open_sample(path, genome)
        known = [text.strip(".") != "" for text in letters]
        assert sum(len(one.starts) for one in sample.reads()) == sum(known)
        regions = [Region("chr1", start, start + 40) for start in (0, 17, 30_000, 30_010, 500)]
        for region, found in zip(regions, sample.reads(regions), strict=True):
            low, high = (region.start + 1) // 2 + 1, (region.end + 1) // 2 + 1
            expected = (firsts < high) & (firsts + sizes > low) & known
            assert len(found.starts) == expected.sum()
            np.testing.assert_array_equal(found.starts, 2 * (firsts[expected] - 1))


def test_reads_by_cpg_number_need_no_genome(tmp_path):
    sample = PatSample(str(write(tmp_path)))
    assert sample.contigs == ["chr2", "chr10", "chrX"]
    found = [told(one) for one in sample.cpg_reads([Region("chr2", 2, 3), Region("chr10", 5, 9), Region("chr3", 1, 9)])]
    assert found == [
        [(1, 3, {1: 1, 2: 0}, 3), (2, 4, {2: 0}, 1), (2, 4, {3: 1}, 2)],
        [(4, 6, {4: 0, 5: 1}, 1), (5, 6, {5: 1}, 4)],
        [],
    ]
    with pytest.raises(GenoscanError, match="CpG numbers have places only on a genome"):
        next(sample.reads())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("chr2\t1\tCT\t3\nchr2\t1\tCX\t3\n", r" line 2: a letter other than C, T, H and \."),
        ("chr2\t1\tCT\t3\nchr2\t1\t\t3\n", r" line 2: a letter other"),
        ("chr2\t1\tCT\t3\nchr2\tone\tC\t3\n", r" line 2: the number of the first CpG is no whole number"),
        ("chr2\t1\tCT\t3\nchr2\t0\tC\t3\n", r" line 2: the number of the first CpG is no whole number"),
        ("chr2\t1\tCT\t3\nchr2\t2\tC\tx\n", r" line 2: the count is no whole number"),
        ("chr2\t1\tCT\t3\nchr2\t2\tC\n", r" line 2: expected at least four columns"),
        ("chr2\t2\tCT\t3\nchr2\t1\tC\t1\n", r" line 2: is out of order: sort the file"),
        ("chr2\t2\tC\t3\nchr10\t4\tC\t1\nchr2\t3\tC\t1\n", r" line 3: 'chr2' comes again after 'chr10'"),
        ("# only\tcomments\n", r": is empty"),
        ("chr2\t4\tC\t1\n", r": is of another assembly than .*: CpG 4 is on 'chr2' in the one, on 'chr10'"),
        ("chrM\t7\tCC\t1\n", r": is of another assembly than .*: CpG 8 is on 'chrM' in the one, nowhere in the other"),
        ("2\t1\tC\t1\n", r": none of its contigs \(2\) is in .* \('2' is 'chr2' there"),
        ("what is this\n", r": is no BAM, CRAM, \.pat or bedMethyl: it begins with 'what is this'"),
    ],
)  # fmt: skip
def test_what_is_no_pat_of_the_genome(tmp_path, genome, text, problem):
    path = write(tmp_path, text)
    with pytest.raises(GenoscanError, match=problem) as caught:
        open_sample(path, genome)
    assert str(caught.value).startswith(str(path))


def test_truncated(tmp_path, genome):
    path = tmp_path / "s.pat.gz"
    path.write_bytes(gzip.compress(PAT.encode())[:-9])
    assert "truncated" in refused(path, genome)


def test_line_ends_of_windows_and_no_last_one(tmp_path, genome):
    sample = open_sample(write(tmp_path, "# a comment\r\nchr2\t1\tCT\t3\r\nchr2\t2\tC\t1"), genome)
    (found,) = sample.reads([Region("chr2", 0, 9)])
    assert told(found) == [(0, 4, {0: 1, 2: 0}, 3), (2, 4, {2: 1}, 1)]
