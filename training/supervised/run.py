"""A run that learns from labelled sequences: from a recipe to a folder that can be exported."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import set_seed

from ..data.store import Sequences
from ..devices import Device, resolve_device
from ..fit import say
from ..measures.bootstrap import Interval, with_intervals
from ..pretrained.quiet import quiet_transformers
from ..whole_files import whole_folder, write_whole
from .card import sequence_card
from .distilling import Copies, Taught, ask, teacher_recipes
from .examples import Encoding, Examples
from .load import BEST, CARD, TOKENS, load_trained, predict
from .networks import Network, build_network, restore_network, save_network
from .prepare import input_digests, prepare
from .probe import LayerProbe, embed, plot_layers, probe_layers, save_probe
from .recipe import Distilled, Probe, Scratch, SequenceRecipe, load_sequence_recipe
from .session import run_session
from .tasks import Scale, fold_scale, loss_of, measures_of, predictions, scale_of
from .trainer import Job, Stopped, Watch, run_job
from .ways import adapt, linear_head, trainable

DATA, MEASURES, PREDICTIONS, PROBING = "data", "measures.json", "predictions.tsv.gz", "probing"
TEACHERS, SAID = "teachers", "said.npy"
_SHOWN = ("pearson", "mean/pearson", "spearman", "r2_determination", "accuracy", "mcc", "auroc")


@dataclass(frozen=True)
class Fitted:
    """How a call of `train_sequences` ended. measures: of the best network, by split and name; empty before the end."""

    out: Path
    finished: bool
    measures: dict[str, dict[str, Interval]]


def train_sequences(
    recipe: SequenceRecipe | str | Path,
    out: str | Path,
    device: Device = "auto",
    threads: int | None = None,
    time_limit: float | None = None,
    wandb: str = "off",
    log: Callable[[str], None] = say,
) -> Fitted:
    """Train a recipe (or the one in that file or of that bundled name) into the run folder ``out``.

    The run in ``out``, if there is one, goes on at the very batch where it stopped. After each epoch it is measured
    on the validation split; the best network is kept in best/, and at the end measured on validation and test, with
    bootstrap
    intervals, rows of a group drawn together: measures.json. ``time_limit`` in minutes stops after a step, SIGTERM and
    SIGINT do too, with `SystemExit` 143 and 130. A wrong recipe, table or folder raises `GenoscanError` or
    `UsageError`.
    """
    out = Path(out)
    if not isinstance(recipe, SequenceRecipe):
        recipe = load_sequence_recipe(recipe)
    digests = input_digests(recipe)
    train = partial(_train, recipe, out, digests, wandb != "off", log)
    if not run_session(recipe, out, digests, train, device, threads, time_limit, wandb, log):
        return Fitted(out, False, {})
    with quiet_transformers():
        measures = _measure(recipe, out, digests, resolve_device(device), log)
    return Fitted(out, True, measures)


def _train(
    recipe: SequenceRecipe, out: Path, digests: Sequence[tuple[str, str]], wandb: bool, log: Callable[[str], None],
    place: torch.device, watch: Watch,
) -> bool:  # fmt: skip
    """Whether the run is finished."""
    sequences = prepare(recipe, out / DATA, digests, log)
    fit = partial(_fit, sequences=sequences, log=log, place=place, watch=watch)
    teachers: list[nn.Module] = []
    for number, taught in enumerate(teacher_recipes(recipe), 1):
        folder = out / TEACHERS / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        log(f"teacher {number}:")
        if not fit(taught, folder, wandb=False):
            return False
        teachers.append(restore_network(taught.net, len(recipe.task.outputs), folder / BEST).to(place))
    return fit(recipe, out, wandb=wandb, teachers=teachers)


def _fit(
    recipe: SequenceRecipe, out: Path, sequences: Sequences, wandb: bool, log: Callable[[str], None],
    place: torch.device, watch: Watch, teachers: Sequence[nn.Module] = (),
) -> bool:  # fmt: skip
    """Train one network into ``out``, by what teachers say where there are some; whether it is finished."""
    set_seed(recipe.seed)
    fresh = isinstance(recipe.adapt, Scratch | Distilled)
    network = build_network(recipe.net, recipe.task.outputs, recipe.task.kind == "regression", fresh)
    card = sequence_card(recipe, network.spec)
    encoding = Encoding(card, network.tokens, network.pad, network.longest)
    scale = scale_of(recipe.task, sequences, sequences.rows("train"))
    keep = partial(_keep, recipe, network, out, scale)
    if isinstance(recipe.adapt, Probe):
        _probe(recipe, network, sequences, encoding, out, place, watch, keep, log)
        return True
    adapted = adapt(network, recipe.adapt)
    _write_parameters(out, adapted.predictor)
    examples = Examples(sequences, sequences.rows("train"), recipe.data, recipe.seed, training=True)
    if teachers:
        examples = _taught(recipe.adapt, examples, teachers, network.tokens, encoding, out, place, watch)
    job = Job(
        out=out,
        fit=recipe.fit,
        seed=recipe.seed,
        model=adapted.predictor,
        train=examples,
        held_out=held_out(recipe, sequences, "validation"),
        collate=encoding.collate,
        loss=partial(loss_of, recipe.task, scale),
        measure=lambda logits, labels: measures_of(recipe.task, predictions(recipe.task, scale, logits), labels),
        best_by=recipe.best_by,
        keep=lambda: keep(adapted.plain()),
        log=log,
        watch=watch,
        place=place,
        wandb=wandb,
        shown=_SHOWN,
    )
    return run_job(job)


def _taught(
    way: Distilled, examples: Examples, teachers: Sequence[nn.Module], tokens: bool, encoding: Encoding, out: Path,
    place: torch.device, watch: Watch,
) -> Taught:  # fmt: skip
    """Examples with what the teachers say of them, which is asked once and kept."""
    copies, path = Copies(examples, way.mutation), out / TEACHERS / SAID
    if not path.exists():
        said = ask(teachers, tokens, encoding, copies, way.copies, place, partial(_stop, watch))
        buffer = io.BytesIO()
        np.save(buffer, said)
        write_whole(path, buffer.getvalue())
    return Taught(copies, np.load(path, mmap_mode="r"), way.weight)


def _stop(watch: Watch) -> None:
    if watch.stopped:
        raise Stopped


def held_out(recipe: SequenceRecipe, sequences: Sequences, split: str) -> Examples:
    """Rows of a split, sorted by length, so that batches need little filling up."""
    rows = sequences.rows(split)
    return Examples(sequences, rows[np.argsort(sequences.lengths(rows), kind="stable")], recipe.data)


def _keep(recipe: SequenceRecipe, network: Network, out: Path, scale: Scale, module: nn.Module) -> None:
    """Save a plain network as the best."""
    if not isinstance(module, LayerProbe):
        fold_scale(linear_head(module), scale)
    with whole_folder(out / BEST) as folder:
        save_network(network, module.net if isinstance(module, LayerProbe) else module, folder)
        if isinstance(module, LayerProbe):
            save_probe(module, folder)
        write_whole(folder / CARD, sequence_card(recipe, network.spec).to_json().encode())
        filling = {"pad": network.pad, "longest": network.longest}
        write_whole(folder / TOKENS, json.dumps(filling).encode())


def _write_parameters(out: Path, module: nn.Module) -> None:
    count = {"trainable": trainable(module), "all": sum(one.numel() for one in module.parameters())}
    write_whole(out / "parameters.json", (json.dumps(count) + "\n").encode())


def _probe(
    recipe: SequenceRecipe, network: Network, sequences: Sequences, encoding: Encoding, out: Path, place: torch.device,
    watch: Watch, keep: Callable[[nn.Module], None], log: Callable[[str], None],
) -> None:  # fmt: skip
    """Probe every layer; the best becomes the run's network."""
    folder = out / PROBING
    folder.mkdir(exist_ok=True)
    embedded, targets = {}, {}
    for split in ("train", "validation"):
        examples = held_out(recipe, sequences, split)
        embedded[split] = embed(network, examples, encoding, folder / f"{split}.bin", place, partial(_stop, watch))
        targets[split] = np.asarray(sequences.targets[examples.rows])
    layers = probe_layers(recipe, recipe.adapt, embedded, targets)
    found = [{"layer": one.number + 1, "penalty": one.penalty, **one.measures} for one in layers]
    write_whole(folder / "layers.json", (json.dumps(found, indent=2) + "\n").encode())
    plot_layers(layers, recipe.best_by, recipe.name, folder / "layers.png")
    for one in layers:
        log(f"layer {one.number + 1}/{len(layers)}  {recipe.best_by} {one.measures[recipe.best_by]:.4f}")
    best = max(layers, key=lambda one: np.nan_to_num(one.measures[recipe.best_by], nan=-np.inf))
    outputs, width = best.weight.shape
    probe = LayerProbe(network.module.cpu(), best.number, network.tokens, width, outputs)
    with torch.no_grad():
        probe.head.weight.copy_(torch.from_numpy(best.weight))
        probe.head.bias.copy_(torch.from_numpy(best.bias))
    write_whole(
        out / "parameters.json",
        (json.dumps({"trainable": trainable(probe.head), "all": trainable(probe)}) + "\n").encode(),
    )
    keep(probe)
    for split in embedded:
        (folder / f"{split}.bin").unlink()


def _measure(
    recipe: SequenceRecipe, out: Path, digests: Sequence[tuple[str, str]], place: torch.device,
    log: Callable[[str], None],
) -> dict[str, dict[str, Interval]]:  # fmt: skip
    """Measures of the best network on validation and test, from what is saved, as anyone would read it."""
    sequences = prepare(recipe, out / DATA, digests, log)
    trained = load_trained(out)
    found, lines = {}, []
    for split in ("validation", "test"):
        examples = held_out(recipe, sequences, split)
        if not len(examples):
            continue
        predicted = predict(trained, [examples[number][0] for number in range(len(examples))], place.type)
        targets = np.asarray(sequences.targets[examples.rows], dtype=np.float64)

        def measure(rows: np.ndarray, predicted=predicted, targets=targets) -> dict[str, float]:
            return measures_of(recipe.task, predicted[rows], targets[rows])

        found[split] = with_intervals(measure, len(examples), np.asarray(sequences.keys[examples.rows]))
        lines += _prediction_lines(recipe, sequences, examples.rows, split, predicted)
        shown = "  ".join(
            f"{name} {one.value:.4f} ({one.low:.4f} to {one.high:.4f})"
            for name, one in found[split].items()
            if name in _SHOWN
        )
        log(f"{split}: {shown}")
    header = "\t".join(("line", "split", *recipe.task.targets, *(f"predicted_{name}" for name in recipe.task.outputs)))
    text = "\n".join([header, *lines]) + "\n"
    write_whole(out / PREDICTIONS, gzip.compress(text.encode(), mtime=0))
    content = {split: {name: one._asdict() for name, one in measures.items()} for split, measures in found.items()}
    write_whole(out / MEASURES, (json.dumps(content, indent=2) + "\n").encode())
    return found


def _prediction_lines(
    recipe: SequenceRecipe, sequences: Sequences, rows: np.ndarray, split: str, predicted: np.ndarray
) -> list[str]:
    classes = recipe.task.kind == "classification"
    lines = []
    for row, values in zip(rows.tolist(), predicted, strict=True):
        known = sequences.targets[row]
        truth = (
            [recipe.task.classes[int(known[0])]] if classes else ["" if one != one else f"{one:.6g}" for one in known]
        )
        lines.append("\t".join([str(sequences.lines[row]), split, *truth, *(f"{one:.6g}" for one in values)]))
    return lines
