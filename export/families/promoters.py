"""A network of promoters as a model that scores bins: its graph for genomes, and its card."""

from __future__ import annotations

from torch import nn

from ...scanner.card import ModelCard
from ...scanner.errors import UsageError
from ...training.nets.promoter_scan import PromoterScan
from ...training.supervised.load import Trained

CORE = 2000
START = "start"


def scanning(trained: Trained) -> tuple[nn.Module, ModelCard]:
    """The network that reads stretches of a genome, and the card that says so: outputs as `PromoterScan` gives them.
    `UsageError` for classes."""
    net, settings, task = trained.module, trained.recipe.net, trained.recipe.task
    if task.kind != "regression":
        raise UsageError(f"{trained.card.name}: networks of promoters are exported with strengths, not with classes")
    module = PromoterScan(net, settings.start, settings.smoothed).eval()
    step = -(-CORE // net.step) * net.step
    card, start = trained.card, (START,) if module.knows_boxes else ()
    output = {
        **card.output.model_dump(),
        "names": (*task.targets, *start),
        "called": card.output.called or task.targets[:1],
        "bin": net.step,
        "pseudocount": task.pseudocount if task.transform == "log10" else None,
    }
    changes = {
        "task": "segmentation",
        "window": step + 2 * module.context,
        "step": step,
        "context": module.context,
        "output": output,
        "calling": {**card.calling.model_dump(), "start_output": START if start else None},
    }
    return module, ModelCard.model_validate({**card.model_dump(), **changes})
