"""Ways to adapt a network: which of its weights training changes, and the plain network that comes out."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from ...scanner.errors import UsageError
from .networks import Network, head_of, logits_of
from .recipe import Adapt, Frozen, Lora


class Predictor(nn.Module):
    """A network as the Trainer calls it: a batch's tensor and mask to logits. ``still`` modules stay as in
    inference."""

    def __init__(self, net: nn.Module, tokens: bool, still: tuple[nn.Module, ...] = ()):
        super().__init__()
        self.net, self.tokens = net, tokens
        self._still = still  # a tuple, so that they are not registered a second time

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return logits_of(self.net, self.tokens, inputs, mask)

    def train(self, mode: bool = True) -> Predictor:
        super().train(mode)
        for module in self._still:
            module.eval()
        return self


@dataclass(frozen=True)
class Adapted:
    """predictor: what is trained. plain: a copy of the network as it is now, without adapters, to be saved."""

    predictor: Predictor
    plain: Callable[[], nn.Module]


def adapt(network: Network, way: Adapt) -> Adapted:
    """The network made ready for a way to adapt it. ``probe`` trains nothing: `probe.probe_layers`."""
    if isinstance(way, Lora):
        return _with_adapters(network, way)
    still: tuple[nn.Module, ...] = ()
    if isinstance(way, Frozen):
        still = freeze(network, way.layers)
    predictor = Predictor(network.module, network.tokens, still)
    return Adapted(predictor, lambda: copy.deepcopy(network.module).requires_grad_(True))


def freeze(network: Network, layers: int | None) -> tuple[nn.Module, ...]:
    """Stop the weights of all that comes before a layer, in the order of the network's definition.

    layers: so many layers stay as they are, and what is before them; None: all of them. Returns the modules that stay.
    """
    every = network.layers
    count = len(every) if layers is None else layers
    if count > len(every):
        raise UsageError(f"adapt.layers: {count} layers to freeze, and the network has {len(every)}")
    within = {id(one) for layer in every for one in layer.parameters()}
    kept = {id(one) for layer in every[:count] for one in layer.parameters()}
    began = False
    for parameter in network.module.parameters():
        began = began or id(parameter) in within
        if id(parameter) in kept or not began:
            parameter.requires_grad_(False)
    frozen = {id(one) for one in network.module.parameters() if not one.requires_grad}
    return tuple(
        module
        for module in network.module.modules()
        if (own := list(module.parameters())) and all(id(one) in frozen for one in own)
    ) + tuple(every[:count])


def _with_adapters(network: Network, way: Lora) -> Adapted:
    from peft import LoraConfig, get_peft_model

    head = network.head
    top = head.split(".")[0]
    names = [
        name for name, module in network.module.named_modules() if _can_be_adapted(module) and name.split(".")[0] != top
    ]
    if way.targets:
        names = [name for name in names if name.endswith(way.targets)]
    pooler = [name for name, _ in network.module.named_modules() if name.endswith(".pooler")]
    names = [name for name in names if not name.startswith(tuple(pooler))] if pooler else names
    if not names:
        raise UsageError(f"adapt.targets: no linear layer or convolution is named {', '.join(way.targets)}")
    config = LoraConfig(
        r=way.rank,
        lora_alpha=way.alpha,
        lora_dropout=way.dropout,
        target_modules=names,
        modules_to_save=[top, *pooler],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of networks that are none of transformers
        wrapped = get_peft_model(network.module, config)

    def plain() -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return copy.deepcopy(wrapped).merge_and_unload().requires_grad_(True)

    return Adapted(Predictor(wrapped.base_model.model, network.tokens), plain)


def _can_be_adapted(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv1d) and module.groups == 1)


def trainable(module: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(one.numel() for one in module.parameters() if one.requires_grad)


def linear_head(module: nn.Module) -> nn.Linear:
    """The last linear layer of a plain network."""
    return module.get_submodule(head_of(module))
