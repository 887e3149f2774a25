"""Compiled functions in an installation that cannot be written to.

Permissions do not bind the superuser, so the places that Numba likes are made unusable: plain files stand where the
``__pycache__`` folders would be, and the home folder cannot exist.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import genoscan
from genoscan.scanner import compiled

PACKAGE = Path(genoscan.__file__).parent
PROGRAM = """
import os, numpy, genoscan
from genoscan.scanner.card import KmerInput
from genoscan.scanner.encoding.kmers import kmer_tokens
print(genoscan.__file__)
print(os.environ.get("NUMBA_CACHE_DIR"))
print(kmer_tokens(numpy.zeros((1, 2), "u1"), KmerInput(k=2, stride=1, offset=7, unknown=0)).tolist())
"""

posix = pytest.mark.skipif(os.name != "posix", reason="folders are private by owner and mode on POSIX only")


@pytest.fixture
def read_only_copy(tmp_path):
    """A copy of the package with no place for bytecode; its parent folder."""
    copy = tmp_path / "site" / "genoscan"
    shutil.copytree(PACKAGE / "scanner", copy / "scanner", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "__init__.py", copy)
    for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        (folder / "__pycache__").write_text("not a folder")
    return copy.parent


def run_program(site: Path, **environment: str) -> list[str]:
    drop = ("NUMBA_", "XDG_", "GENOSCAN_", "PYTHON")
    base = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
    base |= {"PYTHONPATH": str(site), "HOME": "/dev/null/x"} | environment
    result = subprocess.run([sys.executable, "-c", PROGRAM], env=base, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith(str(site))
    assert lines[2] == "[[7]]"
    return lines


@posix
def test_cache_goes_to_the_temporary_folder(read_only_copy, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    lines = run_program(read_only_copy, TMPDIR=str(temporary))
    folder = temporary / f"genoscan-{os.getuid()}"
    assert lines[1] == str(folder)
    assert list(folder.rglob("kmers.*.nbi"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
def test_the_users_cache_folder_is_better(read_only_copy, tmp_path):
    lines = run_program(read_only_copy, XDG_CACHE_HOME=str(tmp_path / "caches"))
    assert lines[1] == str(tmp_path / "caches" / "genoscan" / "numba")


@posix
def test_the_environment_has_the_last_word(read_only_copy, tmp_path):
    assert run_program(read_only_copy, NUMBA_CACHE_DIR=str(tmp_path / "mine"))[1] == str(tmp_path / "mine")


def test_a_writable_installation_needs_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "compiled.py"))
    compiled.provide_cache_folder()
    assert "NUMBA_CACHE_DIR" not in os.environ


@posix
@pytest.mark.parametrize("fault", ["open to all", "a link", "a file"])
def test_a_folder_that_others_may_have_filled_is_not_used(fault, tmp_path):
    folder = tmp_path / "shared"
    if fault == "open to all":
        folder.mkdir()
        folder.chmod(0o777)
    elif fault == "a link":
        folder.symlink_to(tmp_path)
    else:
        folder.write_text("")
    assert not compiled._private(folder)
    assert compiled._private(tmp_path / "own")
