"""Runs on labelled sequences as .onnx: the scores of the run itself, the recipe's card, a track."""

import checkpoints
import numpy as np
import pytest
from commands import invoke
from labelled import KMER_BERT, class_table, regression_table, sequences, write_recipe

import genoscan
from genoscan.export.families import CheckpointSettings, open_checkpoint
from genoscan.scanner.errors import UsageError
from genoscan.training.supervised import run as run_module
from genoscan.training.supervised.load import predict
from genoscan.training.supervised.recipe import load_sequence_recipe
from genoscan.training.supervised.run import train_sequences

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    whole = run_module.with_intervals
    monkeypatch.setattr(run_module, "with_intervals", lambda *words: whole(*words, resamples=20))


RUNS = {
    "convolutions": (None, None, ()),
    "bert": (KMER_BERT, None, ()),
    "esm adapted": (None, "nucleotide_transformer", ("adapt.way=lora",)),
    "byte pairs": (None, "grover", ("adapt.way=frozen",)),
    "probe": (KMER_BERT, None, ("adapt.way=probe",)),
}


@pytest.mark.parametrize("kind", RUNS)
def test_the_model_says_what_the_run_says(tmp_path, kind):
    net, family, changes = RUNS[kind]
    if family:
        folder = getattr(checkpoints, family)(tmp_path / "checkpoint")
        changes = ("net.kind=transformers", f"net.checkpoint={folder}", *changes)
    table = regression_table(tmp_path / "t.tsv")
    recipe = load_sequence_recipe(
        write_recipe(tmp_path / "r.toml", net=net), [f"inputs.data={table}", "fit.epochs=1", *changes]
    )
    found = train_sequences(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    result = invoke("export", tmp_path / "run", "-o", tmp_path / "m.onnx")
    assert result.exit_code == 0, result.stderr
    model = genoscan.load_model(tmp_path / "m.onnx", device="cpu")
    texts = sequences(20, 40, seed=7)
    codes = [np.array(["ACGT".index(letter) for letter in text], dtype=np.uint8) for text in texts]
    np.testing.assert_allclose(model(texts), predict(tmp_path / "run", codes, "cpu"), atol=2e-4)
    card = model.card
    assert (card.name, card.task, card.window, card.step, card.output.names) == (
        "toy",
        "regression",
        40,
        10,
        ("strength",),
    )
    assert card.provenance.metrics["test pearson"] == pytest.approx(found.measures["test"]["pearson"].value)
    assert card.provenance.date[:2] == "20"


def test_a_classifier_scans_a_genome(tmp_path):
    """Calls are where the G and C are."""
    classes = (
        'kind = "regression"\ntargets = ["strength"]',
        'kind = "classification"\ntargets = ["kind"]\nclasses = ["poor", "rich"]',
    )
    recipe = write_recipe(tmp_path / "r.toml", classes, ("[fit]", '[card]\nstep = 20\nstrand = "symmetric"\n\n[fit]'))
    recipe = load_sequence_recipe(recipe, [f"inputs.data={class_table(tmp_path / 'c.tsv', 600)}", "fit.epochs=6"])
    train_sequences(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    assert invoke("export", tmp_path / "run", "-o", tmp_path / "m.onnx").exit_code == 0
    generator = np.random.default_rng(0)
    poor, rich = (
        "".join(generator.choice(list("ACGT"), 2000, p=p)) for p in ([0.4, 0.1, 0.1, 0.4], [0.1, 0.4, 0.4, 0.1])
    )
    (tmp_path / "g.fa").write_text(f">c\n{poor}{rich}{poor}\n")
    result = invoke("scan", tmp_path / "g.fa", "-m", tmp_path / "m.onnx", "-o", tmp_path / "t.bed", "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    calls = [line.split("\t") for line in (tmp_path / "t.bed").read_text().splitlines() if not line.startswith("#")]
    inside = sum(int(call[2]) - int(call[1]) for call in calls if int(call[1]) >= 1950 and int(call[2]) <= 4050)
    assert inside > 1800
    assert inside > 0.9 * sum(int(call[2]) - int(call[1]) for call in calls)


def test_a_run_has_its_card_in_its_recipe(tmp_path):
    table = regression_table(tmp_path / "t.tsv")
    recipe = load_sequence_recipe(write_recipe(tmp_path / "r.toml"), [f"inputs.data={table}", "fit.epochs=1"])
    train_sequences(recipe, tmp_path / "run", "cpu", threads=1, log=lambda _: None)
    with pytest.raises(UsageError, match="has its card in its recipe: leave out --window"):
        open_checkpoint(tmp_path / "run", CheckpointSettings(window=50))
    assert open_checkpoint(tmp_path / "run" / "best").card.window == 40
