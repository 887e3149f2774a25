"""The spectrum network laid out for ONNX Runtime.

It is not traced as it is trained: the same arithmetic is laid out for the runtime first. The layouts here were the best
of those that were timed in ONNX Runtime on one processor core. The factor on the features goes into the weights, and
all but the body are products on rows as the features lie, so that nothing is turned around at full length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, pad

from ..scanner.encoding.spectrum import BIN
from ..training.nets.spectrum_net import FEATURE_SCALE, SpectrumNet


class _SpectrumLayout(nn.Module):
    """The spectrum network but for the two layers that read bytes: those are for the subclasses to say.

    The body is convolutions over images of height one, because ONNX Runtime has its blocked layout (NCHWc) for those
    and not for one-dimensional ones. The mask of unknown bases is widened by a convolution, so that it comes in the
    layout of what it multiplies.
    """

    def __init__(self, net: SpectrumNet):
        super().__init__()
        self.width, self.dilations, self.bands = net.width, net.dilations, net.bands
        self.keep("widen", torch.ones(net.width, 1, 1, 1))
        for number, layer in enumerate(net.body):
            for name, convolution in (("spread", layer.spread), ("mix", layer.mix)):
                self.keep(f"{name}{number}_weight", convolution.weight.unsqueeze(2))
                self.keep(f"{name}{number}_bias", convolution.bias)
        for name, layer in (("pair", net.pair), ("head", net.head), ("out", net.out)):
            self.keep(f"{name}_weight", layer.weight)
            self.keep(f"{name}_bias", layer.bias if layer is not net.pair else layer.bias.unsqueeze(1))
        self.keep("surroundings_weight", net.surroundings.weight)
        for name, convolution in (("stem", net.stem), ("local", net.local)):
            self.keep(f"{name}_bias", convolution.bias)

    def keep(self, name: str, tensor: Tensor) -> None:
        """Hold a constant of the graph under ``name``."""
        self.register_buffer(name, tensor.detach().clone().contiguous())

    def convolve(self, name: str, x: Tensor, dilation: int = 0) -> Tensor:
        weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
        return conv2d(x, weight, bias, padding=(0, dilation), dilation=(1, max(dilation, 1)))

    def stem(self, features: Tensor) -> Tensor:
        """(batch, bins, features) to (batch, bins, width), before its ReLU."""
        raise NotImplementedError

    def local(self, features: Tensor) -> Tensor:
        """The same for the side branch."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        batch, bins = features.shape[:2]
        inside = features[:, :, -4 * BIN :].amax(dim=2, keepdim=True).bool().float()
        tracks = torch.relu(self.local(features))
        own = torch.relu(self.stem(features)) * inside
        pairs = own.reshape(batch, bins // 2, 2 * self.width)
        pairs = torch.relu(self.pair_weight @ pairs.transpose(1, 2) + self.pair_bias)
        known = conv2d(inside.reshape(batch, bins // 2, 2).amax(dim=2).unsqueeze(1).unsqueeze(1), self.widen)
        x = pairs.unsqueeze(2) * known
        for number, dilation in enumerate(self.dilations):
            spread = torch.relu(self.convolve(f"spread{number}", x, dilation))
            x = (x + self.convolve(f"mix{number}", spread)) * known
        around = linear(x.squeeze(2).transpose(1, 2), self.surroundings_weight).unsqueeze(2)
        here = linear(torch.cat([own, tracks], dim=2), self.head_weight, self.head_bias)
        hidden = torch.relu(here.reshape(batch, bins // 2, 2, self.width) + around)
        return linear(hidden, self.out_weight, self.out_bias).reshape(batch, -1, 1)


class SpectrumFloatLayout(_SpectrumLayout):
    """uint8 (batch, bins, features) to float32 (batch, bins * 16, 1), for fp32 and fp16."""

    def __init__(self, net: SpectrumNet):
        super().__init__(net)
        for name, convolution in (("stem", net.stem), ("local", net.local)):
            steps, scale = convolution.rounded()
            self.keep(f"{name}_weight", steps * scale * FEATURE_SCALE)
        self.keep("stem_weight", self.stem_weight[:, :, 0])
        self.keep("local_weight", self.local_weight.unsqueeze(2))

    def stem(self, features: Tensor) -> Tensor:
        return linear(features.float(), self.stem_weight, self.stem_bias)

    def local(self, features: Tensor) -> Tensor:
        columns = features[:, :, self.bands :].transpose(1, 2).unsqueeze(2).float()
        return self.convolve("local", columns, 1).squeeze(2).transpose(1, 2)


class SpectrumIntegerLayout(_SpectrumLayout):
    """The same for int8: the layers that read bytes, most of all products, are integer products, and exact.

    Their weights were trained as whole numbers (`ByteConvolution`), so nothing is lost and nothing needs calibration.
    The operator is ONNX Runtime's own, which multiplies by the scales and adds the bias as it writes the sums; the side
    branch has the rows of three bins in one, because bytes are cheaper to copy than sums are to add up.
    """

    def __init__(self, net: SpectrumNet):
        super().__init__(net)
        for name, convolution in (("stem", net.stem), ("local", net.local)):
            steps, scale = convolution.rounded()
            self.keep(f"{name}_steps", steps.permute(2, 1, 0).flatten(0, 1).to(torch.int8))
            self.keep(f"{name}_scale", scale[:, 0, 0])
        self.keep("byte_scale", torch.tensor(FEATURE_SCALE))
        self.keep("byte_zero", torch.tensor(0, dtype=torch.uint8))
        self.keep("step_zero", torch.zeros(net.width, dtype=torch.int8))

    def product(self, features: Tensor, name: str) -> Tensor:
        """Bytes times whole numbers, scaled, plus the bias. It is for tracing only: without ONNX it gives zeros."""
        steps, scale, bias = (getattr(self, f"{name}_{part}") for part in ("steps", "scale", "bias"))
        return torch.onnx.ops.symbolic(
            "com.microsoft::MatMulIntegerToFloat",
            (features, steps, self.byte_scale, scale, self.byte_zero, self.step_zero, bias),
            dtype=torch.float32,
            shape=[*features.shape[:2], self.width],
            version=1,
        )

    def stem(self, features: Tensor) -> Tensor:
        return self.product(features, "stem")

    def local(self, features: Tensor) -> Tensor:
        tracks = pad(features[:, :, self.bands :], (0, 0, 1, 1))
        return self.product(torch.cat([tracks[:, :-2], tracks[:, 1:-1], tracks[:, 2:]], dim=2), "local")
