"""Where a user makes a mistake."""

from __future__ import annotations

import tempfile

import pytest
import toys
from mistakes import OLD_TRACK, SEQUENCE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder of a user: a genome, a model, an earlier track; temporaries go to a folder beside it."""
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (here / "genome.fa").write_text(f">one\n{SEQUENCE}\n>two\n{SEQUENCE}\n")
    toys.write(here / "model.onnx", toys.gc_model(8, 4))
    (here / "out.bed").write_bytes(OLD_TRACK)
    return here
