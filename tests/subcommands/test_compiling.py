"""Who waits for functions to be compiled is told, once."""

import sys

import pytest
from numba import njit

from genoscan.subcommands import compiling


@pytest.mark.parametrize(("terminal", "quiet", "lines"), [(True, False, 1), (True, True, 0), (False, False, 0)])
def test_compiling_is_told_once_and_only_on_a_terminal(monkeypatch, capsys, terminal, quiet, lines):
    monkeypatch.setattr(compiling, "_PATIENCE", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with compiling.compiling_told(quiet):
        for number in range(3):
            assert njit(lambda value, more=number: value + more)(1) == 1 + number
    njit(lambda value: value + 1)(1)  # not ours to tell of
    assert capsys.readouterr().err.count("genoscan: compiles functions, once") == lines
