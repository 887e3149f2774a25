"""The device's matrix rate: multiply-accumulates a second of one large product in ONNX Runtime, as a ceiling.

The files in matrix_products/ are models of one product each, of matrices of any size.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import onnxruntime

from ..inference.devices import PROVIDER_OF, provider_options
from ..inference.session import ORT_ERRORS, require_device, session_options
from .rate import best_rate

PRODUCTS = Path(__file__).with_name("matrix_products")
ON_CPU, ON_GPU = 1024, 8192
"""Rows and columns: large enough that the device is busy, small enough to be repeated in a fraction of a second."""
_DTYPES = {"fp32": ("<f4", "<f4"), "fp16": ("<f2", "<f2"), "int8": ("u1", "i1")}


def matrix_rate(device: str, precision: str, threads: int, seconds: float) -> float | None:
    """Multiply-accumulates a second in a precision ('fp32', 'fp16', 'int8'); on a CPU as many products side by side as
    there are threads, on a GPU one that has the device for itself. None where ONNX Runtime has no such product there.

    TF32 is off, as in scans. Takes about ``seconds``.
    """
    require_device(device)
    place = "cpu" if device == "cpu" else "cuda"  # TensorRT would only add the time to build an engine
    size = ON_CPU if place == "cpu" else ON_GPU
    options = session_options(None)
    options.intra_op_num_threads = 1
    providers = provider_options(
        place, half=precision == "fp16", input_names=(), smallest=(), largest=(), engine_folder=""
    )
    try:
        session = onnxruntime.InferenceSession(
            (PRODUCTS / f"{precision}.onnx").read_bytes(), options, providers=providers, enable_fallback=0
        )
        if session.get_providers()[0] != PROVIDER_OF[place]:
            return None
        values = [_values(one, size) for one in _DTYPES[precision]]
        local = threading.local()

        def multiply(_: int) -> None:
            if not hasattr(local, "binding"):
                local.binding = _bound(session, values, place)
            session.run_with_iobinding(local.binding)

        runs = best_rate(multiply, threads if place == "cpu" else 1, seconds)
    except ORT_ERRORS:
        return None
    return runs * size**3


def _values(dtype: str, size: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    if dtype[-2] in "ui":
        return generator.integers(0, 100, (size, size)).astype(dtype)
    return (generator.random((size, size), dtype=np.float32) / size).astype(dtype)


def _bound(session: onnxruntime.InferenceSession, values: list[np.ndarray], place: str) -> onnxruntime.IOBinding:
    binding = session.io_binding()
    for name, matrix in zip("ab", values, strict=True):
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(matrix, place, 0))
    binding.bind_output("y", place, 0)
    return binding
