"""Markers in a genome: which are there, which are another assembly's, which reads are of which."""

import numpy as np
import pytest
import toys
from bams import write_fasta

from genoscan.scanner.card import Marker, sequence_digest
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.markers import CLOSE, groups_of, markers_in, owners_of
from genoscan.scanner.read_windows import read_windows
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.methylation.reads import MethylationReads
from genoscan.scanner.reading.tiles import INTERVAL

CONTIGS = {"chr2": "ACGTTCGATT" * 300, "chr1": "TTCGAACCGN" * 300}


def marker(chrom, start, end, sequence=None, **fields):
    digest = sequence_digest(sequence or CONTIGS[chrom][start:end])
    return Marker(chrom=chrom, start=start, end=end, digest=digest, **fields)


def card_with(tmp_path, *markers):
    return read_card(toys.write(tmp_path / "m.onnx", toys.read_model(assembly="hg38", markers=markers)))


def found(tmp_path, markers, contigs=CONTIGS):
    said = []
    with open_genome(write_fasta(tmp_path / "g.fa", contigs)) as genome:
        places, numbers = markers_in(card_with(tmp_path, *markers), genome, said.append)
    return places.tolist(), numbers.tolist(), said


def test_in_the_genomes_order(tmp_path):
    markers = [marker("chr1", 5, 40), marker("chr2", 100, 130), marker("chr2", 7, 9)]
    assert found(tmp_path, markers) == ([(0, 7, 9), (0, 100, 130), (1, 5, 40)], [2, 1, 0], [])


def test_letters_of_either_case(tmp_path):
    lower = {name: sequence.lower() for name, sequence in CONTIGS.items()}
    assert found(tmp_path, [marker("chr1", 5, 40)], lower)[0] == [(1, 5, 40)]


def test_a_contig_that_is_not_there(tmp_path):
    markers = [marker("chr1", 5, 40), marker("chr3", 0, 10, "ACGT")]
    places, numbers, said = found(tmp_path, markers)
    assert (places, numbers) == ([(1, 5, 40)], [0])
    assert said == [f"{tmp_path}/g.fa: 1 of 2 markers are on contigs that it does not have"]


def test_a_marker_of_other_bases(tmp_path):
    markers = [marker("chr1", 5, 40), marker("chr2", 5, 40), marker("chr2", 50, 60, "A" * 10)]
    places, numbers, said = found(tmp_path, markers)
    assert (places, numbers) == ([(0, 5, 40), (1, 5, 40)], [1, 0])
    assert said == [
        f"{tmp_path}/g.fa: 1 of 3 markers are left out: their bases are not those of hg38, as of chr2:51-60"
    ]


def refused(tmp_path, markers, contigs=CONTIGS):
    with pytest.raises(GenoscanError) as caught:
        found(tmp_path, markers, contigs)
    return str(caught.value).removeprefix(f"{tmp_path}/g.fa: ")


def test_another_assembly(tmp_path):
    markers = [marker("chr1", 5, 40), marker("chr2", 50, 60, "A" * 10), marker("chr2", 2995, 3010, "A" * 15)]
    assert refused(tmp_path, markers) == (
        "is not hg38, which reads's markers are of: the bases of 2 of 3 markers are others, as of chr2:51-60"
    )


def test_contigs_of_another_naming(tmp_path):
    message = refused(tmp_path, [marker("chr1", 5, 40)], {"1": CONTIGS["chr1"]})
    assert message == (
        "none of the contigs of reads's markers (chr1, of hg38) is there "
        "('chr1' is '1' there: rename the contigs of one of the two)"
    )


def test_groups_of_close_regions(tmp_path):
    rows = [(0, 10, 20), (0, 15, 500), (0, 30, 40), (0, 500 + CLOSE, 1600), (0, 1601 + CLOSE, 2700), (1, 0, 9)]
    regions = np.array(rows, INTERVAL)
    with open_genome(write_fasta(tmp_path / "g.fa", CONTIGS)) as genome:
        groups = [(one.first, one.end, *one.span) for one in groups_of(regions, genome)]
        assert groups == [(0, 4, "chr2", 10, 1600), (4, 5, "chr2", 2601, 2700), (5, 6, "chr1", 0, 9)]
        assert groups_of(regions[:0], genome) == []


def test_a_read_is_of_the_region_with_most_of_its_cpgs():
    regions = np.array([(0, 10, 20), (0, 15, 40), (0, 50, 60)], INTERVAL)
    sites = [[11, 16, 30], [12, 30], [20, 45], [9, 45, 60], [16], [50, 59]]
    positions = [position for one in sites for position in one]
    offsets = np.cumsum([0, *map(len, sites)])
    starts = np.array([one[0] for one in sites])
    states = np.zeros(len(positions), np.uint8)
    made = MethylationReads("x", starts, starts + 90, offsets, np.array(positions), states, np.ones(6))
    assert owners_of(made, read_windows(made, 100), regions).tolist() == [0, 0, 1, -1, 0, 2]
