"""A PyTorch network becomes an ONNX graph."""

from __future__ import annotations

import ast
import contextlib
import gc
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

import onnx
import torch
from torch import Tensor, nn

from .attention import plain_attention

OPSET = 20
IR_VERSION = 10
"""What ONNX Runtime 1.20 reads."""
_SCOPES = "pkg.torch.onnx.name_scopes"


def to_onnx(
    network: nn.Module, examples: Sequence[Tensor], dynamic: dict[int, str], input_names: Sequence[str]
) -> onnx.ModelProto:
    """The ONNX graph of a network of these inputs and one output ``logits``, constants folded.

    examples: inputs of two or more along each dynamic axis; ``dynamic`` names those axes.
    The model says nothing of the machine that made it, and the same network gives the same bytes.
    """
    network = network.eval().requires_grad_(False)
    with _quiet(), torch.no_grad(), plain_attention(network):
        program = torch.onnx.export(
            network,
            tuple(examples),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(input_names),
            output_names=["logits"],
            dynamic_shapes=tuple(dynamic for _ in examples),
            verbose=False,
        )
    model = program.model_proto
    del program
    gc.collect()  # what was traced holds a copy of the weights, in circles
    model.ir_version = min(model.ir_version, IR_VERSION)
    name_nodes(model)
    strip_traces(model)
    return model


def name_nodes(model: onnx.ModelProto) -> None:
    """Name nodes after the modules that they come from (``encoder.layer.0.output.dense/MatMul``), for messages that
    name a layer; the exporter notes those among its traces. A number behind tells a module's nodes of one kind
    apart."""
    seen: Counter[str] = Counter()
    for node in model.graph.node:
        noted = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), "[]")
        modules = [one for one in ast.literal_eval(noted)[:-1] if one]  # the last is the node's own name
        name = f"{modules[-1]}/{node.op_type}" if modules else node.op_type
        seen[name] += 1
        node.name = name if seen[name] == 1 else f"{name}.{seen[name]}"


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
