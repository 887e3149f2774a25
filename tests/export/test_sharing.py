"""Windows that share their work: the same scores as window by window, or a refusal that says why."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from commands import scan_file
from fastas import write
from torch import nn

from genoscan.export.export import export_model
from genoscan.export.families import CheckpointSettings
from genoscan.export.parity import Limits
from genoscan.export.sharing import tile_card
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.inference.session import open_model, read_card
from genoscan.training.data.demo import fasta_record

WINDOW, STEP = 128, 32


class MeanAndMax(nn.Module):
    def forward(self, x):
        return torch.cat([x.mean(-1), x.amax(-1)], dim=1)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Conv1d(8, 8, 1)

    def forward(self, x):
        return x + torch.relu(self.inner(x))


class Centre(nn.Module):
    def forward(self, x):
        return x[:, :, 40]


def mean_of(channels, outputs):
    return [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels, outputs)]


NETS = {
    "mean": lambda: [nn.Conv1d(4, 8, 9), nn.BatchNorm1d(8), nn.GELU(), *mean_of(8, 2)],
    "max": lambda: [nn.Conv1d(4, 8, 9, dilation=3), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1)],
    "both": lambda: [nn.Conv1d(4, 8, 5), nn.ReLU(), nn.MaxPool1d(4), Residual(), MeanAndMax(), nn.Linear(16, 3)],
    "flat": lambda: [nn.Conv1d(4, 8, 5, 2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(248, 1)],
    "padded": lambda: [nn.Conv1d(4, 8, 9, padding=4), nn.ReLU(), *mean_of(8, 1)],
    "centre": lambda: [nn.Conv1d(4, 8, 9), Centre(), nn.Linear(8, 1)],
    "coarse": lambda: [nn.Conv1d(4, 8, 9), nn.MaxPool1d(5), *mean_of(8, 1)],
}


@pytest.fixture
def export(tmp_path, monkeypatch):
    """A function that exports a network of `NETS` with and without sharing; what was said is kept in ``said``."""

    def exported(name, per_bin, limits=None, **settings):
        def build():
            torch.manual_seed(1)
            return nn.Sequential(*NETS[name]())

        monkeypatch.setitem(sys.modules, "the_nets", SimpleNamespace(build=build))
        torch.save(build().state_dict(), tmp_path / f"{name}.pt")
        output = tmp_path / f"{name}.{per_bin}.onnx"
        values = {"input": "one-hot", "window": WINDOW, "step": STEP, "task": "regression", "strand": "both"}
        card = CheckpointSettings(module="the_nets:build", **values | settings)
        exported.said = []
        report = export_model(
            tmp_path / f"{name}.pt",
            output,
            limits=limits,
            windows=3,
            settings=card,
            per_bin=per_bin,
            say=exported.said.append,
        )
        return output, report

    return exported


def track(model, genome, out):
    """float (bins of STEP,): the raw score of a scan, NaN where there is none."""
    scan_file(genome, model, out, format="bedgraph")
    scores = np.full(40 * WINDOW // STEP, np.nan)
    for line in out.read_text().splitlines():
        if line.startswith("c\t"):
            _, start, end, score = line.split("\t")
            scores[int(start) // STEP : -(-int(end) // STEP)] = float(score)
    return scores


@pytest.mark.parametrize("name", ["mean", "max", "both", "flat"])
def test_tiles_have_the_windows_scores(export, name):
    _, alone = export(name, False)
    output, shared = export(name, True)
    assert max(one.largest for one in shared.differences.values()) < 1e-5
    assert max(one.largest for one in alone.differences.values()) < 1e-5
    card = read_card(output)
    assert (card.task, card.output.bin, card.provenance.scored_window) == ("segmentation", STEP, WINDOW)
    assert card.step % STEP == 0
    assert not export.said or "same label" in export.said[0]


@pytest.mark.parametrize("strand", ["forward", "symmetric"])
@pytest.mark.parametrize("name", ["max", "flat"])
def test_a_scan_gives_the_same_track_inside_contigs(export, tmp_path, name, strand):
    codes = np.random.default_rng(5).integers(0, 4, 40 * WINDOW).astype(np.uint8)
    genome = write(tmp_path, fasta_record("c", codes))
    found = [
        track(export(name, per_bin, strand=strand)[0], genome, tmp_path / f"{per_bin}.bedgraph")
        for per_bin in (False, True)
    ]
    side = -(-(WINDOW - STEP) // 2 // STEP) + 1
    inside = slice(side, -side)
    assert np.isfinite(found[0][inside]).all()
    np.testing.assert_allclose(found[1][inside], found[0][inside], atol=1.01e-4)  # scores are ten-thousandths
    assert np.nanstd(found[0][inside]) > 1e-3


def test_the_opposite_strand_is_scored_by_the_same_windows(export):
    output, _ = export("flat", True)
    model = open_model(output, "cpu", 1)
    codes = np.random.default_rng(6).integers(0, 4, model.card.window).astype(np.uint8)
    tensor = np.zeros((1, 4, model.card.window), dtype=np.float32)
    model.encoder.encode(codes[None], tensor)
    whole = model.run(tensor)[0, :, 0]
    bins, side = len(whole), model.card.context // STEP
    window = np.zeros((1, 4, model.card.window), dtype=np.float32)
    first = side * STEP - (WINDOW - STEP) // 2  # the window of the first scored bin, put where the last one's is
    last = model.card.window - first - WINDOW
    window[:, :, last : last + WINDOW] = tensor[:, :, first : first + WINDOW]
    moved = model.run(window)[0, :, 0]
    assert moved[bins - 1 - side] == pytest.approx(whole[side], abs=1e-6)


def test_padding_is_said_and_judged(export, tmp_path):
    with pytest.raises(GenoscanError, match=r"does not agree with .*largest difference"):
        export("padded", True)
    assert not (tmp_path / "padded.True.onnx").exists()
    _, report = export("padded", True, limits=Limits(largest=0.1))
    assert 1e-4 < max(one.largest for one in report.differences.values()) < 0.1
    assert [line for line in export.said if line.startswith("convolutions pad")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("centre", "does not do the same at every position of a window"),
        ("coarse", r"features are 5 bases apart, which must divide the step \(32\)"),
    ],
)
def test_what_cannot_be_shared_is_refused(export, name, words):
    with pytest.raises(GenoscanError, match=words):
        export(name, True)


def test_tile_cards_have_whole_bins(export):
    output, _ = export("mean", False)
    card = tile_card(read_card(output))
    assert card.window == card.step + 2 * card.context
    assert card.context % STEP == card.step % STEP == 0
    assert card.context >= (WINDOW - STEP) // 2
    assert card.step >= 8 * WINDOW
