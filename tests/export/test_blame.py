"""The layer that makes two graphs of one network differ is named."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from genoscan.export.blame import layer_to_blame, module_to_blame
from genoscan.export.precision import to_fp16
from genoscan.export.quantization import to_int8
from genoscan.export.tracing import to_onnx

WIDTH = 16


class Net(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = nn.Linear(4, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)
        with torch.no_grad():
            self.second.weight *= scale
            self.third.weight /= scale

    def forward(self, x):
        return self.third(torch.relu(self.second(torch.relu(self.first(x.transpose(1, 2)))))).mean(1)


@pytest.fixture(scope="module")
def tensor():
    return torch.rand(2, 4, 30).numpy()


def graph(net):
    return to_onnx(net, (torch.rand(2, 4, 30),), {0: "batch"}, ("sequence",))


def perturbed(model, shape):
    """The graph with the constant of that shape changed."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    (weight,) = [one for one in changed.graph.initializer if tuple(one.dims) == shape]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.2), weight.name))
    return changed


@pytest.mark.parametrize(("shape", "layer"), [((4, WIDTH), "first"), ((WIDTH, WIDTH), "second"), ((WIDTH, 1), "third")])
def test_the_layer_with_other_weights(tensor, shape, layer):
    net = Net()
    model = graph(net)
    found = layer_to_blame(model, perturbed(model, shape), tensor)
    assert (found.layer, found.node) == (layer, f"{layer}/MatMul")
    assert 0.01 < found.error < 1
    assert str(found).startswith(f"layer {layer} adds most to the difference (")
    assert module_to_blame(net, perturbed(model, shape), tensor).layer == layer


def test_nobody_is_to_blame_for_nothing(tensor):
    net = Net()
    model = graph(net)
    assert layer_to_blame(model, model, tensor) is None
    assert module_to_blame(net, model, tensor) is None


def test_overflow_in_half_precision(tensor):
    model = graph(Net(scale=1e6))
    half = to_fp16(model)
    found = layer_to_blame(model, half, tensor)
    assert found.layer == "second"
    assert str(found) == "layer second is the first to give NaN or infinity"


def test_a_layer_whose_range_was_not_seen(tensor):
    model = graph(Net())
    found = layer_to_blame(model, to_int8(model, [tensor * 0.01]), tensor)
    assert found.layer in ("first", "second")  # both were calibrated on what is a hundredth of their input
