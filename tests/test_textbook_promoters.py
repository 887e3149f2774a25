"""Promoters of E. coli whose boxes are in every textbook: mutagenesis of the bundled model shows them by itself.

Sequences from the -35 box on, as published; the boxes are those of Harley and Reynolds 1987
(https://doi.org/10.1093/nar/15.5.2343).
"""

import gzip

import numpy as np
import pytest

from genoscan.scanner.catalogue import find_model
from genoscan.scanner.explaining.explain import FLANK, explain_summits, find_summits
from genoscan.scanner.explaining.places import Place
from genoscan.scanner.inference.session import open_model
from genoscan.scanner.reading.genome import open_genome

PROMOTERS = {
    "lac": ("TTTACACTTTATGCTTCCGGCTCGTATGTTGTGTGG", "TTTACA", "TATGTT"),
    "trp": ("TTGACAATTAATCATCGAACTAGTTAACTAGTACGC", "TTGACA", "TTAACT"),
    "recA": ("TTGATACTGTATGAGCATACAGTATAATTGC", "TTGATA", "TATAAT"),
    "rrnB P1": ("TTGTCAGGCCGGAATAACTCCCTATAATGCGCCACC", "TTGTCA", "TATAAT"),
    "tyrT": ("TTTACAGCGGCGCGTCATTTGATATGATGCGCCCCGC", "TTTACA", "TATGAT"),
    "lexA": ("TTCCAAAATCGCCTTTTGCTGTATATACTCACAGCATA", "TTCCAA", "TATACT"),
    "str": ("TTGACACCTTTTCGGCATCGCCCTAAAATTCGGC", "TTGACA", "TAAAAT"),
}
WEAK = "lac"
"""Without its activator this one is hardly a promoter; what strengthens it is known, though."""


def turned(text):
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


@pytest.fixture(scope="module")
def explained(data_folder, tmp_path_factory):
    """By name, what the model says of each promoter, and where its boxes are in that."""
    text = gzip.decompress((data_folder / "genomes/ecoli_U00096.2.fa.gz").read_bytes())
    path = tmp_path_factory.mktemp("textbook") / "ecoli.fa"
    path.write_bytes(text)
    bases = "".join(text.decode().split("\n")[1:]).upper()
    places = []
    for sequence, _, _ in PROMOTERS.values():
        strand = "+" if sequence in bases else "-"
        start = bases.index(sequence if strand == "+" else turned(sequence))
        places.append(Place(0, start, start + len(sequence), strand))
    model = open_model(find_model("promoter-ecoli"), "cpu")
    with open_genome(path) as genome:
        summits = find_summits(model, genome, places, 0, 1)
        return dict(zip(PROMOTERS, explain_summits(model, genome, summits, FLANK, 1), strict=True))


def boxes(explained, name):
    """bool (bases,): those of the -35 box, and those of the -10 box."""
    read = "".join("ACGTN"[code] for code in explained[name].codes)
    sequence, upstream, downstream = PROMOTERS[name]
    at = read.index(sequence)
    found = []
    for box, place in ((upstream, at), (downstream, at + sequence.index(downstream, 6))):
        mask = np.zeros(len(read), dtype=bool)
        mask[place : place + len(box)] = True
        found.append(mask)
    return found


@pytest.mark.data
@pytest.mark.parametrize("name", PROMOTERS)
def test_both_boxes_stand_out(explained, name):
    upstream, downstream = boxes(explained, name)
    effect = np.abs(explained[name].importance)
    beside = effect[~(upstream | downstream)].mean()
    assert effect[upstream].mean() > 4 * beside
    assert effect[downstream].mean() > 4 * beside
    if name != WEAK:
        assert (upstream | downstream)[np.argsort(-effect)[:8]].all()


@pytest.mark.data
def test_the_mutations_that_made_lac_uv5_are_found(explained):
    """TATGTT became TATAAT, which needs no activator (Silverstone et al. 1970,
    https://doi.org/10.1073/pnas.66.3.773)."""
    one = explained[WEAK]
    _, downstream = boxes(explained, WEAK)
    for row in np.flatnonzero(downstream)[3:5].tolist():
        assert one.scores[row].argmax() == 0
        assert one.scores[row, 0] > one.reference + 0.1
