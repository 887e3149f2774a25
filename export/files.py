"""Models on disk and in sessions: in one file as long as protobuf can hold them, else with their weights beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from ..scanner.encoding.encoder import named_tensors
from ..scanner.errors import GenoscanError
from ..scanner.inference.session import weights_file
from ..training.whole_files import write_whole

LARGEST_FILE = 2**31 - 2**20
"""Bytes: protobuf ends at 2 GiB, and a card needs some of them."""
LARGEST_IN_MEMORY = 2**28
"""Bytes of weights that checker and sessions are handed in memory, where they take three copies of them on the way."""
_SMALLEST_OUTSIDE, _IN_FLIGHT = 2**10, 2**28


def inputs_of(session: onnxruntime.InferenceSession, batch: np.ndarray) -> dict[str, np.ndarray]:
    """What a session is fed with an encoded batch: its inputs are the encoder's tensors, in their order."""
    return named_tensors(batch, [one.name for one in session.get_inputs()])


def byte_size(model: onnx.ModelProto) -> int:
    """Bytes of the weights; what else a model holds is nothing beside them where size matters."""
    return sum(tensor.ByteSize() for tensor in model.graph.initializer)


def save_model(model: onnx.ModelProto, path: Path, largest: int = LARGEST_FILE) -> list[Path]:
    """Write a model to ``path``, and the weights of one of more than ``largest`` bytes to `weights_file` beside it.
    Returns the files. Each is complete or not there; `GenoscanError` when the disk refuses.
    """
    weights = weights_file(path)
    if byte_size(model) <= largest:
        write_whole(path, model.SerializeToString(deterministic=True))
        weights.unlink(missing_ok=True)  # of a larger model that was here before
        return [path]
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            parted = _save_parted(model, Path(folder, path.name))
            os.replace(weights_file(parted), weights)
            os.replace(parted, path)
    except OSError as error:
        raise GenoscanError(f"{path}: cannot write: {error.strerror}") from None
    return [path, weights]


def _save_parted(model: onnx.ModelProto, path: Path) -> Path:
    """Weight by weight: a second copy of them all would be gigabytes."""
    ir.save(
        ir.from_proto(model),
        path,
        external_data=weights_file(path).name,
        size_threshold_bytes=_SMALLEST_OUTSIDE,
        max_in_flight_bytes=_IN_FLIGHT,
    )
    return path


def check_graph(model: onnx.ModelProto, largest: int = LARGEST_IN_MEMORY) -> None:
    """ONNX's own checker, with shapes."""
    if byte_size(model) <= largest:
        onnx.checker.check_model(model, full_check=True)
        return
    with tempfile.TemporaryDirectory(prefix="genoscan") as folder:
        onnx.checker.check_model(str(_save_parted(model, Path(folder, "model.onnx"))), full_check=True)


def cpu_session(
    model: onnx.ModelProto, *, optimized: bool = True, largest: int = LARGEST_IN_MEMORY
) -> onnxruntime.InferenceSession:
    """A session on one CPU thread: the sum of the same numbers in the same order, every time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = ["CPUExecutionProvider"]
    if byte_size(model) <= largest:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    folder = tempfile.mkdtemp(prefix="genoscan")
    try:
        path = _save_parted(model, Path(folder, "model.onnx"))
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
