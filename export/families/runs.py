"""Runs of `genoscan train`, whose recipe says everything that the card needs."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...scanner.card import BytePairInput, Provenance
from ...scanner.errors import GenoscanError, UsageError
from ...training.checkpoint import BEST, LAST, RECIPE, Checkpoint, load_checkpoint, read_metrics, read_run, restore_net
from ...training.nets.binned_promoter_net import BinnedPromoterNet
from ...training.nets.core_promoter_net import CorePromoterNet
from ...training.nets.promoter_net import PromoterNet
from ...training.pretrained.folder import read_json
from ...training.recipe import model_card
from ..spectrum_layouts import SpectrumFloatLayout, SpectrumIntegerLayout
from .heads import TokenNetwork, first_position
from .promoters import scanning
from .source import CheckpointSettings, Family, Precision, Source

TIMES = ("seconds", "megabases_per_second")
"""Entries of an epoch that say how fast it was and not how good."""
_NETWORK, CARD, MEASURES = "best", "card.json", "measures.json"
"""Where a run has its network, the network's card, and how good it is."""
_SPEED = ("_runtime", "_per_second")


class _PerBase(nn.Module):
    """The spectrum network as the card describes it: logits (batch, bases, 1)."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, features: Tensor) -> Tensor:
        return self.net(features).unsqueeze(-1)


def _refuse_settings(path: Path, settings: CheckpointSettings) -> None:
    """A run's recipe is its card."""
    given = settings.given()
    if given:
        raise UsageError(f"{path}: a run of `genoscan train` has its card in its recipe: leave out {', '.join(given)}")


def _is_training_run(path: Path, settings: CheckpointSettings) -> bool:
    if settings.module is not None or settings.trust_remote_code:
        return False
    if path.is_dir():
        return (path / BEST).is_file() or (path / LAST).is_file()
    return zipfile.is_zipfile(path)  # what torch.save writes


def _open_training_run(path: Path, settings: CheckpointSettings) -> Source:
    _refuse_settings(path, settings)
    checkpoint = load_checkpoint(path)
    try:
        net = restore_net(checkpoint)
    except RuntimeError:  # what load_state_dict raises
        raise GenoscanError(f"{path}: the checkpoint's weights do not fit its own recipe") from None
    card = model_card(checkpoint.recipe)
    provenance = card.provenance.model_copy(
        update={
            "metrics": _metrics(checkpoint),
            "code_version": checkpoint.code_version,
            "date": _date(path if path.is_dir() else path.parent, checkpoint),
        }
    )
    card = card.model_copy(update={"provenance": Provenance.model_validate(provenance.model_dump())})

    def layout(precision: Precision) -> nn.Module:
        return SpectrumIntegerLayout(net) if precision == "int8" else SpectrumFloatLayout(net)

    return Source(path, _PerBase(net).eval(), layout, card, integers=True)


def _metrics(checkpoint: Checkpoint) -> dict[str, float]:
    """Those of the checkpoint's last finished epoch, which is the best one in a `best.pt`."""
    last = checkpoint.history[-1] if checkpoint.history else {}
    chosen = {name: float(value) for name, value in last.items() if name not in ("step", *TIMES)}
    return {"step": float(checkpoint.step), **chosen}


def _date(folder: Path, checkpoint: Checkpoint) -> str:
    """When the run's session that wrote the checkpoint began, as its run.json says; not the day of the export."""
    return _date_of(read_run(folder) or {}, checkpoint.step)


def _date_of(run: dict[str, Any], step: int) -> str:
    """When the session of a run.json that made this step began."""
    dates = [
        str(session.get("date", ""))
        for session in run.get("sessions", [])
        if isinstance(session, dict) and session.get("from_step", 0) < max(step, 1)
    ]
    return dates[-1] if dates else ""


def _is_classifier_run(path: Path, _: CheckpointSettings) -> bool:
    run = path if (path / _NETWORK).is_dir() else path.parent
    return (run / _NETWORK / "config.json").is_file() and (run / RECIPE).is_file() and path in (run, run / _NETWORK)


def _open_classifier_run(path: Path, settings: CheckpointSettings) -> Source:
    from ...training.classifier_recipe import classifier_card  # needs transformers
    from ...training.classify import load_classifier

    _refuse_settings(path, settings)
    run = path if (path / _NETWORK).is_dir() else path.parent
    recipe, network = load_classifier(run)
    card = classifier_card(recipe)
    started = read_run(run, "data") or {}
    best = max(read_metrics(run), key=lambda epoch: epoch.get("sequences_mcc", -1.0), default={})
    provenance = card.provenance.model_copy(
        update={
            "metrics": {name: float(value) for name, value in best.items() if not name.endswith(_SPEED)},
            "code_version": str(started.get("code_version", "")),
            "date": _date_of(started, int(best.get("step", 0))),
        }
    )
    return Source(path, network, lambda _: network, card.model_copy(update={"provenance": provenance}))


def _is_sequence_run(path: Path, _: CheckpointSettings) -> bool:
    run = _run_of(path)
    return path in (run, run / _NETWORK) and (run / _NETWORK / CARD).is_file() and (run / RECIPE).is_file()


def _run_of(path: Path) -> Path:
    """The run folder of a path that is one, or its best network."""
    return path if (path / _NETWORK).is_dir() else path.parent


def _open_sequence_run(path: Path, settings: CheckpointSettings) -> Source:
    from ...training.supervised.load import load_trained  # needs transformers

    _refuse_settings(path, settings)
    run = _run_of(path)
    trained = load_trained(run)
    network: nn.Module = trained.module
    if trained.tokens:
        pad = trained.card.input.pad if isinstance(trained.card.input, BytePairInput) else None
        network = TokenNetwork(network, pad, first_position=first_position(network)).eval()
    card = trained.card
    if isinstance(network, PromoterNet | CorePromoterNet | BinnedPromoterNet):
        network, card = scanning(trained)
    started = read_run(run, "data") or {}
    known = card.provenance.model_dump()
    known |= {
        "metrics": _test_measures(run / MEASURES),
        "code_version": str(started.get("code_version", "")),
        "date": _date_of(started, 1),
    }
    card = card.model_copy(update={"provenance": Provenance.model_validate(known)})
    return Source(path, network, lambda _: network, card)


def _test_measures(path: Path) -> dict[str, float]:
    """Of the held-out split that a finished run was measured on last: test, or validation where there is no test."""
    if not path.is_file():
        return {}
    found = read_json(path)
    split = "test" if "test" in found else "validation"
    values = {name: one["value"] for name, one in found.get(split, {}).items()}
    return {f"{split} {name}": float(value) for name, value in values.items() if value == value}


TRAINING_RUN = Family(f"{BEST} or {LAST} of `genoscan train` (or its folder)", _is_training_run, _open_training_run)
SEQUENCE_RUN = Family("the folder of a run of `genoscan train promoter`", _is_sequence_run, _open_sequence_run)
CLASSIFIER_RUN = Family(
    "the folder of a run of `genoscan train --net kmer-bert`", _is_classifier_run, _open_classifier_run
)
