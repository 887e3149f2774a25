"""The bundled model of reads: its card, and on the atlas that it learned from (where that is at hand) its answers."""

import numpy as np
import pytest

from genoscan.scanner.catalogue import bundled_models
from genoscan.scanner.inference.session import open_model, read_card
from genoscan.training.tissue.evaluation import judge_simulated
from genoscan.training.tissue.panel import open_panel, panel_markers
from genoscan.training.tissue.recipe import load_tissue_recipe
from genoscan.training.tissue.settings import Drawing
from genoscan.training.tissue.simulation import Simulator


def test_its_card():
    card = read_card(bundled_models()["tissue"])
    assert card.task == "read-classification"
    assert len(card.output.names) == 40
    assert card.output.prior == pytest.approx([1 / 40] * 40)
    assert card.assembly == "hg38"
    assert {marker.target for marker in card.markers} <= set(card.output.names)
    assert "research" in card.provenance.licence


@pytest.mark.data
def test_it_knows_its_atlas(data_folder):
    panel = open_panel(data_folder / "methylation" / "panel_hg38.tsv.gz")
    model = open_model(bundled_models()["tissue"], "cpu")
    assert model.card.markers == panel_markers(panel)
    recipe = load_tissue_recipe("tissue")
    simulator = Simulator(panel, recipe.simulation, recipe.data.window, recipe.seed)
    judged = judge_simulated(model, simulator, "test", 2000, Drawing(targets=0.5))
    measures = judged.measures()
    assert measures["model"]["excess"] < 0.05
    assert measures["model"]["log_loss"] < measures["chance"]["log_loss"] - 0.15
    called, exact = (judged.answers[name].argmax(axis=1) for name in ("model", "exact"))
    assert np.mean(called == exact) > 0.9
