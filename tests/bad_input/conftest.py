"""Where a user makes a mistake."""

from __future__ import annotations

import pytest
import toys
from mistakes import OLD_TRACK, SEQUENCE


@pytest.fixture
def folder(working_folder):
    """A genome, a model, an earlier track."""
    here = working_folder
    (here / "genome.fa").write_text(f">one\n{SEQUENCE}\n>two\n{SEQUENCE}\n")
    toys.write(here / "model.onnx", toys.gc_model(8, 4))
    (here / "out.bed").write_bytes(OLD_TRACK)
    return here
