"""What all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("genoscan", deadline=None)  # the first example of many tests compiles
settings.load_profile("genoscan")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data: GENOSCAN_DATA, or shared/data beside the repository. Skips where it is absent."""
    folder = Path(os.environ.get("GENOSCAN_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data: set GENOSCAN_DATA to its folder")
    return folder
