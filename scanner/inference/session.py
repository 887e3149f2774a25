"""An ONNX Runtime session for a genoscan model: opened, checked against its card, and run on batches."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from ..card import CARD_KEY, BytePairInput, KmerInput, KmerMethylationInput, ModelCard, parse_card
from ..catalogue import for_device
from ..encoding.encoder import Encoder, encoder, named_tensors, rows_by_length
from ..errors import GenoscanError, Interrupted, UsageError
from .devices import PROVIDER_OF, cuda_device_count, provider_options
from .engines import LIBRARY, make_engine_folder, tensorrt_version

_ORT_EXCEPTIONS = (one for one in vars(ort_state).values() if isinstance(one, type) and issubclass(one, Exception))
ORT_ERRORS = (*_ORT_EXCEPTIONS, ValueError, RuntimeError)
"""What ONNX Runtime raises: its own exceptions, which have no common base and differ between versions, and Python's
from its bindings (a damaged model's names may not even be text)."""

_TENSOR_DTYPES = {
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(float)": np.dtype(np.float32),
}
LARGEST_BATCH = 2**26
"""Most bases in a batch: beyond this a batch costs gigabytes and gains nothing."""

SLOW_ON_CPUS = ("SkipLayerNormFusion", "BiasGeluFusion")
"""Fusions whose operators were slower than their parts on a CPU: 2 % of a float32 BERT, 13 % of an int8 one."""
_CPU_TOKENS = 300
"""Tokens in a CPU's batch. Of a BERT on 150 tokens a window, with AVX-512 half or twice as many were 1 to 3 % slower
and four times as many 8 to 10 %; without it differences were within the noise (benchmarks/export_speed.py)."""
_BASES_IN_A_PAIR = 4

_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"

_TRIAL_BASES = np.arange(4, dtype=np.uint8)


@dataclass(frozen=True)
class ModelFile:
    """A model's file, read and understood but not opened: what a driver needs to know and what travels to workers.

    content: the bytes of the .onnx; weights: the file beside it that holds its weights, if any; device: 'cpu', 'cuda'
    or 'tensorrt'; batch_size: windows in a batch; fixed_batch: the only size that the model takes, if it is made so.
    """

    path: str
    content: bytes = field(repr=False)
    sha256: str
    card: ModelCard
    input_names: tuple[str, ...]
    device: str
    batch_size: int
    weights: str | None = None
    fixed_batch: int | None = None


@dataclass(frozen=True)
class Model:
    """A model ready to scan. ``run`` takes one batch, as its encoder makes it, and gives raw outputs as float32;
    thread-safe.

    ``interrupt`` makes runs that are under way, and all later ones, raise `Interrupted` as soon as they can.
    """

    path: str
    sha256: str
    card: ModelCard
    encoder: Encoder
    device: str
    batch_size: int
    run: Callable[[np.ndarray], np.ndarray]
    interrupt: Callable[[], None] = lambda: None

    def rows(self, window: int) -> int:
        """Windows in a batch of this many bases a window: shorter windows, more of them, the same work.

        Not with TensorRT, whose one optimisation profile would then have to allow many long windows.
        """
        return self.batch_size if self.device == "tensorrt" else self.batch_size * (self.card.window // window)


def choose_device(wanted: str) -> str:
    """'auto' becomes 'cuda' where a CUDA device and a CUDA build of ONNX Runtime are there, else 'cpu'."""
    if wanted != "auto":
        return wanted
    built = PROVIDER_OF["cuda"] in onnxruntime.get_available_providers()
    return "cuda" if built and cuda_device_count() else "cpu"


def default_batch_size(device: str, card: ModelCard) -> int:
    """Windows in a batch: about 32 kb of sequence on a CPU (activations stay in the cache), 1 Mb on a GPU.

    Of token models `_CPU_TOKENS` on a CPU. On a GPU at most 512 windows, as attention would take gigabytes, and of byte
    pairs 32 kb: a tile's windows of each length have batches of their own, the last of which is not full.
    """
    bases = 2**15 if device == "cpu" else 2**20
    if isinstance(card.input, BytePairInput):
        bases = _CPU_TOKENS * _BASES_IN_A_PAIR if device == "cpu" else 2**15
    elif isinstance(card.input, KmerInput | KmerMethylationInput) and device == "cpu":
        bases = _CPU_TOKENS * getattr(card.input, "stride", 1)
    return min(max(1, bases // card.window), 512)


def read_model(
    path: str | Path,
    device: str = "auto",
    batch_size: int | None = None,
    card: ModelCard | None = None,
) -> ModelFile:
    """Read an .onnx and check that its input is what its card (or ``card`` where given) says.

    ``device`` 'auto' is decided here, but not tried. Raises `GenoscanError` naming the file for a missing or corrupt
    file and a missing or wrong card.
    """
    device = choose_device(device)
    path = str(for_device(Path(path), device))
    content, weights = _read_file(path), _weights_of(path)
    graph = _inspect(path, content, weights)
    card = card or _card_of(path, graph)
    rows = batch_size or default_batch_size(device, card)
    if rows * card.window > max(LARGEST_BATCH, card.window):
        raise UsageError(
            f"{path}: --batch-size {rows} is too large for windows of {card.window:,} bases; "
            f"at most {max(1, LARGEST_BATCH // card.window):,}"
        )
    encode = encoder(card)
    fixed = _check_input(path, graph, card, encode, rows, asked=batch_size is not None)
    names = encode.names if len(encode.names) > 1 else (graph.inputs[0][0],)
    return ModelFile(path, content, _digest(content, weights), card, names, device, fixed or rows, weights, fixed)


def open_session(file: ModelFile, engines: Path | None = None) -> Model:
    """Open a model that was read, on its device, and try it once. ``engines``: below which folder TensorRT's are kept,
    if not where `engines.engine_cache` says.

    Raises `GenoscanError` naming the file for a model whose outputs are not what its card says, and for a device that
    ONNX Runtime cannot use here: there is no silent fallback.
    """
    require_device(file.device)
    encode = encoder(file.card)
    session = _create_session(file, encode, engines)
    run, interrupt = _runner(file.path, session, file.device, file.input_names)
    model = Model(file.path, file.sha256, file.card, encode, file.device, file.batch_size, run, interrupt)
    _check_output(model)
    return model


def open_model(
    path: str | Path,
    device: str = "auto",
    batch_size: int | None = None,
    card: ModelCard | None = None,
) -> Model:
    """A model read, opened on its device and tried: `read_model` and `open_session`, with their errors."""
    return open_session(read_model(path, device, batch_size, card))


def read_card(path: str | Path) -> ModelCard:
    """The card of an .onnx file; errors as for `open_model`."""
    path = str(path)
    return _card_of(path, _inspect(path, _read_file(path), _weights_of(path)))


def _read_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise GenoscanError(f"{path}: cannot read the model: {error.strerror or error}") from None


def weights_file(path: Path) -> Path:
    """Where the weights of a model lie that are too many for one ONNX file."""
    return path.with_name(path.name + ".data")


def _weights_of(path: str) -> str | None:
    weights = weights_file(Path(path)).absolute()
    return str(weights) if weights.is_file() else None


def _digest(content: bytes, weights: str | None) -> str:
    digest = hashlib.sha256(content)
    if weights is not None:
        try:
            with open(weights, "rb") as stream:
                while part := stream.read(2**24):
                    digest.update(part)
        except OSError as error:
            raise GenoscanError(f"{weights}: cannot read the model's weights: {error.strerror}") from None
    return digest.hexdigest()


def session_options(weights: str | None) -> onnxruntime.SessionOptions:
    """Options of a session that says nothing and finds the weights that lie beside a model."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if weights is not None:
        options.add_session_config_entry(_WEIGHTS_FOLDER, os.path.dirname(weights))
    return options


class _Graph(NamedTuple):
    """What a model file says of itself; inputs as (name, ONNX type, shape)."""

    metadata: dict[str, str]
    inputs: list[tuple[str, str, list]]


def _inspect(path: str, content: bytes, weights: str | None) -> _Graph:
    """The graph opened as it stands, only to be asked for its metadata and inputs."""
    onnxruntime.set_default_logger_severity(4)  # it would add lines of its own to standard error
    options = session_options(weights)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
        inputs = [(one.name, one.type, one.shape) for one in session.get_inputs()]
        return _Graph(session.get_modelmeta().custom_metadata_map, inputs)
    except ORT_ERRORS as error:
        hint = (
            ""
            if weights is not None or "external" not in str(error).lower()
            else (f"; its weights should be in {weights_file(Path(path))}")
        )
        raise GenoscanError(f"{path}: not a readable ONNX model: {_first_line(error)}{hint}") from None


def _card_of(path: str, graph: _Graph) -> ModelCard:
    text = graph.metadata.get(CARD_KEY)
    if text is None:
        raise GenoscanError(f"{path}: the model has no genoscan card in its metadata; make one with `genoscan export`")
    return parse_card(text, path)


def require_device(device: str) -> None:
    """`GenoscanError` for a device that ONNX Runtime cannot use here, with what to install."""
    if device == "cpu":
        return
    provider = PROVIDER_OF.get(device)
    if provider is None:
        raise UsageError(f"unknown device '{device}': choose one of auto, {', '.join(PROVIDER_OF)}")
    if provider not in onnxruntime.get_available_providers():
        raise GenoscanError(f"--device {device}: this build of ONNX Runtime has no {provider}; install onnxruntime-gpu")
    if device == "tensorrt" and tensorrt_version() is None:
        raise GenoscanError(
            f"--device tensorrt: TensorRT 10 ({LIBRARY}) is not installed: pip install 'genoscan[cuda,tensorrt]'"
        )
    if cuda_device_count() == 0:
        raise GenoscanError(f"--device {device}: no CUDA device is visible (see nvidia-smi); use --device cpu")
    with redirect_stdout(io.StringIO()):  # it prints what it does not find, and standard output is the track's
        onnxruntime.preload_dlls()  # CUDA and cuDNN from pip packages, where they are installed


def _smallest_shape(file: ModelFile, encode: Encoder) -> tuple[int, ...]:
    """Of the tensors that will be run. A window of varying length may be run by itself and hold a base and no more."""
    if encode.ragged:
        return (1, 1)
    return (file.batch_size, *encode.tensor_shape(file.card.shortest_window or file.card.window))


def _create_session(file: ModelFile, encode: Encoder, engines: Path | None) -> onnxruntime.InferenceSession:
    path, card, device = file.path, file.card, file.device
    if device == "tensorrt" and card.provenance.attention == "fused":
        raise GenoscanError(
            f"{path}: its attention is one operator of ONNX Runtime's own, which TensorRT does not know: export it "
            "with --for tensorrt, or use --device cuda"
        )
    options = session_options(file.weights)
    # One thread a run: the scanner runs several batches side by side, which scales better than splitting each.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    providers = provider_options(
        device,
        half=card.provenance.precision == "fp16",
        input_names=file.input_names,
        smallest=_smallest_shape(file, encode),
        largest=(file.batch_size, *encode.tensor_shape(card.window)),
        engine_folder=str(make_engine_folder(file.sha256, engines)) if device == "tensorrt" else "",
    )
    try:
        # ONNX Runtime's own fallback would go on, on the CPU, and print that to standard output.
        session = onnxruntime.InferenceSession(
            file.content,
            options,
            providers=providers,
            enable_fallback=0,
            **({"disabled_optimizers": SLOW_ON_CPUS} if device == "cpu" else {}),
        )
    except ORT_ERRORS as error:
        raise GenoscanError(f"{path}: ONNX Runtime cannot run the model on {device}: {_first_line(error)}") from None
    if session.get_providers()[0] != PROVIDER_OF[device]:
        raise GenoscanError(
            f"--device {device}: ONNX Runtime could not start {PROVIDER_OF[device]} (it offers "
            f"{', '.join(session.get_providers())}); check that CUDA and cuDNN match: pip install 'genoscan[{device}]'"
        )
    return session


def _check_input(path: str, graph: _Graph, card: ModelCard, encode: Encoder, rows: int, *, asked: bool) -> int | None:
    """The only batch size that the graph takes, if it is made so, once its inputs are found to be as the card says."""
    described = ", ".join(f"{name} {kind}{shape}" for name, kind, shape in graph.inputs)
    wanted = ["batch", *encode.tensor_shape(card.window)]
    several = f" for each of {', '.join(encode.names)}" if len(encode.names) > 1 else ""
    problem = f"{path}: the model's input does not match its card: it takes {described}, the card says " + (
        f"{card.input.kind} of {card.window} bases, {encode.dtype} {wanted}{several}"
    )
    names = sorted(name for name, _, _ in graph.inputs)
    if len(names) != len(encode.names) or (several and names != sorted(encode.names)):
        raise GenoscanError(problem)
    for _, kind, shape in graph.inputs:
        if _TENSOR_DTYPES.get(kind) != encode.dtype or len(shape) != len(wanted):
            raise GenoscanError(problem)
        for have, want in zip(shape[1:], wanted[1:], strict=True):
            if isinstance(have, int) and have != want:
                raise GenoscanError(problem)
    sizes = {shape[0] for _, _, shape in graph.inputs if isinstance(shape[0], int)}
    if not sizes:
        return None
    size = sizes.pop()
    if sizes or size < 1:
        raise GenoscanError(problem)
    if asked and rows != size:
        raise UsageError(f"{path}: the model is made for batches of {size}; leave out --batch-size")
    return size


def _check_output(model: Model) -> None:
    """One run in each shape that will be used: the output's type and shape must be what the card says."""
    card = model.card
    for window in dict.fromkeys((card.window, card.shortest_window or card.window)):
        rows = model.rows(window)
        codes = np.resize(_TRIAL_BASES, (rows, window))  # bases, not N: windows of N never reach a model
        tensor = np.zeros((rows, *model.encoder.window_shape(window)), dtype=model.encoder.dtype)
        model.encoder.encode(codes, tensor)
        ((_, tensor),) = rows_by_length(model.encoder, tensor)
        outputs = model.run(tensor)
        names = len(card.output.names)
        wanted = (rows, window // card.output.bin, names) if card.task == "segmentation" else (rows, names)
        if outputs.shape != wanted:
            raise GenoscanError(
                f"{model.path}: the model's output does not match its card: shape {list(outputs.shape)} for {window} "
                f"bases, the card's task, output.names and output.bin ask for {list(wanted)}"
            )


def _runner(
    path: str, session: onnxruntime.InferenceSession, device: str, names: tuple[str, ...]
) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[], None]]:
    """A function that runs the session on a batch, and one that ends its runs."""
    if not session.get_outputs():
        raise GenoscanError(f"{path}: the model's output does not match its card: the model has none")
    output = session.get_outputs()[0].name
    if session.get_outputs()[0].type != "tensor(float)":
        raise GenoscanError(
            f"{path}: the model's output does not match its card: '{output}' is {session.get_outputs()[0].type}, "
            "scores must be tensor(float)"
        )

    options = onnxruntime.RunOptions()  # shared by all runs, so that one word ends them all

    def interrupt() -> None:
        options.terminate = True

    def checked(call: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        def run(batch: np.ndarray) -> np.ndarray:
            try:
                result = call(batch)
            except ORT_ERRORS as error:
                if options.terminate:
                    raise Interrupted from None
                raise GenoscanError(
                    f"{path}: the model failed on a batch of shape {list(batch.shape)}: {_first_line(error)}"
                ) from None
            if not np.isfinite(result).all():
                raise GenoscanError(f"{path}: the model gave NaN or infinite scores; try an fp32 export")
            return result

        return run

    if device == "cpu":
        return checked(lambda batch: session.run([output], named_tensors(batch, names), options)[0]), interrupt
    return checked(_bound(session, names, output, options)), interrupt


def _bound(
    session: onnxruntime.InferenceSession, names: tuple[str, ...], output: str, options: onnxruntime.RunOptions
) -> Callable[[np.ndarray], np.ndarray]:
    """A run through IO binding: each thread keeps its input buffers on the device, one for each batch shape.

    Two runs at a time keep the device busy while one thread copies; more would only take a memory arena each.
    """
    local = threading.local()
    running = threading.Semaphore(2)

    def run(batch: np.ndarray) -> np.ndarray:
        kept = local.__dict__.setdefault("bindings", {})
        tensors = named_tensors(batch, names)
        if batch.shape not in kept:
            values = {
                name: onnxruntime.OrtValue.ortvalue_from_numpy(tensor, "cuda", 0) for name, tensor in tensors.items()
            }
            binding = session.io_binding()
            for name, value in values.items():
                binding.bind_ortvalue_input(name, value)
            binding.bind_output(output, "cuda", 0)
            kept[batch.shape] = (binding, values)
        else:
            for name, tensor in tensors.items():
                kept[batch.shape][1][name].update_inplace(tensor)
        binding = kept[batch.shape][0]
        with running:
            session.run_with_iobinding(binding, options)
        return binding.copy_outputs_to_cpu()[0]

    return run


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
