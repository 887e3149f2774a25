"""Checkpoints on the Hugging Face hub, brought to this machine's cache."""

from __future__ import annotations

import re
from pathlib import Path

from ...scanner.errors import GenoscanError

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_DESCRIPTION = ("*.json", "*.txt", "*.py", "*.model")
_WEIGHTS = ("*.safetensors", "*.bin")
"""The first kind that a repository has is taken, and no second copy of the weights in another format."""


def is_hub_name(text: str) -> bool:
    """Whether a checkpoint that is no file may be a name on the hub: `owner/model`."""
    return _HUB_NAME.fullmatch(text) is not None


def download(name: str) -> Path:
    """The folder of the hub's checkpoint in the cache; what is there is not fetched again.

    `GenoscanError` where the hub cannot be reached or has no such checkpoint.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        for pattern in _WEIGHTS:
            folder = Path(snapshot_download(name, allow_patterns=[*_DESCRIPTION, pattern]))
            if any(folder.rglob(pattern)):
                break
    except (OSError, HfHubHTTPError) as error:
        reason = str(error).strip().splitlines()[0]
        raise GenoscanError(
            f"{name}: no such file or folder, and not to be had from the Hugging Face hub ({reason[:150]}): "
            "check the name and the connection, or give a folder"
        ) from None
    return folder
