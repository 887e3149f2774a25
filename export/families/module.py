"""Plain PyTorch networks over nucleotides: weights in a file, and the user's own function that builds the network."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...scanner.card import KmerInput, ModelInput, NucleotideInput
from ...scanner.encoding.kmers import token_count
from ...scanner.errors import GenoscanError, UsageError
from ...training.pretrained.model_input import parse_input
from ...training.pretrained.networks import first_line, is_state_space, refuse_state_space
from .cards import Head, build_card, output_names, sizes
from .source import CheckpointSettings, Family, Source

_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".pt2")
_INSIDE = ("state_dict", "model_state_dict", "model", "weights")
"""Where training scripts put the weights beside what else they save."""
_MAX_UNKNOWN = 0.5
_SAY = "say --module package.module:function, a function that builds the network"


def _recognises(path: Path, settings: CheckpointSettings) -> bool:
    if settings.module is not None:
        return True
    return path.is_file() and path.suffix in _SUFFIXES and (settings.trust_remote_code or path.suffix == ".pt2")


def _open(path: Path, settings: CheckpointSettings) -> Source:
    if path.suffix == ".pt2":
        raise GenoscanError(f"{path}: a program of torch.export is fixed in its batch: give the weights, and {_SAY}")
    net = _built(settings.module, path) if settings.module else _unpickled(path)
    _refuse_state_space(net, path)
    if settings.module:
        _fill(net, path)
    if settings.window is None:
        raise UsageError(f"{path}: a network does not say how long its windows are: say --window BASES")
    if settings.input is None:
        raise UsageError(f"{path}: a network does not say what it reads: say --input one-hot, codes or kmer:K:STRIDE")
    if settings.embeddings:
        raise UsageError(f"{path}: --embeddings is for networks of transformers")
    spec = parse_input(settings.input)
    window, step = sizes(settings, settings.window)
    net = _Logits(net, settings.input == "one-hot:last", settings.task == "segmentation").eval()
    shape = _trial(net, spec, window, path)
    bin, task = step, settings.task or "regression"
    if task == "segmentation":
        bin = _bin(shape, window, settings, path)
    elif len(shape) != 2:
        raise UsageError(
            f"{path}: gives {list(shape[1:])} scores for a window: say --task segmentation for a score a bin"
        )
    names = output_names((), settings, shape[-1], str(path))
    several = task != "regression" and len(names) > 1
    activation = "identity" if task == "regression" else "softmax" if several else "sigmoid"
    head = Head(task, settings.activation or activation, names)
    card = build_card(path.stem, head, spec, window, step, bin, _MAX_UNKNOWN, settings)
    return Source(path, net, lambda _: net, card)


class _Logits(nn.Module):
    """The network's first output, per window (batch, outputs) or per bin (batch, bins, outputs).

    last: it wants one-hot rows of a base each, (batch, window, 4).
    """

    def __init__(self, net: nn.Module, last: bool, per_bin: bool):
        super().__init__()
        self.net, self.last, self.per_bin = net, last, per_bin

    def forward(self, bases: Tensor) -> Tensor:
        found = self.net(bases.transpose(1, 2) if self.last else bases)
        found = getattr(found, "logits", found)
        if isinstance(found, tuple | list):
            found = found[0]
        if found.ndim == 1 or (found.ndim == 2 and self.per_bin):
            found = found.unsqueeze(-1)
        return found.float()


def _built(place: str, path: Path) -> nn.Module:
    """What the function that ``place`` names gives; modules of the working folder are found first."""
    name, _, function = place.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        built = getattr(importlib.import_module(name), function)()
    except ModuleNotFoundError as error:
        if is_state_space(error.name or ""):
            raise refuse_state_space(str(path), f"what needs {error.name}") from None
        raise UsageError(f"--module {place}: {error}") from None
    except AttributeError as error:
        raise UsageError(f"--module {place}: {error}") from None
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(built, nn.Module):
        raise UsageError(f"--module {place}: gives a {type(built).__name__}, not a torch.nn.Module")
    return built


def _unpickled(path: Path) -> nn.Module:
    """A whole network from a pickle, which may run any code: only when the user says so."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever its code raises
        raise GenoscanError(f"{path}: cannot be loaded: {first_line(error)}") from None
    if not isinstance(found, nn.Module):
        raise GenoscanError(f"{path}: holds no network but a {type(found).__name__}: {_SAY}")
    return found


def _fill(net: nn.Module, path: Path) -> None:
    """Load the weights of a file into the network; every one must have its place."""
    weights = _weights(path)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:  # what load_state_dict raises
        wrong = " ".join(line.strip() for line in str(error).splitlines()[1:2])
        raise GenoscanError(f"{path}: the weights do not fit the network of --module: {wrong[:300]}") from None


def _weights(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(str(path))
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's, zipfile's and torch's own
        raise GenoscanError(
            f"{path}: holds more than weights, or is damaged ({first_line(error)[:120]}): "
            "save the network's state_dict()"
        ) from None
    for key in _INSIDE:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
            break
    if not isinstance(found, dict) or not found or not all(isinstance(one, Tensor) for one in found.values()):
        raise GenoscanError(f"{path}: holds no weights: save the network's state_dict()")
    return found


def _refuse_state_space(net: nn.Module, path: Path) -> None:
    for one in net.modules():
        kind = type(one)
        if kind.__module__.split(".")[0] in ("mamba_ssm", "causal_conv1d") or is_state_space(kind.__name__):
            raise refuse_state_space(str(path), kind.__name__)


def _trial(net: nn.Module, spec: ModelInput, window: int, path: Path) -> torch.Size:
    """The shape of what the network gives for two windows."""
    if isinstance(spec, NucleotideInput) and spec.layout == "one-hot":
        example = torch.zeros(2, 4, window)
        example[:, 0] = 1
    elif isinstance(spec, NucleotideInput):
        example = torch.zeros(2, window, dtype=torch.long)
    else:
        assert isinstance(spec, KmerInput)
        example = torch.full((2, token_count(window, spec)), spec.offset, dtype=torch.long)
        example[0, 0] = max(spec.offset + 4**spec.k - 1, spec.unknown, *spec.prefix, *spec.suffix)
    try:
        with torch.inference_mode():
            return net(example).shape
    except Exception as error:  # whatever the network's code raises
        raise GenoscanError(
            f"{path}: the network fails on two windows of {window} bases, a tensor of shape {list(example.shape)}: "
            f"{first_line(error)}: check --window and --input"
        ) from None


def _bin(shape: torch.Size, window: int, settings: CheckpointSettings, path: Path) -> int:
    """Bases of a bin, from the number of bins that the network gives."""
    if len(shape) != 3 or window % shape[1]:
        raise UsageError(
            f"{path}: gives scores of shape {list(shape[1:])} for {window} bases: a score a bin is (bins, outputs), "
            "and the bins divide the window"
        )
    bin = window // shape[1]
    if settings.bin not in (None, bin):
        raise UsageError(f"--bin {settings.bin}: the network gives {shape[1]} bins for {window} bases, so {bin}")
    return bin


MODULE = Family("a file of weights with --module package.module:function", _recognises, _open)
