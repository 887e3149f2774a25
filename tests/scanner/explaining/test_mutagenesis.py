"""Single substitutions: scores by hand, and what a scan of the substituted genome says."""

import numpy as np
import pytest
import toys

from genoscan.scanner.catalogue import find_model
from genoscan.scanner.errors import UsageError
from genoscan.scanner.explaining.explain import explain_summits, find_summits, output_number
from genoscan.scanner.explaining.places import Place
from genoscan.scanner.inference.session import open_model
from genoscan.scanner.reading.genome import open_genome

BIN = 8


def turned(text):
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def explained(model, tmp_path, text, places, flank=250, output=0):
    path = tmp_path / "genome.fa"
    path.write_text(f">one\n{text}\n")
    with open_genome(path) as genome:
        summits = find_summits(model, genome, places, output, 2)
        return list(explain_summits(model, genome, summits, flank, 2))


@pytest.fixture
def shares(tmp_path):
    """The share of G in bins of 8 bases, on both strands; it looks at nothing else."""
    return open_model(toys.write(tmp_path / "g.onnx", toys.base_model("G", 64, 16, BIN, strand="both")), "cpu")


def test_substitutions_of_a_share_are_known_by_hand(shares, tmp_path):
    text = "A" * 100 + "GGTA" + "A" * 96  # bin 104 to 112 is all A, bin 96 to 104 is AAAAGGTA
    (one,) = explained(shares, tmp_path, text, [Place(0, 80, 160, "+")])
    assert (one.summit.start, one.summit.end, one.reference) == (96, 104, 0.25)
    assert one.positions.tolist() == list(range(80, 120))  # as far as the model's context of 16 goes
    inside = (one.positions >= 96) & (one.positions < 104)
    assert (one.scores[~inside] == 0.25).all()
    is_g = np.isin(one.positions, [100, 101])
    assert (one.scores[is_g][:, [0, 1, 3]] == 0.125).all()
    assert (one.scores[is_g][:, 2] == 0.25).all()
    other = inside & ~is_g
    assert (one.scores[other][:, 2] == 0.375).all()
    assert (one.scores[other][:, [0, 1, 3]] == 0.25).all()
    assert one.importance[is_g].tolist() == pytest.approx([0.125, 0.125])
    assert one.importance[other].tolist() == pytest.approx([-0.125 / 3] * 6)
    assert one.offsets.tolist() == [position - 100 for position in one.positions.tolist()]


def test_the_minus_strand_is_read_in_its_own_direction(shares, tmp_path):
    text = "A" * 99 + "ACCTA" + "A" * 96  # on -, bin 96 to 104 holds two G
    (one,) = explained(shares, tmp_path, text, [Place(0, 80, 160, "-")], flank=10)
    assert (one.summit.start, one.reference) == (96, 0.25)
    assert one.positions.tolist() == list(range(113, 85, -1))
    assert "".join("ACGT"[code] for code in one.codes) == turned(text[86:114])
    assert one.positions[np.abs(one.importance - 0.125) < 1e-9].tolist() == [101, 100]
    assert one.offsets.tolist() == [100 - position for position in one.positions.tolist()]


def test_unknown_bases_have_no_substitutions_and_contigs_end(shares, tmp_path):
    (one,) = explained(shares, tmp_path, "GGNGAAAACC", [Place(0, 0, 10, "+")])
    assert one.positions.tolist() == list(range(10))
    assert one.codes.tolist() == [2, 2, 4, 2, 0, 0, 0, 0, 1, 1]
    assert np.isnan(one.scores[2]).all()
    assert not np.isnan(np.delete(one.scores, 2, axis=0)).any()
    assert one.importance[2] == 0


def test_places_without_a_score_have_no_summit(shares, tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">one\n" + "N" * 64 + "ACGT" * 40 + "\n")
    with open_genome(path) as genome:
        found = find_summits(shares, genome, [Place(0, 0, 64, "+"), Place(0, 64, 100, "+")], 0, 1)
        assert [one.place.start for one in found] == [64]


def test_the_highest_are_kept_in_their_order(shares, tmp_path):
    text = "A" * 64 + "GGAAAAAA" + "A" * 56 + "GAAAAAAA" + "A" * 56 + "GGGAAAAA" + "A" * 56
    places = [Place(0, 64, 72, "+"), Place(0, 128, 136, "+"), Place(0, 192, 200, "+")]
    path = tmp_path / "genome.fa"
    path.write_text(f">one\n{text}\n")
    with open_genome(path) as genome:
        assert [one.height for one in find_summits(shares, genome, places, 0, 1, top=2)] == [2500, 3750]


def test_a_window_model_loses_what_a_base_is_worth(tmp_path):
    model = open_model(toys.write(tmp_path / "gc.onnx", toys.gc_model(32, 8)), "cpu")
    text = "A" * 100 + "G" * 8 + "A" * 92
    (one,) = explained(model, tmp_path, text, [Place(0, 90, 118, ".")])
    assert one.reference == pytest.approx(0.25)
    assert len(one.positions) == 32
    gs = one.codes == 2
    assert gs.sum() == 8
    assert one.importance[gs] == pytest.approx(2 / 3 / 32)
    assert one.importance[~gs] == pytest.approx(-2 / 3 / 32)


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("start", [40, 2900])
def test_it_is_what_a_scan_of_the_substituted_genome_says(tmp_path, strand, start):
    """With the bundled network, in the middle of a contig and near its end, where windows reach beyond it."""
    model = open_model(find_model("promoter-ecoli"), "cpu")
    random = np.random.default_rng(3)
    text = "".join(random.choice(list("ACGT"), 3000))
    place = Place(0, start, start + 60, strand)
    (one,) = explained(model, tmp_path, text, [place])
    assert np.abs(one.importance).max() > 0.01
    rows = random.choice(np.flatnonzero(np.abs(one.importance) > 0), 4, replace=False)
    for row in rows.tolist():
        position, code = int(one.positions[row]), (int(one.codes[row]) + 1) % 4
        letter = "ACGT"[code] if strand == "+" else turned("ACGT"[code])
        changed = text[:position] + letter + text[position + 1 :]
        same_bin = Place(0, one.summit.start, one.summit.end, strand)
        (again,) = explained(model, tmp_path, changed, [same_bin], flank=0)
        assert again.reference == pytest.approx(one.scores[row, code], abs=2e-5)


def test_outputs_are_named():
    card = open_model(find_model("promoter-ecoli"), "cpu").card
    assert output_number(card, None) == card.output.names.index("strength")
    assert output_number(card, "start") == card.output.names.index("start")
    with pytest.raises(UsageError, match="--score leaf: model promoter-ecoli has strength, start"):
        output_number(card, "leaf")
