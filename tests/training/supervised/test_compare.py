"""Several ways side by side, each a process of its own: the table, and what is refused before any is trained."""

import json
import shutil
import sys

import pytest
from commands import invoke
from labelled import regression_table, write_recipe

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.supervised.compare import Variant, compare, parse_variants, shown_table, table_text


def test_variants():
    found = parse_variants(["a.toml"], ["lora", "deep net.layers=4 fit.epochs=2"], ["seed=3"])
    assert found == [
        Variant("lora", "a.toml", ("seed=3", "adapt.way=lora")),
        Variant("deep", "a.toml", ("seed=3", "net.layers=4", "fit.epochs=2")),
    ]
    assert [one.label for one in parse_variants(["a.toml", "x/b.toml"], ["lora", "probe"], [])] == [
        "a-lora", "a-probe", "b-lora", "b-probe",
    ]  # fmt: skip
    assert [one.label for one in parse_variants(["a.toml", "b.toml"], [], [])] == ["a", "b"]
    with pytest.raises(UsageError, match="--variant deep net: say LABEL FIELD=VALUE"):
        parse_variants(["a.toml"], ["deep net"], [])
    with pytest.raises(UsageError, match="--variant lora: comes twice"):
        parse_variants(["a.toml"], ["lora", "lora fit.epochs=1"], [])


def made_up(label, value, seconds):
    measures = {"test": {"pearson": {"value": value, "low": value - 0.1, "high": value + 0.1}}}
    cost = {"trainable": 1234, "parameters": 99999, "seconds": seconds, "peak_memory": 2_500_000_000, "device": "cpu"}
    return {"label": label, "way": "lora", "changes": [], "measures": measures, **cost}


def test_the_tables():
    found = [made_up("one", 0.5, 3.0), made_up("another", 0.625, 1200.0)]
    assert table_text(found).splitlines() == [
        "label\tway\ttrainable\tparameters\tseconds\tpeak_memory_MB\tsplit\tpearson\tpearson_low\tpearson_high",
        "one\tlora\t1234\t99999\t3.0\t2500\ttest\t0.5000\t0.4000\t0.6000",
        "another\tlora\t1234\t99999\t1200.0\t2500\ttest\t0.6250\t0.5250\t0.7250",
    ]
    assert shown_table(found, "pearson").splitlines()[2].split() == [
        "another", "lora", "0.6250", "0.5250", "to", "0.7250", "1,234", "1200.0", "2,500",
    ]  # fmt: skip


@pytest.mark.long
def test_the_command_trains_and_goes_on(tmp_path):
    table, recipe = regression_table(tmp_path / "t.tsv"), write_recipe(tmp_path / "r.toml")
    words = [
        "train",
        "compare",
        "--recipe",
        recipe,
        "--data",
        table,
        "--set",
        "fit.epochs=2",
        "-t",
        1,
        "-o",
        tmp_path / "out",
    ]
    words += ["--variant", "probe", "--variant", "wide net.width=16"]
    result = invoke(*words)
    assert result.exit_code == 0, result.stderr
    header, probe, wide = result.stdout.splitlines()
    assert header.split()[:2] == ["way", "pearson"]
    assert (probe.split()[:2], wide.split()[:2]) == (["probe", "probe"], ["wide", "scratch"])
    found = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [one["trainable"] for one in found] == [9, 1809]  # 320 + 32 + 1280 + 32 + 136 + 9
    assert all(0 < one["seconds"] < 100 and one["peak_memory"] > 1e8 for one in found)
    assert (tmp_path / "out" / "compare.png").stat().st_size > 5000
    assert json.loads((tmp_path / "out" / "run.json").read_text()) == {"finished": True}


def test_a_run_that_fails_is_named_and_a_wrong_variant_before_any_is_trained(tmp_path, monkeypatch):
    recipe = write_recipe(tmp_path / "r.toml")
    with pytest.raises(GenoscanError, match=r"net\.convolutional\.widths: Extra inputs"):
        compare(parse_variants([str(recipe)], ["a seed=1", "b net.widths=3"], []), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(sys, "executable", shutil.which("false"))  # in the run's place
    with pytest.raises(GenoscanError, match="a: the run ended with exit code 1: see its last line above"):
        compare(parse_variants([str(recipe)], ["a seed=1"], []), tmp_path / "out", log=lambda _: None)
