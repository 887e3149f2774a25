"""What all families of checkpoints share: what an opened checkpoint is, and what a user may say of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from torch import nn

from ...scanner.card import ModelCard

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
Task = Literal["classification", "regression", "segmentation"]
Pooling = Literal["mean", "cls"]


@dataclass(frozen=True)
class CheckpointSettings:
    """What a user says of a checkpoint that does not say so itself, or says otherwise. None: as the checkpoint has it.

    input: `kmer:K:STRIDE`, `byte-pair`, `one-hot`, `one-hot:last` or `codes`; see
        `training.pretrained.model_input.parse_input`.
    window, step, bin: bases. context is what lies beside the step in the window, half on either side.
    embeddings: leave the head out and pool the last hidden states.
    outputs: names, in the network's order. called: those that become calls.
    module: `package.module:function` that builds the network whose weights the checkpoint is.
    trust_remote_code: run code that the checkpoint brings.
    """

    input: str | None = None
    window: int | None = None
    step: int | None = None
    bin: int | None = None
    task: Task | None = None
    embeddings: Pooling | None = None
    outputs: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    activation: Literal["sigmoid", "softmax", "identity"] | None = None
    threshold: float | None = None
    score_range: tuple[float, float] | None = None
    strand: Literal["both", "forward", "symmetric"] | None = None
    max_unknown: float | None = None
    name: str | None = None
    module: str | None = None
    trust_remote_code: bool = False

    def given(self) -> list[str]:
        """The command line's names of what was said."""
        changed = [one.name for one in fields(self) if getattr(self, one.name) != one.default]
        return ["--" + ("call" if name == "called" else name.replace("_", "-")) for name in changed]


@dataclass(frozen=True)
class Source:
    """An opened checkpoint.

    network: from the tensor (or tensors) that the card's encoder makes to logits in the shape that the card says: the
        judge.
    layout: the module to be traced for a precision; it computes what ``network`` computes.
    card: without precision and parity.
    integers: its layout for int8 has integer products already: nothing is left to be quantized.
    notes: what a user should know of choices that the checkpoint left open, a line each.
    """

    path: Path
    network: nn.Module
    layout: Callable[[Precision], nn.Module]
    card: ModelCard
    integers: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """A kind of checkpoint: what it is called, whether a path is one, and how it is opened."""

    title: str
    recognises: Callable[[Path, CheckpointSettings], bool]
    open: Callable[[Path, CheckpointSettings], Source]
