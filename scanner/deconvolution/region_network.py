"""Networks that read the mean methylation of an atlas' regions and say a sample's proportions, run with ONNX Runtime.

An .onnx with two inputs, ``means`` (samples, regions), 0 without reads, and ``calls`` (samples, regions), of how many
CpGs each is the mean, both float32, and the output ``proportions`` (samples, tissues), float32, of sum 1. Its card,
under the same metadata key as others, is a `RegionCard`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import onnxruntime
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..card import CARD_KEY
from ..errors import GenoscanError, UsageError
from ..inference.session import ORT_ERRORS
from ..reading.atlas import Atlas

INPUTS, OUTPUT = ("means", "calls"), "proportions"
TASK = "tissue-proportions"


class RegionCard(BaseModel):
    """What a network of region means says of itself. regions: 'chrom:start-end', 0-based half-open, in the order of its
    inputs; tissues: in the order of its output, ``unknown`` among them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str
    description: str = ""
    task: Literal["tissue-proportions"] = TASK
    regions: tuple[str, ...] = Field(min_length=1, repr=False)
    tissues: tuple[str, ...] = Field(min_length=2)
    provenance: dict[str, str] = {}


class RegionNetwork(NamedTuple):
    """run: from means and calls (samples, regions) to proportions float64 (samples, tissues)."""

    source: str
    sha256: str
    card: RegionCard
    run: Callable[[np.ndarray, np.ndarray], np.ndarray]


def region_names(atlas: Atlas) -> tuple[str, ...]:
    places = zip(atlas.chroms, atlas.starts.tolist(), atlas.ends.tolist(), strict=True)
    return tuple(f"{chrom}:{start}-{end}" for chrom, start, end in places)


def is_region_network(path: Path) -> bool:
    """Whether an .onnx says that it is one. `GenoscanError` for what is no readable model."""
    try:
        card = json.loads(_session(path)[0].get_modelmeta().custom_metadata_map.get(CARD_KEY, "{}"))
    except ValueError:
        return False
    return isinstance(card, dict) and card.get("task") == TASK


def open_region_network(path: Path) -> RegionNetwork:
    """The network in an .onnx. `GenoscanError` names the file, and what of its card or its inputs is wrong."""
    session, content = _session(path)
    text = session.get_modelmeta().custom_metadata_map.get(CARD_KEY, "{}")
    try:
        card = RegionCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "card"
        raise GenoscanError(f"{path}: wrong model card: {field}: {first['msg']}") from None
    found = {one.name: one.shape[-1] for one in session.get_inputs()}
    if found != dict.fromkeys(INPUTS, len(card.regions)) or [one.name for one in session.get_outputs()] != [OUTPUT]:
        raise GenoscanError(
            f"{path}: the model does not match its card: expected the inputs means and calls of {len(card.regions)} "
            "regions and the output proportions"
        )

    def run(means: np.ndarray, calls: np.ndarray) -> np.ndarray:
        feed = dict(zip(INPUTS, (means.astype(np.float32), calls.astype(np.float32)), strict=True))
        try:
            (shares,) = session.run([OUTPUT], feed)
        except ORT_ERRORS as error:
            raise GenoscanError(f"{path}: the model failed: {' '.join(str(error).split())[:300]}") from None
        return shares.astype(np.float64)

    return RegionNetwork(str(path), hashlib.sha256(content).hexdigest(), card, run)


def markers_of(network: RegionNetwork, atlas: Atlas, source: str) -> np.ndarray:
    """int64 (regions,): which marker of the atlas each of the network's regions is. `UsageError` if one is missing."""
    places = {name: number for number, name in enumerate(region_names(atlas))}
    missing = [name for name in network.card.regions if name not in places]
    if missing:
        raise UsageError(
            f"{source}: lacks {len(missing):,} of the {len(network.card.regions):,} regions of {network.source}, as "
            f"{missing[0]}; give the atlas that it was trained with"
        )
    return np.array([places[name] for name in network.card.regions], dtype=np.int64)


def _session(path: Path) -> tuple[onnxruntime.InferenceSession, bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GenoscanError(f"{path}: cannot be read: {error.strerror or error}") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise GenoscanError(f"{path}: not a readable ONNX model: {' '.join(str(error).split())[:300]}") from None
    return session, content
