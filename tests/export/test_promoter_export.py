"""Runs of the promoter networks become models that score bins: from a table to the lines of a track, at toy size."""

import numpy as np
import pytest
from commands import scan_file

from genoscan.export.export import export_model
from genoscan.scanner.inference.session import read_card
from genoscan.training.recipe import bundled_recipes
from genoscan.training.supervised.load import load_trained, predict
from genoscan.training.supervised.recipe import load_sequence_recipe
from genoscan.training.supervised.run import train_sequences

SMALL = ("fit.epochs=1", "fit.batch=16", "fit.warmup=2")
LENGTH = 12_000


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A genome, and tables of windows of it whose strength is their share of T."""
    folder = tmp_path_factory.mktemp("promoters")
    random = np.random.default_rng(2)
    text = "".join(np.array(list("ACGT"))[random.integers(0, 4, LENGTH)])
    (folder / "genome.fa").write_text(f">chr\n{text}\n")
    lines, plants = ["contig\tstart\tend\tstrand\tstrength\tsplit"], ["gene\tsequence\tleaf\tproto"]
    for number, start in enumerate(range(100, LENGTH - 300, 60)):
        split = ("train", "validation", "test")[(0, 0, 0, 1, 2)[number % 5]]
        share = text[start : start + 150].count("T") / 150
        lines.append(f"chr\t{start}\t{start + 150}\t+\t{share:.4f}\t{split}")
        plants.append(f"g{number}\t{text[start : start + 170]}\t{share:.4f}\t{'' if number % 3 else 2 * share}")
    (folder / "ecoli.tsv").write_text("\n".join(lines) + "\n")
    (folder / "plants.tsv").write_text("\n".join(plants) + "\n")
    return folder


def trained(out, name, *changes):
    recipe = load_sequence_recipe(name, [*SMALL, *changes])
    train_sequences(recipe, out, device="cpu", threads=1, log=lambda _: None)
    return out


@pytest.fixture(scope="module")
def bacterial(place, tmp_path_factory):
    run = tmp_path_factory.mktemp("bacterial") / "run"
    changes = (
        f"inputs.data='{place / 'ecoli.tsv'}'", f"inputs.genome='{place / 'genome.fa'}'", "net.pairs=4", "net.hidden=4",
        "data.split.duplicates='warn'", "card.calling.threshold=-5.0", "card.calling.extend=-6.0",
        "card.calling.prominence=0.0001",
    )  # fmt: skip
    return trained(run, "promoter-ecoli", *changes)


def test_both_recipes_are_bundled():
    assert {"promoter-ecoli", "promoter-plant"} <= set(bundled_recipes())


def test_a_bacterial_run_is_exported_and_scanned(place, bacterial, tmp_path):
    report = export_model(bacterial, tmp_path / "p.onnx", genome=place / "genome.fa")
    assert not report.problems()
    card = read_card(tmp_path / "p.onnx")
    assert (card.task, card.output.names, card.output.called) == ("segmentation", ("strength", "start"), ("strength",))
    assert (card.output.bin, card.output.pseudocount, card.calling.start_output) == (5, 0.1, "start")
    row = scan_file(place / "genome.fa", tmp_path / "p.onnx", tmp_path / "p.bed")
    header, *lines = [line.split("\t") for line in (tmp_path / "p.bed").read_text().splitlines()]
    assert header[-3:] == ["strength", "startScore", "strengthLinear"]
    assert row.calls == len(lines) > 0
    assert {line[5] for line in lines} == {"+", "-"}


def test_a_scan_says_what_the_run_says_of_the_windows(place, bacterial, tmp_path):
    """At a summit, the mean of what the run says of the thirteen windows whose starts are about it."""
    export_model(bacterial, tmp_path / "p.onnx")
    scan_file(place / "genome.fa", tmp_path / "p.onnx", tmp_path / "p.bed")
    text = (place / "genome.fa").read_text().split("\n")[1]
    codes = np.array(["ACGT".index(letter) for letter in text], dtype=np.uint8)
    lines = [line.split("\t") for line in (tmp_path / "p.bed").read_text().splitlines()[1:]]
    chosen = [line for line in lines if line[5] == "+" and 500 < int(line[9]) < LENGTH - 500][:5]
    assert chosen
    run = load_trained(bacterial)
    for line in chosen:
        first = int(line[9]) // 5 * 5  # the summit's bin
        windows = [codes[first + shift - 120 : first + shift + 30] for shift in range(-30, 31, 5)]
        assert predict(run, windows, "cpu").mean() == pytest.approx(float(line[12]), abs=2e-4)


def test_a_plant_run_is_exported_and_scanned(place, tmp_path):
    changes = (
        f"inputs.data='{place / 'plants.tsv'}'", "task.targets=['leaf', 'proto']", "card.called=['leaf']",
        "data.split.by='rows'", "data.split.columns=[]", "data.split.duplicates='warn'", "net.width=8", "net.hidden=8",
        "adapt.fit.epochs=1", "adapt.net.width=8", "adapt.net.hidden=8", "adapt.net.members=1", "adapt.copies=1",
        "card.calling.threshold=-5.0", "card.calling.extend=-6.0", "card.calling.prominence=0.0001",
    )  # fmt: skip
    run = trained(tmp_path / "run", "promoter-plant", *changes)
    export_model(run, tmp_path / "p.onnx")
    card = read_card(tmp_path / "p.onnx")
    assert (card.output.names, card.output.called, card.output.bin) == (("leaf", "proto"), ("leaf",), 10)
    assert (card.output.pseudocount, card.calling.start_output) == (None, None)
    scan_file(place / "genome.fa", tmp_path / "p.onnx", tmp_path / "p.bed")
    header, *lines = [line.split("\t") for line in (tmp_path / "p.bed").read_text().splitlines()]
    assert header[-2:] == ["leaf", "proto"]
    assert lines
    assert {line[3] for line in lines} == {"promoter"}
