"""TensorRT: whether it is here, and where the engines that it builds are kept.

An engine belongs to a model, to the versions that built it and to the GPU that it was built for: all of them are in the
name of its folder, so that none is ever taken for another.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
from functools import cache
from pathlib import Path

import onnxruntime

from ..errors import GenoscanError

LIBRARY = "libnvinfer.so.10"
"""What ONNX Runtime's provider is linked with."""
_PACKAGE = "tensorrt_libs"


def engine_cache() -> Path:
    """Where TensorRT engines are kept between runs: GENOSCAN_CACHE, or genoscan/ in the user's cache folder."""
    base = os.environ.get("GENOSCAN_CACHE")
    if base:
        return cache_within(Path(base))
    return cache_within(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genoscan")


def cache_within(folder: Path) -> Path:
    """Where engines are kept if ``folder`` is GENOSCAN_CACHE."""
    return folder / "tensorrt"


def engine_folder(sha256: str, root: Path | None = None) -> Path:
    """The folder of the engines of a model with this digest, below ``root`` (`engine_cache`)."""
    parts = (sha256[:16], f"onnxruntime-{onnxruntime.__version__}", f"tensorrt-{tensorrt_version()}", gpu_name())
    return (root or engine_cache()) / re.sub(r"[^A-Za-z0-9.-]+", "-", "_".join(map(str, parts)))


def make_engine_folder(sha256: str, root: Path | None = None) -> Path:
    """`engine_folder`, made where it is not there; `GenoscanError` where that fails."""
    folder = engine_folder(sha256, root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenoscanError(
            f"{folder}: cannot make the folder for TensorRT engines: {error.strerror}; "
            "set GENOSCAN_CACHE to a folder that can be written to"
        ) from None
    return folder


@cache
def tensorrt_version() -> int | None:
    """What `LIBRARY` says of itself (10.9.0 is 100900); None where it cannot be loaded. It stays loaded: ONNX Runtime
    finds it by its name then, also that of a pip package, which the system's loader does not know."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = [Path(one) for one in (spec.submodule_search_locations or [])] if spec else []
    for name in (*(str(folder / LIBRARY) for folder in folders), LIBRARY):
        try:
            library = ctypes.CDLL(name, mode=getattr(ctypes, "RTLD_GLOBAL", 0))
        except OSError:
            continue
        return int(library.getInferLibVersion())
    return None


def gpu_name() -> str:
    """The first visible CUDA device's, as its driver has it; 'no-gpu' without one."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no-gpu"
    name = ctypes.create_string_buffer(256)
    device = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0) or driver.cuDeviceGetName(name, 256, device):
        return "no-gpu"
    return name.value.decode(errors="replace")
