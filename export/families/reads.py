"""Runs of `genoscan train tissue`: networks of reads, which have two inputs."""

from __future__ import annotations

from pathlib import Path

from ...scanner.card import Provenance, parse_card
from ...scanner.errors import GenoscanError, UsageError
from ...training.checkpoint import RECIPE, read_metrics, read_run
from .source import CheckpointSettings, Family, Source

_BEST, _CARD, _SHAPE = "best", "card.json", "shape.json"


def _run_of(path: Path) -> Path:
    """The run folder of a path that is one, or its best network."""
    return path if (path / _BEST).is_dir() else path.parent


def _is_tissue_run(path: Path, _: CheckpointSettings) -> bool:
    run = _run_of(path)
    return path in (run, run / _BEST) and (run / _BEST / _SHAPE).is_file() and (run / RECIPE).is_file()


def _open_tissue_run(path: Path, settings: CheckpointSettings) -> Source:
    from ...training.tissue.card import with_said
    from ...training.tissue.recipe import load_tissue_recipe  # needs transformers
    from ...training.tissue.run import restore_net

    given = settings.given()
    if given:
        raise UsageError(f"{path}: a run of `genoscan train` has its card in its recipe: leave out {', '.join(given)}")
    run = _run_of(path)
    recipe = load_tissue_recipe(run / RECIPE)
    network = restore_net(recipe, run)
    place = run / _BEST / _CARD
    try:
        card = with_said(parse_card(place.read_text(encoding="utf-8"), str(place)), recipe)
    except (OSError, UnicodeDecodeError) as error:
        raise GenoscanError(f"{place}: cannot be read: {error}") from None
    started = read_run(run, "data") or {}
    known = card.provenance.model_dump() | {
        "metrics": _validation_measures(run),
        "code_version": str(started.get("code_version", "")),
        "date": (started.get("sessions") or [{}])[0].get("date", ""),
    }
    card = card.model_copy(update={"provenance": Provenance.model_validate(known)})
    return Source(path, network, lambda _: network, card)


def _validation_measures(run: Path) -> dict[str, float]:
    """Of the epoch that is kept: the one with the lowest validation loss."""
    best = min(read_metrics(run), key=lambda epoch: epoch.get("validation_loss", float("inf")), default={})
    names = ("log_loss", "divergence", "accuracy", "top3", "calibration")
    return {f"validation {name}": float(best[name]) for name in names if name in best}


TISSUE_RUN = Family("the folder of a run of `genoscan train tissue`", _is_tissue_run, _open_tissue_run)
