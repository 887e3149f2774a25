"""Every command of the documents is run, in the order in which they stand, on small stand-ins for what they read; those
that are not are told below, with the reason."""

import re
import subprocess
from pathlib import Path

import click
import pytest
import stand_ins
from command_lines import parse, require_runnable, run_line
from documents import DOCUMENTS, console_lines, pipeline
from small_recipes import write_smaller

from genoscan.training.measures import bootstrap

RUN_HERE = [path for path in DOCUMENTS if path.name not in ("export.md", "tutorial.md")]
"""The others have tests of their own: tests/export/test_export_document.py and tests/test_tutorial.py."""
MAKERS = {
    "README.md": stand_ins.COMMON | stand_ins.METHYLATION,
    "tissue.md": stand_ins.METHYLATION,
    "training.md": stand_ins.COMMON | stand_ins.TRAINING,
}
NOT_RUN = {
    r"--workers|--ray": "starts Ray, ten seconds each; tests/scanner/test_actors.py scans on workers and on a cluster",
    r"make (test|lint|docs)": "continuous integration runs it, this test with it",
    r"benchmarks/memory\.py": "half an hour: scans of a gigabase, some on Ray",
    r"benchmarks/repeats_(speed|accuracy)\.py": "minutes at least; tests/test_repeat_benchmarks.py runs their parts",
    r"export runs/(ecoli|plant|repeats)": "seconds each; in tests/export/test_promoter_export.py and test_export.py",
    r"benchmarks/tables\.py": "writes into the documents; tests/test_benchmark_tables.py makes the same tables",
    r"bench .*-m tissue": "a process for each setting of four models; the sweep of bench.md is run",
    r"train compare": "a process with PyTorch for each of three ways: tests/training/supervised/test_compare.py",
}
SMALLER = {
    r"benchmarks/repeats_units\.py": "--arrays 12 --no-trf",
    r"genoscan bench": "--seconds 0.1",
    r"genoscan bench .*--sweep": "--threads 1 --batch-size 4",
    r"genoscan explain": "--flank 10",
    r"genoscan evaluate": "--count 40 --mixtures 2",
    r"genoscan export": "--compared 2",
    r"genoscan deconvolve(?!.*--resamples)": "--resamples 5",
    r"genoscan train mixtures": "--steps 3 --donors 1",
    r"genoscan data tissue": "--validation 20 --test 20",
}
"""What is added to commands so that they take a moment."""
REPLACED = {
    "--device cuda": "--device cpu",
    "5000000": "50",
    "--spike Liver-Hep": "--spike Liver",
    "TMPDIR=/scratch": "TMPDIR=.",
}
"""What this machine need not have."""
LONG = {"bench", "explain", "gpu", "scan", "tissue", "training"}
"""Documents whose commands take many seconds."""


def reason_of(line):
    return next((reason for pattern, reason in NOT_RUN.items() if re.search(pattern, line)), None)


def lines_of(path):
    """The lines with commands of ours, and those around them that small tools of every system run."""
    others = r"(pip|docker|apptainer|snakemake|ray|sbatch|\.venv\S*) "
    return [line for line in console_lines(path) if not re.match(others, line)]


def made_small(line):
    for known, replacement in REPLACED.items():
        line = line.replace(known, replacement)
    for pattern, more in SMALLER.items():
        if re.search(pattern, line):
            first, redirection, file = line.partition(" >")
            line = f"{first} {more}{redirection}{file}"
    return line


def make_what_is_missing(line, makers):
    for command in pipeline(line):
        for word in command.words:
            if word in makers and not Path(word).exists():
                makers[word](Path(word))


@pytest.fixture(scope="module")
def small_package(tmp_path_factory):
    return write_smaller(tmp_path_factory.mktemp("small"))


@pytest.mark.usefixtures("working_folder")
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.long] * (path.stem in LONG)) for path in RUN_HERE if lines_of(path)],
    ids=lambda path: path.stem,
)
def test_the_commands_of_a_document_run(path, small_package, monkeypatch):
    monkeypatch.setattr("genoscan.training.recipe.files", lambda _: small_package)
    monkeypatch.setattr(bootstrap.with_intervals, "__defaults__", (None, 5, 0))  # resamples, of 500
    makers = MAKERS.get(path.name, stand_ins.COMMON)
    for line in map(made_small, lines_of(path)):
        if reason_of(line) is None:
            make_what_is_missing(line, makers)
            run_line(line)
        else:
            require_runnable(line)


def test_no_reason_is_left_over():
    lines = [line for path in RUN_HERE for line in console_lines(path)]
    assert {path.stem for path in RUN_HERE} >= LONG
    for pattern in (*NOT_RUN, *SMALLER, *map(re.escape, REPLACED)):
        assert any(re.search(pattern, line) for line in lines), pattern


def test_a_shell_line_is_taken_apart():
    first, second = pipeline("A=1 genoscan scan - -m 'my model' | head -6 > x")
    assert first.words == ["genoscan", "scan", "-", "-m", "my model"]
    assert (first.environment, first.output) == ({"A": "1"}, None)
    assert (second.words, second.environment, second.output) == (["head", "-6"], {}, "x")


@pytest.mark.parametrize("line", ["scam a.fa", "scan a.fa -m x --treads 2", "scan -m x", "models show", "train"])
def test_a_wrong_command_is_noticed(line):
    with pytest.raises((click.UsageError, click.exceptions.NoArgsIsHelpError)):
        parse(line.split())


@pytest.mark.parametrize("line", ["genoscan scan none.fa -m repeats", "python benchmarks/memory.py", "make none"])
@pytest.mark.usefixtures("working_folder")
def test_a_command_that_fails_is_noticed(line):
    with pytest.raises((AssertionError, SystemExit, subprocess.CalledProcessError)):
        run_line(line)
