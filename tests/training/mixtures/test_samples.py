"""Samples in which one cell type can have any share, and the methods that are given them."""

import numpy as np
import pytest
import toys
from methylomes import TYPES, write_atlas, write_genome

from genoscan.scanner.deconvolution.mixture import proportions, with_unknown
from genoscan.scanner.errors import UsageError
from genoscan.scanner.inference.session import open_model
from genoscan.scanner.read_likelihoods import region_likelihoods
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.methylation.reads import joined
from genoscan.scanner.reading.tiles import INTERVAL
from genoscan.training.mixtures.evaluation import estimates, spiked_type
from genoscan.training.mixtures.methods import ReadNetwork, atlas_least_squares, atlas_likelihood
from genoscan.training.mixtures.samples import spiked_samples
from genoscan.training.tissue.panel import open_panel
from genoscan.training.tissue.settings import ReadSimulation
from genoscan.training.tissue.simulation import Simulator

LIVER = TYPES.index("Liver")


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    return write_atlas(tmp_path_factory.mktemp("atlas") / "atlas.tsv")


@pytest.fixture(scope="module")
def simulator(atlas):
    return Simulator(open_panel(atlas), ReadSimulation(), 150, 1)


def samples(simulator, split="test", coverage=100, many=3, seed=0):
    return list(spiked_samples(simulator, split, LIVER, coverage, 0.5, many, seed))


def positions(sample, share):
    return [one.starts.tolist() for one in sample.at(share)]


def test_a_sample_is_a_function_of_its_number(simulator):
    first, *_, last = samples(simulator)
    again = samples(simulator, many=1)[0]
    np.testing.assert_array_equal(first.shares, again.shares)
    assert positions(first, 0.2) == positions(again, 0.2)
    assert positions(first, 0.2) != positions(last, 0.2)
    assert positions(first, 0.2) != positions(samples(simulator, "validation", many=1)[0], 0.2)
    assert positions(first, 0.2) != positions(samples(simulator, seed=1, many=1)[0], 0.2)


def test_a_larger_share_keeps_the_reads_of_the_cell_type_and_loses_others(simulator):
    (sample,) = samples(simulator, many=1)
    own = sample.above >= 0
    assert not sample.kept(0.0)[own].any()
    assert sample.kept(0.0)[~own].all()
    before = sample.kept(0.0)
    for share in (0.01, 0.1, 0.5):
        kept = sample.kept(share)
        assert (kept[own] >= before[own]).all()
        assert (kept[~own] <= before[~own]).all()
        before = kept


def test_reads_are_shared_out_as_it_is_said(simulator):
    (sample,) = samples(simulator, coverage=3000, many=1)
    own, many = sample.above >= 0, sample.kept(0.0).sum()
    for share in (0.02, 0.1, 0.4):
        kept = sample.kept(share)
        assert kept.sum() == pytest.approx(many, rel=0.03)
        assert kept[own].sum() / kept.sum() == pytest.approx(share, rel=0.1)
        assert sum(len(one.starts) for one in sample.at(share)) == kept.sum()


def test_mixtures_have_the_shares_that_they_say(simulator):
    for sample in samples(simulator, many=10):
        assert sample.shares.sum() == pytest.approx(1)
        assert 0.7 <= sample.shares[0] <= 0.95
        assert sample.donor in range(20)


@pytest.mark.parametrize("method", [atlas_likelihood, atlas_least_squares])
def test_the_atlas_finds_what_was_mixed(simulator, method):
    panel = simulator.panel
    found = estimates(simulator, {"atlas": method(panel)}, LIVER, 200, 8, 0, (0.05, 0.3))["atlas"]
    assert found.measures()["mae"] < 0.05
    assert found.spikes[0.3].mean() == pytest.approx(0.3, abs=0.06)
    assert found.detection.found[0.3] == 1


class OneSample:
    """A sample that has these reads, whatever is asked for."""

    def __init__(self, reads):
        self.kept = reads

    def reads(self, regions):
        for _ in regions:
            yield self.kept


def test_a_network_of_reads_says_what_it_says_of_a_file(atlas, tmp_path):
    genome_path = write_genome(tmp_path / "g.fa", atlas)
    whole = open_panel(atlas, genome_path)
    panel = whole._replace(atlas=whole.atlas._replace(cell_types=TYPES[:2]))  # as many as the toy has classes
    model = open_model(toys.write(tmp_path / "m.onnx", toys.read_model(40, names=TYPES[:2])), "cpu")
    method = ReadNetwork(model, panel)
    rows = zip(panel.atlas.starts.tolist(), panel.atlas.ends.tolist(), strict=True)
    markers = np.array([(0, start, end) for start, end in rows], dtype=INTERVAL)
    with open_genome(genome_path) as genome:
        for sample in samples(Simulator(whole, ReadSimulation(), 40, 1), coverage=20, many=2):
            answer = method(sample)  # the second one's windows are known in part
            for share in (0.0, 0.3):
                ((found, _),) = region_likelihoods(model, genome, OneSample(joined(sample.at(share))), markers)
                expected = proportions(with_unknown(found.log_likelihoods), found.counts)
                assert expected[0] > 0.1
                np.testing.assert_allclose(answer(share), expected[:2], atol=1e-3)


def test_the_cell_type_that_is_looked_for(simulator):
    panel = simulator.panel
    assert spiked_type(panel, "Neuron", "atlas") == 2
    assert spiked_type(panel, "", "atlas") == 1  # as many markers as the neurons
    with pytest.raises(UsageError, match=r"--spike Spleen: atlas has no such cell type, but Blood-T, Liver, Neuron"):
        spiked_type(panel, "Spleen", "atlas")
    bare = panel._replace(atlas=panel.atlas._replace(cell_types=("A", "B", "C")))
    with pytest.raises(UsageError, match="mixtures need cell types of the blood"):
        spiked_type(bare, "", "atlas")
