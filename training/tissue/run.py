"""A run that learns which cell type reads come from: from a recipe to a folder that can be exported."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import set_seed

from ...scanner.errors import GenoscanError
from ..data.digests import file_digest
from ..devices import Device
from ..fit import say
from ..nets.read_bert import ReadBert, ReadEncoder
from ..supervised.session import run_session
from ..supervised.trainer import Job, Watch, run_job
from ..whole_files import whole_folder, write_whole
from .card import tissue_card
from .examples import Batches
from .learning import Learner, build_net, loss_of, measure, reduced
from .pretraining import pretraining_job
from .recipe import TissueRecipe, load_tissue_recipe
from .sources import Source, class_weights, input_files, open_source

BEST, CARD, WEIGHTS, SHAPE = "best", "card.json", "weights.safetensors", "shape.json"
_SHOWN = ("log_loss", "divergence", "accuracy", "top3", "calibration")


def train_tissue(
    recipe: TissueRecipe | str | Path,
    out: str | Path,
    device: Device = "auto",
    threads: int | None = None,
    time_limit: float | None = None,
    wandb: str = "off",
    log: Callable[[str], None] = say,
) -> bool:
    """Train a recipe (or the one in that file or of that bundled name) into the run folder ``out``; True when finished.

    best/ is the network of the epoch with the best validation measure (by default the loss), which
    `genoscan export` and `genoscan evaluate` read; of a recipe with [pretrain] it is an encoder, for
    ``net.checkpoint``. Stopping, resuming and errors are those of `supervised.run.train_sequences`.
    """
    out = Path(out)
    if not isinstance(recipe, TissueRecipe):
        recipe = load_tissue_recipe(recipe)
    digests = [(str(path), file_digest(path)) for path in input_files(recipe)]
    train = partial(_train, recipe, out, wandb != "off", log)
    return run_session(recipe, out, digests, train, device, threads, time_limit, wandb, log)


def _train(
    recipe: TissueRecipe, out: Path, wandb: bool, log: Callable[[str], None], place: torch.device, watch: Watch
) -> bool:
    """Whether the run is finished."""
    source = open_source(recipe)
    set_seed(recipe.seed)
    common = {
        "out": out, "fit": recipe.fit, "seed": recipe.seed, "log": log, "watch": watch, "place": place, "wandb": wandb
    }  # fmt: skip
    if recipe.pretrain is not None:
        return run_job(pretraining_job(recipe, source, partial(_keep_encoder, out), common))
    net = build_net(recipe, len(source.classes), source.told_markers)
    if recipe.net.checkpoint:
        start_from(net.encoder, Path(recipe.net.checkpoint))
    weights = class_weights(recipe, source)
    card = tissue_card(recipe, source.classes, source.prior * weights, source.markers)
    count = {"trainable": sum(one.numel() for one in net.parameters())}
    write_whole(out / "parameters.json", (json.dumps(count) + "\n").encode())
    train, held_out = source.sets["training"], source.sets["validation"]
    job = Job(
        model=Learner(net),
        train=train,
        held_out=held_out,
        collate=Batches(train, held_out, recipe.data, recipe.net.patch, recipe.seed),
        loss=loss_of(recipe.losses, recipe.net, weights, source.prior, source.drawn_priors()),
        measure=measure,
        reduce=reduced(len(source.classes)),
        best_by=recipe.fit.best_by or "loss",
        keep=partial(_keep, net, card.to_json(), source, out),
        shown=_SHOWN,
        **common,
    )
    return run_job(job)


def _keep(net: ReadBert, card: str, source: Source, out: Path) -> None:
    shape = {"classes": len(source.classes), "markers": source.told_markers}
    with whole_folder(out / BEST) as folder:
        save_file({name: one.contiguous() for name, one in net.state_dict().items()}, folder / WEIGHTS)
        (folder / CARD).write_text(card + "\n", encoding="utf-8")
        (folder / SHAPE).write_text(json.dumps(shape) + "\n", encoding="utf-8")


def _keep_encoder(out: Path, encoder: ReadEncoder) -> None:
    with whole_folder(out / BEST) as folder:
        save_file({name: one.contiguous() for name, one in encoder.state_dict().items()}, folder / WEIGHTS)


def start_from(encoder: ReadEncoder, run: Path) -> None:
    """Weights of a pretraining run's encoder, or of that of a run; `GenoscanError` where they do not fit."""
    path = run / BEST / WEIGHTS
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise GenoscanError(f"{path}: no encoder of `genoscan train tissue`: {error}") from None
    found = {name.removeprefix("encoder."): one for name, one in found.items()}
    own = encoder.state_dict()
    wrong = [name for name in own if getattr(found.get(name), "shape", None) != own[name].shape]
    if wrong:
        raise GenoscanError(f"{path}: has no {wrong[0]} of the size that the recipe's network has")
    encoder.load_state_dict({name: found[name] for name in own})


def restore_net(recipe: TissueRecipe, run: Path) -> ReadBert:
    """The best network of a run, for inference; `GenoscanError` where it is not there or damaged."""
    folder = run / BEST
    try:
        shape = json.loads((folder / SHAPE).read_text(encoding="utf-8"))
        net = build_net(recipe, shape["classes"], shape["markers"])
        net.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise GenoscanError(f"{folder}: no network of `genoscan train tissue`, or a damaged one") from error
    return net.eval()
