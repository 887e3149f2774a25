"""The documents: options that are described, snippets that compile or run, numbers. Commands, links and the tutorial
have tests of their own."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import click
import numpy as np
import pytest
import toys
from commands import scan_file
from documents import DOCUMENTS, ROOT, console_lines, fenced, text_of

import genoscan
from genoscan.cli import main
from genoscan.scanner.card import (
    BytePairInput,
    KmerInput,
    KmerMethylationInput,
    Marker,
    ModelCard,
    NucleotideInput,
    SpectrumInput,
    parse_card,
)
from genoscan.scanner.encoding.spectrum import feature_count, lag_bands

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def test_extras_exist():
    lines = [line for path in DOCUMENTS for line in console_lines(path) if line.startswith("pip ")]
    extras = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    for line in lines:
        for word in shlex.split(line)[2:]:
            assert not word.startswith(".") or set(word[2:].rstrip("]").split(",")) - {""} <= set(extras), line
    assert lines


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_shell_lines_are_marked_as_such(path):
    """So that their tests see them all: no other fence holds commands, and every console fence holds some."""
    assert not [body for kind in ("", "sh", "bash", "shell") for body in fenced(path, kind)]
    assert all(re.search(r"^\$ ", body, re.MULTILINE) for body in fenced(path, "console"))
    assert text_of(path).count("\n```") % 2 == 0


def test_every_document_is_reached_from_the_readme():
    links = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(text_of(ROOT / "README.md"))}
    assert {path for path in DOCUMENTS if path.name != "README.md"} <= links


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_snippets_compile(path):
    for snippet in fenced(path, "python"):
        compile(snippet, path.name, "exec")


def test_snippets_of_an_own_model_run(tmp_path, monkeypatch, capsys):
    """docs/models.md, from its GC model to calls; its shorter snippet puts the same card into a bare model."""
    monkeypatch.chdir(tmp_path)
    Path("genome.fa").write_text(">chr1\n" + "AT" * 500 + "GC" * 500 + "AT" * 500 + "\n")
    add_card, whole, scores = fenced(ROOT / "docs" / "models.md", "python")
    exec(compile(whole, "models.md", "exec"), {})
    # Of the windows in steps of 100 bases, those that begin at 950 to 1850 hold 150 or more of the bases 1000 to 2000.
    assert capsys.readouterr().out.splitlines() == ["chr1 1000 2000 gc 0.95 1.0"]
    card = genoscan.load_model("gc.onnx", device="cpu").card
    Path("card.json").write_text(card.to_json())
    Path("network.onnx").write_bytes(Path("gc.onnx").read_bytes())
    exec(compile(add_card, "models.md", "exec"), {})
    assert genoscan.load_model("my.onnx", device="cpu").card == card
    names = {}
    exec(compile(scores, "models.md", "exec"), names)
    assert names["scores"].round(4).tolist() == [[0.5], [1.0]]


def test_the_card_example_is_valid_and_complete():
    (example,) = fenced(ROOT / "docs" / "models.md", "json")
    card = parse_card(example, "docs/models.md")
    assert json.loads(card.to_json()) == json.loads(example)


def test_every_field_of_the_card_is_described():
    text = text_of(ROOT / "docs" / "models.md")
    fields = {"name", "version", "description", *ModelCard.model_fields}
    for part in ("output", "calling"):
        fields |= {f"{part}.{name}" for name in ModelCard.model_fields[part].annotation.model_fields}
    for kind in (BytePairInput, KmerInput, KmerMethylationInput, Marker, NucleotideInput, SpectrumInput):
        fields |= set(kind.model_fields) - {"kind"}
    fields -= {"output", "calling", "track"}
    fields |= {f"track.{name}" for name in ModelCard.model_fields["track"].annotation.model_fields}
    assert [field for field in sorted(fields) if f"`{field}`" not in text] == []


def test_every_field_of_the_summary_is_described(tmp_path):
    (tmp_path / "a.fa").write_text(">a\nACGTACGTAC\n")
    scan_file(tmp_path / "a.fa", toys.write(tmp_path / "base.onnx", toys.base_model("A", 8, 0)), tmp_path / "a.bed")
    summary = json.loads((tmp_path / "a.bed.json").read_text())
    fields = {"versions"}
    for name, value in summary.items():
        if name != "versions":
            fields |= {f"{name}.{inner}" for inner in value} if isinstance(value, dict) else {name}
    described = set(re.findall(r"`([a-z_.0-9]+)`", text_of(ROOT / "docs" / "scan.md")))
    assert fields <= described


@pytest.mark.parametrize(
    ("command", "document"),
    [
        (("scan",), "scan.md"),
        (("bench",), "bench.md"),
        (("train", "repeats"), "training.md"),
        (("data", "repeats"), "training.md"),
        (("export",), "export.md"),
        (("hub",), "report.md"),
        (("plot",), "report.md"),
        (("report",), "report.md"),
    ],
)
def test_every_option_is_described(command, document):
    found = main
    for name in command:
        found = found.commands[name]
    options = [max(one.opts, key=len) for one in found.params if isinstance(one, click.Option)]
    assert [option for option in options if option not in text_of(ROOT / "docs" / document)] == []


def test_every_command_is_in_the_readme():
    readme = text_of(ROOT / "README.md")
    assert [name for name in main.commands if f"| `genoscan {name}` |" not in readme] == []


def test_numbers_of_the_spectrum_document():
    from genoscan.training.nets.spectrum_net import SpectrumNet
    from genoscan.training.recipe import load_recipe

    text = text_of(ROOT / "docs" / "spectrum.md")
    recipe = load_recipe("repeats")
    net = SpectrumNet(**recipe.net.model_dump())

    def weights(*modules):
        return sum(one.weight.numel() for module in modules for one in module.modules() if hasattr(one, "weight"))

    a_bin = weights(net.stem, net.local, net.head, net.out) + weights(net.pair, net.body, net.surroundings) / 2
    columns = sum(recipe.net.dilations)
    for said in (
        f"*L* = {recipe.net.lags}",
        f"3 · 48 + {len(lag_bands(recipe.net.lags)) - 1 - 48} bands",
        f"{feature_count(recipe.net.lags)} bytes a row",
        f"row to {recipe.net.width} channels",
        f"one column of {recipe.net.width}\n  channels",
        f"{', '.join(map(str, recipe.net.dilations))}: together\n  they see {columns} columns, {32 * columns} bases",
        f"{sum(one.numel() for one in net.parameters()):,} parameters",
        f"takes {round(a_bin / 16, -2):,.0f} multiplications",
        f"Windows are {recipe.card.window:,} bases",
        f"lie within {recipe.card.calling.gap} bases of each other",
        f"{recipe.card.step:,} are scored and {recipe.card.context:,} on either side",
    ):
        assert said in text
    assert np.isclose(0.75**2 + 0.25**2 / 3, 0.58, atol=0.005)


def test_numbers_of_the_training_document():
    from genoscan.training.recipe import load_recipe

    text = text_of(ROOT / "docs" / "training.md")
    recipe = load_recipe("repeats")
    assert f"{recipe.fit.steps:,} steps of {recipe.fit.batch} windows of {recipe.data.window:,} bases" in text


def test_numbers_of_the_export_document():
    from genoscan.export.parity import DEFAULT_LIMITS

    text = text_of(ROOT / "docs" / "export.md")
    assert f"| fp32 | largest difference at most {DEFAULT_LIMITS['fp32'].largest:.4f} |" in text
    assert f"| fp16 | largest difference at most {DEFAULT_LIMITS['fp16'].largest:.2f} |" in text
    int8 = DEFAULT_LIMITS["int8"]
    assert (
        f"| int8 | mean difference at most {int8.mean:.2f}, and labels of at least {100 * int8.agreement:.0f} %" in text
    )


def test_the_picture_is_well_formed():
    assert ElementTree.parse(ROOT / "docs" / "pipeline.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_no_figure_is_missing_in_the_readme():
    assert re.findall(r"FILL_ME\w*", text_of(ROOT / "README.md")) == []
