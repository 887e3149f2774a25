"""What an installation holds: every package of the tree is named in pyproject.toml."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_installed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = [path.parent.relative_to(ROOT) for path in ROOT.glob("[a-z]*/**/__init__.py")]
    found = {".".join(("genoscan", *folder.parts)) for folder in folders}
    assert sorted(settings["packages"]) == sorted({"genoscan", *found})
