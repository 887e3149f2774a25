"""Layer probing: how much of a task a light model finds in each layer's embedding, no weight of the network changed.

Each sequence's embedding at a layer is the mean over its tokens (or places). Ridge regression, or logistic regression
for classes, is fitted on the training embeddings for several penalties; validation chooses penalty and layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from ...scanner.errors import UsageError
from .examples import Encoding, Examples
from .networks import Network, layers_of, logits_of
from .recipe import Probe, SequenceRecipe
from .tasks import measures_of

PROBE = "probe.safetensors"
_TOGETHER = 64


_SPAN = 0.1
"""Least height of the plotted curve, in units of its measure."""


class Layer(NamedTuple):
    """The best probe of a layer. weight float64 (outputs, width), bias (outputs,): of the embedding as it is."""

    number: int
    penalty: float
    measures: dict[str, float]
    weight: np.ndarray
    bias: np.ndarray


class LayerProbe(nn.Module):
    """A network up to a layer, and a linear layer on its mean embedding; called as the network itself is."""

    def __init__(self, net: nn.Module, layer: int, tokens: bool, width: int, outputs: int):
        super().__init__()
        self.net, self.layer, self.tokens = net, layer, tokens
        self.head = nn.Linear(width, outputs)

    def forward(self, inputs: Tensor | None = None, **said: Tensor) -> Any:
        with captured(self.net, [self.layer]) as found:
            _ = self.net(**said) if self.tokens else self.net(inputs)
        logits = self.head(mean_embedding(found[0], self.tokens, said.get("attention_mask")))
        return SimpleNamespace(logits=logits) if self.tokens else logits

    @property
    def config(self) -> Any:
        return self.net.config

    def save_pretrained(self, folder: str) -> None:
        self.net.save_pretrained(folder)


def save_probe(probe: LayerProbe, folder: Path) -> None:
    """Beside the network itself, the layer and the linear layer on it."""
    tensors = {"layer": torch.tensor(probe.layer), "weight": probe.head.weight, "bias": probe.head.bias}
    save_file({name: one.detach().contiguous() for name, one in tensors.items()}, folder / PROBE)


def restore_probe(net: nn.Module, tokens: bool, folder: Path) -> LayerProbe:
    """What `save_probe` wrote, over the network."""
    found = load_file(folder / PROBE)
    outputs, width = found["weight"].shape
    probe = LayerProbe(net, int(found["layer"]), tokens, width, outputs)
    probe.head.load_state_dict({"weight": found["weight"], "bias": found["bias"]})
    return probe.eval()


@contextmanager
def captured(net: nn.Module, numbers: list[int]) -> Iterator[list[Tensor]]:
    """What these layers give while the network runs, in their order."""
    found: list[Tensor] = []

    def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    layers = layers_of(net)
    handles = [layers[number].register_forward_hook(note) for number in numbers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def mean_embedding(hidden: Tensor, tokens: bool, mask: Tensor | None) -> Tensor:
    """(batch, width): mean over tokens (batch, tokens, width) that are not masked, or places (batch, width, places)."""
    if not tokens:
        return hidden.mean(dim=2)
    if mask is None:
        return hidden.mean(dim=1)
    known = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * known).sum(dim=1) / known.sum(dim=1)


def embed(
    network: Network, examples: Examples, encoding: Encoding, path: Path, place: torch.device, stop: Callable[[], None]
) -> np.ndarray:
    """float32 (layers, rows, width), memory-mapped at ``path``: each layer's embedding of each example."""
    net, count = network.module.eval().to(place), len(network.layers)
    out: np.ndarray | None = None
    for begin in range(0, len(examples), _TOGETHER):
        stop()
        rows = range(begin, min(begin + _TOGETHER, len(examples)))
        inputs, mask = encoding([examples[row][0] for row in rows])
        inputs, mask = inputs.to(place), None if mask is None else mask.to(place)
        with torch.inference_mode(), captured(net, list(range(count))) as found:
            logits_of(net, network.tokens, inputs, mask)
            means = [mean_embedding(one, network.tokens, mask).float().cpu().numpy() for one in found]
        widths = {one.shape[1] for one in means}
        if len(widths) > 1:
            raise UsageError("adapt.way = 'probe': the network's layers differ in width")
        if out is None:
            out = np.memmap(path, dtype=np.float32, mode="w+", shape=(count, len(examples), widths.pop()))
        out[:, begin : begin + len(rows)] = means
    assert out is not None
    return out


def probe_layers(
    recipe: SequenceRecipe, way: Probe, embedded: dict[str, np.ndarray], targets: dict[str, np.ndarray]
) -> list[Layer]:
    """The best probe of each layer. embedded, targets: of train and validation; see `embed`."""
    layers = []
    for number in range(len(embedded["train"])):
        scaler = StandardScaler().fit(embedded["train"][number])
        train, held_out = (scaler.transform(embedded[split][number]) for split in ("train", "validation"))
        tried = []
        for penalty in way.penalties:
            weight, bias = _fit(recipe, train, targets["train"], penalty)
            logits = held_out @ weight.T + bias
            measures = measures_of(recipe.task, _predicted(recipe, logits), targets["validation"])
            weight = weight / scaler.scale_
            tried.append(Layer(number, penalty, measures, weight, bias - weight @ scaler.mean_))
        layers.append(max(tried, key=lambda one: np.nan_to_num(one.measures[recipe.best_by], nan=-np.inf)))
    return layers


def _fit(recipe: SequenceRecipe, features: np.ndarray, targets: np.ndarray, penalty: float) -> tuple[Any, Any]:
    """weight float64 (outputs, width) and bias (outputs,)."""
    task = recipe.task
    if task.kind == "classification":
        weights = "balanced" if task.balance else None
        model = LogisticRegression(C=1 / penalty, max_iter=500, class_weight=weights, random_state=recipe.seed)
        model.fit(features, targets[:, 0].astype(np.int64))
        if len(model.classes_) == len(task.classes) > 2:
            return model.coef_, model.intercept_
        if len(task.classes) != 2 or len(model.classes_) != 2:
            raise UsageError("adapt.way = 'probe': the training split has no row of one of the classes")
        half = model.coef_[0] / 2
        return np.stack([-half, half]), np.array([-1.0, 1.0]) * model.intercept_[0] / 2
    rows = []
    for output in range(targets.shape[1]):
        known = ~np.isnan(targets[:, output])
        model = Ridge(alpha=penalty).fit(features[known], targets[known, output])
        rows.append((model.coef_, model.intercept_))
    return np.stack([one for one, _ in rows]).astype(np.float64), np.array([float(one) for _, one in rows])


def _predicted(recipe: SequenceRecipe, logits: np.ndarray) -> np.ndarray:
    if recipe.task.kind == "regression":
        return logits
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def plot_layers(layers: list[Layer], measure: str, title: str, path: Path) -> None:
    """The curve of a validation measure over layers; nothing where matplotlib is not installed."""
    try:
        import matplotlib.figure as figures
    except ImportError:
        return
    figure = figures.Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    values = [one.measures[measure] for one in layers]
    axes.plot([one.number + 1 for one in layers], values, marker="o")
    if max(values) - min(values) < _SPAN:  # layers that are alike are to look alike
        middle = (max(values) + min(values)) / 2
        axes.set_ylim(middle - _SPAN / 2, middle + _SPAN / 2)
    axes.set_xlabel("layer")
    axes.set_ylabel(f"{measure} (validation)")
    axes.set_title(title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path, dpi=150)
