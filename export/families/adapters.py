"""LoRA and other adapters of peft, merged into the network that they were trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ...scanner.errors import GenoscanError
from ...training.pretrained.folder import ADAPTER, CONFIG, has_tokenizer, read_json
from ...training.pretrained.hub import download, is_hub_name
from ...training.pretrained.networks import first_line, transformers_network
from .source import CheckpointSettings

_HEADS = {"SEQ_CLS": "ForSequenceClassification", "TOKEN_CLS": "ForTokenClassification"}
_HEAD_WEIGHTS = ("classifier.weight", "classifier.out_proj.weight", "score.weight")


def merged_network(path: Path, settings: CheckpointSettings) -> tuple[nn.Module, dict[str, Any], Path]:
    """The adapter's network with the adapter merged, its base's settings, and the folder that has the tokenizer.

    The base is the one that the adapter names: a folder, one beside the adapter, or a name on the hub.
    """
    from peft import PeftModel

    adapter = read_json(path / ADAPTER)
    base = _base_folder(path, str(adapter.get("base_model_name_or_path") or ""))
    config = read_json(base / CONFIG)
    head = None if settings.embeddings else _HEADS.get(str(adapter.get("task_type")))
    if head is None and not settings.embeddings:
        raise GenoscanError(
            f"{path / ADAPTER}: task_type {adapter.get('task_type')} has no head that scores: it must be one of "
            f"{', '.join(_HEADS)}; or export pooled embeddings with --embeddings mean"
        )
    labels = _labels(path)
    changes: dict[str, Any] = {}
    if labels is not None and head is not None and labels != len(config.get("id2label") or {}):
        changes["num_labels"] = labels
    net = transformers_network(base, config, head, settings.trust_remote_code, fresh_head=True, **changes)
    try:
        merged = PeftModel.from_pretrained(net, str(path)).merge_and_unload()
    except Exception as error:  # of several packages, and of files in many states
        raise GenoscanError(f"{path}: the adapter does not fit {base}: {first_line(error)}") from None
    if head is not None and labels is None and config.get("architectures", [""])[0].endswith(head) is False:
        raise GenoscanError(f"{path}: neither the adapter nor {base} has a trained head")
    return merged.eval(), config, path if has_tokenizer(path) else base


def _base_folder(path: Path, name: str) -> Path:
    for folder in (Path(name), path / name, path.parent / name):
        if name and folder.is_dir():
            return folder
    if is_hub_name(name):
        return download(name)
    raise GenoscanError(f"{path}: the adapter's base network '{name}' is not here: put its folder there")


def _labels(path: Path) -> int | None:
    """How many outputs the head that comes with an adapter has; None where none comes with it."""
    file = path / "adapter_model.safetensors"
    if not file.is_file():
        raise GenoscanError(f"{file}: no such file; save the adapter with save_pretrained of peft")
    from safetensors import safe_open

    with safe_open(str(file), framework="pt") as weights:
        for name in weights.keys():  # noqa: SIM118 (no mapping)
            if name.replace(".modules_to_save.default", "").replace(".modules_to_save", "").endswith(_HEAD_WEIGHTS):
                return int(weights.get_slice(name).get_shape()[0])
    return None
