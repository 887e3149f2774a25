"""A network becomes an ONNX graph.

The spectrum network is not traced as it is trained: the same arithmetic is laid out for the runtime first. The
layouts here were the best of those that were timed in ONNX Runtime on one processor core. The factor on the tracks
goes into the weights, the mask of unknown bases is widened by a convolution (so that it comes in the layout of what it
multiplies), and no elementwise pass over the widest tensor is left but its cast.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

import onnx
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d

from ..scanner.encoding.spectrum import BIN
from ..training.nets.spectrum_net import TRACK_SCALE, SpectrumNet

OPSET = 20
IR_VERSION = 10
"""What ONNX Runtime 1.20 reads."""


class _SpectrumLayout(nn.Module):
    """What the layouts share: where the columns of a row of features begin, and constant tensors."""

    def __init__(self, net: SpectrumNet):
        super().__init__()
        self.width, self.dilations = net.width, net.dilations
        self.local_start = net.bands
        self.base_start = net.bands + BIN * 8
        self.layers = len(net.body)

    def keep(self, name: str, tensor: Tensor) -> None:
        """Hold a constant of the graph under ``name``."""
        self.register_buffer(name, tensor.detach().clone().contiguous())

    def scaled(self, weight: Tensor, tracks: int) -> Tensor:
        """Convolution weights whose first ``tracks`` input channels take bytes instead of scaled tracks."""
        return torch.cat([weight[:, :tracks] * TRACK_SCALE, weight[:, tracks:]], dim=1)


class SpectrumFloatLayout(_SpectrumLayout):
    """uint8 (batch, bins, features) to float32 (batch, bins * 16, 1), for fp32 and fp16.

    The wide first layer is a matrix product on the rows as they lie; the rest are convolutions over images of height
    one, because ONNX Runtime has its blocked layout (NCHWc) for those and not for one-dimensional ones. A depthwise
    convolution by one brings the first layer's output into that layout, where it then stays to the end.
    """

    def __init__(self, net: SpectrumNet):
        super().__init__(net)
        self.keep("stem_weight", self.scaled(net.stem.weight, self.base_start)[:, :, 0].T)
        self.keep("stem_bias", net.stem.bias)
        self.keep("enter", torch.ones(net.width, 1, 1, 1))
        self.keep("widen", torch.ones(net.width, 1, 1, 1))
        self.keep("local_weight", self.scaled(net.local.weight, BIN * 8).unsqueeze(2))
        self.keep("local_bias", net.local.bias)
        for number, layer in enumerate(net.body):
            for name, convolution in (("spread", layer.spread), ("mix", layer.mix)):
                self.keep(f"{name}{number}_weight", convolution.weight.unsqueeze(2))
                self.keep(f"{name}{number}_bias", convolution.bias)
        for name, convolution in (("head", net.head), ("out", net.out)):
            self.keep(f"{name}_weight", convolution.weight.unsqueeze(2))
            self.keep(f"{name}_bias", convolution.bias)

    def convolve(self, name: str, x: Tensor, dilation: int = 0) -> Tensor:
        weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
        if not dilation:
            return conv2d(x, weight, bias)
        return conv2d(x, weight, bias, padding=(0, dilation), dilation=(1, dilation))

    def forward(self, features: Tensor) -> Tensor:
        known = features[:, :, self.base_start :].amax(dim=2).float().unsqueeze(1).unsqueeze(1)
        inside = conv2d(known, self.widen)
        columns = features[:, :, self.local_start :].transpose(1, 2).unsqueeze(2).float() * known
        local = torch.relu(self.convolve("local", columns, 1))
        x = torch.relu(features.float() @ self.stem_weight + self.stem_bias)
        x = conv2d(x.transpose(1, 2).unsqueeze(2), self.enter, groups=self.width) * inside
        for number, dilation in enumerate(self.dilations):
            spread = torch.relu(self.convolve(f"spread{number}", x, dilation))
            x = (x + self.convolve(f"mix{number}", spread)) * inside
        x = torch.relu(self.convolve("head", torch.cat([x, local], dim=1)))
        return self.convolve("out", x).squeeze(2).transpose(1, 2).reshape(features.shape[0], -1, 1)


class SpectrumIntegerLayout(_SpectrumLayout):
    """The same for int8: one-dimensional convolutions, which the runtime turns to channels-last by itself.

    The input stays bytes: base indicators become 0 and 32, so that tracks and bases have one scale (`TRACK_SCALE`)
    and the weights of both, which share their own scale in each channel, keep the size they were trained at.
    """

    def __init__(self, net: SpectrumNet):
        super().__init__(net)
        self.net = net
        self.keep("widen", torch.ones(net.width, 1, 1))
        self.keep("one", torch.tensor([round(1 / TRACK_SCALE)], dtype=torch.uint8))
        self.keep("zero", torch.tensor([0], dtype=torch.uint8))
        self.keep("out_weight", net.out.weight[:, :, 0].T)

    def forward(self, features: Tensor) -> Tensor:
        net = self.net
        bases = features[:, :, self.base_start :]
        known = bases.amax(dim=2, keepdim=True).bool()
        tracks = torch.where(known, features[:, :, self.local_start : self.base_start], self.zero)
        bands = features[:, :, : self.local_start]
        rows = torch.cat([bands, tracks, torch.where(bases.bool(), self.one, self.zero)], dim=2)
        x = rows.transpose(1, 2).float() * TRACK_SCALE
        inside = conv1d(known.float().transpose(1, 2), self.widen)
        local = torch.relu(net.local(x[:, self.local_start :]))
        x = torch.relu(net.stem(x)) * inside
        for layer in net.body:
            x = (x + layer.mix(torch.relu(layer.spread(x)))) * inside
        x = torch.relu(net.head(torch.cat([x, local], dim=1)))
        x = x.transpose(1, 2) @ self.out_weight + net.out.bias
        return x.reshape(features.shape[0], -1, 1)


def to_onnx(network: nn.Module, example: Tensor, dynamic: dict[int, str], input_name: str) -> onnx.ModelProto:
    """The ONNX graph of a network of one input and one output ``logits``, constants folded.

    example: an input of two or more along each dynamic axis; ``dynamic`` names those axes.
    The model says nothing of the machine that made it, and the same network gives the same bytes.
    """
    network = network.eval().requires_grad_(False)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[input_name],
            output_names=["logits"],
            dynamic_shapes=(dynamic,),
            verbose=False,
        )
    model = program.model_proto
    model.ir_version = min(model.ir_version, IR_VERSION)
    strip_traces(model)
    return model


def strip_traces(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes for debugging: stack traces with paths, modules, doc strings."""
    graph = model.graph
    del model.metadata_props[:]
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own deprecations and of packages that this network does not need."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
