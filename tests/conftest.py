"""What all tests share."""

import functools
import gc
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("genoscan", deadline=None)  # the first example of many tests compiles
settings.load_profile("genoscan")

IN_TURN = (
    "interruptions", "test_chaos.py", "test_cli.py", "scanner/throughput/test_rate.py",
    *(f"scanner/test_{name}.py" for name in ("actors", "cluster", "temporary", "workers")),
)  # fmt: skip
"""Tests that measure times, kill processes or start Ray: in one of several test processes (`-n 2`), never two at a
time."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """A file's tests share a process, and so do all that run in turn."""
    from xdist.scheduler import LoadFileScheduling

    assert all((Path(__file__).parent / one).exists() for one in IN_TURN)

    class InTurn(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            path = file.removeprefix("tests/")
            return "in turn" if any(path == one or path.startswith(f"{one}/") for one in IN_TURN) else file

    return InTurn(config, log)


def pytest_collection_finish():
    """What was imported stays: the collector, which trainings and exports call again and again, need not look through
    it each time."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def one_operator_table():
    """The exporter's table of operators, which no test changes, is made once and not for each export; where this torch
    keeps it elsewhere, tests only take longer."""
    with pytest.MonkeyPatch.context() as patch:
        if "torch" in sys.modules:
            with suppress(ImportError, AttributeError):
                registry = import_module("torch.onnx._internal.exporter._registration").ONNXRegistry
                patch.setattr(registry, "from_torchlib", staticmethod(functools.cache(registry.from_torchlib)))
        yield


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data: GENOSCAN_DATA, or shared/data beside the repository. Skips where it is absent."""
    folder = Path(os.environ.get("GENOSCAN_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data: set GENOSCAN_DATA to its folder")
    return folder


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """An empty folder that a user's commands run in; temporaries go to a folder beside it."""
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return here


@pytest.fixture(scope="session")
def browser():
    """Chromium, of playwright's own or on the PATH."""
    playwright = pytest.importorskip("playwright.sync_api")
    installed = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with playwright.sync_playwright() as tool:
        try:
            started = tool.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        except playwright.Error:
            pytest.skip("there is no chromium")
        yield started
        started.close()
