"""The networks that learn from labelled sequences, all seen alike: what they read, their layers, their head.

A network of our own is a member of `NetSettings`, its settings, which build it. It has ``blocks``, an
`nn.ModuleList` whose members give (batch, width, places) and count as layers, and ``head``, the last linear layer.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...scanner.card import ModelInput, NucleotideInput
from ...scanner.errors import GenoscanError, UsageError
from ..nets.binned_promoter_net import BinnedPromoterNet
from ..nets.convolutional import ConvolutionalNet
from ..nets.core_promoter_net import BIN, CorePromoterNet
from ..nets.promoter_net import PromoterNet
from ..pretrained.folder import CONFIG, has_tokenizer, open_tokenizer, read_json
from ..pretrained.fresh import MASK, PAD, fresh_config, kmer_words, tokens_of_kmers, write_kmer_tokenizer
from ..pretrained.hub import download, is_hub_name
from ..pretrained.model_input import input_of_tokenizer, parse_input
from ..pretrained.networks import fresh_network, longest_input, transformers_network
from ..pretrained.quiet import quiet_transformers
from ..recipe import Part

HEAD = "ForSequenceClassification"
WEIGHTS = "weights.safetensors"
_TOKENIZER_FILES = (
    "tokenizer*.json",
    "vocab*",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "*.model",
)


class TransformersSettings(Part):
    """An encoder of transformers: a checkpoint's folder (or name on the Hugging Face hub), or, without one, a
    configuration.

    config: fields of the configuration of ``model_type`` bert or esm, as transformers names them, for fresh weights.
    tokens: ``kmer:K:STRIDE`` for a configuration, or for a checkpoint whose tokenizer does not say its stride.
    """

    kind: Literal["transformers"]
    checkpoint: str = ""
    config: dict[str, Any] = Field(default={})
    tokens: str = ""
    trust_remote_code: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> TransformersSettings:
        if not self.checkpoint and not self.config:
            raise ValueError("a network of transformers has a checkpoint or a config")
        if not self.checkpoint and not self.tokens:
            raise ValueError("tokens: a config needs to know its tokens: kmer:K:STRIDE")
        return self


class ConvolutionalSettings(Part):
    """The baseline of `nets.convolutional`. checkpoint: a run folder whose network it starts from, but for the head."""

    kind: Literal["convolutional"]
    checkpoint: str = ""
    width: int = Field(default=64, ge=1)
    layers: int = Field(default=3, ge=1)
    kernel: int = Field(default=9, ge=1)
    hidden: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)

    def build(self, outputs: int) -> nn.Module:
        return ConvolutionalNet(outputs, **self.model_dump(exclude={"kind", "checkpoint"}))


class PromoterSettings(Part):
    """The network of `nets.promoter_net`.

    start: the window's base at which transcription starts; smoothed: bases that a scan averages over.
    """

    kind: Literal["promoter-net"]
    checkpoint: str = ""
    window: int = Field(default=150, ge=75)
    start: int = Field(default=120, ge=50)
    smoothed: int = Field(default=65, ge=1)
    pairs: int = Field(default=16, ge=2)
    hidden: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    noise: float = Field(default=0.05, gt=0)
    step: Literal[1, 3, 5, 15] = 5

    def build(self, outputs: int) -> nn.Module:
        return PromoterNet(outputs, **self.model_dump(exclude={"kind", "checkpoint", "start", "smoothed"}))


class CorePromoterSettings(Part):
    """The network of `nets.core_promoter_net`; ``start`` and ``smoothed`` as in `PromoterSettings`."""

    kind: Literal["core-promoter"]
    checkpoint: str = ""
    window: int = Field(default=170, ge=BIN, multiple_of=BIN)
    start: int = Field(default=165, ge=0)
    smoothed: int = Field(default=10, ge=1)
    members: int = Field(default=1, ge=1)
    width: int = Field(default=64, ge=1)
    stem: int = Field(default=11, ge=1)
    kernel: int = Field(default=5, ge=1)
    dilations: tuple[int, ...] = Field(default=(1, 2, 4), min_length=1)
    hidden: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)

    def build(self, outputs: int) -> nn.Module:
        return CorePromoterNet(outputs, **self.model_dump(exclude={"kind", "checkpoint", "start", "smoothed"}))


class BinnedPromoterSettings(Part):
    """The network of `nets.binned_promoter_net`; ``start`` and ``smoothed`` as in `PromoterSettings`."""

    kind: Literal["binned-promoter"]
    checkpoint: str = ""
    window: int = Field(default=170, ge=BIN, multiple_of=BIN)
    start: int = Field(default=165, ge=0)
    smoothed: int = Field(default=10, ge=1)
    width: int = Field(default=96, ge=2)
    stem: int = Field(default=BIN + 1, ge=1)
    layers: int = Field(default=2, ge=0)
    hidden: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _consistent(self) -> BinnedPromoterSettings:
        if self.stem % BIN != 1:
            raise ValueError(f"stem: must be one more than a multiple of {BIN}")
        if self.window - self.stem + 1 <= 2 * BIN * self.layers:
            raise ValueError("layers: the window has too few bins for so many of them")
        return self

    def build(self, outputs: int) -> nn.Module:
        return BinnedPromoterNet(outputs, **self.model_dump(exclude={"kind", "checkpoint", "start", "smoothed"}))


NetSettings = Annotated[
    TransformersSettings | ConvolutionalSettings | PromoterSettings | CorePromoterSettings | BinnedPromoterSettings,
    Field(discriminator="kind"),
]
"""A network of our own has settings with ``kind``, ``checkpoint`` and ``build(outputs)``, and reads one-hot bases."""


@dataclass(frozen=True)
class Network:
    """A network as training sees it.

    module: of transformers, tokens and an attention mask to ``.logits``; else one-hot bases (batch, 4, bases) to
    logits.
    spec: how bases become its tensor, as a card says it. tokens: whether these are tokens, which are masked where they
    are filled up with ``pad``; ``mask`` stands for what a language model has to guess. longest: most tokens it can
    read.
    """

    module: nn.Module
    spec: ModelInput
    tokens: bool
    pad: int = 0
    mask: int | None = None
    longest: int | None = None
    tokenizer: Path | None = None
    words: str = ""

    @property
    def layers(self) -> list[nn.Module]:
        """The layers that freezing and probing count, first to last."""
        return layers_of(self.module)

    @property
    def head(self) -> str:
        """The name of the last linear layer."""
        return head_of(self.module)


def build_network(
    settings: NetSettings, outputs: tuple[str, ...], regression: bool, fresh: bool = False, head: str | None = HEAD
) -> Network:
    """The network with a new head for these outputs; fresh: random weights even where there is a checkpoint.

    Random weights come from torch's generator. head: the suffix of a class of transformers; None for hidden states.
    """
    if not isinstance(settings, TransformersSettings):
        module = settings.build(len(outputs))
        if settings.checkpoint and not fresh:
            start_from(module, Path(settings.checkpoint))
        return Network(module, NucleotideInput(layout="one-hot"), tokens=False)
    labels = {
        "num_labels": len(outputs),
        "id2label": dict(enumerate(outputs)),
        "label2id": {name: number for number, name in enumerate(outputs)},
        "problem_type": "regression" if regression else "single_label_classification",
    }
    with quiet_transformers():
        if settings.checkpoint:
            return _from_checkpoint(settings, labels, fresh, head)
        return _from_config(settings, labels, head)


def _from_config(settings: TransformersSettings, labels: dict[str, Any], head: str | None) -> Network:
    spec = tokens_of_kmers(settings.tokens)
    config = fresh_config(settings.config, spec.k, labels)
    module = fresh_network(config, head)
    longest = longest_input(module, settings.config)
    return Network(module, spec, tokens=True, pad=PAD, mask=MASK, longest=longest, words=kmer_words(spec))


def _from_checkpoint(settings: TransformersSettings, labels: dict[str, Any], fresh: bool, head: str | None) -> Network:
    folder = checkpoint_folder(settings.checkpoint)
    trust = settings.trust_remote_code
    config = read_json(folder / CONFIG)
    if fresh:
        module = fresh_network(config, head, folder, trust, **labels)
    else:
        module = transformers_network(folder, config, head, trust, fresh_head=True, **labels)
    longest = longest_input(module, config)
    if not has_tokenizer(folder):
        raise UsageError(f"{folder}: has no tokenizer's files: put them there")
    tokenizer = open_tokenizer(folder, trust)
    stride = parse_input(settings.tokens).stride if settings.tokens else None
    spec = input_of_tokenizer(tokenizer, str(folder), longest, stride)
    pad = next((one for one in (getattr(spec, "pad", None), tokenizer.pad_token_id) if one is not None), 0)
    return Network(module, spec, True, pad, tokenizer.mask_token_id, longest, folder)


def checkpoint_folder(name: str) -> Path:
    """The folder of a checkpoint: itself, a run's best network, or what the Hugging Face hub has by that name."""
    path = Path(name)
    if not path.exists() and is_hub_name(name):
        return download(name)
    for folder in (path, path / "best"):
        if (folder / CONFIG).is_file():
            return folder
    raise UsageError(f"{name}: no such checkpoint: give the folder of a network of transformers, with its config.json")


def start_from(module: nn.Module, run: Path) -> None:
    """Weights of the best network of a run, of which the head may be another; `GenoscanError` for another network."""
    path = run / "best" / WEIGHTS
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise GenoscanError(f"{path}: no weights of a network of `genoscan train`: {error}") from None
    own, head = module.state_dict(), head_of(module)
    wrong = [
        name for name in own if not name.startswith(head) and getattr(found.get(name), "shape", None) != own[name].shape
    ]
    if wrong:
        raise GenoscanError(f"{path}: has no {wrong[0]} of the size that the recipe's network has")
    module.load_state_dict({name: found[name] for name in own if not name.startswith(head)}, strict=False)


def layers_of(module: nn.Module) -> list[nn.Module]:
    """``blocks`` of a network of ours, the encoder's layers of one of transformers."""
    if isinstance(getattr(module, "blocks", None), nn.ModuleList):
        return list(module.blocks)
    found = [one for name, one in module.named_modules() if isinstance(one, nn.ModuleList) and "encoder" in name]
    if not found:
        raise GenoscanError(f"{type(module).__name__}: has no layers that can be told apart")
    return list(max(found, key=len))


def head_of(module: nn.Module) -> str:
    """The name of the last linear layer, which gives the outputs."""
    *_, name = (name for name, one in module.named_modules() if isinstance(one, nn.Linear))
    return name


def logits_of(module: nn.Module, tokens: bool, inputs: Tensor, mask: Tensor | None) -> Tensor:
    """Logits float (batch, outputs)."""
    if not tokens:
        return module(inputs)
    return module(input_ids=inputs, attention_mask=mask).logits


def save_network(network: Network, module: nn.Module, folder: Path) -> None:
    """Write a network into a folder so that `restore_network` reads it; one of transformers as `from_pretrained` does,
    with its tokenizer."""
    if not network.tokens:
        save_file({name: one.contiguous() for name, one in module.state_dict().items()}, folder / WEIGHTS)
        return
    with quiet_transformers():
        module.save_pretrained(str(folder))
    if network.tokenizer is None:
        write_kmer_tokenizer(folder, network.words)
        return
    for pattern in _TOKENIZER_FILES:
        for file in network.tokenizer.glob(pattern):
            shutil.copy(file, folder)


def restore_network(settings: NetSettings, outputs: int, folder: Path) -> nn.Module:
    """The module that `save_network` wrote; `GenoscanError` where it is not there or damaged."""
    try:
        if isinstance(settings, TransformersSettings):
            with quiet_transformers():
                return transformers_network(folder, read_json(folder / CONFIG), HEAD, settings.trust_remote_code)
        module = settings.build(outputs)
        module.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, ValueError) as error:
        raise GenoscanError(f"{folder}: not a network of `genoscan train`, or a damaged one") from error
    return module.eval()
