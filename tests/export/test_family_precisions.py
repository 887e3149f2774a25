"""Every family in every precision: windows of all lengths get the checkpoint's scores, as near as the precision may."""

import checkpoints
import numpy as np
import pytest
import torch
from checkpoints import bases, kmer_words

import genoscan
from genoscan.export.export import export_model
from genoscan.export.families import CheckpointSettings, open_checkpoint
from genoscan.export.parity import Limits

WINDOW = CheckpointSettings(window=90, step=90)
FAMILIES = {
    "dnabert": (checkpoints.dnabert, lambda text: kmer_words(text, 3)),
    "nucleotide-transformer": (checkpoints.nucleotide_transformer, lambda text: text.strip("N")),
    "grover": (checkpoints.grover, lambda text: text.strip("N")),
    "dnabert-2": (checkpoints.dnabert2, lambda text: text.strip("N")),
}
SEQUENCES = [bases(90, seed) for seed in range(4)] + [bases(90, 9, (30, 31, 60)), "N" * 20 + bases(70, 8)]


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.long] * (one != "dnabert")) for one in FAMILIES])
def test_scores(name, precision, tmp_path):
    make, text = FAMILIES[name]
    folder = make(tmp_path / "checkpoint")
    limits = Limits(mean=0.02, agreement=0.95) if precision == "int8" else None  # random weights have many near ties
    report = export_model(folder, tmp_path / "m.onnx", precision, settings=WINDOW, limits=limits, windows=4)
    assert not report.problems()
    model = genoscan.load_model(tmp_path / "m.onnx", device="cpu")
    assert model.card.provenance.precision == precision
    network = open_checkpoint(folder, WINDOW).network.net
    with torch.inference_mode():
        logits = [network(input_ids=checkpoints.tokens(folder, text(one))).logits[0] for one in SEQUENCES]
    expected = torch.softmax(torch.stack(logits), dim=1).numpy()
    found = model(SEQUENCES)
    assert np.abs(found - expected).max() < (0.005 if precision == "fp16" else 0.05)
    assert np.corrcoef(found[:, 1], expected[:, 1])[0, 1] > (0.999 if precision == "fp16" else 0.9)
