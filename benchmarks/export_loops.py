"""The ways of running a window classifier that the benchmark of exports compares, each in windows a second.

All do the same work: the same windows of the same sequence to scores, on the same CPUs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from export_checkpoints import words
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from genoscan.scanner.inference.session import SLOW_ON_CPUS

LOOP_BATCH = 16


def rate(work: Callable[[], int], seconds: float) -> float:
    """Windows a second of ``work``, which says how many it did, over about ``seconds``; it runs once before."""
    work()
    started, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() - started < seconds:
        done += work()
    return done / (time.perf_counter() - started)


def written_loop(folder: Path, texts: list[str], k: int, threads: int) -> Callable[[], np.ndarray]:
    """What people write: the tokenizer window by window, batches filled up to the model's context, eager float32."""
    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    net = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    tokens = len(words(texts[0], k).split()) + 2

    def run() -> np.ndarray:
        rows = []
        with torch.no_grad():
            for begin in range(0, len(texts), LOOP_BATCH):
                encoded = [
                    tokenizer(words(text, k), padding="max_length", max_length=tokens, truncation=True)
                    for text in texts[begin : begin + LOOP_BATCH]
                ]
                batch = {name: torch.tensor([one[name] for one in encoded]) for name in encoded[0]}
                rows.append(net(**batch).logits.numpy())
        return np.concatenate(rows)

    return run


def torch_ways(
    folder: Path, tokens: np.ndarray, threads: int, batches: tuple[int, ...]
) -> dict[str, Callable[[], int]]:
    """PyTorch with tokens made beforehand: name of the way to a function that does one batch."""
    torch.set_num_threads(threads)
    net = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="sdpa").eval()
    compiled = torch.compile(net)  # for each batch anew, in the first call
    ways = {}
    for size in batches:
        batch = torch.from_numpy(np.resize(tokens, (size, tokens.shape[1])))
        for title, module in (("eager", net), ("compiled", compiled)):
            for half in (False, True):
                name = f"{title} {'bf16' if half else 'fp32'}, batch {size}"
                ways[name] = _torch_batch(module, batch, half)
    return ways


def _torch_batch(module: torch.nn.Module, batch: torch.Tensor, half: bool) -> Callable[[], int]:
    def work() -> int:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            module(input_ids=batch)
        return len(batch)

    return work


def session_ways(
    model: Path, tokens: np.ndarray, threads: int, batches: tuple[int, ...]
) -> dict[str, Callable[[], int]]:
    """A bare ONNX Runtime session, tokens made beforehand: as its documents open it, all threads in one run or a run of
    one thread on each; and opened as genoscan does, without the fusions that are slow on CPUs, a run on each thread."""
    sessions = {"one run": (threads, 1, ())} if threads > 1 else {}
    sessions |= {"runs side by side": (1, threads, ()), "opened as genoscan does": (1, threads, SLOW_ON_CPUS)}
    ways = {}
    for title, (inside, runs, without) in sessions.items():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = inside, 3
        session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=without
        )
        for size in batches:
            ways[f"{title}, batch {size}"] = _session_batch(session, np.resize(tokens, (size, tokens.shape[1])), runs)
    return ways


def _session_batch(session: onnxruntime.InferenceSession, batch: np.ndarray, runs: int) -> Callable[[], int]:
    name, repeats = session.get_inputs()[0].name, 4
    pool = ThreadPoolExecutor(runs)

    def several(_: int) -> None:
        for _ in range(repeats):
            session.run(None, {name: batch})

    def work() -> int:
        list(pool.map(several, range(runs)))
        return runs * repeats * len(batch)

    return work


def labels_of(model: Path, tokens: np.ndarray) -> np.ndarray:
    """The class that a model gives each row of tokens."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = np.array_split(tokens, -(-len(tokens) // LOOP_BATCH))
    return np.concatenate([session.run(None, {name: part})[0].argmax(axis=1) for part in parts])


def command_seconds(model: Path, genome: Path, threads: int) -> tuple[float, int]:
    """Seconds of a whole `genoscan scan` process on the CPU, and the windows that its model read."""
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        track = Path(folder, "track.bed")
        command = [sys.executable, "-m", "genoscan", "scan", str(genome), "--model", str(model), "-o", str(track)]
        command += ["--device", "cpu", "-t", str(threads), "-q"]
        started = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - started
        return seconds, json.loads(track.with_name(track.name + ".json").read_text())["counts"]["windows"]


def scan_rate(model: Path, genome: Path, tiny: Path, threads: int) -> float:
    """Windows a second of `genoscan scan`, end to end, less its start-up: the same command on a genome of a window."""
    started, few = command_seconds(model, tiny, threads)
    whole, windows = command_seconds(model, genome, threads)
    return (windows - few) / (whole - started)
