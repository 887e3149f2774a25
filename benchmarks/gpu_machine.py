"""The machine of the GPU benchmark: its device, driver and libraries, and whether the providers can run on it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path

import onnxruntime
from gpu_measure import Json, attempt

from genoscan.scanner.inference.devices import PROVIDER_OF, cuda_device_count
from genoscan.scanner.throughput.machine import provenance, used_gpu_memory


def cuda_folders() -> Iterator[Path]:
    """Folders of CUDA libraries from pip packages, wherever on Python's path; ONNX Runtime looks beside itself only."""
    spec = importlib.util.find_spec("nvidia")
    for root in (spec.submodule_search_locations or []) if spec else []:
        yield from sorted(Path(root).glob("*/lib"))


def load_cuda_libraries() -> Json:
    """Load them, so that ONNX Runtime's CUDA provider finds them by name. Says where they lie."""
    folders = [str(folder.resolve()) for folder in cuda_folders()]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints each library that is not in the folder
        for folder in folders:
            onnxruntime.preload_dlls(directory=folder)
    return {"folders": folders}


def library_version(file: str, function: str, points: bool = False) -> int | None:
    """What a library's version function says, by return or through a pointer; None where there is none."""
    try:
        asked = getattr(ctypes.CDLL(file), function)
    except (OSError, AttributeError):
        return None
    asked.restype = ctypes.c_size_t if function == "cudnnGetVersion" else ctypes.c_int
    if not points:
        return int(asked())
    number = ctypes.c_int(0)
    return number.value if asked(ctypes.byref(number)) == 0 else None


def gpu_memory_mb() -> float | None:
    """MiB in use on the first GPU by everybody. ONNX Runtime gives none back while a session lives."""
    return next(iter(used_gpu_memory()), None)


def machine() -> Json:
    """Names and versions of what the figures depend on."""
    libraries = attempt(load_cuda_libraries)
    built = getattr(importlib.import_module("onnxruntime.capi.build_and_package_info"), "cuda_version", None)
    major = (built or "13").split(".")[0]
    return {
        **provenance()["machine"],
        "onnxruntime": onnxruntime.__version__,
        "onnxruntime_built_for_cuda": built,
        "providers": onnxruntime.get_available_providers(),
        "libraries": libraries,
        "driver_cuda": library_version("libcuda.so.1", "cuDriverGetVersion", points=True),
        "cuda_runtime": library_version(f"libcudart.so.{major}", "cudaRuntimeGetVersion", points=True),
        "cudnn": library_version("libcudnn.so.9", "cudnnGetVersion"),
        "tensorrt": library_version("libnvinfer.so.10", "getInferLibVersion"),
    }


def missing_gpu(providers: list[str]) -> str | None:
    """One line on what keeps the providers from running here; None when they may."""
    wanted = [one for one in providers if one != "cpu"]
    offered = onnxruntime.get_available_providers()
    for one in wanted:
        if PROVIDER_OF[one] not in offered:
            return f"this ONNX Runtime {onnxruntime.__version__} has no {PROVIDER_OF[one]}: install onnxruntime-gpu"
    if wanted and not cuda_device_count():
        return "no CUDA device is visible (see nvidia-smi)"
    return None
