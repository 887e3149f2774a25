"""The spectrum network: shapes, reach, and that a window's edge looks like a contig's edge."""

import numpy as np
import pytest
import torch

from genoscan.scanner.encoding.spectrum import BIN, encode_spectrum, feature_count
from genoscan.training.nets.spectrum_net import SpectrumNet

LAGS = 64


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return SpectrumNet(LAGS, width=8, dilations=(1, 4)).eval()


def features_of(codes):
    return torch.from_numpy(encode_spectrum(np.asarray(codes, dtype=np.uint8), LAGS))[None]


def random_codes(seed, bases):
    return np.random.default_rng(seed).integers(0, 4, bases).astype(np.uint8)


def logits_of(net, features):
    with torch.no_grad():
        return net(features)[0].numpy()


@pytest.mark.parametrize(("batch", "bins"), [(1, 2), (3, 20)])
def test_a_logit_for_every_base(net, batch, bins):
    features = torch.zeros(batch, bins, feature_count(LAGS), dtype=torch.uint8)
    logits = net(features)
    assert logits.shape == (batch, bins * BIN)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("before", [0, 6])
@pytest.mark.parametrize("after", [0, 10])
def test_zero_rows_around_change_nothing(net, before, after):
    features = features_of(random_codes(1, 24 * BIN))
    empty = torch.zeros(1, 1, features.shape[2], dtype=torch.uint8)
    padded = torch.cat([empty.expand(1, before, -1), features, empty.expand(1, after, -1)], dim=1)
    inside = logits_of(net, padded)[before * BIN : (before + 24) * BIN]
    np.testing.assert_allclose(inside, logits_of(net, features), atol=1e-5)


def test_unknown_bases_around_a_contig_change_nothing(net):
    # A repeat that runs up to both ends: its scores run on for a while into the bins of N.
    codes = np.tile(random_codes(2, 7), 60)[: 24 * BIN]
    padded = np.full(60 * BIN, 4, dtype=np.uint8)
    padded[10 * BIN : 34 * BIN] = codes
    inside = logits_of(net, features_of(padded))[10 * BIN : 34 * BIN]
    np.testing.assert_allclose(inside, logits_of(net, features_of(codes)), atol=1e-5)


def test_rows_of_a_batch_are_independent(net):
    features = torch.cat([features_of(random_codes(seed, 12 * BIN)) for seed in range(4)])
    with torch.no_grad():
        together = net(features).numpy()
    for row in range(4):
        np.testing.assert_allclose(together[row], logits_of(net, features[row : row + 1]), atol=1e-5)


def test_reach_is_the_sum_of_the_dilations(net):
    features = features_of(random_codes(3, 32 * BIN))
    changed = features.clone()
    changed[0, 16, : net.bands] += 40
    moved = np.abs(logits_of(net, changed) - logits_of(net, features)).reshape(32, BIN).max(axis=1) > 0
    assert moved[16]
    touched = np.flatnonzero(moved)
    assert touched.min() >= 16 - 2 * 5  # in pairs of bins
    assert touched.max() <= 17 + 2 * 5
    assert len(touched) > 1


def test_every_weight_learns(net):
    features = torch.cat([features_of(random_codes(seed, 16 * BIN)) for seed in range(2)])
    net.zero_grad()
    net(features).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())
