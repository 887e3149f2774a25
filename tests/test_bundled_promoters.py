"""The bundled promoter model finds promoters that are planted, on their strand, with their start."""

import numpy as np
import pytest

import genoscan
from genoscan.scanner.catalogue import bundled_models
from genoscan.scanner.inference.session import read_card

MODEL = "promoter-ecoli"
UP, BOX_35, BOX_10 = "AAAATTATTTTTTA", "TTGACA", "TATAAT"
"""The consensus of sigma-70's promoters, with an upstream element."""
TO_START = 12
SPACER = "GCGTATTGCGCTATTGT"
PROMOTER = UP + "GA" + BOX_35 + SPACER + BOX_10
START = len(PROMOTER) - len(BOX_10) + TO_START
"""Where in the promoter transcription starts."""


def turned(text):
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Strong promoters on + at 3,000, 9,000, ... and on - at 6,000, 12,000, ... in random sequence rich in G and C."""
    random = np.random.default_rng(11)
    bases = np.array(list("ACGT"))[random.choice(4, 40_000, p=[0.2, 0.3, 0.3, 0.2])]
    text, planted = "".join(bases), []
    for number, place in enumerate(range(3000, 39_000, 3000)):
        forward = number % 2 == 0
        promoter = PROMOTER if forward else turned(PROMOTER)
        text = text[:place] + promoter + text[place + len(promoter) :]
        start = place + START if forward else place + len(promoter) - 1 - START
        planted.append((start, "+" if forward else "-"))
    path = tmp_path_factory.mktemp("promoters") / "genome.fa"
    path.write_text(f">planted\n{text}\n")
    return planted, list(genoscan.scan(path, MODEL, device="cpu", threads=1))


def test_planted_promoters_are_the_strongest_calls_on_their_strand_at_their_start(calls):
    planted, found = calls
    strongest = sorted(found, key=lambda call: -call.peak)[: len(planted)]
    places = {(call.columns["thickStart"], call.strand) for call in strongest}
    right = [any(abs(start + 2 - place) <= 5 and strand == sign for place, sign in places) for start, strand in planted]
    assert sum(right) >= len(planted) - 1


def test_columns_hold_what_the_card_says(calls):
    card = read_card(bundled_models()[MODEL])
    assert card.output.names == ("strength", "start")
    _, found = calls
    for call in found:
        assert call.peak == call.columns["strength"] >= card.calling.threshold
        assert call.columns["strengthLinear"] == pytest.approx(10**call.peak - 0.1)
        assert call.start <= call.columns["thickStart"] < call.columns["thickEnd"] <= call.end
        assert call.columns["prominence"] >= card.calling.prominence
        assert call.columns["shuffledPerMb"] >= -1
