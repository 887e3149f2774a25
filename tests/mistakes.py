"""Commands with a mistake in them, and the one line that each must end in."""

from __future__ import annotations

import shutil

import commands

SEQUENCE = "ACGTACGTAAAAACCCGGTTACGT" * 4
OLD_TRACK = b"an earlier track\n"


def one_error(folder, *arguments, code=1, stdin=None, kept=None):
    """The one line of an error, once it is shown that the command did nothing else; ``kept``: a folder of finished
    pieces that it leaves."""
    before = commands.contents(folder)
    result = commands.invoke(*arguments, stdin=stdin)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("genoscan: error: ")
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == code
    assert result.stdout_bytes == b""
    if kept is not None:
        assert list((folder / kept).glob("*.piece"))
        shutil.rmtree(folder / kept)
    assert commands.contents(folder) == before
    assert not list((folder.parent / "temporary").iterdir())
    return lines[0]


def scan(genome="genome.fa", model="model.onnx", *more):
    return "scan", genome, "--model", model, "-o", "out.bed", "--device", "cpu", *more
