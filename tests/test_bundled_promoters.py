"""The bundled promoter models find what is planted, on its strand, with its start."""

import numpy as np
import pytest

import genoscan
from genoscan.scanner.catalogue import bundled_models
from genoscan.scanner.explaining.explain import find_summits
from genoscan.scanner.explaining.places import Place
from genoscan.scanner.inference.session import open_model, read_card
from genoscan.scanner.reading.genome import open_genome

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
        assert isinstance(call.start, int)  # of the call, not what the output of that name says
        assert list(call.columns)[-3:] == ["strength", "startScore", "strengthLinear"]
        assert call.peak == call.columns["strength"] >= card.calling.threshold
        assert call.columns["strengthLinear"] == pytest.approx(10**call.peak - 0.1)
        assert call.start <= call.columns["thickStart"] < call.columns["thickEnd"] <= call.end
        assert call.columns["prominence"] >= card.calling.prominence
        assert call.columns["shuffledPerMb"] >= -1


def test_a_tata_box_makes_plant_promoters_stronger_where_it_should_be(tmp_path):
    """Thirty bases before the start, on its own strand: stronger than the same place without it."""
    random = np.random.default_rng(5)
    plain = "".join(random.choice(list("ACGT"), 8000))
    box, places = "TATATAAATA", range(500, 7500, 500)
    with_boxes = plain
    for number, place in enumerate(places):
        here = box if number % 2 == 0 else turned(box)
        with_boxes = with_boxes[:place] + here + with_boxes[place + len(box) :]
    model = open_model(bundled_models()["promoter-plant"], "cpu")
    found = []
    for number, text in enumerate((plain, with_boxes)):
        path = tmp_path / f"{number}.fa"
        path.write_text(f">one\n{text}\n")
        starts = [place + 35 if number % 2 == 0 else place - 25 for number, place in enumerate(places)]
        wanted = [Place(0, start, start + 1, "+-"[number % 2]) for number, start in enumerate(starts)]
        with open_genome(path) as genome:
            found.append([one.height for one in find_summits(model, genome, wanted, 0, 1)])
    gained = np.subtract(*found[::-1])
    assert len(gained) == 14
    assert (gained > 0).sum() >= 12
    assert gained.mean() > 3000  # a third of a unit, a log2 of strength
