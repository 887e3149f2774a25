"""Simulated reads: what they say of themselves is true, whatever asks for them."""

from math import comb

import methylomes
import numpy as np
import pytest

from genoscan.scanner.deconvolution.fractions import fractions
from genoscan.scanner.deconvolution.marker_reads import marker_reads
from genoscan.scanner.encoding.kmers_methylation import BASE_BITS, MARK_SHIFT
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.reading.methylation.reads import MethylationReads
from genoscan.training.tissue.evidence import fill_likelihoods, posterior
from genoscan.training.tissue.panel import open_panel, panel_markers
from genoscan.training.tissue.settings import Drawing, ReadSimulation
from genoscan.training.tissue.simulation import Simulator

WINDOW = 60


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    return open_panel(methylomes.write_atlas(tmp_path_factory.mktemp("atlas") / "atlas.tsv"))


@pytest.fixture(scope="module")
def simulator(panel):
    return Simulator(panel, ReadSimulation(length=80, deviation=10, insert=150, read_length=50), WINDOW, 1)


def test_panel(panel, tmp_path):
    assert panel.targets.tolist() == [1, 0, 2, -1]
    assert panel.shares[3].tolist() == [0.5, 0.4, 0.45]  # what is not known is the median
    assert all(panel.codes[at] == 1 and panel.codes[at + 1] == 2 for at in panel.cpgs)
    genome = methylomes.write_genome(tmp_path / "g.fa", methylomes.write_atlas(tmp_path / "a.tsv"))
    read = open_panel(tmp_path / "a.tsv", genome)
    marker = slice(panel.lefts[2], panel.rights[2])
    np.testing.assert_array_equal(read.codes[read.lefts[2] : read.rights[2]], panel.codes[marker])
    assert panel_markers(read) == panel_markers(panel)
    assert panel_markers(panel)[1].target == "Blood-T"


def test_markers_that_say_nothing_are_left_out(tmp_path):
    path = methylomes.write_atlas(tmp_path / "a.tsv")
    path.write_text(path.read_text().replace("0.5\t0.4\tNA", "NA\tNA\tNA"))
    assert len(open_panel(path).lefts) == 3


def test_what_does_not_fit(tmp_path):
    path = methylomes.write_atlas(tmp_path / "a.tsv")
    genome = methylomes.write_genome(tmp_path / "g.fa", path)
    bare = tmp_path / "bare.tsv"
    bare.write_text("chr\tstart\tend\tA\tB\nchr7\t1000\t1120\t0\t1\n")
    with pytest.raises(UsageError, match="no column sequence"):
        open_panel(bare)
    assert len(open_panel(bare, genome).lefts) == 1
    for text, said in (("chr8\t1000\t1120", "no contig 'chr8'"), ("chr7\t1000\t9120", "ends beyond 'chr7'")):
        bare.write_text(f"chr\tstart\tend\tA\tB\n{text}\t0\t1\n")
        with pytest.raises(UsageError, match=said):
            open_panel(bare, genome)
    bare.write_text("chr\tstart\tend\tA\tB\nchr7\t5500\t5600\t0\t1\n")
    with pytest.raises(GenoscanError, match="has no CpG"):
        open_panel(bare, genome)


def test_a_read_follows_from_its_number_alone(simulator):
    all_together = simulator.draw("training", 4, np.arange(30))
    apart = [simulator.draw("training", 4, np.array([row])) for row in (7, 29)]
    for row, one in zip((7, 29), apart, strict=True):
        for whole, single in zip(all_together, one, strict=True):
            np.testing.assert_array_equal(whole[row], single[0])
    assert (simulator.draw("training", 5, np.arange(30)).codes != all_together.codes).any()
    assert (simulator.draw("validation", 4, np.arange(30)).codes != all_together.codes).any()


def test_marks_are_on_cpgs_and_bases_are_the_panels(simulator, panel):
    reads = simulator.draw("test", 0, np.arange(500), Drawing(outside=0.5))
    bases, marks = reads.codes & BASE_BITS, reads.codes >> MARK_SHIFT
    rows, places = np.nonzero(marks)
    inner = places + 1 < WINDOW
    assert set(bases[rows, places]) == {1}
    assert set(bases[rows[inner], places[inner] + 1]) == {2}
    assert (marks.any(axis=1)).mean() > 0.99
    within = np.arange(WINDOW)
    own = (marks > 0) & (within >= reads.inside[:, :1]) & (within < reads.inside[:, 1:])
    np.testing.assert_array_equal(own.sum(axis=1), reads.cpgs[:, 0])
    np.testing.assert_array_equal((own & (marks == 2)).sum(axis=1), reads.cpgs[:, 1])
    for row in range(20):
        corner = panel.lefts[reads.markers[row]] - reads.inside[row, 0]
        known = np.flatnonzero(bases[row] < 4)
        np.testing.assert_array_equal(bases[row, known], panel.codes[corner + known])


def test_posteriors_are_those_of_the_states_that_are_seen(simulator):
    reads, settings = simulator.draw("test", 0, np.arange(200)), simulator.settings
    assert reads.posterior.sum(axis=1) == pytest.approx(1)
    for row in range(200):
        begin, end = np.clip(reads.inside[row], 0, WINDOW)
        marks = reads.codes[row, begin:end] >> MARK_SHIFT
        positions = np.flatnonzero(marks)
        likelihoods = np.empty((1, 3))
        fill_likelihoods(
            positions, marks[positions] - 1, np.array([0, len(positions)]), np.array(settings.levels), settings.block,
            settings.unconverted, settings.converted, likelihoods,
        )  # fmt: skip
        exact, _ = posterior(likelihoods, simulator.shares[reads.markers[row : row + 1]], simulator.prior)
        assert reads.posterior[row] == pytest.approx(exact[0])


def test_posteriors_are_what_they_say(simulator):
    """Among reads with a posterior of about p for a class, a share of p are of that class; its log-loss is its
    entropy."""
    reads = simulator.draw("training", 0, np.arange(150_000), Drawing(outside=0.2))
    right = np.eye(3)[reads.classes]
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.8), (0.8, 1.0)):
        chosen = (reads.posterior >= low) & (reads.posterior < high)
        assert chosen.sum() > 1000
        assert right[chosen].mean() == pytest.approx(reads.posterior[chosen].mean(), abs=0.02)
    entropy = -(reads.posterior * np.log(reads.posterior)).sum(axis=1).mean()
    assert -np.log(reads.posterior[right > 0]).mean() == pytest.approx(entropy, rel=0.01)


def test_donors_differ_about_the_atlas(simulator, panel):
    donors = simulator.donors
    assert donors["training"].shape == (40, 4, 3)
    assert not np.isin(donors["test"], donors["training"]).all()
    assert donors["training"].std(axis=0)[3].min() > 0.03
    means = np.concatenate([donors["training"], donors["test"]]).mean(axis=0)
    np.testing.assert_allclose(means, panel.shares, atol=0.05)


def test_targets_are_drawn_more_often(simulator, panel):
    reads = simulator.draw("test", 0, np.arange(3000), Drawing(targets=0.6))
    has = panel.targets[reads.markers] >= 0
    assert (reads.classes == panel.targets[reads.markers])[has].mean() == pytest.approx(0.6 + 0.4 / 3, abs=0.04)


def test_what_is_drawn_at_a_marker(simulator):
    drawing = Drawing(targets=0.6)
    reads = simulator.draw("training", 0, np.arange(60_000), drawing)
    prior = simulator.drawn_prior(np.arange(4), drawing)
    for marker in range(4):
        shares = np.bincount(reads.classes[reads.markers == marker], minlength=3) / (reads.markers == marker).sum()
        np.testing.assert_allclose(prior[marker], shares, atol=0.02)
    np.testing.assert_allclose(simulator.drawn_prior(np.arange(4)), np.full((4, 3), 1 / 3))


def test_a_sample_is_reads_of_the_genome(simulator, panel):
    sample = simulator.sample(np.array([0.0, 1.0, 0.0]), 300, seed=2, donor=3)
    assert len(sample) == 4
    for marker, reads in enumerate(sample):
        assert isinstance(reads, MethylationReads)
        shift = panel.lefts[marker] - panel.atlas.starts[marker]
        assert np.isin(reads.positions + shift, panel.cpgs).all()
        owners = np.repeat(np.arange(len(reads.starts)), np.diff(reads.offsets))
        assert (reads.positions >= reads.starts[owners]).all()
        assert (reads.positions < reads.ends[owners]).all()
        assert (np.diff(reads.starts) >= 0).all()
        left, right = panel.atlas.starts[marker], panel.atlas.ends[marker]
        depth = (np.minimum(reads.ends, right) - np.maximum(reads.starts, left)).clip(0).sum() / (right - left)
        assert depth == pytest.approx(300, rel=0.2)
    inside = (sample[0].positions >= 1000) & (sample[0].positions < 1120)
    share = simulator.donors["test"][3, 0, 1]  # of the liver's unmethylated reads at its own marker
    assert (sample[0].states[inside] == 0).mean() == pytest.approx(share, abs=0.06)
    again = simulator.sample(np.array([0.0, 1.0, 0.0]), 300, seed=2, donor=3)
    np.testing.assert_array_equal(again[2].states, sample[2].states)


def test_reads_look_unmethylated_hardly_more_often_than_the_atlas_counts(simulator, panel):
    """UXM's rule at markers of other cell types. 4 % of reads are partially methylated, each CpG with 0.7; with four
    CpGs 8.4 % of these have at most one that is (0.3^4 + 4 * 0.7 * 0.3^3): 0.3 % of all, and fewer with more CpGs."""
    partial = sum(comb(4, methylated) * 0.7**methylated * 0.3 ** (4 - methylated) for methylated in (0, 1))
    most = simulator.settings.partial * partial
    assert most == pytest.approx(0.00335, abs=1e-5)
    for donor in range(3):
        sample = simulator.sample(np.array([1.0, 0.0, 0.0]), 2000, seed=1, donor=donor)
        found = fractions(marker_reads(sample, panel.atlas.starts, panel.atlas.ends), 4).shares[[0, 2]]
        apart = found - simulator.donors["test"][donor, [0, 2], 0]
        assert (np.abs(apart) < most + 0.005).all()


def test_priors(panel):
    blood = Simulator(panel, ReadSimulation(), WINDOW, 1, Drawing(prior="blood", blood_share=0.9)).prior
    assert blood == pytest.approx([0.9, 0.05, 0.05])
