"""Networks of a transformers checkpoint: which class its weights belong to, and that all of them were there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...scanner.errors import GenoscanError, UsageError

_STATE_SPACE = re.compile(r"mamba|caduceus|selective_scan|state_space|\bssm\b|\bs4d?\b", re.IGNORECASE)
_STATE_SPACE_PACKAGES = ("mamba_ssm", "causal_conv1d", "selective_scan_cuda")
_UNUSED = re.compile(r"contact_head|pooler|position_ids|inv_freq|token_type_ids|\blm_head\b|^cls\.")
"""Weights that a head does not need, or that follow from the settings."""
_HEAD_WEIGHTS = re.compile(r"^(classifier|score|lm_head|cls)\b|\.pooler\.")
_MOST_POSITIONS = 10**6
_HEADS = {
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForMaskedLM": "AutoModelForMaskedLM",
    "ForTokenClassification": "AutoModelForTokenClassification",
}


_SCORING = ("ForSequenceClassification", "ForTokenClassification")


def is_state_space(text: str) -> bool:
    """Whether a model type, class or package is one of a state-space model."""
    return _STATE_SPACE.search(text) is not None or text in _STATE_SPACE_PACKAGES


def refuse_state_space(source: str, what: str) -> GenoscanError:
    return GenoscanError(
        f"{source}: {what} is a state-space model: its scan runs in CUDA code of its own, for which ONNX has no "
        "operator; it cannot be exported"
    )


def head_of(path: Path, config: dict[str, Any]) -> str:
    """The suffix of the head's class. `UsageError` where there is no head to score with."""
    name = (config.get("architectures") or [""])[0]
    for suffix in _SCORING:
        if name.endswith(suffix):
            return suffix
    raise UsageError(
        f"{path}: {name or 'a network'} without a head that scores sequences or tokens: fine-tune it first, or export "
        "pooled embeddings with --embeddings mean"
    )


def transformers_network(
    path: Path,
    config: dict[str, Any],
    head: str | None,
    trust: bool = False,
    fresh_head: bool = False,
    **changes: Any,
) -> nn.Module:
    """The checkpoint's network in float32 with its head, ready for inference.

    head: the suffix of its class, None for hidden states. trust: run code that the checkpoint brings. fresh_head: a
    head that the checkpoint lacks, or has in another size, starts random. changes: to the checkpoint's settings.
    `GenoscanError` for code that the user has not trusted, for state-space models, and where weights are missing.
    """
    kind = " ".join([str(config.get("model_type", "")), *(config.get("architectures") or [])])
    if is_state_space(kind):
        raise refuse_state_space(str(path), kind.split()[-1])
    loader = _loader(path, config, head, trust)
    try:
        net, found = loader.from_pretrained(
            str(path),
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **_trust(loader, trust),
            **changes,
        )
    except Exception as error:  # of several packages, and of files in many states
        if isinstance(error, ImportError) and is_state_space(str(error)):  # code of the checkpoint's own
            raise refuse_state_space(str(path), "a network whose code needs such a package") from None
        raise GenoscanError(f"{path}: the network cannot be loaded: {first_line(error)}") from None
    missing = [name for name in found["missing_keys"] if not _UNUSED.search(name) or _is_needed_pooler(name, net)]
    wrong = [*missing, *(str(one[0]) for one in found["mismatched_keys"])]
    if fresh_head:
        wrong = [name for name in wrong if not _HEAD_WEIGHTS.search(name)]
    if wrong:
        raise GenoscanError(
            f"{path}: weights are missing, e.g. {min(wrong)}: the checkpoint has no trained head of this kind, or its "
            "network is another than its config.json says"
        )
    return net.eval()


def fresh_network(
    config: Any, head: str | None, path: Path | None = None, trust: bool = False, **changes: Any
) -> nn.Module:
    """A network with random weights from torch's generator.

    config: of transformers, or the settings in a checkpoint's config.json at ``path``, of which ``changes`` differ.
    """
    from transformers import AutoConfig

    if path is None:
        return _loader(Path(), config.to_dict(), head, trust).from_config(config)
    loader = _loader(path, config, head, trust)
    settings = AutoConfig.from_pretrained(str(path), trust_remote_code=trust, **changes)
    return loader.from_config(settings) if hasattr(loader, "from_config") else loader(settings)


def first_line(error: BaseException) -> str:
    """What went wrong on one line of bounded length."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{type(error).__name__}: {lines[0][:250]}"


def _is_needed_pooler(name: str, net: nn.Module) -> bool:
    return ".pooler." in name and type(net).__name__.endswith("BertForSequenceClassification")


def _trust(loader: Any, trust: bool) -> dict[str, bool]:
    return {"trust_remote_code": trust} if loader.__name__.startswith("AutoModel") else {}


def _loader(path: Path, config: dict[str, Any], head: str | None, trust: bool) -> Any:
    """The class to load with: our own for published networks whose code need not be run, else transformers' choice."""
    import transformers

    if "alibi_starting_size" in config:
        from ..nets import alibi_bert

        return getattr(alibi_bert, f"AlibiBert{head or 'Model'}")
    if "add_bias_fnn" in config:
        from ..nets import gated_esm

        return getattr(gated_esm, f"GatedEsm{head or 'Model'}")
    if config.get("auto_map") and not trust:
        code = ", ".join(sorted(set(map(str, config["auto_map"].values()))))
        raise GenoscanError(
            f"{path}: the checkpoint brings code of its own ({code}), which is not run unasked: "
            "read it, and if you trust it say --trust-remote-code"
        )
    return getattr(transformers, _HEADS.get(head or "", "AutoModel"))


def longest_input(net: nn.Module, config: dict[str, Any]) -> int | None:
    """Most tokens that the network can read; None where positions are relative."""
    if "alibi_starting_size" in config:
        return None
    settings = net.config
    if getattr(settings, "position_embedding_type", "absolute") == "rotary":
        return None
    positions = [one for name, one in net.named_modules() if name.endswith("position_embeddings")]
    if not positions or not isinstance(positions[0], nn.Embedding):
        most = getattr(settings, "max_position_embeddings", None)
        return most if most and most < _MOST_POSITIONS else None
    table = positions[0]
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
