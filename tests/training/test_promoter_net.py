"""The network of promoters: boxes by hand, and the same on a window as on a genome."""

import numpy as np
import pytest
import torch

from genoscan.training.nets.promoter_net import FIRST_START, PromoterNet, log_odds
from genoscan.training.nets.promoter_scan import PromoterScan

WINDOW, START, STEP = 150, 120, 5


def one_hot(text):
    found = torch.zeros(1, 4, len(text))
    for place, letter in enumerate(text):
        if letter in "ACGT":
            found[0, "ACGT".index(letter), place] = 1
    return found


def random_bases(length, seed=1):
    codes = np.random.default_rng(seed).integers(0, 4, length)
    return one_hot("".join("ACGT"[code] for code in codes))


def with_boxes(start, spacer, length=200):
    """GC repeats with sigma-70's consensus boxes, so that transcription starts at base ``start``."""
    text = list("GC" * (length // 2))
    text[start - 12 : start - 6] = "TATAAT"
    text[start - 18 - spacer : start - 12 - spacer] = "TTGACA"
    return one_hot("".join(text))


def net(**changes):
    torch.manual_seed(0)
    settings = {"pairs": 6, "hidden": 8, "dropout": 0.1, "noise": 0.05, "step": STEP} | changes
    return PromoterNet(2, WINDOW, **settings).eval().requires_grad_(False)


def test_log_odds_by_hand():
    found = log_odds("TA", (0.85, 0.25))
    assert found.shape == (4, 2)
    np.testing.assert_allclose(found[:, 0], np.log([0.2, 0.2, 0.2, 3.4]), rtol=1e-5)
    np.testing.assert_allclose(found[:, 1], np.zeros(4), atol=1e-6)


@pytest.mark.parametrize("spacer", [15, 16, 17, 18, 19])
def test_the_start_is_twelve_bases_after_the_first_of_the_minus_10_box(spacer):
    starts = net(noise=1e-6).starts(with_boxes(100, spacer))[0]
    assert len(starts) == 200 - FIRST_START - 1
    assert int(starts.argmax()) + FIRST_START == 100


def test_seventeen_bases_between_the_boxes_fit_best():
    best = {spacer: float(net(noise=1e-6).starts(with_boxes(100, spacer)).max()) for spacer in range(14, 22)}
    assert max(best, key=best.get) == 17
    assert float(net(noise=1e-6).starts(one_hot("GC" * 100)).max()) < min(best.values())


def test_fresh_weights_tell_a_promoter_from_none():
    untrained = net(noise=1e-6)
    pairs = [untrained.bindings(one).sum(dim=2)[0] for one in (with_boxes(120, 17, WINDOW), one_hot("GC" * 75))]
    assert (pairs[0] > 20 * pairs[1])[: untrained.known].all()
    torch.testing.assert_close(pairs[0][untrained.known :], pairs[1][untrained.known :], rtol=1e-3, atol=0.0)


def test_longer_sequences_give_what_their_windows_give():
    network, bases = net(), random_bases(600)
    found = network(bases)
    assert found.shape == (1, (600 - WINDOW) // STEP + 1, 2)
    alone = torch.cat([network(bases[..., at : at + WINDOW]) for at in range(0, 600 - WINDOW + 1, STEP)])
    torch.testing.assert_close(found[0], alone, rtol=1e-4, atol=1e-5)


def test_a_scan_has_each_bins_mean_over_thirteen_windows_about_it():
    network, bases = net(), random_bases(800, 2)
    scan = PromoterScan(network, START, 65)
    found = scan(bases)
    assert found.shape == (1, 160, 3)
    bin_number = 70
    firsts = [STEP * (bin_number + shift) - START for shift in range(-6, 7)]
    alone = torch.cat([network(bases[..., first : first + WINDOW]) for first in firsts])
    torch.testing.assert_close(found[0, bin_number, :2], alone.mean(dim=0), rtol=1e-4, atol=1e-5)
    fits = network.starts(bases)[0]
    inside = fits[STEP * bin_number - FIRST_START : STEP * (bin_number + 1) - FIRST_START]
    torch.testing.assert_close(found[0, bin_number, 2], inside.max())


def test_what_lies_beyond_the_context_does_not_matter():
    scan, bases = PromoterScan(net(), START, 65), random_bases(1200, 3)
    middle = slice(scan.context // STEP, (1200 - scan.context) // STEP)
    other = random_bases(1200 + 2 * 300, 4)
    other[..., 300:1500] = bases
    shifted = slice(middle.start + 60, middle.stop + 60)
    torch.testing.assert_close(scan(bases)[:, middle], scan(other)[:, shifted], rtol=1e-4, atol=1e-5)
    assert (scan(bases)[0, middle, 0] != 0).all()


def test_unknown_bases_give_numbers():
    assert torch.isfinite(net()(torch.zeros(1, 4, WINDOW))).all()


def test_no_weights_overflow():
    network = net()
    network.upstream.weight.mul_(1000)
    network.downstream.weight.mul_(1000)
    assert torch.isfinite(network(random_bases(400))).all()
