"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data: GENOSCAN_DATA, or shared/data beside the repository. Skips where it is absent."""
    folder = Path(os.environ.get("GENOSCAN_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data: set GENOSCAN_DATA to its folder")
    return folder
