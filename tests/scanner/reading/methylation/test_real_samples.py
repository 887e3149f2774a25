"""Real reads: a bwa-meth BAM against an independent reading of it, and Bismark's calls against published encodings."""

import csv
import gzip
from collections import Counter

import numpy as np
import pysam
import pytest
from bams import read, told, write_bam, write_fasta

from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.methylation.reads import Region
from genoscan.scanner.reading.methylation.sample import open_sample

pytestmark = pytest.mark.data


def folder_of(data_folder):
    folder = data_folder / "methylation"
    if not folder.is_dir():
        pytest.skip("no methylation data")
    return folder


def sites(reads):
    return Counter(tuple(states.items()) for _, _, states, _ in told(reads))


def reference_of(alignments, first, length):
    """The reference under bisulfite reads of both strands: purines are those of the forward strand's reads, pyrimidines
    those of the reverse strand's, which the other strand's conversion leaves alone."""
    votes = np.zeros((2, length, 4), dtype=int)
    for one in alignments:
        for query, place in one.get_aligned_pairs(matches_only=True):
            if one.query_qualities[query] >= 20 and one.query_sequence[query] in "ACGT":
                votes[int(one.get_tag("YD") == "r"), place - first, "ACGT".index(one.query_sequence[query])] += 1
    (_, c, _, t), (a, _, g, _) = votes[1].T, votes[0].T
    pyrimidine = votes[:, :, [1, 3]].sum(axis=(0, 2)) > votes[:, :, [0, 2]].sum(axis=(0, 2))
    letters = np.where(pyrimidine, np.where(c > t, "C", "T"), np.where(g > a, "G", "A"))
    seen = (votes.sum(axis=2) > 0).all(axis=0)
    return "".join(np.where(seen, letters, "N"))


def test_bwa_meth(data_folder, tmp_path):
    """The reference is put together from the reads themselves, and the file is moved to a contig of its own."""
    first, length = 119_520_000, 20_000
    with pysam.AlignmentFile(str(folder_of(data_folder) / "Lung_STL002.small.bam")) as file:
        alignments = list(file)
    reference = reference_of(alignments, first, length)
    moved = []
    for one in alignments:
        tags = [(tag, one.get_tag(tag)) for tag in ("YD", "YC")]
        at = one.reference_start - first
        copy = read(one.query_name, one.query_sequence, at, flag=one.flag, cigar=one.cigarstring, tags=tags)
        copy.mapping_quality, copy.query_qualities = one.mapping_quality, one.query_qualities
        moved.append(copy)
    bam = write_bam(tmp_path / "lung.bam", {"chr3": length}, moved)
    expected, poor = Counter(), 0
    for one in moved:
        if one.flag & 0xF04 or one.mapping_quality < 10:
            poor += 1
            continue
        backward, states = one.get_tag("YD") == "r", {}
        for query, place in one.get_aligned_pairs(matches_only=True):
            c = place - backward
            letter = one.query_sequence[query]
            if (
                reference[c : c + 2] == "CG"
                and one.query_qualities[query] >= 5
                and letter in ("GA" if backward else "CT")
            ):
                states[c] = int(letter in "CG")
        if states:
            expected[tuple(states.items())] += 1
    with open_genome(write_fasta(tmp_path / "lung.fa", {"chr3": reference})) as genome:
        sample = open_sample(bam, genome)
        (found,) = sample.reads([Region("chr3", 0, length)])
        sample.close()
    assert sites(found) == expected
    assert sample.tally.low_quality == poor
    assert sum(expected.values()) > 1000


def test_bismark(data_folder, tmp_path):
    """MethylBERT's published reads: what its encoding says of each 3-mer is what our reading of XM says of its middle.

    Its sequences lack the last base of a read; no 3-mer has the first or the last base that they have in its middle.
    """
    with gzip.open(folder_of(data_folder) / "methylbert.train_seq.csv.gz", "rt") as text:
        rows = [row for row in csv.DictReader(text, delimiter="\t") if row["cigar"] == f"{len(row['seq'])}M"][:150]
    contigs, alignments, expected = {}, [], []
    for number, row in enumerate(rows):
        first, *others = row["dna_seq"].split(" ")
        contigs[f"read{number}"] = reference = first + "".join(kmer[2] for kmer in others)
        expected.append({at: int(state) for at, state in enumerate(row["methyl_seq"], 1) if state != "2"})
        size, flag = len(reference), int(row["flag"]) & 16
        tags = [("XM", row["XM"][:size]), ("XG", row["XG"]), ("XR", row["XR"])]
        alignments.append(read(f"read{number}", row["seq"][:size], 0, number, flag=flag, tags=tags))
    lengths = {name: len(reference) for name, reference in contigs.items()}
    bam = write_bam(tmp_path / "bismark.bam", lengths, alignments)
    with open_genome(write_fasta(tmp_path / "g.fa", contigs)) as genome:
        sample = open_sample(bam, genome)
        regions = [Region(name, 0, length) for name, length in lengths.items()]
        for region, one, states in zip(regions, sample.reads(regions), expected, strict=True):
            found = {at: state for _, _, states, _ in told(one) for at, state in states.items()}
            assert {at: state for at, state in found.items() if 0 < at < region.end - 1} == states
        sample.close()
    assert sum(map(len, expected)) > 1000
