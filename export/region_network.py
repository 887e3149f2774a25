"""A trained network of region means becomes an .onnx with its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch

from ..scanner.card import CARD_KEY
from ..scanner.deconvolution.region_network import INPUTS, OUTPUT, RegionCard, open_region_network
from ..scanner.errors import GenoscanError
from ..training.nets.region_means import RegionMeansNet
from .files import save_model
from .tracing import to_onnx

_TOLERANCE = 1e-4


def export_region_network(network: RegionMeansNet, card: RegionCard, path: Path) -> float:
    """Write the .onnx and return the largest difference to the network on random means.

    `GenoscanError` where that is above 0.0001, or the file cannot be written.
    """
    regions = len(card.regions)
    generator = np.random.default_rng(0)
    means = generator.random((16, regions), dtype=np.float32)
    calls = generator.integers(0, 200, (16, regions)).astype(np.float32)
    examples = torch.from_numpy(means), torch.from_numpy(calls)
    with torch.no_grad():
        wanted = network.eval()(*examples).numpy()
    model = to_onnx(network, examples, {0: "batch"}, INPUTS)
    _rename_output(model)
    onnx.helper.set_model_props(model, {CARD_KEY: card.model_dump_json()})
    save_model(model, path)
    difference = float(np.abs(open_region_network(path).run(means, calls) - wanted).max())
    if difference > _TOLERANCE:
        path.unlink()
        raise GenoscanError(f"{path}: the exported network differs from the trained one by {difference:.1e}")
    return difference


def _rename_output(model: onnx.ModelProto) -> None:
    old = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [OUTPUT if name == old else name for name in node.output]
        node.input[:] = [OUTPUT if name == old else name for name in node.input]
    model.graph.output[0].name = OUTPUT
