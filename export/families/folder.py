"""Files of a checkpoint's folder, as transformers and peft name them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...scanner.errors import GenoscanError

CONFIG, ADAPTER, TOKENIZER = "config.json", "adapter_config.json", "tokenizer.json"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a checkpoint; `GenoscanError` where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GenoscanError(f"{path}: cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise GenoscanError(f"{path}: not a JSON object")
    return found


def has_tokenizer(folder: Path) -> bool:
    """Whether a checkpoint's folder holds a tokenizer."""
    return any((folder / name).is_file() for name in (TOKENIZER, "vocab.txt", "tokenizer_config.json"))
