"""The folder of a checkpoint of transformers: its settings, and its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...scanner.errors import GenoscanError

CONFIG, ADAPTER = "config.json", "adapter_config.json"


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
    return any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"))


def open_tokenizer(folder: Path, trust: bool = False) -> Any:
    """The checkpoint's tokenizer, as transformers opens it; ``trust``: with code that the checkpoint brings."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        found = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=trust)
        written = folder / "tokenizer.json"
        if written.is_file() and not _is_of_kind(found, read_json(written)):
            # Before its version 5, transformers read the file whatever class it was said to be of.
            return PreTrainedTokenizerFast.from_pretrained(str(folder))
        return found
    except Exception as error:  # of several packages, and of files in many states
        line = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise GenoscanError(
            f"{folder}: its tokenizer cannot be opened ({line[0][:200]}): put the tokenizer's files there, or say "
            "--input kmer:K:STRIDE,letters=ACGT,offset=N,unknown=N,prefix=N,suffix=N"
        ) from None


def _is_of_kind(tokenizer: Any, written: dict[str, Any]) -> bool:
    """Whether the tokenizer is what its tokenizer.json says: byte pairs, not words of that vocabulary."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is None or type(backend.model).__name__ == (written.get("model") or {}).get("type")
