"""A pretraining run: from a genome, or a table of profiles, to a network that `net.checkpoint` of a recipe starts
from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import set_seed

from ...scanner.card import Calling, ModelCard, Output
from ...scanner.errors import UsageError
from ...scanner.reading.genome import open_genome
from ..data.digests import file_digest
from ..devices import Device
from ..fit import say
from ..supervised.examples import Encoding, Examples
from ..supervised.networks import HEAD, Network, build_network, save_network
from ..supervised.prepare import find_tables, prepare
from ..supervised.recipe import Inputs
from ..supervised.run import BEST, held_out
from ..supervised.session import run_session
from ..supervised.tasks import scale_of
from ..supervised.trainer import Job, Watch, run_job
from ..supervised.ways import Predictor
from ..whole_files import whole_folder, write_whole
from .contrastive import ProfilePairs, SequenceEncoder, ViewPairs, found_pairs, pair_loss
from .examples import Drawn, collate_masked, collate_profiles, collate_views, masked_window, view_pair
from .masking import IGNORED, token_bases
from .recipe import PretrainRecipe, Profiles, Views, load_pretrain_recipe
from .windows import WindowReader, allowed_stretches

_MASKED_HEAD = "ForMaskedLM"
_SHOWN = ("accuracy",)


def pretrain(
    recipe: PretrainRecipe | str | Path,
    out: str | Path,
    device: Device = "auto",
    threads: int | None = None,
    time_limit: float | None = None,
    wandb: str = "off",
    log: Callable[[str], None] = say,
) -> bool:
    """Pretrain a recipe's network into the run folder ``out``; True when the run is finished.

    best/ is the network of the epoch with the lowest validation loss, with its tokenizer, as `net.checkpoint` takes it.
    Stopping, resuming and errors are those of `supervised.run.train_sequences`.
    """
    out = Path(out)
    if not isinstance(recipe, PretrainRecipe):
        recipe = load_pretrain_recipe(recipe)
    digests = pretrain_digests(recipe)
    train = partial(_train, recipe, out, digests, wandb != "off", log)
    return run_session(recipe, out, digests, train, device, threads, time_limit, wandb, log)


def pretrain_digests(recipe: PretrainRecipe) -> list[tuple[str, str]]:
    """Path and BLAKE2b of each file that the run reads; `UsageError` where one is not said."""
    inputs = recipe.inputs
    if isinstance(recipe.pretrain, Profiles):
        files = [str(one.path) for one in find_tables(inputs.data)]
        files += [inputs.genome] if not recipe.data.sequence else []
    else:
        if not inputs.genome:
            raise UsageError("inputs.genome: windows are drawn from a genome: say --genome FASTA")
        files = [inputs.genome, *([inputs.exclude] if inputs.exclude else [])]
    return [(path, file_digest(Path(path))) for path in files]


def _train(
    recipe: PretrainRecipe, out: Path, digests: Sequence[tuple[str, str]], wandb: bool, log: Callable[[str], None],
    place: torch.device, watch: Watch,
) -> bool:  # fmt: skip
    set_seed(recipe.seed)
    masked = recipe.pretrain.kind == "masked"
    head = _MASKED_HEAD if masked else HEAD if recipe.net.kind != "transformers" else None
    network = build_network(recipe.net, ("unused",), regression=True, head=head)
    encoding = Encoding(_card(recipe, network), network.tokens, network.pad, network.longest)
    with ExitStack() as stack:
        if isinstance(recipe.pretrain, Profiles):
            parts = _profile_parts(recipe, network, encoding, out, digests, log)
        else:
            parts = _window_parts(recipe, network, encoding, stack)
        count = {"trainable": sum(one.numel() for one in parts["model"].parameters())}
        write_whole(out / "parameters.json", (json.dumps(count) + "\n").encode())
        job = Job(
            out=out,
            fit=recipe.fit,
            seed=recipe.seed,
            best_by="loss",
            keep=partial(_keep, network, out),
            log=log,
            watch=watch,
            place=place,
            wandb=wandb,
            shown=_SHOWN,
            **parts,
        )
        return run_job(job)


def _keep(network: Network, out: Path) -> None:
    with whole_folder(out / BEST) as folder:
        save_network(network, network.module, folder)


def _card(recipe: PretrainRecipe, network: Network) -> ModelCard:
    """What the encoder asks for; it is not kept."""
    window = recipe.windows.window
    output = Output(names=("unused",), activation="identity", bin=window)
    return ModelCard(
        name=recipe.name, version="1", task="regression", input=network.spec, window=window, step=window, context=0,
        strand="both", output=output, calling=Calling(threshold=0, extend=0),
    )  # fmt: skip


def _window_parts(recipe: PretrainRecipe, network: Network, encoding: Encoding, stack: ExitStack) -> dict[str, Any]:
    """Model, data and loss for what learns from windows of a genome."""
    way, windows, source = recipe.pretrain, recipe.windows, recipe.inputs.genome
    genome = stack.enter_context(open_genome(source))
    size = windows.window + (2 * way.shift if isinstance(way, Views) else 0)
    drawn = {}
    for name, count, apart in (("train", windows.per_epoch, False), ("held_out", windows.validation, True)):
        stretches = allowed_stretches(genome, source, recipe.inputs.exclude, size, apart)
        reader = WindowReader(genome, stretches, size, windows.max_unknown, source)
        draw = view_pair(reader, windows.window, way) if isinstance(way, Views) else masked_window(reader)
        drawn[name] = Drawn(draw, count, windows.window, recipe.seed, apart)
    if isinstance(way, Views):
        collate = partial(collate_views, encoding)
        model: nn.Module = ViewPairs(_encoder(network, encoding, windows.window, way.width), way.temperature)
        return {**drawn, "model": model, "collate": collate, **_PAIRS}
    if network.mask is None:
        raise UsageError("pretrain.kind = 'masked': the checkpoint's tokenizer has no mask token")
    span = way.span or token_bases(network.spec)[0]
    return {
        **drawn,
        "model": Predictor(network.module, tokens=True),
        "collate": partial(collate_masked, encoding, network.mask, way, span),
        "loss": masked_loss,
        "reduce": told_tokens,
        "measure": lambda found, _: {"accuracy": float(found[:, 0].sum() / max(1.0, found[:, 1].sum()))},
    }


def _profile_parts(
    recipe: PretrainRecipe, network: Network, encoding: Encoding, out: Path, digests: Sequence[tuple[str, str]],
    log: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Model, data and loss for pairs of sequence and profile. The table's test split is not looked at."""
    way, task = recipe.pretrain, recipe.task
    tables = recipe.model_copy(update={"inputs": Inputs(data=recipe.inputs.data, genome=recipe.inputs.genome)})
    sequences = prepare(tables, out / "data", digests, log)
    scale = scale_of(task, sequences, sequences.rows("train"))
    train = Examples(sequences, sequences.rows("train"), recipe.data, recipe.seed, training=True)
    encoder = _encoder(network, encoding, int(train.lengths.max()), way.width)
    return {
        "train": train,
        "held_out": held_out(tables, sequences, "validation"),
        "model": ProfilePairs(encoder, len(task.targets), way.hidden, way.width, way.temperature),
        "collate": partial(collate_profiles, encoding, scale.mean, scale.deviation),
        **_PAIRS,
    }


def _encoder(network: Network, encoding: Encoding, window: int, width: int) -> SequenceEncoder:
    inputs, mask = encoding([np.zeros(window, dtype=np.uint8)])
    sample = {"inputs": inputs} if mask is None else {"inputs": inputs, "mask": mask}
    network.module.eval()
    return SequenceEncoder(network, sample, width)


def masked_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the masked tokens; logits (batch, tokens, vocabulary), labels (batch, tokens)."""
    return functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def told_tokens(logits: Tensor, labels: Tensor) -> Tensor:
    """float (batch, 2): masked tokens that are told rightly, and all masked ones."""
    masked = labels != IGNORED
    right = (logits.argmax(dim=-1) == labels) & masked
    return torch.stack([right.sum(dim=1), masked.sum(dim=1)], dim=1).float()


_PAIRS: dict[str, Any] = {
    "loss": pair_loss,
    "reduce": found_pairs,
    "measure": lambda found, _: {"accuracy": float(found.mean())},
}
