"""How good a model of reads is on reads whose cell type is known: tables, a plot, and what it stands beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...scanner.errors import GenoscanError, UsageError
from ...scanner.inference.session import Model
from ...scanner.read_likelihoods import window_log_likelihoods
from ..whole_files import write_png, write_whole
from .baselines import fit_naive_bayes, naive_bayes, read_states
from .measures import confusion, divergence, read_measures
from .panel import open_panel
from .real_reads import read_table
from .settings import Drawing, SimulatedData
from .simulation import Simulator

_NAIVE_READS = 400_000
_STREAM = 1_000_003
"""Not an epoch: the reads that naive Bayes counts are drawn apart from those of a network."""


DRAWINGS = {"natural": Drawing(), "targets": Drawing(targets=0.5)}


class Judged(NamedTuple):
    """Reads and what is said of them, each float64 (reads, classes) of probabilities.

    answers: by name; the model's is `model`. classes: int64 (reads,), the truth.
    """

    answers: dict[str, np.ndarray]
    classes: np.ndarray

    def measures(self) -> dict[str, dict[str, float]]:
        """Of each answer; beside `exact`, how far it is from it: ``excess`` is the share by which the log-loss is
        larger, ``divergence`` the mean of Kullback and Leibler."""
        found = {name: read_measures(values, self.classes) for name, values in self.answers.items()}
        exact = self.answers.get("exact")
        for name, values in self.answers.items():
            if exact is not None and name != "exact":
                found[name]["divergence"] = divergence(exact, values)
                found[name]["excess"] = found[name]["log_loss"] / found["exact"]["log_loss"] - 1
        return found


def model_probabilities(model: Model, codes: np.ndarray, prior: np.ndarray, threads: int = 1) -> np.ndarray:
    """float64 (reads, classes): the model's posteriors of marked codes, for a prior float (classes,) or
    (reads, classes)."""
    return with_prior(np.exp(window_log_likelihoods(model, codes, threads).astype(np.float64)), prior)


def with_prior(likelihoods: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Posteriors of likelihoods, float (reads, classes), each row up to a factor."""
    found = likelihoods * prior
    return found / found.sum(axis=1, keepdims=True)


def judge_simulated(
    model: Model, simulator: Simulator, split: str, count: int, drawing: Drawing, threads: int = 1
) -> Judged:
    """``count`` reads of a split's donors: the model, the exact posterior, naive Bayes on a read's state at its marker
    (counted on reads of training donors), and chance (the prior), all with the prior of the drawing."""
    require_classes(model, simulator.panel.cell_types)
    reads = simulator.draw(split, 0, np.arange(count), drawing)
    prior = simulator.drawn_prior(reads.markers, drawing)
    learned = simulator.draw("training", _STREAM, np.arange(_NAIVE_READS), drawing)
    shape = (len(simulator.panel.lefts), len(simulator.prior))
    table = fit_naive_bayes(read_states(learned.cpgs), learned.markers, learned.classes, shape)
    answers = {
        "model": model_probabilities(model, reads.codes, prior, threads),
        "exact": with_prior(reads.posterior / simulator.prior, prior),
        "naive_bayes": naive_bayes(table, read_states(reads.cpgs), reads.markers, prior),
        "chance": prior,
    }
    return Judged(answers, reads.classes)


def judge_table(model: Model, path: Path, regions: Sequence[str], threads: int = 1) -> Judged:
    """Real reads of a table, or of some of its regions: the model, and chance (the model's own prior)."""
    spec = model.card.input
    table = read_table(path, model.card.window, spec.k)
    require_classes(model, table.classes)
    known = set(table.regions.tolist())
    wrong = [one for one in regions if one not in known]
    if wrong:
        raise UsageError(f"{path}: has no region '{wrong[0]}'")
    rows = np.flatnonzero(np.isin(table.regions, list(regions) or list(known)))
    many = len(table.classes)
    prior = np.array(model.card.output.prior or [1 / many] * many)
    answers = {
        "model": model_probabilities(model, table.codes[rows], prior, threads),
        "chance": np.tile(prior, (len(rows), 1)),
    }
    return Judged(answers, table.labels[rows])


def evaluate_model(
    model: Model, out: str | Path, atlas: str | None, genome: str | None, said: SimulatedData, count: int,
    reads: str | None, regions: Sequence[str], threads: int = 1,
) -> dict[str, dict[str, dict[str, float]]]:  # fmt: skip
    """Judge a model on simulated reads of donors of the test split, or on a table of real ones; tables and plots go
    into the folder ``out``. Returns measures by set of reads, answer and name.

    Simulated sets: `natural`, with cell types as the prior has them, and `targets`, where half of a marker's reads come
    from its target: there methylation says much, and most of `natural` it says nothing.
    """
    require_reads(model)
    if reads:
        judged = {"reads": judge_table(model, Path(reads), regions, threads)}
    else:
        simulator = Simulator(open_panel(atlas, genome), said.simulation, model.card.window, said.seed)
        judged = {
            name: judge_simulated(model, simulator, "test", count, drawing, threads)
            for name, drawing in DRAWINGS.items()
        }
    facts = {"model": model.card.name, "version": model.card.version, "sha256": model.sha256}
    write_evaluation(Path(out), judged, model.card.output.names, facts)
    return {name: one.measures() for name, one in judged.items()}


def require_classes(model: Model, classes: Sequence[str]) -> None:
    """`GenoscanError` unless these are the model's classes, in its order."""
    if tuple(classes) != tuple(model.card.output.names):
        raise GenoscanError(f"{model.path}: its classes are not those of the reads: give the data that it is made for")


def require_reads(model: Model) -> None:
    """`UsageError` for a model that is no model of reads."""
    if model.card.task != "read-classification":
        raise UsageError(f"{model.path}: is a model of {model.card.task}, not of reads")


def write_evaluation(out: Path, judged: dict[str, Judged], names: Sequence[str], facts: dict[str, Any]) -> None:
    """measures.json, and for each set of reads SET.classes.tsv, SET.confusion.tsv and SET.confusion.png."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenoscanError(f"{out}: cannot make the folder: {error.strerror}") from None
    for name, one in judged.items():
        called = one.answers["model"].argmax(axis=1)
        counts = confusion(called, one.classes, len(names))
        write_whole(out / f"{name}.classes.tsv", _class_table(one, names).encode())
        lines = ["\t".join(("true", *names))]
        lines += ["\t".join((kin, *map(str, row))) for kin, row in zip(names, counts.tolist(), strict=True)]
        write_whole(out / f"{name}.confusion.tsv", ("\n".join(lines) + "\n").encode())
        plot_confusion(counts, names, out / f"{name}.confusion.png")
    content = {**facts, "reads": {name: len(one.classes) for name, one in judged.items()}}
    content["measures"] = {name: one.measures() for name, one in judged.items()}
    write_whole(out / "measures.json", (json.dumps(content, indent=2) + "\n").encode())


def _class_table(judged: Judged, names: Sequence[str]) -> str:
    """A line a class: its reads, how many are called that (accuracy), or among the first three, how often a call is
    right (precision), and its log-loss."""
    found, classes = judged.answers["model"], judged.classes
    called = found.argmax(axis=1)
    lines = ["class\treads\taccuracy\ttop3\tprecision\tlog_loss"]
    for number, name in enumerate(names):
        own = classes == number
        calls = called == number
        precision = f"{(classes[calls] == number).mean():.4f}" if calls.any() else "NA"
        if not own.any():
            lines.append(f"{name}\t0\tNA\tNA\t{precision}\tNA")
            continue
        measures = read_measures(found[own], classes[own])
        values = f"{measures['accuracy']:.4f}\t{measures['top3']:.4f}\t{precision}\t{measures['log_loss']:.4f}"
        lines.append(f"{name}\t{int(own.sum())}\t{values}")
    return "\n".join(lines) + "\n"


def plot_confusion(counts: np.ndarray, names: Sequence[str], path: Path) -> None:
    """A PNG of the confusion matrix, each true class (row) in shares of its reads."""
    from matplotlib.figure import Figure

    size = max(3.5, 0.22 * len(names) + 2)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set_xlabel("called")
    axes.set_ylabel("true")
    figure.colorbar(image, shrink=0.6, label="share of the true class's reads")
    write_png(path, figure)
