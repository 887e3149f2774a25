"""BAMs of every kind to reads: positions and states by hand, and what cannot be read, in one line."""

import array
import gzip
from contextlib import closing, suppress

import numpy as np
import pysam
import pytest
from bams import read, told, write_bam, write_fasta

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.methylation.alignments import PIECE
from genoscan.scanner.reading.methylation.reads import Region
from genoscan.scanner.reading.methylation.sample import open_sample

#            0         1         2
#            012345678901234567890123456
REFERENCE = "TTACGTTCGATTTTCGAACCGGTTTTT"  # CpGs at 3, 7, 14 and 19
CONTIGS = {"chr1": REFERENCE, "chr2": "A" * 40}
LENGTHS = {name: len(sequence) for name, sequence in CONTIGS.items()}
FORWARD, BACKWARD = [("YD", "f")], [("YD", "r")]


@pytest.fixture
def genome(tmp_path):
    with open_genome(write_fasta(tmp_path / "genome.fa", CONTIGS)) as genome:
        yield genome


def reads_of(tmp_path, genome, reads):
    sample = open_sample(write_bam(tmp_path / "sample.bam", LENGTHS, reads), genome)
    (found,) = sample.reads([Region("chr1", 0, len(REFERENCE))])
    sample.close()
    return told(found), sample.tally


# ---- what reads tell


def test_converted_letters_of_the_forward_strand(tmp_path, genome):
    #         3 methylated, 7 converted, 14 neither C nor T, 19 methylated
    letters = "TTACGTTTGATTTTAGAATCGGTTTTT"
    found, _ = reads_of(tmp_path, genome, [read("r", letters, 0, tags=FORWARD)])
    assert found == [(0, 27, {3: 1, 7: 0, 19: 1}, 1)]


def test_converted_letters_of_the_reverse_strand(tmp_path, genome):
    # its G's at 4, 8, 15, 20 are converted to A where the C opposite is not methylated
    letters = "TTACATTCGATTTTCGAACCAATTTTT"
    found, _ = reads_of(tmp_path, genome, [read("r", letters, 0, flag=16, tags=BACKWARD)])
    assert found == [(0, 27, {3: 0, 7: 1, 14: 1, 19: 0}, 1)]


@pytest.mark.parametrize("tags", [[("XG", "CT")], [("ZS", "++")], [("ZS", "+-")], [("YC", "CT"), ("YD", "f")]])
def test_other_tags_of_the_forward_strand(tmp_path, genome, tags):
    found, _ = reads_of(tmp_path, genome, [read("r", REFERENCE[:9], 0, tags=tags)])
    assert found == [(0, 9, {3: 1, 7: 1}, 1)]


def test_a_read_that_begins_at_the_g_tells_of_the_c_before_it(tmp_path, genome):
    found, _ = reads_of(tmp_path, genome, [read("r", REFERENCE[4:9], 4, flag=16, tags=BACKWARD)])
    assert found == [(3, 9, {3: 1, 7: 1}, 1)]


def test_insertions_deletions_and_clips(tmp_path, genome):
    # soft clip of 2, bases 2-4 (C at 3), an insertion of 3, base 5, deletion of 6-8 with the CpG at 7, bases 9-15
    letters = "GG" + "ACG" + "CGC" + "T" + "ATTTTCG"
    found, _ = reads_of(tmp_path, genome, [read("r", letters, 2, cigar="2S3M3I1M3D7M", tags=FORWARD)])
    assert found == [(2, 16, {3: 1, 14: 1}, 1)]


def test_letters_of_low_quality_are_not_compared(tmp_path, genome):
    found, tally = reads_of(tmp_path, genome, [read("r", REFERENCE, 0, tags=FORWARD, qualities=4)])
    assert found == []
    assert tally.without_cpg == 1


def test_bismark(tmp_path, genome):
    """XM marks the G of reads of the reverse strand; other contexts say nothing."""
    calls = "...Z...z..hH..X....z......."
    tags = [("XM", calls), ("XG", "CT"), ("XR", "CT")]
    backward = [("XM", "....z...Z..........."), ("XG", "GA")]
    rows = [read("a", REFERENCE, 0, tags=tags), read("b", REFERENCE[:20], 0, flag=16, tags=backward)]
    found, _ = reads_of(tmp_path, genome, rows)
    assert found == [(0, 20, {3: 0, 7: 1}, 1), (0, 27, {3: 1, 7: 0, 19: 0}, 1)]


@pytest.mark.parametrize("flag", [0, 16])
def test_modified_bases_on_both_strands(tmp_path, genome, flag):
    # forward: C's of the read are at 3, 7, 14, 18, 19; backward: its C's are the reference's G's 21, 20, 15, 8, 4
    skips = "0,2" if flag == 0 else "1,2"
    tags = [("MM", f"C+m?,{skips};"), ("ML", array.array("B", [250, 3]))]
    found, _ = reads_of(tmp_path, genome, [read("r", REFERENCE, 0, flag=flag, tags=tags)])
    if flag == 0:  # letters 3 and 18, of which only the first is a CpG
        assert found == [(0, 27, {3: 1}, 1)]
    else:  # letters 20 and 4: the CpGs at 19 and 3
        assert found == [(0, 27, {3: 0, 19: 1}, 1)]


def test_both_strands_of_a_duplex_read(tmp_path, genome):
    tags = [("MM", "C+m?,0,0;G-m?,0,0;"), ("ML", array.array("B", [250, 250, 250, 3]))]
    found, _ = reads_of(tmp_path, genome, [read("r", REFERENCE, 0, tags=tags)])
    assert found == [(0, 27, {3: 1}, 1)]  # of the CpG at 7 the strands say different things


def test_mates_are_one_read(tmp_path, genome):
    left = read("p", REFERENCE[:16], 0, flag=99, tags=FORWARD, mate=5)
    right = read("p", "TTTGATTTTCGAACCGG", 5, flag=147, tags=FORWARD, mate=0)  # says that 7 is not methylated
    single = read("s", REFERENCE[:9], 0, tags=FORWARD)
    found, tally = reads_of(tmp_path, genome, sorted([left, right, single], key=lambda one: one.reference_start))
    assert found == [(0, 9, {3: 1, 7: 1}, 1), (0, 22, {3: 1, 14: 1, 19: 1}, 1)]
    assert tally.looked_at == 3


def test_poor_alignments_are_left_out(tmp_path, genome):
    rows = [read(str(flag), REFERENCE, 0, flag=flag, tags=FORWARD) for flag in (256, 512, 1024, 2048)]
    rows += [read("low", REFERENCE, 0, quality=9, tags=FORWARD), read("good", REFERENCE, 0, quality=10, tags=FORWARD)]
    found, tally = reads_of(tmp_path, genome, rows)
    assert len(found) == 1
    assert (tally.looked_at, tally.low_quality) == (6, 5)


def test_an_unmapped_mate_lies_where_the_other_does(tmp_path, genome):
    mapped = read("p", REFERENCE, 0, flag=73, tags=FORWARD, mate=0)
    unmapped = read("p", REFERENCE, 0, flag=133, cigar="*", tags=FORWARD, mate=0)
    found, tally = reads_of(tmp_path, genome, [mapped, unmapped])
    assert len(found) == 1
    assert (tally.looked_at, tally.low_quality) == (1, 0)


def damaged(path, seed):
    """A BAM some of whose unpacked bytes are others, packed again."""
    random = np.random.default_rng(seed)
    content = bytearray(gzip.decompress(path.read_bytes()))
    for place in random.integers(0, len(content), 3).tolist():
        content[place] = int(random.integers(0, 256))
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(bytes(content))


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_never_end_in_anything_but_one_error(tmp_path, genome, seed):
    tags = [*FORWARD, ("MM", "C+m?,0;"), ("ML", array.array("B", [250]))] if seed % 2 else FORWARD
    path = write_bam(tmp_path / "s.bam", LENGTHS, [read(f"r{number}", REFERENCE, 0, tags=tags) for number in range(9)])
    damaged(path, seed)
    verbosity = pysam.set_verbosity(0)
    with suppress(pysam.SamtoolsError):  # or the index of the file as it was
        pysam.index(str(path))
    pysam.set_verbosity(verbosity)
    with suppress(GenoscanError):  # or it is still a sample
        read_all(path, genome)


def test_regions_and_the_whole_file(tmp_path):
    """Regions have the reads that overlap with them; the whole file has each read once, whatever it crosses."""
    sequence = "ACGTA" * (2 * PIECE // 5 + 10)
    path = write_fasta(tmp_path / "genome.fa", {"b": sequence, "a": sequence[:100]})
    starts = [0, 10, PIECE - 3, PIECE, PIECE + 5, 2 * PIECE - 10]
    rows = [read(f"r{start}", sequence[start : start + 10], start, tags=FORWARD) for start in starts]
    bam = write_bam(tmp_path / "s.bam", {"b": len(sequence), "a": 100}, [*rows, read("x", "ACGTA", 0, 1, tags=FORWARD)])
    with open_genome(path) as genome:
        sample = open_sample(bam, genome)
        regions = [Region("b", 5, 11), Region("a", 50, 60), Region("b", PIECE, PIECE + 1), Region("c", 0, 9)]
        found = [[row[0] for row in told(one)] for one in sample.reads(regions)]
        assert found == [[0, 10], [], [PIECE - 3, PIECE], []]
        whole = [(one.contig, row[0]) for one in sample.reads() for row in told(one)]
        assert whole == [*(("b", start) for start in starts), ("a", 0)]
        assert sample.tally.records == 7


# ---- what cannot be read


def read_all(path, genome):
    with closing(open_sample(path, genome)) as sample:
        for _ in sample.reads():
            pass


def refused(path, genome):
    with pytest.raises(GenoscanError) as caught:
        read_all(path, genome)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_empty(tmp_path, genome):
    assert refused(write_bam(tmp_path / "s.bam", LENGTHS, []), genome) == "holds no aligned reads"
    (tmp_path / "empty").write_bytes(b"")
    assert refused(tmp_path / "empty", genome) == "is empty: give a BAM, CRAM, .pat or bedMethyl"


def test_without_tags(tmp_path, genome):
    path = write_bam(tmp_path / "s.bam", LENGTHS, [read("r", REFERENCE, 0, tags=[("NM", 0)])] * 3)
    assert refused(path, genome).startswith("none of its first 3 reads tells of methylation: they need MM and ML tags")


@pytest.mark.parametrize("order", ["unsorted", "queryname", "unknown"])
def test_unsorted(tmp_path, genome, order):
    rows = [read("r", REFERENCE[5:], 5, tags=FORWARD), read("s", REFERENCE, 0, tags=FORWARD)]
    path = write_bam(tmp_path / "s.bam", LENGTHS, rows, order=order, index=False)
    expected = f"is not sorted by position: samtools sort -o sorted.bam {path} && samtools index sorted.bam"
    assert refused(path, genome) == expected


def test_unindexed(tmp_path, genome):
    path = write_bam(tmp_path / "s.bam", LENGTHS, [read("r", REFERENCE, 0, tags=FORWARD)], index=False)
    assert refused(path, genome) == f"has no index: samtools index {path}"


def test_sam_text(tmp_path, genome):
    (tmp_path / "s.sam").write_text("@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:27\n")
    assert refused(tmp_path / "s.sam", genome).startswith("is SAM text: samtools sort -o sorted.bam")


@pytest.mark.parametrize("kept", [60, 200, -28])
def test_truncated(tmp_path, genome, kept, capfd):
    rows = [read(f"r{i}", REFERENCE, 0, tags=FORWARD) for i in range(3000)]
    path = write_bam(tmp_path / "s.bam", LENGTHS, rows)
    whole = path.read_bytes()
    path.write_bytes(whole[:kept] if kept < 0 else whole[: len(whole) // 2 if kept == 200 else kept])
    assert "truncated" in refused(path, genome)
    assert capfd.readouterr().err == ""


def test_contigs_of_another_length(tmp_path, genome):
    path = write_bam(tmp_path / "s.bam", {"chr1": 28, "chr2": 40}, [read("r", REFERENCE, 0, tags=FORWARD)])
    expected = f"is of another assembly than {genome.source}: 'chr1' has 28 bases, not 27"
    assert refused(path, genome) == expected


def test_assemblies_are_named(tmp_path):
    """By the length of chromosome 1, where that is known."""
    path = write_bam(tmp_path / "s.bam", {"chr1": 249_250_621, "chr2": 40}, [read("r", "ACGT", 0, tags=FORWARD)])
    with open_genome(write_fasta(tmp_path / "g.fa", {"chr2": "ACGT" * 9})) as genome:
        assert refused(path, genome).startswith("is of another assembly (hg19) than")


def test_contigs_of_another_naming(tmp_path, genome):
    path = write_bam(tmp_path / "s.bam", {"1": 27, "2": 40}, [read("r", REFERENCE, 0, tags=FORWARD)])
    message = refused(path, genome)
    assert message.startswith(f"none of its contigs (1, 2, ...) is in {genome.source} ('1' is 'chr1' there: rename")


def test_bases_of_another_assembly(tmp_path):
    """Contigs of the same names and lengths with other bases."""
    sequence = "ACGTTTCGAATTCGGA" * 20
    calls = "".join("Z" if sequence[at : at + 2] == "CG" else "." for at in range(100))
    rows = [read(f"r{number}", sequence[:100], 0, tags=[("XM", calls)]) for number in range(20)]
    path = write_bam(tmp_path / "s.bam", {"chr1": len(sequence)}, rows)
    with open_genome(write_fasta(tmp_path / "g.fa", {"chr1": "ATTATTAATAACATTA" * 20})) as genome:
        message = refused(path, genome)
    assert message.endswith("the sample is of another assembly; give the genome that it was aligned to")


def test_stale_tags_are_counted(tmp_path, genome):
    tags = [("MM", "C+m?,9;"), ("ML", array.array("B", [250]))]
    good = [("MM", "C+m?,0;"), ("ML", array.array("B", [250]))]
    found, tally = reads_of(
        tmp_path, genome, [read("bad", REFERENCE, 0, tags=tags), read("r", REFERENCE, 0, tags=good)]
    )
    assert found == [(0, 27, {3: 1}, 1)]
    assert tally.unusable_tags == 1
    assert tally.first_unusable == "read 'bad': MM counts 10 C in a sequence that has 5"


def test_hard_clipped_reads(tmp_path, genome):
    good = [("MM", "C+m?,0;"), ("ML", array.array("B", [250]))]
    rows = [
        read("a", REFERENCE, 0, cigar="5H27M", tags=good),
        read("b", REFERENCE, 0, cigar="27M9H", tags=[*good, ("MN", 27)]),
    ]
    found, tally = reads_of(tmp_path, genome, rows)
    assert found == [(0, 27, {3: 1}, 1)]
    assert tally.first_unusable == "read 'a': the alignment is hard-clipped and has no MN tag"


def test_cram(tmp_path, genome):
    bam = write_bam(tmp_path / "s.bam", LENGTHS, [read("r", REFERENCE, 0, tags=FORWARD)])
    fasta = genome.source
    pysam.faidx(fasta)
    pysam.view("-C", "-T", fasta, "-o", str(tmp_path / "s.cram"), str(bam), catch_stdout=False)
    pysam.index(str(tmp_path / "s.cram"))
    sample = open_sample(tmp_path / "s.cram", genome)
    assert [row for one in sample.reads() for row in told(one)] == [(0, 27, {3: 1, 7: 1, 14: 1, 19: 1}, 1)]
    sample.close()
    (tmp_path / "genome.fa.fai").unlink()
    assert refused(tmp_path / "s.cram", genome) == f"a CRAM needs the genome's index: samtools faidx {fasta}"
