"""Windows of a genome: where they may lie, and views of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import sequences

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.errors import UsageError
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.tiles import INTERVAL
from genoscan.training.data.mutations import mutated
from genoscan.training.pretraining.views import view
from genoscan.training.pretraining.windows import WindowReader, allowed_stretches, without


def intervals(*rows):
    return np.array(list(rows), dtype=INTERVAL)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 90), st.integers(1, 20)), max_size=8))
@settings(max_examples=100)
def test_what_is_left_is_what_is_not_taken(taken):
    parts = intervals((0, 10, 80), (1, 0, 50))
    taken = intervals(*sorted((contig, start, start + size) for contig, start, size in taken))
    left = without(parts, taken)
    for contig in (0, 1):
        whole, gone, found = (np.zeros(200, dtype=int) for _ in range(3))
        for rows, marks in ((parts, whole), (taken, gone), (left, found)):
            for one in rows[rows["contig"] == contig]:
                marks[one["start"] : one["end"]] += 1
        np.testing.assert_array_equal(found, whole * (gone == 0))


@pytest.fixture
def genome(tmp_path):
    one, other = sequences(2, 1000)
    (tmp_path / "g.fa").write_text(f">a\n{one}\n>b\n{other[:300]}{'N' * 500}{other[300:]}\n>c\nACGT\n")
    return tmp_path / "g.fa"


def test_the_last_tenth_is_for_validation_and_places_can_be_kept_out(genome, tmp_path):
    (tmp_path / "out.bed").write_text("a\t100\t200\nb\t0\t1300\n")
    with open_genome(genome) as opened:
        train = allowed_stretches(opened, "g", "", 50, held_out=False)
        assert train.tolist() == [(0, 0, 900), (1, 0, 1350)]
        assert allowed_stretches(opened, "g", "", 50, held_out=True).tolist() == [(0, 900, 1000), (1, 1350, 1500)]
        spared = allowed_stretches(opened, "g", str(tmp_path / "out.bed"), 50, held_out=False)
        assert spared.tolist() == [(0, 0, 100), (0, 200, 900), (1, 1300, 1350)]
        with pytest.raises(UsageError, match="g: no stretch of 2,000 bases in the first nine tenths"):
            allowed_stretches(opened, "g", "", 2000, held_out=False)
        reader = WindowReader(opened, spared, 50, 0.1, "g")
        assert reader.places.tolist() == [51, 51 + 651, 51 + 651 + 1]
        generator = np.random.default_rng(0)
        text = {"".join("ACGTN"[code] for code in reader.draw(generator)) for _ in range(300)}
        record = genome.read_text().splitlines()
        starts = {record[1].find(one) for one in text if record[1].find(one) >= 0}
        assert all(start + 50 <= 100 or start >= 200 for start in starts)
        assert max(starts) <= 850
        assert len(starts) > 200
        masked = WindowReader(opened, intervals((1, 300, 800)), 50, 0.1, "g")
        with pytest.raises(UsageError, match="100 windows in a row have too many N"):
            masked.draw(generator)


def test_mutations_have_their_rate_and_are_other_bases():
    codes = np.random.default_rng(0).integers(0, 5, 50_000, dtype=np.uint8)
    changed = mutated(np.random.default_rng(1), codes, 0.2)
    differs = changed != codes
    assert differs[codes < 4].mean() == pytest.approx(0.2, abs=0.01)
    assert not differs[codes == 4].any()
    steps = (changed[differs].astype(int) - codes[differs]) % 4
    np.testing.assert_allclose(np.bincount(steps, minlength=4)[1:] / len(steps), 1 / 3, atol=0.02)


def test_views_are_shifted_and_turned():
    codes = np.random.default_rng(0).integers(0, 4, 60, dtype=np.uint8)
    places, turns = set(), set()
    for seed in range(200):
        seen = view(np.random.default_rng(seed), codes, 50, 0.0, True)
        for turned, one in ((False, seen), (True, reverse_complement(seen))):
            found = [at for at in range(11) if np.array_equal(codes[at : at + 50], one)]
            places.update(found)
            turns.update([turned] * len(found))
    assert places == set(range(11))
    assert turns == {False, True}
