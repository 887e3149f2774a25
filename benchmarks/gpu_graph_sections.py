"""Sections of the GPU benchmark about the model's graph alone: where it runs, what it gives, and how fast it is."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnxruntime
from gpu_bench import Bench, tensor_of
from gpu_machine import gpu_memory_mb
from gpu_measure import ROUNDS, Json, attempt

from genoscan.export.parity import activate, difference, sample_windows, scored_places
from genoscan.scanner.encoding.encoder import encoder
from genoscan.scanner.inference.devices import provider_options
from genoscan.scanner.inference.engines import engine_cache
from genoscan.scanner.inference.session import open_model, read_model
from genoscan.scanner.throughput.matrix_rate import matrix_rate as rate_of_products
from genoscan.scanner.throughput.multiply_accumulates import window_multiply_accumulates
from genoscan.scanner.throughput.rate import best_rate

SWEEP_THREADS = 4
VARIANTS = {
    "as in a scan": {},
    "TF32": {"use_tf32": "1"},
    "exhaustive search": {"cudnn_conv_algo_search": "EXHAUSTIVE"},
    "channels last": {"prefer_nhwc": "1"},
}


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
    name = encoder(bench.card).names[0]
    engines = str(engine_cache() / bench.path.stem)
    providers = provider_options(
        bench.device, half=half, input_names=(name,), smallest=shape, largest=shape, engine_folder=engines
    )
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
    runs = best_rate(lambda number: model.run(tensors[number % 3]), threads, seconds, ROUNDS)
    return {
        "batch_size": model.batch_size,
        "mb_per_second": runs * model.batch_size * bench.card.step / 1e6,
        "windows_per_second": runs * model.batch_size,
        "milliseconds_a_batch": 1000 * threads / runs,
        "gpu_memory_mb": gpu_memory_mb(),
    }


def matrix_rate(bench: Bench) -> Json:
    """Multiply-adds a second of a large matrix product in the model's precision, on the device alone; the model's own
    for a window; and what share of that rate the session of `session` reaches."""
    half = bench.card.provenance.precision == "fp16"
    rate = rate_of_products(bench.device, "fp16" if half else "fp32", 1, bench.seconds / 5)
    found: Json = {"multiply_adds_per_second": rate}
    counted = window_multiply_accumulates(read_model(bench.path, "cpu"), bench.codes(1, 0))
    windows = max((one.get("windows_per_second", 0.0) for one in points(bench)), default=0.0)
    if rate and counted and windows:
        products = sum(counted.values())
        found |= {"products_a_window": products, "share_of_matrix_rate": windows * products / rate}
    return found


def points(bench: Bench) -> list[Json]:
    """What `session` measured, point by point."""
    measured = bench.results.get("session", {})
    return [*measured.get("by_batch_size", {}).values(), *measured.get("by_threads", {}).values()]


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
    runs = best_rate(lambda _: running.run_with_iobinding(binding), 1, bench.seconds / 8, ROUNDS)
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
        name: 1000 / best_rate(lambda number: model.run(pair[number % 2]), 1, bench.seconds / 8, ROUNDS)  # noqa: B023
        for name, pair in (("whole", (whole, whole)), ("short", (cut, cut)), ("in_turns", (whole, cut)))
    }
    return {**found, "cost_of_changing": found["in_turns"] / (found["whole"] / 2 + found["short"] / 2)}
