"""The network of core promoters in bins: on a genome it gives what its windows give alone."""

import numpy as np
import pytest
import torch

from genoscan.training.nets.binned_promoter_net import BIN, BinnedPromoterNet
from genoscan.training.nets.promoter_scan import PromoterScan

WINDOW = 170


def random_bases(length, seed=1):
    codes = torch.from_numpy(np.random.default_rng(seed).integers(0, 4, length))
    return torch.nn.functional.one_hot(codes, 4).T[None].float()


def net(outputs=6):
    torch.manual_seed(3)
    return BinnedPromoterNet(outputs, WINDOW, 8, 11, 2, 8, 0.2).eval().requires_grad_(False)


def test_half_of_the_filters_do_not_mind_the_strand():
    network, bases = net(), random_bases(110)
    forward, backward = network.motifs(bases), network.motifs(bases.flip(1, 2)).flip(2)
    torch.testing.assert_close(forward[:, :4], backward[:, :4])
    assert not torch.allclose(forward[:, 4:], backward[:, 4:], atol=1e-3)


def test_a_planted_motif_is_found_in_its_bin():
    """A filter that is a motif's own one-hot matrix fits it with as many bases as it has; elsewhere worse."""
    network, bases = net(), random_bases(WINDOW)
    motif = random_bases(11, 9)[0]
    network.stem.weight[0], network.stem.bias[0] = motif, 0.0
    for planted in (motif, motif.flip(0, 1)):
        bases[..., 64:75] = planted
        found = network.motifs(bases)[0, 0]
        assert found[6] == 11
        assert int(found.argmax()) == 6


@pytest.mark.parametrize("first", [0, 200, 430])
def test_a_window_on_a_genome_is_one_alone(first):
    network, bases = net(), random_bases(600)
    alone = network(bases[..., first : first + WINDOW])
    assert alone.shape == (1, 6)
    torch.testing.assert_close(network(bases)[:, first // BIN], alone, rtol=1e-4, atol=1e-5)


def test_places_count():
    network, bases = net(), random_bases(WINDOW)
    assert not torch.allclose(network(bases), network(bases.roll(50, dims=2)), atol=1e-4)


def test_a_scan_has_the_window_whose_start_is_in_the_bin():
    network, bases = net(), random_bases(800, 2)
    scan = PromoterScan(network, 165, 10)
    found = scan(bases)
    assert found.shape == (1, 80, 6)
    torch.testing.assert_close(found[:, 16:], network(bases)[:, :64])
    assert scan.context == 170


def test_what_lies_beyond_the_context_does_not_matter():
    scan, bases = PromoterScan(net(), 165, 10), random_bases(1000, 3)
    middle = slice(scan.context // BIN, (1000 - scan.context) // BIN)
    other = random_bases(1600, 4)
    other[..., 300:1300] = bases
    torch.testing.assert_close(
        scan(bases)[:, middle], scan(other)[:, middle.start + 30 : middle.stop + 30], rtol=1e-4, atol=1e-5
    )
