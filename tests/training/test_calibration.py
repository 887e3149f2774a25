"""Calibration: logits that are off by a known line come back."""

import pytest
import torch

from genoscan.training.calibration import calibration
from genoscan.training.nets.spectrum_net import SpectrumNet


@pytest.mark.parametrize(("slope", "offset"), [(1, 0), (2.5, 0), (0.5, -3), (1.2, 1)])
def test_a_known_line_is_found(slope, offset):
    generator = torch.Generator().manual_seed(1)
    true = torch.randn(200_000, generator=generator) * 3 - 2
    labels = (torch.rand(200_000, generator=generator) < torch.sigmoid(true)).float()
    found = calibration(((true - offset) / slope).reshape(400, 500), labels.reshape(400, 500))
    assert found == pytest.approx((slope, offset), abs=0.06)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_kind_fix_nothing(label):
    assert calibration(torch.randn(100), torch.full((100,), label)) == (1.0, 0.0)


def test_a_calibrated_network_gives_the_line():
    torch.manual_seed(2)
    net = SpectrumNet(64, width=8, dilations=(1,)).eval()
    features = torch.randint(0, 255, (1, 20, net.stem.in_channels), dtype=torch.uint8)
    with torch.no_grad():
        before = net(features)
        net.calibrate(2.0, -0.5)
        torch.testing.assert_close(net(features), 2 * before - 0.5)
