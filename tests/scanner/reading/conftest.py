"""What the tests of the reading room share."""

import pytest


@pytest.fixture(autouse=True)
def temporaries(tmp_path_factory, monkeypatch):
    """A temporary folder of the test's own, which must be empty again at its end."""
    folder = tmp_path_factory.mktemp("temporaries")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
