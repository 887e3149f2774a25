"""TensorRT engines built ahead of the first scan."""

from __future__ import annotations

from pathlib import Path

from ..scanner.errors import GenoscanError, UsageError
from ..scanner.inference.engines import cache_within, engine_folder
from ..scanner.inference.session import open_session, read_model, require_device


def require_tensorrt(runtime: str) -> None:
    """`UsageError` for a graph that TensorRT cannot take, `GenoscanError` where an engine cannot be built, with what to
    install: said before the work of an export, not after it."""
    if runtime != "tensorrt":
        raise UsageError("--engine: TensorRT needs standard ONNX: add --for tensorrt")
    try:
        require_device("tensorrt")
    except GenoscanError as error:
        raise GenoscanError(f"--engine: {error}") from None


def build_engine(model: str | Path, cache: str | Path) -> Path:
    """Build a model's engine where a scan with GENOSCAN_CACHE at ``cache`` looks for it: for the batch size that a scan
    takes by itself. Returns the engine's folder; errors as of `open_session`."""
    file, root = read_model(model, "tensorrt"), cache_within(Path(cache))
    open_session(file, root)
    folder = engine_folder(file.sha256, root)
    if not any(folder.glob("*.engine")):
        raise GenoscanError(f"{folder}: TensorRT took no part of {model}: no engine was made")
    return folder
