"""genoscan on a GPU: parity with the CPU, speed of every stage, memory, and whether the tracks stay the same.

    python benchmarks/gpu.py --out gpu.json [--models repeats kmer-bert] [--providers cuda tensorrt] [--seconds 5]

Two models, each in fp32 and fp16: the bundled repeats model, and a BERT over 3-mers with random weights (69 tokens,
512 wide, 6 layers, 8 heads, 150 tokens: the configuration of TissueBERT). Every model runs in a process of its own
with a time limit, so that neither a crash nor a hang costs more than that model; the JSON file is written again after
every section, and a section that fails leaves ``{"error": one line}``. It ends within eight minutes. Speeds are Mb of
scored sequence a second. What each section measures is said by the function of the same name.

On a bare machine with a GPU, without network, whose Python has PyTorch (with its CUDA libraries) but an ONNX Runtime
for the CPU only:

1. Elsewhere, download wheels for that machine's Python and platform with ``pip download --no-deps
   --only-binary=:all: --python-version ... --platform ... -d wheels``: onnxruntime-gpu, built for the CUDA major
   version of that PyTorch, and of numba, llvmlite, pyfaidx, pysam, click, pydantic, pydantic-core, annotated-types,
   typing-inspection, rich, onnx, onnxscript, onnx-ir, ml-dtypes, flatbuffers, protobuf and packaging those that are
   missing there. No NVIDIA wheels: PyTorch's are found wherever they lie on Python's path.
2. Carry the wheels there beside this repository. Where less fits at once than the wheel of onnxruntime-gpu takes,
   cut it (``split -b 50M WHEEL part.``), carry the parts one after another to a folder outside what is replaced each
   time, and put them together under the wheel's own name (``cat part.* > WHEEL``).
3. ``pip install --no-index --no-deps --target SITE wheels/*.whl``, then ``ln -s REPOSITORY SITE/genoscan`` (the
   repository's root is the package) and ``export PYTHONPATH=SITE``, so that this ONNX Runtime comes before the other.
4. ``python -c "import onnxruntime as o; print(o.__version__, o.get_available_providers())"`` must name
   CUDAExecutionProvider. Then run this script. Nothing has to be put on the library path.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib.util
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime

from genoscan import __version__
from genoscan.export.parity import activate, difference, sample_windows, scored_places
from genoscan.scanner.calling.channels import channels_of
from genoscan.scanner.card import CARD_KEY, Calling, KmerInput, ModelCard, Output
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.encoding.encoder import encoder
from genoscan.scanner.inference.devices import PROVIDER_OF, available_threads, cuda_device_count, provider_options
from genoscan.scanner.inference.session import Model, open_model, read_card
from genoscan.scanner.reading.genome import Genome, open_genome
from genoscan.scanner.reading.tiles import Interval
from genoscan.scanner.scan import Counts, ScanOptions, scan_chunks
from genoscan.scanner.writing.bed import bed_lines
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import RepeatSimulation, random_table, simulate

WHOLE_LIMIT, PREPARE_LIMIT, MODEL_LIMIT = 460.0, 90.0, 170.0
"""Seconds for everything, for making the models, and at most for one model on one provider."""

PRECISIONS = ("fp32", "fp16")
BATCHES = {"repeats": (8, 16, 32, 64, 128), "kmer-bert": (32, 64, 128, 256, 512)}
SMALL_BATCHES, TENSORRT_BATCHES = (1, 2), (64,)
BURN_IN, ROUNDS, SWEEP_THREADS = 2, 2, 4
VARIANTS = {
    "as in a scan": {},
    "TF32": {"use_tf32": "1"},
    "exhaustive search": {"cudnn_conv_algo_search": "EXHAUSTIVE"},
    "channels last": {"prefer_nhwc": "1"},
}
Json = dict


@dataclass
class Bench:
    """One model on one device, and what earlier sections found out. ``reference`` is its fp32 file."""

    path: Path
    reference: Path
    device: str
    genome: Path
    seconds: float
    batches: tuple[int, ...]
    results: Json = field(default_factory=dict)
    threads: int = field(default_factory=available_threads)

    @cached_property
    def card(self) -> ModelCard:
        return read_card(self.path)

    @cached_property
    def sequence(self) -> np.ndarray:
        """Simulated bases that windows are cut from."""
        generator = np.random.default_rng(3)
        return simulate(generator, max(2**20, 2 * self.card.window), RepeatSimulation(), random_table(generator))[0]

    @property
    def rows(self) -> int:
        """The batch size that `session` chose."""
        return self.results.get("session", {}).get("chosen_batch_size", self.batches[-1])

    @property
    def slowest(self) -> float:
        """Mb/s of the slowest stage measured so far."""
        speeds = [self.results.get(name, {}).get("mb_per_second") for name in ("session", "encoding")]
        return min((speed for speed in speeds if speed), default=1.0)

    def codes(self, rows: int, seed: int) -> np.ndarray:
        """uint8 (rows, window) at random places."""
        places = np.random.default_rng(seed).integers(len(self.sequence) - self.card.window, size=rows)
        return self.sequence[places[:, None] + np.arange(self.card.window)]


def tensor_of(card: ModelCard, codes: np.ndarray) -> np.ndarray:
    """The model's input of codes uint8 (rows, bases)."""
    encode = encoder(card)
    tensor = np.zeros((len(codes), *encode.window_shape(codes.shape[1])), dtype=encode.dtype)
    encode.encode(codes, tensor)
    return tensor


def rate(work: Callable[[int], object], threads: int, seconds: float) -> float:
    """Calls of ``work`` a second by ``threads`` threads side by side.

    Each thread first makes calls that do not count: buffers on a device belong to a thread, and the first run of a
    shape chooses kernels. The clock starts when all are ready.
    """
    ready = threading.Barrier(threads + 1)

    def repeat(number: int) -> int:
        try:
            for _ in range(BURN_IN):
                work(number)
        except BaseException:
            ready.abort()
            raise
        ready.wait()
        deadline, done = time.perf_counter() + seconds, 0
        while done == 0 or time.perf_counter() < deadline:
            work(number + done * threads)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(repeat, number) for number in range(threads)]
        with contextlib.suppress(threading.BrokenBarrierError):
            ready.wait()
        started = time.perf_counter()
    problems = [one.exception() for one in running if one.exception()]
    for problem in sorted(problems, key=lambda one: isinstance(one, threading.BrokenBarrierError)):
        raise problem
    return sum(one.result() for one in running) / (time.perf_counter() - started)


def best_rate(work: Callable[[int], object], threads: int, seconds: float) -> float:
    """The best of some rounds, which together take about ``seconds``."""
    return max(rate(work, threads, seconds / ROUNDS) for _ in range(ROUNDS))


def one_line(error: BaseException) -> str:
    """An exception as one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]


def attempt(work: Callable[[], Json]) -> Json:
    """What ``work`` gives, or its error as one line: whatever fails, the rest is still worth its time."""
    try:
        return work()
    except Exception as error:
        return {"error": one_line(error)}


# The machine


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


def nvidia_smi(fields: str) -> list[str]:
    """Fields of the first GPU, as text; empty where nvidia-smi is missing or fails."""
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [one.strip() for one in done.stdout.strip().split(",")]


def gpu_memory_mb() -> float | None:
    """MB in use on the first GPU by everybody. ONNX Runtime gives none back while a session lives."""
    used = nvidia_smi("memory.used")
    return float(used[0]) if used and used[0].replace(".", "").isdigit() else None


def machine() -> Json:
    """Names and versions of what the figures depend on."""
    libraries = attempt(load_cuda_libraries)
    names = ("name", "driver_version", "memory.total", "clocks.max.sm")
    built = getattr(importlib.import_module("onnxruntime.capi.build_and_package_info"), "cuda_version", None)
    major = (built or "13").split(".")[0]
    return {
        "genoscan": __version__,
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "threads": available_threads(),
        "gpu": dict(zip(names, nvidia_smi(",".join(names)), strict=False)),
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


# The models


def bert_card(window: int) -> ModelCard:
    return ModelCard(
        name="kmer-bert",
        version="1",
        task="classification",
        input=KmerInput(k=3, stride=1, offset=5, unknown=1, prefix=(2,), suffix=(3,)),
        window=window,
        step=window,
        context=0,
        strand="forward",
        output=Output(names=tuple(f"tissue{one}" for one in range(39)), activation="softmax", bin=window),
        calling=Calling(threshold=0.2, extend=0.2),
    )


def bert(width: int, layers: int, heads: int, tokens: int, outputs: int):
    """A BERT with seeded random weights: post-norm, GELU, pooled first token; without a mask, as windows are full."""
    import torch
    from torch import nn

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value, self.mix = (nn.Linear(width, width) for _ in range(4))
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)

        def forward(self, x):
            query, key, value = (
                part(x).unflatten(2, (heads, width // heads)).transpose(1, 2)
                for part in (self.query, self.key, self.value)
            )
            weights = torch.softmax(query @ key.transpose(2, 3) * (width // heads) ** -0.5, dim=-1)
            x = self.first(x + self.mix((weights @ value).transpose(1, 2).flatten(2)))
            return self.second(x + self.narrow(nn.functional.gelu(self.wide(x))))

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(69, width), nn.Parameter(torch.randn(tokens, width))
            self.norm, self.layers = nn.LayerNorm(width), nn.ModuleList(Layer() for _ in range(layers))
            self.pool, self.out = nn.Linear(width, width), nn.Linear(width, outputs)

        def forward(self, input_ids):
            x = self.norm(self.words(input_ids) + self.places)
            for layer in self.layers:
                x = layer(x)
            return self.out(torch.tanh(self.pool(x[:, 0])))

    torch.manual_seed(0)
    network = Bert()
    for name, weight in network.named_parameters():
        if name.endswith(".weight") and weight.dim() == 2 and not name.startswith("words"):
            # Larger than a network starts with: attention that chooses and scores that differ from window to window.
            gain = 2 if name.split(".")[-2] in ("query", "key", "out") else 1
            nn.init.normal_(weight, std=gain * weight.shape[1] ** -0.5)
    return network


def write_bert(path: Path, small: bool) -> Json:
    import torch

    from genoscan.export.convert import to_onnx
    from genoscan.export.precision import set_metadata

    card = bert_card(30 if small else 150)
    width, layers, heads = (32, 2, 4) if small else (512, 6, 8)
    network = bert(width, layers, heads, card.window, len(card.output.names))
    example = torch.full((2, card.window), 5, dtype=torch.int64)
    model = to_onnx(network, example, {0: "batch"}, "input_ids")
    path.write_bytes(set_metadata(model, {CARD_KEY: card.to_json()}).SerializeToString())
    return {"parameters": sum(one.numel() for one in network.parameters())}


def write_repeats(path: Path, name: str) -> Json:
    source = find_model(name)
    card = read_card(source)
    if card.provenance.precision != "fp32":
        raise ValueError(f"{source} is {card.provenance.precision}: name an fp32 export with --repeats")
    path.write_bytes(source.read_bytes())
    return {"version": card.version}


def write_fp16(path: Path, source: Path) -> Json:
    import onnx

    from genoscan.export.precision import set_metadata, to_fp16

    card = read_card(source)
    half = card.model_copy(update={"provenance": card.provenance.model_copy(update={"precision": "fp16"})})
    model = set_metadata(to_fp16(onnx.load(source)), {CARD_KEY: half.to_json()})
    path.write_bytes(model.SerializeToString())
    return {"bytes": path.stat().st_size}


def write_genome(path: Path, bases: int) -> Json:
    """Contigs of 8 Mb or less; every fourth one is new, the others repeat it."""
    generator, size = np.random.default_rng(1), min(bases, 8_000_000)
    with path.open("wb") as fasta:
        for number in range(bases // size):
            if number % 4 == 0:
                codes = simulate(generator, size, RepeatSimulation(), random_table(generator))[0]
            fasta.write(fasta_record(f"contig{number}", codes))
    return {"bases": bases // size * size}


def prepare(settings: argparse.Namespace, folder: Path, save: Callable[[Json], None]) -> None:
    """Every model file and the genome, each guarded."""
    done: Json = {}
    for model in settings.models:
        path = {precision: folder / f"{model}-{precision}.onnx" for precision in PRECISIONS}
        if model == "repeats":
            done[path["fp32"].stem] = attempt(lambda: write_repeats(path["fp32"], settings.repeats))  # noqa: B023
        else:
            done[path["fp32"].stem] = attempt(lambda: write_bert(path["fp32"], settings.small))  # noqa: B023
        done[path["fp16"].stem] = attempt(lambda: write_fp16(path["fp16"], path["fp32"]))  # noqa: B023
        save(done)
    if settings.genome is None:
        done["genome"] = attempt(lambda: write_genome(folder / "genome.fa", 400_000 if settings.small else 256_000_000))
        save(done)


# The sections


def placement(bench: Bench) -> Json:
    """Nodes of the graph by the provider that runs them: any but shapes on the CPU cost a copy there and back."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = bare_session(bench, {}, options)
    nodes: dict[str, Counter] = {}
    for part in session.get_provider_graph_assignment_info():
        nodes.setdefault(part.ep_name, Counter()).update(node.op_type for node in part.get_nodes())
    return {"providers": session.get_providers(), "nodes": {name: dict(found) for name, found in nodes.items()}}


def bare_session(bench: Bench, overrides: dict[str, str], options: onnxruntime.SessionOptions):
    """A session with the options of a scan and some others, without genoscan around it."""
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    shape = (bench.rows, *encoder(bench.card).window_shape(bench.card.window))
    half = bench.card.provenance.precision == "fp16"
    name = encoder(bench.card).name
    providers = provider_options(bench.device, half=half, input_name=name, smallest=shape, largest=shape)
    providers[0] = (providers[0][0], {**providers[0][1], **overrides})
    return onnxruntime.InferenceSession(bench.path.read_bytes(), options, providers=providers, enable_fallback=0)


def parity(bench: Bench) -> Json:
    """Activated scores against the fp32 graph on the CPU, for random and simulated windows in one batch."""
    card, most = bench.card, 16 if bench.card.window > 1000 and bench.device != "tensorrt" else 64
    rows = min(most, 2 * bench.batches[-1])
    windows = np.concatenate(list(sample_windows(card, 5, rows // 2).values()))
    tensor = tensor_of(card, windows)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = bench.threads
    reference = onnxruntime.InferenceSession(
        bench.reference.read_bytes(), options, providers=["CPUExecutionProvider"], enable_fallback=0
    )
    expected = reference.run(None, {reference.get_inputs()[0].name: tensor})[0]
    got = open_model(bench.path, bench.device, len(windows)).run(tensor)
    scored = scored_places(card, windows)
    first, second = (activate(one, card.output.activation)[scored] for one in (expected, got))
    found = difference(first, second, card.calling.threshold)
    return {
        "largest": found.largest,
        "mean": found.mean,
        "label_agreement": found.agreement,
        "same_best_output": float(np.mean(first.argmax(axis=-1) == second.argmax(axis=-1))),
        "share_above_threshold": float(np.mean(first >= card.calling.threshold)),
        "finite": found.finite,
        "scores": int(first.size),
    }


def session(bench: Bench) -> Json:
    """The model alone on batches made beforehand, copies to and from the device among it: by batch size, then by
    threads at the smallest batch size that is nearly the fastest. Each point has a session of its own."""
    seconds = bench.seconds / 5
    sizes = {
        str(rows): attempt(lambda: session_point(bench, rows, SWEEP_THREADS, seconds))  # noqa: B023
        for rows in bench.batches
    }
    if bench.device != "tensorrt":
        sizes["default, 1 thread"] = attempt(lambda: session_point(bench, None, 1, seconds))
    speeds = {rows: sizes[str(rows)].get("mb_per_second", 0.0) for rows in bench.batches}
    fastest = max(speeds.values())
    if not fastest:
        return {"error": "no batch size ran", "by_batch_size": sizes}
    chosen = next(rows for rows, speed in speeds.items() if speed >= 0.95 * fastest)
    counts = dict.fromkeys(min(one, bench.threads) for one in (1, 2, 4, 8, bench.threads))
    threads = {
        str(one): attempt(lambda: session_point(bench, chosen, one, seconds))  # noqa: B023
        for one in counts
    }
    best = max(fastest, *(one.get("mb_per_second", 0.0) for one in threads.values()))
    return {"mb_per_second": best, "chosen_batch_size": chosen, "by_batch_size": sizes, "by_threads": threads}


def session_point(bench: Bench, rows: int | None, threads: int, seconds: float) -> Json:
    model = open_model(bench.path, bench.device, rows)
    tensors = [tensor_of(bench.card, bench.codes(model.batch_size, seed)) for seed in range(3)]
    runs = best_rate(lambda number: model.run(tensors[number % 3]), threads, seconds)
    return {
        "batch_size": model.batch_size,
        "mb_per_second": runs * model.batch_size * bench.card.step / 1e6,
        "windows_per_second": runs * model.batch_size,
        "milliseconds_a_batch": 1000 * threads / runs,
        "gpu_memory_mb": gpu_memory_mb(),
    }


def variants(bench: Bench) -> Json:
    """The graph alone, input and output staying on the device, one thread: with a scan's options and with others."""
    tensor = tensor_of(bench.card, bench.codes(bench.rows, 0))
    chosen = VARIANTS if bench.device == "cuda" else {"as in a scan": {}}
    return {name: attempt(lambda: variant(bench, overrides, tensor)) for name, overrides in chosen.items()}  # noqa: B023


def variant(bench: Bench, overrides: dict[str, str], tensor: np.ndarray) -> Json:
    running = bare_session(bench, overrides, onnxruntime.SessionOptions())
    place = "cpu" if bench.device == "cpu" else "cuda"
    binding = running.io_binding()
    value = onnxruntime.OrtValue.ortvalue_from_numpy(tensor, place, 0)
    binding.bind_ortvalue_input(running.get_inputs()[0].name, value)
    binding.bind_output(running.get_outputs()[0].name, place, 0)
    runs = best_rate(lambda _: running.run_with_iobinding(binding), 1, bench.seconds / 8)
    return {"mb_per_second": runs * len(tensor) * bench.card.step / 1e6, "milliseconds_a_batch": 1000 / runs}


def changing_shapes(bench: Bench) -> Json:
    """Milliseconds of a run of whole windows, of shortest windows, and of either when they take turns: short contigs
    among long ones make a scan do that, and a kernel chosen anew at each change of shape would show here."""
    if bench.card.shortest_window is None:
        return {"skipped": "the model has one window size"}
    model = open_model(bench.path, bench.device, bench.rows)
    short = bench.card.shortest_window
    whole = tensor_of(bench.card, bench.codes(bench.rows, 0))
    cut = tensor_of(bench.card, np.resize(bench.codes(bench.rows, 1), (model.rows(short), short)))
    found = {
        name: 1000 / best_rate(lambda number: model.run(pair[number % 2]), 1, bench.seconds / 8)  # noqa: B023
        for name, pair in (("whole", (whole, whole)), ("short", (cut, cut)), ("in_turns", (whole, cut)))
    }
    return {**found, "cost_of_changing": found["in_turns"] / (found["whole"] / 2 + found["short"] / 2)}


def encoding(bench: Bench) -> Json:
    """Encoding alone on all CPU threads."""
    encode, codes = encoder(bench.card), bench.codes(bench.rows, 0)
    shape = (len(codes), *encode.window_shape(bench.card.window))
    own = threading.local()

    def work(_: int) -> None:
        if not hasattr(own, "tensor"):
            own.tensor = np.zeros(shape, dtype=encode.dtype)
        encode.encode(codes, own.tensor)

    calls = best_rate(work, bench.threads, bench.seconds / 5)
    return {"mb_per_second": calls * len(codes) * bench.card.step / 1e6, "threads": bench.threads}


def reading(bench: Bench) -> Json:
    """Reading the genome alone on all CPU threads, in pieces of a tile."""
    with open_genome(bench.genome) as genome:
        length = int(genome.lengths[0])
        piece = min(length, 2**18)
        places = range(0, length - piece + 1, piece)
        calls = best_rate(
            lambda number: genome.codes(0, places[number % len(places)], places[number % len(places)] + piece),
            bench.threads,
            bench.seconds / 8,
        )
    return {"mb_per_second": calls * piece / 1e6}


def first_intervals(genome: Genome, bases: int) -> list[Interval]:
    """The genome's first ``bases`` bases."""
    found, left = [], bases
    for contig, length in enumerate(genome.lengths.tolist()):
        if left > 0 and length:
            found.append(Interval(contig, 0, min(length, left)))
            left -= length
    return found


def timed_scan(model: Model, genome: Genome, intervals: list[Interval], options: ScanOptions) -> tuple[bytes, Counts]:
    """The track's lines, and counts with the seconds that it took."""
    counts, channels, lines = Counts(), channels_of(model.card), []
    for chunk in scan_chunks(genome, model, options, intervals, counts.add_tile):
        counts.add_calls(chunk)
        lines.append(bed_lines(chunk, genome.names, channels, model.card.track.score_range))
    counts.seconds = time.perf_counter() - counts.started
    return b"".join(lines), counts


def scan_speed(bench: Bench, rows: int | None, threads: int, seconds: float) -> Json:
    model = open_model(bench.path, bench.device, rows)
    with open_genome(bench.genome) as genome:
        intervals = first_intervals(genome, max(int(bench.slowest * 1e6 * seconds), model.batch_size * model.card.step))
        counts = [timed_scan(model, genome, intervals, ScanOptions(threads=threads))[1] for _ in range(ROUNDS)]
    best = min(counts, key=lambda one: one.seconds)
    speed = best.bases / 1e6 / best.seconds
    return {
        "mb_per_second": speed,
        "share_of_slowest_stage": speed / bench.slowest,
        "batch_size": model.batch_size,
        "threads": threads,
        "bases": best.bases,
        "calls": best.calls,
        "seconds": best.seconds,
        "gpu_memory_mb": gpu_memory_mb(),
    }


def scan(bench: Bench) -> Json:
    """The whole scan through genoscan's own pipeline, calls and BED lines included, at the chosen batch size."""
    return scan_speed(bench, bench.rows, bench.threads, bench.seconds / ROUNDS)


def scan_by_default(bench: Bench) -> Json:
    """The whole scan as `genoscan scan` does it when nothing but the device is said."""
    return scan_speed(bench, None, bench.threads, bench.seconds / 2 / ROUNDS)


def tracks(bench: Bench) -> Json:
    """The same bytes from two tile sizes and from two scans; calls that differ from the fp32 graph's on the CPU."""
    model, cpu = open_model(bench.path, bench.device, bench.rows), open_model(bench.reference, "cpu", 2)
    tensor = tensor_of(bench.card, bench.codes(2, 0))
    cpu_speed = rate(lambda _: cpu.run(tensor), bench.threads, bench.seconds / 10) * 2 * bench.card.step
    tile = bench.rows * bench.card.step
    with open_genome(bench.genome) as genome:
        bases = int(min(cpu_speed, bench.slowest * 1e6) * bench.seconds / 2)
        intervals = first_intervals(genome, max(4 * tile, bases))
        first, counts = timed_scan(model, genome, intervals, ScanOptions(tile_size=tile))
        again, _ = timed_scan(model, genome, intervals, ScanOptions(tile_size=tile, threads=2))
        tiled, _ = timed_scan(model, genome, intervals, ScanOptions(tile_size=3 * tile))
        expected, _ = timed_scan(cpu, genome, intervals, ScanOptions())
    return {
        "bases": counts.bases,
        "calls": counts.calls,
        "same_bytes_with_other_tiles": first == tiled,
        "same_bytes_again": first == again,
        **compared_tracks(expected, first),
    }


def compared_tracks(expected: bytes, got: bytes) -> Json:
    """How many calls of two tracks (BED lines) have no equal in the other, by place and by place and score."""
    lines = [[line.split(b"\t") for line in one.splitlines()] for one in (expected, got)]
    placed = [{(*one[:4], one[5]) for one in side} for side in lines]
    scored = [{tuple(one) for one in side} for side in lines]
    return {
        "calls_on_cpu": len(lines[0]),
        "calls_placed_differently": len(placed[0] ^ placed[1]),
        "calls_scored_differently": len(scored[0] ^ scored[1]) - len(placed[0] ^ placed[1]),
    }


SECTIONS = (
    placement, parity, session, encoding, reading, scan, tracks, variants, changing_shapes, scan_by_default,
)  # fmt: skip


TENSORRT_SECTIONS = (parity, session, encoding, reading, scan, tracks)
"""Those that need one batch size: TensorRT builds an engine for each, and that takes a minute."""


def run_model(bench: Bench, save: Callable[[Json], None]) -> None:
    """All sections, each guarded; ``save`` hears of every one."""
    if bench.device != "cpu":
        bench.results["libraries"] = attempt(load_cuda_libraries)
    bench.results["gpu_memory_before_mb"] = gpu_memory_mb()
    for section in TENSORRT_SECTIONS if bench.device == "tensorrt" else SECTIONS:
        started = time.perf_counter()
        result = attempt(lambda: section(bench))  # noqa: B023
        bench.results[section.__name__] = {**result, "section_seconds": round(time.perf_counter() - started, 2)}
        save(bench.results)


# The whole


def write_json(path: Path, content: Json) -> None:
    """Replace the file by one whole step."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(path)


def run_child(arguments: list[str], part: Path, limit: float, heard: Callable[[Json], None]) -> Json:
    """Run this script for one task in a process of its own; ``heard`` is told whenever the task saved."""
    messages = part.with_suffix(".log")
    started, seen, found = time.perf_counter(), None, {}
    with messages.open("wb") as log:
        child = subprocess.Popen([sys.executable, __file__, *arguments, "--part", str(part)], stdout=log, stderr=log)
        try:
            while (code := child.poll()) is None and time.perf_counter() - started < limit:
                time.sleep(0.2)
                if part.exists() and part.stat().st_mtime_ns != seen:
                    seen, found = part.stat().st_mtime_ns, json.loads(part.read_text())
                    heard(found)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
    found = json.loads(part.read_text()) if part.exists() else {}
    if code != 0:
        reason = f"stopped after {limit:.0f} s" if code is None else f"ended with exit code {code}"
        last = messages.read_text(errors="replace").strip().splitlines()[-1:]
        found["error"] = f"{reason}: {last[0] if last else 'it said nothing'}"[:300]
    return found


def table(result: Json) -> str:
    """A plain table of the figures that matter, a row a model and provider; '-' where there is none."""
    columns = {
        "largest": ("parity", "largest", "{:.1e}"),
        "labels": ("parity", "label_agreement", "{:.5f}"),
        "batch": ("session", "chosen_batch_size", "{}"),
        "session": ("session", "mb_per_second", "{:.2f}"),
        "encode": ("encoding", "mb_per_second", "{:.2f}"),
        "read": ("reading", "mb_per_second", "{:.0f}"),
        "scan": ("scan", "mb_per_second", "{:.2f}"),
        "share": ("scan", "share_of_slowest_stage", "{:.0%}"),
        "default": ("scan_by_default", "mb_per_second", "{:.2f}"),
        "GPU MB": ("scan", "gpu_memory_mb", "{:.0f}"),
        "tiles": ("tracks", "same_bytes_with_other_tiles", "{}"),
        "moved": ("tracks", "calls_placed_differently", "{}"),
        "calls": ("tracks", "calls_on_cpu", "{}"),
    }
    lines = [f"{'Mb/s':24s}" + "".join(f"{name:>10s}" for name in columns)]
    for name, found in result["models"].items():
        cells = []
        for section, key, form in columns.values():
            value = found.get(section, {}).get(key)
            cells.append("-" if value is None else form.format(value))
        lines.append(f"{name:24s}" + "".join(f"{cell:>10s}" for cell in cells))
    lines += [f"{name}: {text}" for name, text in errors(result)]
    return "\n".join(lines)


def errors(found: Json, name: str = "") -> Iterator[tuple[str, str]]:
    """Every recorded error with where it lies."""
    for key, value in found.items():
        if key == "error":
            yield name, value
        elif isinstance(value, dict):
            yield from errors(value, f"{name}.{key}" if name else key)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--models", nargs="+", choices=tuple(BATCHES), default=list(BATCHES))
    parser.add_argument("--providers", nargs="+", choices=tuple(PROVIDER_OF), default=["cuda"], metavar="cuda|tensorrt")
    parser.add_argument("--seconds", type=float, default=5.0, help="about how long a speed is measured")
    parser.add_argument("--repeats", default="repeats", help="the fp32 repeats model: a bundled name or a file")
    parser.add_argument("--genome", type=Path, help="FASTA to scan instead of a simulated genome")
    for name in ("--small", "--part", "--folder", "--task"):  # for trying the script, and for its own processes
        how = {"action": "store_true"} if name == "--small" else {"type": Path if name != "--task" else str}
        parser.add_argument(name, help=argparse.SUPPRESS, **how)
    settings = parser.parse_args(argv)
    if settings.out is None and settings.part is None:
        parser.error("name the JSON file with --out")
    return settings


def run_task(settings: argparse.Namespace) -> None:
    """What one of the script's own processes does: 'prepare', or a model file's stem and a provider."""

    def save(found: Json) -> None:
        write_json(settings.part, found)

    if settings.task == "prepare":
        prepare(settings, settings.folder, save)
        return
    stem, provider = settings.task.split(":")
    model = stem.rsplit("-", 1)[0]
    bench = Bench(
        path=settings.folder / f"{stem}.onnx",
        reference=settings.folder / f"{model}-fp32.onnx",
        device=provider,
        genome=settings.genome or settings.folder / "genome.fa",
        seconds=settings.seconds,
        batches=SMALL_BATCHES if settings.small else BATCHES[model] if provider != "tensorrt" else TENSORRT_BATCHES,
    )
    run_model(bench, save)


def main(argv: list[str] | None = None) -> int:
    settings = parse(argv)
    if settings.task:
        run_task(settings)
        return 0
    problem = missing_gpu(settings.providers)
    if problem:
        print(f"gpu.py: {problem}", file=sys.stderr)
        return 1
    deadline = time.perf_counter() + WHOLE_LIMIT
    result: Json = {"machine": attempt(machine), "prepared": {}, "models": {}}
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(settings.out, result)
    passed = list(argv if argv is not None else sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="genoscan-") as name:
        folder = Path(name)
        os.environ.setdefault("GENOSCAN_CACHE", str(folder / "cache"))

        def task(label: str, place: Json, key: str, limit: float) -> None:
            def heard(found: Json) -> None:
                place[key] = found
                write_json(settings.out, result)

            started = time.perf_counter()
            part = folder / f"{label.replace(':', '.')}.json"
            heard(run_child([*passed, "--folder", name, "--task", label], part, limit, heard))
            print(f"{label}: {time.perf_counter() - started:.0f} s", flush=True)

        task("prepare", result, "prepared", PREPARE_LIMIT)
        labels = [
            f"{model}-{precision}:{provider}"
            for provider in settings.providers
            for model in settings.models
            for precision in PRECISIONS
        ]
        for number, label in enumerate(labels):
            if not (folder / f"{label.split(':')[0]}.onnx").exists():
                result["models"][label] = {"error": "there is no such model file: see prepared"}
                continue
            share = (deadline - time.perf_counter()) / (len(labels) - number)
            task(label, result["models"], label, min(MODEL_LIMIT, share))
    write_json(settings.out, result)
    print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
