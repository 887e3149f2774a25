"""Which layer makes a model differ: the tensors within two graphs of the same network are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import nn

from ..scanner.encoding.encoder import named_tensors
from .attention import plain_attention
from .files import cpu_session, inputs_of

_COPIES = ("Cast", "QuantizeLinear", "DequantizeLinear")
_LEAST = 1e-3
"""Relative differences below this are anybody's rounding."""


@dataclass(frozen=True)
class Blame:
    """A node of the graph, and what it adds to the relative difference (root mean square) of what it is given;
    infinite where it gives NaN or infinity."""

    node: str
    error: float

    @property
    def layer(self) -> str:
        """The module that the node comes from, where its name says so (`tracing.name_nodes`)."""
        return _module(self.node) or self.node

    def __str__(self) -> str:
        if np.isinf(self.error):
            return f"layer {self.layer} is the first to give NaN or infinity"
        return f"layer {self.layer} adds most to the difference ({self.error:.2g} of its result)"


def layer_to_blame(reference: onnx.ModelProto, model: onnx.ModelProto, tensor: np.ndarray) -> Blame | None:
    """The layer of ``model`` that adds most to its difference from ``reference``, whose tensors have the same names
    where both have them. ``tensor``: a batch of input. None where no layer adds anything."""
    makers = {output: node for node in model.graph.node for output in node.output if output}
    shared = [name for node in reference.graph.node for name in node.output if name in makers]
    expected, got = inner_tensors(reference, shared, tensor), inner_tensors(model, shared, tensor)
    errors = {name: _relative(expected[name], got[name]) for name in shared if _comparable(expected[name], got[name])}

    def given(name: str) -> float:
        while name not in errors and name in makers and makers[name].op_type in _COPIES:
            name = makers[name].input[0]
        return errors.get(name, 0.0)

    worst = None
    for node in model.graph.node:
        made = [errors[name] for name in node.output if name in errors]
        if not made or node.op_type in _COPIES:
            continue
        if np.isinf(made[0]):
            return Blame(node.name, np.inf)
        added = made[0] - max((given(name) for name in node.input if name), default=0.0)
        if added > max(_LEAST, worst.error if worst else 0.0):
            worst = Blame(node.name, float(added))
    return worst


def inner_tensors(model: onnx.ModelProto, names: list[str], tensor: np.ndarray) -> dict[str, np.ndarray]:
    """What the named tensors of a graph hold when it reads ``tensor``; those that are not made are left out."""
    if not names:
        return {}
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    del opened.graph.output[:]
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = cpu_session(opened, optimized=False)
    return dict(zip(names, session.run(names, inputs_of(session, tensor)), strict=True))


def module_to_blame(network: nn.Module, model: onnx.ModelProto, tensor: np.ndarray) -> Blame | None:
    """The first module of a traced network whose results the graph does not have; None where there is no such
    module."""
    found: dict[str, np.ndarray] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: tuple, result: object) -> None:
            if isinstance(result, torch.Tensor):
                found[name] = result.numpy(force=True)

        return hook

    names = [one.name for one in model.graph.input]
    hooks = [module.register_forward_hook(keep(name)) for name, module in network.named_modules() if name]
    try:
        with torch.no_grad(), plain_attention(network):
            network(*(torch.from_numpy(one) for one in named_tensors(tensor, names).values()))
    finally:
        for hook in hooks:
            hook.remove()
    last = {_module(node.name): node for node in model.graph.node}
    shared = [name for name in found if name in last]
    got = inner_tensors(model, [last[name].output[0] for name in shared], tensor)
    for name in shared:
        here = got[last[name].output[0]]
        if _comparable(found[name], here) and (error := _relative(found[name], here)) > _LEAST:
            return Blame(last[name].name, error)
    return None


def _module(node: str) -> str:
    return node.rpartition("/")[0]


def _comparable(expected: np.ndarray, got: np.ndarray) -> bool:
    kinds = expected.dtype.kind == "f" and got.dtype.kind == "f"
    return kinds and expected.shape == got.shape and expected.size > 0 and bool(np.isfinite(expected).all())


def _relative(expected: np.ndarray, got: np.ndarray) -> float:
    if not np.isfinite(got).all():
        return np.inf
    wide = expected.astype(np.float64)
    size = np.sqrt(np.mean(wide**2))
    return float(np.sqrt(np.mean((wide - got) ** 2)) / size) if size > 0 else 0.0
