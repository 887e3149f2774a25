"""The spectrum network laid out for ONNX Runtime.

It is not traced as it is trained: the same arithmetic is laid out for the runtime first. The layouts here were the best
of those that were timed in ONNX Runtime on one processor core. The factor on the features goes into the weights, the
mask of unknown bases is widened by a convolution (so that it comes in the layout of what it multiplies), and no
elementwise pass over the widest tensor is left but its cast.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from ..training.nets.spectrum_net import FEATURE_SCALE, SpectrumNet


class _SpectrumLayout(nn.Module):
    """The spectrum network from the first two layers on; what those are made of is for the subclasses to say.

    The body is convolutions over images of height one, because ONNX Runtime has its blocked layout (NCHWc) for those
    and not for one-dimensional ones. A depthwise convolution by one brings the first layer's output into that layout,
    where it then stays to the end.
    """

    def __init__(self, net: SpectrumNet):
        super().__init__()
        self.width, self.dilations = net.width, net.dilations
        self.bands = net.bands
        self.keep("enter", torch.ones(net.width, 1, 1, 1))
        self.keep("widen", torch.ones(net.width, 1, 1, 1))
        for number, layer in enumerate(net.body):
            for name, convolution in (("spread", layer.spread), ("mix", layer.mix)):
                self.keep(f"{name}{number}_weight", convolution.weight.unsqueeze(2))
                self.keep(f"{name}{number}_bias", convolution.bias)
        for name, convolution in (("head", net.head), ("out", net.out)):
            self.keep(f"{name}_weight", convolution.weight.unsqueeze(2))
            self.keep(f"{name}_bias", convolution.bias)
        for name, convolution in (("stem", net.stem), ("local", net.local)):
            self.keep(f"{name}_bias", convolution.bias)

    def keep(self, name: str, tensor: Tensor) -> None:
        """Hold a constant of the graph under ``name``."""
        self.register_buffer(name, tensor.detach().clone().contiguous())

    def convolve(self, name: str, x: Tensor, dilation: int = 0) -> Tensor:
        weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
        if not dilation:
            return conv2d(x, weight, bias)
        return conv2d(x, weight, bias, padding=(0, dilation), dilation=(1, dilation))

    def stem(self, features: Tensor) -> Tensor:
        """(batch, bins, features) to (batch, bins, width)."""
        raise NotImplementedError

    def local(self, features: Tensor) -> Tensor:
        """(batch, bins, features) to (batch, width, 1, bins)."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        known = features[:, :, -4:].amax(dim=2).bool().float().unsqueeze(1).unsqueeze(1)
        inside = conv2d(known, self.widen)
        local = torch.relu(self.local(features))
        x = torch.relu(self.stem(features))
        x = conv2d(x.transpose(1, 2).unsqueeze(2), self.enter, groups=self.width) * inside
        for number, dilation in enumerate(self.dilations):
            spread = torch.relu(self.convolve(f"spread{number}", x, dilation))
            x = (x + self.convolve(f"mix{number}", spread)) * inside
        x = torch.relu(self.convolve("head", torch.cat([x, local], dim=1)))
        return self.convolve("out", x).squeeze(2).transpose(1, 2).reshape(features.shape[0], -1, 1)


class SpectrumFloatLayout(_SpectrumLayout):
    """uint8 (batch, bins, features) to float32 (batch, bins * 16, 1), for fp32 and fp16."""

    def __init__(self, net: SpectrumNet):
        super().__init__(net)
        for name, convolution in (("stem", net.stem), ("local", net.local)):
            steps, scale = convolution.rounded()
            self.keep(f"{name}_weight", steps * scale * FEATURE_SCALE)
        self.keep("stem_product", self.stem_weight[:, :, 0].T)
        self.keep("local_weight", self.local_weight.unsqueeze(2))
        del self.stem_weight

    def stem(self, features: Tensor) -> Tensor:
        return features.float() @ self.stem_product + self.stem_bias

    def local(self, features: Tensor) -> Tensor:
        columns = features[:, :, self.bands :].transpose(1, 2).unsqueeze(2).float()
        return self.convolve("local", columns, 1)


class SpectrumIntegerLayout(_SpectrumLayout):
    """The same for int8: the layers that read bytes, half of all products, are integer products, and exact.

    Their weights were trained as whole numbers (`ByteConvolution`), so nothing is lost and nothing needs calibration.
    The three taps of the side branch are one product whose results are added up where they belong.
    """

    def __init__(self, net: SpectrumNet):
        super().__init__(net)
        for name, convolution in (("stem", net.stem), ("local", net.local)):
            steps, scale = convolution.rounded()
            taps = [steps[:, :, tap].T for tap in range(steps.shape[2])]
            self.keep(f"{name}_steps", torch.cat(taps, dim=1).to(torch.int8))
            self.keep(f"{name}_scale", scale[:, 0, 0] * FEATURE_SCALE)

    def product(self, features: Tensor, steps: Tensor) -> Tensor:
        """Bytes times whole numbers, as ONNX's own operator. It is for tracing only: without ONNX it gives zeros."""
        shape = [*features.shape[:2], steps.shape[1]]
        return torch.onnx.ops.symbolic("MatMulInteger", (features, steps), dtype=torch.int32, shape=shape).float()

    def stem(self, features: Tensor) -> Tensor:
        return self.product(features, self.stem_steps) * self.stem_scale + self.stem_bias

    def local(self, features: Tensor) -> Tensor:
        taps = self.product(features[:, :, self.bands :], self.local_steps)
        before, here, after = (taps[:, :, tap * self.width : (tap + 1) * self.width] for tap in range(3))
        summed = here + pad(before, (0, 0, 1, 0))[:, :-1] + pad(after, (0, 0, 0, 1))[:, 1:]
        return (summed * self.local_scale + self.local_bias).transpose(1, 2).unsqueeze(2)
