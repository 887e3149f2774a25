"""What a checkpoint is: each family of checkpoints knows its own, opens it, and says how it is laid out for ONNX.

A new family is one entry in `FAMILIES`.
"""

from __future__ import annotations

from pathlib import Path

from ...scanner.errors import GenoscanError, UsageError
from ...training.pretrained.hub import download, is_hub_name
from .huggingface import TRANSFORMERS
from .module import MODULE
from .reads import TISSUE_RUN
from .runs import CLASSIFIER_RUN, SEQUENCE_RUN, TRAINING_RUN
from .source import PRECISIONS, CheckpointSettings, Family, Precision, Source

__all__ = ["FAMILIES", "PRECISIONS", "CheckpointSettings", "Family", "Precision", "Source", "open_checkpoint"]

FAMILIES: tuple[Family, ...] = (TRAINING_RUN, TISSUE_RUN, SEQUENCE_RUN, CLASSIFIER_RUN, TRANSFORMERS, MODULE)


def open_checkpoint(checkpoint: str | Path, settings: CheckpointSettings | None = None) -> Source:
    """Open a checkpoint of any family: a folder, a file, or a name on the Hugging Face hub.

    `GenoscanError` (`UsageError` for a missing path) says what is wrong with it.
    """
    settings = settings or CheckpointSettings()
    path = Path(checkpoint)
    if not path.exists():
        if not is_hub_name(str(checkpoint)):
            raise UsageError(f"{checkpoint}: no such checkpoint")
        path = download(str(checkpoint))
    for family in FAMILIES:
        if family.recognises(path, settings):
            return family.open(path, settings)
    known = "; ".join(family.title for family in FAMILIES)
    raise GenoscanError(f"{path}: not a checkpoint that can be exported; these can: {known}")
