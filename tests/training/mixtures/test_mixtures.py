"""Mixtures for training, and the network of region means that learns from them."""

import numpy as np
import onnx
import pytest
import torch
from commands import invoke
from methylomes import TYPES, write_atlas

from genoscan.export.region_network import export_region_network
from genoscan.scanner.card import CARD_KEY
from genoscan.scanner.deconvolution.region_network import RegionCard, is_region_network, markers_of, open_region_network
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.reading.atlas import read_atlas
from genoscan.training.mixtures.compositions import KINDS, composition, spiked, weights_at
from genoscan.training.mixtures.fit import MixtureFit, fit_mixtures
from genoscan.training.mixtures.moments import Moments, drawn_means
from genoscan.training.nets.region_means import RegionMeansNet

BLOOD = np.array([True, True, False, False])


def moments(regions=20, donors=2, seed=0):
    """Reads of one CpG each, one for each base of coverage, of four cell types."""
    generator = np.random.default_rng(seed)
    levels = generator.choice([0.05, 0.95], (1, regions, 4)).repeat(donors, axis=0).astype(np.float32)
    ones = np.ones_like(levels)
    return Moments(ones, levels, ones, levels, levels)


@pytest.mark.parametrize("kind", KINDS)
def test_compositions(kind):
    blood = np.arange(30) < 7
    for seed in range(20):
        shares = composition(kind, blood, np.random.default_rng(seed))
        assert shares.sum() == pytest.approx(1)
        many = np.count_nonzero(shares)
        assert many == 2 if kind == "two" else 3 <= many <= 9
        if kind == "blood":
            assert many >= 6
            assert 0.7 <= shares[blood].sum() <= 0.95


def test_a_spike_leaves_the_others_in_proportion():
    np.testing.assert_allclose(spiked(np.array([0.6, 0.2, 0.2]), 2, 0.04), [0.72, 0.24, 0.04])
    np.testing.assert_allclose(spiked(np.array([0.6, 0.2, 0.2]), 2, 0), [0.75, 0.25, 0])


def test_training_goes_from_easy_to_realistic():
    first, last = weights_at(0), weights_at(1)
    np.testing.assert_allclose([first.sum(), last.sum()], 1)
    assert first.argmax() == 0
    assert last.argmax() == 2


def test_drawn_means_have_the_moments_of_their_reads():
    """With reads of one CpG, calls are Poisson and methylated ones binomial."""
    found = moments()
    shares = np.tile([0.5, 0.2, 0.2, 0.1], (4000, 1))
    means, calls = drawn_means(found, shares, np.full(4000, 100.0), np.random.default_rng(0))
    level = found.profiles @ shares[0]
    np.testing.assert_allclose(means.mean(axis=0), level, atol=0.01)
    np.testing.assert_allclose(calls.std(axis=0), 10, rtol=0.06)
    np.testing.assert_allclose(means.std(axis=0), np.sqrt(level * (1 - level) / 100), rtol=0.12)
    assert ((means >= 0) & (means <= 1)).all()


def test_two_stages_learn_and_the_export_says_the_same(tmp_path):
    torch.set_num_threads(1)
    told = []
    network = fit_mixtures(moments(), BLOOD, MixtureFit(steps=150, batch=64, width=32), lambda *one: told.append(one))
    assert told[-1][0] == 150
    assert told[-1][1] < 0.1
    found = network(torch.rand(5, 20), torch.full((5, 20), 50.0))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    card = RegionCard(
        name="toy", version="1", regions=[f"c:{n}-{n + 1}" for n in range(20)], tissues=[*"ABCD", "unknown"]
    )
    path = tmp_path / "toy.onnx"
    assert export_region_network(network, card, path) < 1e-4
    assert is_region_network(path)
    opened = open_region_network(path)
    assert opened.card == card
    profiles = moments().profiles
    shares = opened.run((profiles @ [0.6, 0.3, 0.1, 0.0])[None], np.full((1, 20), 1000.0))[0]
    assert shares[:2].sum() > 0.75


def test_blood_stands_where_the_atlas_has_it():
    torch.manual_seed(0)
    blood = torch.tensor([False, True, False, True])
    network = RegionMeansNet(torch.rand(6, 4), blood).eval()
    means, calls = torch.rand(3, 6), torch.full((3, 6), 9.0)
    first, others = network.stages(means, calls)
    found = network(means, calls)
    np.testing.assert_allclose(found[:, [1, 3]].detach(), first[:, :2].detach(), atol=1e-6)
    rest = (first[:, 2:] * others).detach()
    np.testing.assert_allclose(found[:, [0, 2, 4]].detach(), rest, atol=1e-6)


def test_the_command_and_its_network_on_a_sample(tmp_path):
    atlas, output = write_atlas(tmp_path / "atlas.tsv"), tmp_path / "net.onnx"
    result = invoke("train", "mixtures", "--atlas", atlas, "-o", output, "--steps", "3", "--donors", "1")
    assert result.exit_code == 0, result.stderr
    network = open_region_network(output)
    assert network.card.tissues == (*TYPES, "unknown")
    np.testing.assert_array_equal(markers_of(network, read_atlas(atlas), "atlas"), np.arange(4))
    lines = atlas.read_text().splitlines()
    numbered = [f"{lines[0]}\tstartCpG\tendCpG"]
    numbered += [f"{line}\t{10 * n + 1}\t{10 * n + 9}" for n, line in enumerate(lines[1:])]
    atlas.write_text("\n".join(numbered) + "\n")
    sample = tmp_path / "sample.pat"
    sample.write_text("chr7\t1\tTTTT\t5\nchr7\t11\tCCCC\t9\n")
    options = ["--model", output, "--atlas", atlas, "--resamples", "5", "-q"]
    result = invoke("deconvolve", sample, *options)
    assert result.exit_code == 0, result.stderr
    rows = [line.split("\t") for line in result.stdout.splitlines()[1:]]
    assert [row[1] for row in rows] == [*TYPES, "unknown"]
    assert sum(float(row[2]) for row in rows) == pytest.approx(1, abs=1e-4)
    assert {row[6] for row in rows} == {"region-network:region-means"}
    atlas.write_text("\n".join(numbered[:-1]) + "\n")
    with pytest.raises(UsageError, match="lacks 1 of the 4 regions"):
        markers_of(network, read_atlas(atlas), str(atlas))


def test_a_card_that_is_wrong_is_named(tmp_path):
    network = RegionMeansNet(torch.rand(3, 4), torch.from_numpy(BLOOD))
    card = RegionCard(
        name="toy", version="1", regions=["a:0-1", "a:2-3", "a:4-5"], tissues=["A", "B", "C", "D", "unknown"]
    )
    path = tmp_path / "toy.onnx"
    export_region_network(network, card, path)
    model = onnx.load(path)
    for change, message in (
        ({"regions": ["a:0-1"]}, "expected the inputs means and calls of 1 regions"),
        ({"tissues": ["A"]}, "wrong model card: tissues"),
    ):
        onnx.helper.set_model_props(model, {CARD_KEY: card.model_copy(update=change).model_dump_json()})
        onnx.save(model, path)
        with pytest.raises(GenoscanError, match=message):
            open_region_network(path)
    path.write_bytes(b"nothing")
    with pytest.raises(GenoscanError, match="not a readable ONNX model"):
        is_region_network(path)
