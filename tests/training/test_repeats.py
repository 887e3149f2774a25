"""Examples of tandem repeats: pure, of disjoint splits, and right where a window ends in N."""

import numpy as np
import pytest

from genoscan.scanner.encoding.spectrum import encode_spectrum
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.data.repeats import (
    Chains,
    cut_ends,
    example,
    fit_chains,
    local_table,
    read_background,
    reverse,
    sample_codes,
    sequence,
    unknown_ends,
    without_repeats,
)
from genoscan.training.data.simulate import TRUTH, RepeatSimulation, chance_repeats, label_bases
from genoscan.training.recipe import load_recipe

EMPTY = {"training": Chains([], []), "validation": Chains([], [])}


@pytest.fixture(scope="module")
def recipe():
    bundled = load_recipe("repeats")
    data = bundled.data.model_copy(update={"window": 2048, "random_share": 1.0, "unknown_share": 0.5, "orders": (0, 1)})
    return bundled.model_copy(update={"data": data})


class Contigs:
    """What `sample_codes` needs of a genome."""

    def __init__(self, *contigs):
        self.contigs = [np.array(contig, dtype=np.uint8) for contig in contigs]
        self.lengths = np.array([len(contig) for contig in contigs], dtype=np.int64)

    def codes(self, contig, start, end):
        assert 0 <= start <= end <= self.lengths[contig]
        return self.contigs[contig][start:end]


def write_fasta(path, text, width=60):
    lines = [text[i : i + width] for i in range(0, len(text), width)]
    path.write_text(">one\n" + "\n".join(lines) + "\n")
    return str(path)


def test_example_is_a_pure_function(recipe):
    first, again = (example(recipe, EMPTY, 3, 17, "training") for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("other", [(4, 17, "training"), (3, 18, "training"), (3, 17, "validation")])
def test_seed_index_and_split_each_matter(recipe, other):
    codes, _ = sequence(recipe, EMPTY, 3, 17, "training")
    assert not np.array_equal(codes, sequence(recipe, EMPTY, *other)[0])


def test_features_and_labels_belong_to_the_sequence(recipe):
    features, labels = example(recipe, EMPTY, 0, 5, "training")
    codes, truth = sequence(recipe, EMPTY, 0, 5, "training")
    assert np.array_equal(features, encode_spectrum(codes, recipe.net.lags))
    assert np.array_equal(labels, label_bases(truth, 2048) | chance_repeats(codes))
    assert labels.dtype == np.uint8


def test_only_training_windows_end_in_unknown_bases(recipe):
    training = [sequence(recipe, EMPTY, 0, i, "training") for i in range(200)]
    ended = [np.any(codes > 3) for codes, _ in training]
    assert 0.5 * 200 - 4 * 50**0.5 < sum(ended) < 0.5 * 200 + 4 * 50**0.5
    for codes, truth in training:
        assert not np.any(label_bases(truth, len(codes))[codes > 3])
        known = np.flatnonzero(codes < 4)
        assert len(known) == 0 or len(known) == known[-1] - known[0] + 1
    assert all(sequence(recipe, EMPTY, 0, i, "validation")[0].max() < 4 for i in range(50))


def test_unknown_ends_fit_into_the_window():
    generator = np.random.default_rng(0)
    truth = np.array([(10, 30, 5, 4, 0, 0), (60, 90, 5, 6, 0, 0)], dtype=TRUTH)
    ends = np.array([unknown_ends(generator, 100, truth) for _ in range(300)])
    assert ends.min() == 0
    assert ends.max() <= 50
    left, right, both = ends[:, 1] == 0, ends[:, 0] == 0, np.all(ends > 0, axis=1)
    assert min(left.sum(), right.sum(), both.sum()) > 60
    assert left.sum() + right.sum() + both.sum() == 300


def test_cut_ends_by_hand():
    settings = RepeatSimulation(indels=0.0, min_length=20)
    truth = np.array(
        [
            (0, 30, 10, 3.0, 0, 0),  # 25 bases of 10 are left: stays
            (40, 100, 30, 2.0, 0, 0),  # untouched
            (110, 160, 5, 10.0, 0, 0),  # cut to 19 bases: too short
            (170, 190, 5, 4.0, 0, 0),  # wholly under the N
        ],
        dtype=TRUTH,
    )
    codes, cut = cut_ends(np.zeros(200, dtype=np.uint8), truth, 5, 71, settings)
    assert np.array_equal(np.flatnonzero(codes == 4), [*range(5), *range(129, 200)])
    assert cut[["start", "end", "period"]].tolist() == [(5, 30, 10), (40, 100, 30)]
    assert cut["copies"].tolist() == [2.5, 2.0]


def test_cut_ends_takes_the_label_of_what_has_no_two_copies_left():
    settings = RepeatSimulation(indels=0.0, min_length=20)
    truth = np.array([(10, 110, 40, 2.5, 0, 0)], dtype=TRUTH)
    codes = np.zeros(120, dtype=np.uint8)
    assert len(cut_ends(codes, truth, 30, 0, settings)[1]) == 1  # 80 bases: two copies
    assert len(cut_ends(codes, truth, 31, 0, settings)[1]) == 0
    assert len(cut_ends(codes, truth, 60, 60, settings)[1]) == 0  # N all over
    assert not codes.any()


def test_sample_codes_lays_contigs_end_to_end():
    genome = Contigs([0, 1, 2], [], [3, 3], [1, 0])
    assert sample_codes(genome, 0, 7).tolist() == [0, 1, 2, 4, 4, 3, 3, 4, 1, 0, 4]
    assert sample_codes(genome, 2, 4).tolist() == [2, 4, 4, 3, 4]
    assert sample_codes(genome, 5, 7).tolist() == [1, 0, 4]
    assert sample_codes(genome, 3, 3).tolist() == []


def test_sample_codes_of_a_large_genome_spreads_out():
    genome = Contigs(np.repeat([0, 1, 2, 3], 1_000_000))
    codes = sample_codes(genome, 0, 4_000_000, longest=2_000_000)
    assert (codes < 4).sum() == 2_000_000
    assert np.all(np.bincount(codes, minlength=4)[:4] > 300_000)


def test_splits_share_no_table(tmp_path, recipe):
    # A and C only in the first nine tenths, G and T only in the last.
    generator = np.random.default_rng(1)
    text = "".join(generator.choice(list("AC"), 9_000)) + "".join(generator.choice(list("GT"), 1_000))
    background = read_background(write_fasta(tmp_path / "g.fa", text), print)
    assert len(background.digest) >= 32
    chains = fit_chains(recipe, [background])
    assert [table.shape for table in chains["training"].tables] == [(1, 4), (4, 4)]
    assert chains["training"].tables[0][0, 1] > 0.99
    assert chains["validation"].tables[0][0, 1] < 0.01
    assert set(chains["training"].codes[0]) == {0, 1, 4}
    assert set(chains["validation"].codes[0]) == {2, 3, 4}


def test_a_local_chain_knows_a_stretch_only():
    # C at the beginning, G at the end: no stretch of up to 2**14 bases sees both.
    codes = np.repeat(np.array([1, 2], dtype=np.uint8), 40_000)
    generator = np.random.default_rng(2)
    tables = [local_table(generator, codes) for _ in range(60)]
    assert {len(table) for table in tables} == {1, 4, 16}
    shares = [np.diff(table[0], prepend=0) for table in tables if len(table) == 1]
    pure = sum(max(share[1], share[2]) > 0.98 for share in shares)
    assert pure > 0.5 * len(shares)
    assert local_table(generator, np.full(20_000, 4, dtype=np.uint8)) is None


def test_half_of_the_windows_are_read_from_their_end():
    codes = np.arange(10, dtype=np.uint8) % 4
    truth = np.array([(1, 4, 1, 3, 0, 0), (6, 10, 2, 2, 0, 0)], dtype=TRUTH)
    turned, arrays = reverse(codes, truth)
    assert turned.tolist() == codes[::-1].tolist()
    assert arrays[["start", "end", "period"]].tolist() == [(0, 4, 2), (6, 9, 1)]
    assert reverse(turned, arrays)[1].tolist() == truth.tolist()


def test_repeats_of_a_genome_are_kept_from_its_chains():
    generator = np.random.default_rng(3)
    codes = generator.integers(0, 4, 2_000).astype(np.uint8)
    codes[500:700] = np.resize(generator.integers(0, 4, 12).astype(np.uint8), 200)
    masked = without_repeats(codes)
    changed = np.flatnonzero(masked != codes)
    assert (masked[changed] == 4).all()
    assert set(range(500, 700)) <= set(changed.tolist())
    assert len(changed) < 210


def test_backgrounds_are_asked_for(recipe):
    real = recipe.model_copy(update={"data": recipe.data.model_copy(update={"random_share": 0.15})})
    with pytest.raises(UsageError, match="--background"):
        fit_chains(real, [])
    assert fit_chains(recipe, []) == EMPTY


def test_a_small_background_is_named(tmp_path, recipe):
    path = write_fasta(tmp_path / "small.fa", "".join(np.random.default_rng(4).choice(list("ACGT"), 120)))
    with pytest.raises(GenoscanError, match=r"small\.fa: its validation part has 12 known bases"):
        fit_chains(recipe, [read_background(path, print)])


def test_half_of_the_cuts_fall_into_an_array():
    generator = np.random.default_rng(1)
    truth = np.array([(20, 22, 1, 2, 0, 0), (70, 72, 1, 2, 0, 0)], dtype=TRUTH)
    ends = [unknown_ends(generator, 100, truth) for _ in range(400)]
    inside = sum(left in (21, 22) or right in (29, 30) for left, right in ends)
    assert 150 < inside < 280
