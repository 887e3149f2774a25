"""A network of promoters as a model that scores bins: its graph for genomes, and its card."""

from __future__ import annotations

from torch import nn

from ...scanner.card import ModelCard
from ...training.nets.promoter_scan import PromoterScan
from ...training.supervised.load import Trained

CORE = 2000
START = "start"


def scanning(trained: Trained) -> tuple[nn.Module, ModelCard]:
    """The network that reads stretches of a genome, and the card that says so: outputs as `PromoterScan` gives them."""
    net, settings, task = trained.module, trained.recipe.net, trained.recipe.task
    module = PromoterScan(net, settings.start).eval()
    step = -(-CORE // net.step) * net.step
    card = trained.card
    changes = {
        "task": "segmentation",
        "window": step + 2 * module.context,
        "step": step,
        "context": module.context,
        "output": {
            **card.output.model_dump(),
            "names": (*task.targets, START),
            "called": card.output.called or task.targets[:1],
            "bin": net.step,
            "pseudocount": task.pseudocount if task.transform == "log10" else None,
        },
        "calling": {**card.calling.model_dump(), "start_output": START},
    }
    return module, ModelCard.model_validate({**card.model_dump(), **changes})
