"""How many multiply-accumulates a model takes for a window.

They are counted in a run of ONNX Runtime with its profiler, which lists every operator that ran with the shapes of its
tensors. So shapes are what they are, also behind operators of ONNX Runtime's own, for which ONNX's shape inference and
the packages that build on it know no shape; and what was quantized counts as such once the runtime has fused it.
Products of matrices and convolutions are counted, elementwise operations are not.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

from ..encoding.encoder import encoder, named_tensors, rows_by_length
from ..errors import GenoscanError
from ..inference.session import ORT_ERRORS, ModelFile, session_options
from ..temporary import temporary_folder

Shape = Sequence[int]
FLOAT, INTEGER = "float", "int8"
"""What an operator multiplies: numbers of the model's own precision, or bytes."""


class Ran(NamedTuple):
    """An operator that ran: its name, the shapes of its input tensors and of its first output, and what it
    multiplies (`FLOAT` or `INTEGER`)."""

    operator: str
    inputs: Sequence[Shape]
    output: Shape
    numbers: str = FLOAT


def window_multiply_accumulates(file: ModelFile, codes: np.ndarray) -> dict[str, float] | None:
    """Multiply-accumulates a window by what is multiplied (`FLOAT`, `INTEGER`), the mean over codes uint8 (windows,
    window).

    None where a CPU cannot run the model or an operator's product cannot be counted. A model with a fixed batch takes
    as many of the codes as that has.
    """
    encode = encoder(file.card)
    try:
        with temporary_folder() as folder:
            rows = file.fixed_batch or len(codes)
            codes = np.resize(codes, (rows, codes.shape[1]))
            tensor = np.empty((rows, *encode.window_shape(codes.shape[1])), dtype=encode.dtype)
            encode.encode(codes, tensor)
            feeds = [named_tensors(same, file.input_names) for _, same in rows_by_length(encode, tensor)]
            found = count(profiled(file.content, file.weights, feeds, folder))
    except (*ORT_ERRORS, GenoscanError):
        return None
    return None if found is None else {numbers: number / rows for numbers, number in found.items()}


def profiled(
    content: bytes, weights: str | None, feeds: Sequence[Mapping[str, np.ndarray]], folder: Path
) -> Iterator[Ran]:
    """The operators that run for some inputs of a model, whose weights may lie in a file of their own; the profile is
    written to ``folder``."""
    options = session_options(weights)
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    # Beyond this level weights are laid out anew for the processor, and shapes with them.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.disable_prepacking", "1")  # packed weights have no shape any more
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    for feed in feeds:
        session.run(None, feed)
    yield from operators(json.loads(Path(session.end_profiling()).read_bytes()))


def operators(events: Sequence[Mapping]) -> Iterator[Ran]:
    """The operators in a profile's events."""
    for event in events:
        said = event.get("args", {})
        if not event["name"].endswith("_kernel_time") or not said.get("output_type_shape"):
            continue
        inputs = [(kind, shape) for one in said["input_type_shape"] for kind, shape in one.items()]
        output = next(iter(said["output_type_shape"][0].values()))
        numbers = INTEGER if inputs and inputs[0][0] in ("uint8", "int8") else FLOAT
        yield Ran(said["op_name"], [shape for _, shape in inputs], output, numbers)


def count(ran: Iterator[Ran]) -> dict[str, int] | None:
    """Multiply-accumulates of operators that ran, by what is multiplied; None if one cannot be counted."""
    found: Counter[str] = Counter()
    for one in ran:
        if one.operator in _UNCOUNTED:
            return None
        if one.operator in _PRODUCTS:
            found[one.numbers] += _PRODUCTS[one.operator](one)
    return dict(found)


def _convolution(weights: int) -> Callable[[Ran], int]:
    """Each number of the output sums over the weights of one output channel, whatever stride, dilation and groups."""
    return lambda ran: math.prod(ran.output) * math.prod(ran.inputs[weights][1:])


def _transposed_convolution(ran: Ran) -> int:
    """Each number of the input goes to all weights of its channel."""
    return math.prod(ran.inputs[0]) * math.prod(ran.inputs[1][1:])


def _matrices(ran: Ran) -> int:
    """(..., m, k) times (..., k, n), broadcast, to (..., m, n)."""
    return math.prod(ran.output) * ran.inputs[0][-1]


def _transposable_matrices(ran: Ran) -> int:
    """As `_matrices`, where the first may lie as (k, m): then m is the output's and k is the other one."""
    rows, columns = ran.inputs[0][-2:]
    return math.prod(ran.output) * (rows * columns // ran.output[-2])


def _fused_attention(ran: Ran) -> int:
    """ONNX Runtime's own Attention: (batch, length, inputs) and one matrix for queries, keys and values."""
    tokens, weights = ran.inputs[:2]
    products = math.prod(tokens) * weights[1]
    queries = tokens[0] * tokens[1] * (weights[1] - ran.output[-1]) // 2
    return products + tokens[1] * (queries + math.prod(ran.output))


def _attention(ran: Ran) -> int:
    """Queries, keys and values as three tensors: each query meets every key, each score every value."""
    queries, keys = ran.inputs[:2]
    return keys[-2] * (math.prod(queries) + math.prod(ran.output))


def _attention_of_either_kind(ran: Ran) -> int:
    return _fused_attention(ran) if len(ran.inputs[1]) == 2 else _attention(ran)


def _recurrent(ran: Ran) -> int:
    """Every step of every sequence meets all weights, of inputs and of the state."""
    steps = ran.inputs[0][0] * ran.inputs[0][1]
    return steps * (math.prod(ran.inputs[1]) + math.prod(ran.inputs[2]))


_PRODUCTS: dict[str, Callable[[Ran], int]] = {
    **dict.fromkeys(("Conv", "FusedConv", "ConvInteger"), _convolution(1)),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed_convolution,
    **dict.fromkeys(
        ("MatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QLinearMatMul", "MatMulNBits"),
        _matrices,
    ),
    **dict.fromkeys(("Gemm", "FusedGemm", "QGemm", "FusedMatMul"), _transposable_matrices),
    "Attention": _attention_of_either_kind,
    "QAttention": _fused_attention,
    "MultiHeadAttention": _attention,
    **dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), _recurrent),
}
_UNCOUNTED = {
    "Einsum", "DeformConv", "GroupQueryAttention", "PackedAttention", "PackedMultiHeadAttention", "SparseAttention",
    "LongformerAttention", "DecoderMaskedMultiHeadAttention", "LinearAttention",
}  # fmt: skip
"""Products whose size does not follow from shapes, or is not known here."""
