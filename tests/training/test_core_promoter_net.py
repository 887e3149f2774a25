"""The network of plant core promoters: on a genome it gives what its windows with their neighbours give."""

import numpy as np
import pytest
import torch

from genoscan.training.nets.core_promoter_net import BIN, CorePromoterNet
from genoscan.training.nets.promoter_scan import PromoterScan

WINDOW = 170


def random_bases(length, seed=1):
    codes = torch.from_numpy(np.random.default_rng(seed).integers(0, 4, length))
    return torch.nn.functional.one_hot(codes, 4).T[None].float()


def net(outputs=6, members=2):
    torch.manual_seed(3)
    return CorePromoterNet(outputs, WINDOW, members, 8, 11, 5, (1, 2, 4), 8, 0.2).eval().requires_grad_(False)


def test_a_window_alone_is_one_with_nothing_beside_it():
    network, bases = net(), random_bases(WINDOW)
    padded = torch.nn.functional.pad(bases, (network.reach, network.reach))
    found = network(bases)
    assert found.shape == (1, 6)
    torch.testing.assert_close(found, network.windows(padded)[:, network.reach // BIN])


def member_of(network, number):
    """One member as a network of its own: its groups of all weights, and all of the head."""
    alone = net(len(network.head.weight), members=1)
    own = {}
    for name, one in network.state_dict().items():
        if name == "head.weight":
            own[name] = one.chunk(network.members, dim=1)[number] * network.members
        elif one.ndim and name != "head.bias":
            own[name] = one.chunk(network.members, dim=0)[number]
        else:
            own[name] = one
    alone.load_state_dict(own)
    return alone


def test_it_gives_the_mean_of_its_members():
    network, bases = net(members=3), random_bases(500)
    mean = torch.stack([member_of(network, number)(bases) for number in range(3)]).mean(dim=0)
    torch.testing.assert_close(network(bases), mean, rtol=1e-4, atol=1e-5)


def test_in_training_each_window_is_read_by_one_member():
    """Of five windows and two members the first three are the first member's, which learns nothing of the others."""
    network = net().requires_grad_(True)
    padded = torch.cat([random_bases(WINDOW + 2 * network.reach, seed) for seed in range(5)])
    found = network._apart(padded)
    for rows, number in ((slice(0, 3), 0), (slice(3, 5), 1)):
        alone = member_of(network, number)
        torch.testing.assert_close(found[rows], alone.windows(padded[rows], alone.reach)[:, 0], rtol=1e-4, atol=1e-5)
    found[3:].sum().backward()
    first, second = network.stem.weight.grad.chunk(2)
    assert not first.any()
    assert second.any()


def test_half_of_the_first_filters_do_not_mind_the_strand():
    network, bases = net(members=2), random_bases(100)
    forward, backward = (network._motifs(one, 1).unflatten(1, (2, 8)) for one in (bases, bases.flip(1, 2)))
    torch.testing.assert_close(forward[:, :, :4], backward[:, :, :4].flip(3))
    assert not torch.allclose(forward[:, :, 4:], backward[:, :, 4:].flip(3), atol=1e-3)


@pytest.mark.parametrize("first", [40, 200, 390])
def test_a_window_on_a_genome_is_one_with_its_neighbours(first):
    network, bases = net(), random_bases(600)
    reach = network.reach
    beside = bases[..., first - reach : first + WINDOW + reach]
    alone = network.windows(beside, reach)[:, 0]
    torch.testing.assert_close(network(bases)[:, first // BIN], alone, rtol=1e-4, atol=1e-5)


def test_places_count():
    network, bases = net(), random_bases(WINDOW)
    assert not torch.allclose(network(bases), network(bases.roll(50, dims=2)), atol=1e-4)


def test_training_puts_random_bases_beside_half_of_the_windows():
    network, bases = net().train(), random_bases(WINDOW).repeat(400, 1, 1)
    left, right = network._beside(bases)
    assert left.shape == right.shape == (400, 4, network.reach)
    filled = left.sum(dim=(1, 2))
    assert set(filled.tolist()) == {0.0, float(network.reach)}
    assert 150 < (filled > 0).sum() < 250
    assert torch.equal(filled, right.sum(dim=(1, 2)))


def test_a_scan_has_the_window_whose_start_is_in_the_bin():
    network, bases = net(), random_bases(800, 2)
    scan = PromoterScan(network, 165, 10)
    found = scan(bases)
    assert found.shape == (1, 80, 6)
    torch.testing.assert_close(found[:, 16:], network(bases)[:, :64])
    assert scan.context % BIN == 0
    assert scan.context >= 165 + network.reach


def test_what_lies_beyond_the_context_does_not_matter():
    scan, bases = PromoterScan(net(), 165, 10), random_bases(1000, 3)
    middle = slice(scan.context // BIN, (1000 - scan.context) // BIN)
    other = random_bases(1600, 4)
    other[..., 300:1300] = bases
    torch.testing.assert_close(
        scan(bases)[:, middle], scan(other)[:, middle.start + 30 : middle.stop + 30], rtol=1e-4, atol=1e-5
    )


def test_smoothing_must_be_an_odd_number_of_bins():
    with pytest.raises(ValueError, match="smoothed 20: must be an odd number of steps"):
        PromoterScan(net(), 165, 20)
