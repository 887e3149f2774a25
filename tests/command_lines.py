"""Lines of a shell as the documents show them, run in this process where they are ours."""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import click
from commands import invoke
from documents import ROOT, Command, pipeline

from genoscan.cli import main


def run_line(line: str) -> bytes:
    """Run a line in the working folder; its standard output. AssertionError with what it said where it fails.

    `genoscan`, `python benchmarks/...` and the genoscan of `make TARGET` run in this process, other programs as
    processes where they are installed.
    """
    said = b""
    for command in pipeline(line):
        with mock.patch.dict(os.environ, command.environment), mock.patch.object(tempfile, "tempdir", None):
            said = _run(command, said)
        if command.output:
            Path(command.output).write_bytes(said)
    return said


def _run(command: Command, stdin: bytes) -> bytes:
    program, *words = command.words
    words = [one for word in words for one in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
    if program == "genoscan":
        result = invoke(*words, stdin=stdin)
        assert result.exit_code == 0, f"{' '.join(words)}: {result.stderr}{result.exception!r}"
        return result.stdout_bytes
    if program == "python":
        return _script(*words)
    if program == "make":
        return b"".join(_run(one, b"") for one in _genoscan_of(words))
    if shutil.which(program):
        return subprocess.run([program, *words], input=stdin, check=True, stdout=subprocess.PIPE).stdout
    return b""


def _script(path: str, *words: str) -> bytes:
    argv, modules = [path, *words], [str(ROOT / "benchmarks"), *sys.path]
    with (
        contextlib.redirect_stdout(io.StringIO()) as said,
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "path", modules),
    ):
        runpy.run_path(str(ROOT / path), run_name="__main__")
    return said.getvalue().encode()


def _genoscan_of(targets: list[str]) -> list[Command]:
    """The genoscan commands that `make` would run, having installed what they need."""
    said = subprocess.run(["make", "-n", *targets], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.findall(r"^\S*bin/(genoscan .*)$", said, re.MULTILINE)
    assert found, said
    return [command for line in found for command in pipeline(line)]


def require_runnable(line: str) -> None:
    """That there is what a line names, where it is not run: command and options, script and options, target."""
    for program, *words in (command.words for command in pipeline(line)):
        if program == "genoscan":
            parse(words)
        elif program == "python":
            script = (ROOT / words[0]).read_text(encoding="utf-8")
            assert all(f'"{word}"' in script for word in words if word.startswith("--")), line
        elif program == "make":
            subprocess.run(["make", "-n", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE)


def parse(words: list[str]) -> None:
    """Parse a genoscan command line as click would, without running it; click.UsageError where it is wrong."""
    command, rest = main, list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            raise click.UsageError(f"no such command: {name}")
        command = command.commands[name]
    command.make_context(command.name, rest)
