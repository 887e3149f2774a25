"""Sessions: which device, which options, and answers that do not depend on either."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import onnx
import onnxruntime
import pytest
import toys
from onnx import helper

from genoscan.scanner.card import CARD_KEY, BytePairInput, Calling, KmerInput, ModelCard, NucleotideInput, Output
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.inference import devices, session
from genoscan.scanner.inference.devices import PROVIDER_OF, provider_options
from genoscan.scanner.inference.engines import engine_cache
from genoscan.scanner.inference.session import choose_device, default_batch_size, open_model, read_card

SHAPES = {"input_ids": ((8, 32), (64, 512)), "spectrum": ((4, 16, 1088), (4, 256, 1088))}


def encoded(model, codes):
    tensor = np.zeros((len(codes), *model.encoder.window_shape(codes.shape[1])), dtype=model.encoder.dtype)
    model.encoder.encode(codes, tensor)
    return tensor


def random_batches(model, count=16, seed=0):
    random = np.random.default_rng(seed)
    size = (count, model.batch_size, model.card.window)
    return [encoded(model, codes) for codes in random.integers(0, 5, size, dtype=np.uint8)]


# ---- devices


def options_of(device, **fields):
    fields = {"half": False, "input_names": ("x",), "smallest": (1, 2), "largest": (3, 4), **fields}
    fields = {"engine_folder": "/some/folder", **fields}
    return provider_options(device, **fields)


def test_providers_most_wanted_first():
    names = {device: [name for name, _ in options_of(device)] for device in PROVIDER_OF}
    assert names == {
        "cpu": ["CPUExecutionProvider"],
        "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
        "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
    }
    assert all(options[0][0] == PROVIDER_OF[device] for device in PROVIDER_OF for options in [options_of(device)])


def test_options_are_texts_and_tf32_is_off():
    for device in PROVIDER_OF:
        for _, options in options_of(device):
            assert all(isinstance(one, str) for pair in options.items() for one in pair)
    assert dict(options_of("cuda"))["CUDAExecutionProvider"]["use_tf32"] == "0"


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("half", [False, True])
def test_tensorrt_knows_the_shapes_and_keeps_its_engines(name, half):
    smallest, largest = SHAPES[name]
    listed = options_of("tensorrt", half=half, input_names=(name,), smallest=smallest, largest=largest)
    options = dict(listed)["TensorrtExecutionProvider"]
    expected = {
        "input_ids": ("input_ids:8x32", "input_ids:64x512"),
        "spectrum": ("spectrum:4x16x1088", "spectrum:4x256x1088"),
    }[name]
    assert (options["trt_profile_min_shapes"], options["trt_profile_max_shapes"]) == expected
    assert options["trt_profile_opt_shapes"] == expected[1]
    assert options["trt_fp16_enable"] == str(int(half))
    assert options["trt_engine_cache_enable"] == "1"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == "/some/folder"


def test_the_engine_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("GENOSCAN_CACHE", str(tmp_path / "mine"))
    assert engine_cache() == tmp_path / "mine" / "tensorrt"
    monkeypatch.delenv("GENOSCAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert engine_cache() == tmp_path / "xdg" / "genoscan" / "tensorrt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert engine_cache() == tmp_path / "home" / ".cache" / "genoscan" / "tensorrt"


@pytest.mark.parametrize(
    ("built", "count", "expected"), [(True, 2, "cuda"), (True, 0, "cpu"), (False, 1, "cpu"), (False, 0, "cpu")]
)
def test_auto_takes_cuda_where_both_halves_are_there(monkeypatch, built, count, expected):
    providers = ["CUDAExecutionProvider"] * built + ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(session, "cuda_device_count", lambda: count)
    assert choose_device("auto") == expected
    assert [choose_device(device) for device in PROVIDER_OF] == list(PROVIDER_OF)


@pytest.fixture
def gc(tmp_path):
    return toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4))


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_not_there_is_an_error(monkeypatch, gc, device):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(GenoscanError, match=f"--device {device}: this build of ONNX Runtime has no"):
        open_model(gc, device)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDER_OF.values()))
    if device == "tensorrt":
        monkeypatch.setattr(session, "tensorrt_version", lambda: None)
        with pytest.raises(GenoscanError, match=r"libnvinfer\.so\.10\) is not installed: pip install"):
            open_model(gc, device)
    monkeypatch.setattr(session, "tensorrt_version", lambda: 101200)
    monkeypatch.setattr(session, "cuda_device_count", lambda: 0)
    with pytest.raises(GenoscanError, match=f"--device {device}: no CUDA device is visible"):
        open_model(gc, device)


def test_onnx_runtimes_own_fallback_is_never_taken(monkeypatch, gc):
    """A session that comes up on the CPU although CUDA was asked for is an error, and none is asked to fall back."""
    asked = []

    class Fallen(onnxruntime.InferenceSession):
        def __init__(self, content, options, providers, **more):
            first = providers[0] if isinstance(providers[0], str) else providers[0][0]
            asked.append((first, more))
            super().__init__(content, options, providers=["CPUExecutionProvider"])

    card = read_card(gc)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Fallen)
    monkeypatch.setattr(session, "require_device", lambda _: None)
    with pytest.raises(GenoscanError, match="--device cuda: ONNX Runtime could not start CUDAExecutionProvider"):
        open_model(gc, "cuda", card=card)
    inspected, used = asked
    assert inspected == ("CPUExecutionProvider", {"enable_fallback": 0})
    assert used == ("CUDAExecutionProvider", {"enable_fallback": 0})


def test_an_engine_cache_that_cannot_be_made(monkeypatch, gc):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDER_OF.values()))
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("CUDA was not found"), raising=False)
    monkeypatch.setattr(session, "cuda_device_count", lambda: 1)
    monkeypatch.setattr(session, "tensorrt_version", lambda: 101200)
    monkeypatch.setenv("GENOSCAN_CACHE", str(gc))
    with pytest.raises(GenoscanError, match="set GENOSCAN_CACHE to a folder"):
        open_model(gc, "tensorrt")


def test_looking_for_cuda_prints_nothing(monkeypatch, capsys):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDER_OF.values()))
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("CUDA was not found"), raising=False)
    monkeypatch.setattr(session, "cuda_device_count", lambda: 1)
    session.require_device("cuda")
    assert capsys.readouterr() == ("", "")


def test_tensorrt_knows_the_shapes_of_several_inputs():
    listed = options_of("tensorrt", input_names=("a", "b"), smallest=(1, 2), largest=(3, 4))
    options = dict(listed)["TensorrtExecutionProvider"]
    assert (options["trt_profile_min_shapes"], options["trt_profile_max_shapes"]) == ("a:1x2,b:1x2", "a:3x4,b:3x4")


def test_unknown_devices(gc):
    with pytest.raises(UsageError, match="unknown device 'gpu': choose one of auto, cpu, cuda, tensorrt"):
        open_model(gc, "gpu")


def test_counting_devices_without_a_driver(monkeypatch):
    def missing(_):
        raise OSError("no such library")

    monkeypatch.setattr(devices.ctypes, "CDLL", missing)
    assert devices.cuda_device_count() == 0


# ---- batches


def card_of(window, **fields):
    spec = fields.get("input", NucleotideInput())
    output, calling = Output(names=("a",), activation="identity", bin=window), Calling(threshold=1, extend=1)
    return ModelCard(name="a", version="1", task="regression", input=spec, window=window, step=window, context=0,
                     strand="forward", output=output, calling=calling)  # fmt: skip


@pytest.mark.parametrize(("device", "bases"), [("cpu", 2**15), ("cuda", 2**20), ("tensorrt", 2**20)])
def test_default_batches_hold_so_many_bases(device, bases):
    assert default_batch_size(device, card_of(4096)) * 4096 == bases
    assert default_batch_size(device, card_of(10 * bases)) == 1
    assert default_batch_size(device, card_of(10)) == 512
    byte_pairs = BytePairInput(tokenizer="{}", pad=0)
    kmers = KmerInput(k=6, stride=3, unknown=0)
    if device == "cpu":  # some hundred tokens: more would not fit into its cache
        assert default_batch_size(device, card_of(150, input=kmers)) == 300 * 3 // 150
        assert default_batch_size(device, card_of(4096, input=byte_pairs)) == 1
    else:
        assert default_batch_size(device, card_of(512, input=byte_pairs)) == 64


def test_shorter_windows_make_larger_batches_of_the_same_work(tmp_path):
    path = toys.write(tmp_path / "a.onnx", toys.base_model("A", 96, 16, shortest_window=32))
    model = open_model(path, "cpu", 5)
    assert [model.rows(window) for window in (128, 64, 32)] == [5, 10, 20]


def test_a_batch_has_an_upper_limit(gc):
    with pytest.raises(UsageError, match="--batch-size 100000000 is too large for windows of 8 bases"):
        open_model(gc, "cpu", 100_000_000)


def test_a_fixed_batch_is_kept_to(tmp_path):
    proto = onnx.load_from_string(toys.gc_model(8, 4))
    dimension = proto.graph.input[0].type.tensor_type.shape.dim[0]
    dimension.ClearField("dim_param")
    dimension.dim_value = 6
    path = toys.write(tmp_path / "six.onnx", proto.SerializeToString())
    assert open_model(path, "cpu").batch_size == open_model(path, "cpu", 6).batch_size == 6
    with pytest.raises(UsageError, match="batches of 6"):
        open_model(path, "cpu", 5)


# ---- cards and files


def test_a_card_may_be_given_for_a_model_without_one(tmp_path, gc):
    proto = onnx.load(gc)
    card = read_card(gc)
    del proto.metadata_props[:]
    bare = toys.write(tmp_path / "bare.onnx", proto.SerializeToString())
    with pytest.raises(GenoscanError, match="no genoscan card"):
        open_model(bare, "cpu")
    model = open_model(bare, "cpu", card=card)
    np.testing.assert_array_equal(
        model.run(encoded(model, np.array([[0, 1, 2, 3, 1, 1, 4, 4]] * model.batch_size, dtype=np.uint8))),
        np.full((model.batch_size, 1), 4 / 8, dtype=np.float32),
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(GenoscanError, match=r"nix\.onnx: cannot read the model: No such file"):
        open_model(tmp_path / "nix.onnx", "cpu")


@pytest.mark.parametrize("seed", range(40))
def test_damaged_models_never_end_in_anything_but_one_error(tmp_path, seed):
    random = np.random.default_rng(seed)
    content = bytearray(toys.gc_model(8, 4))
    for place in random.integers(0, len(content), 4).tolist():
        content[place] = int(random.integers(0, 256))
    path = toys.write(tmp_path / "bad.onnx", bytes(content))
    with suppress(GenoscanError):  # or it is still a model
        open_model(path, "cpu")


def test_other_metadata_does_no_harm(tmp_path, gc):
    proto = onnx.load(gc)
    text = proto.metadata_props[0].value
    helper.set_model_props(proto, {"author": "someone", CARD_KEY: text})
    assert read_card(toys.write(tmp_path / "two.onnx", proto.SerializeToString())) == read_card(gc)


# ---- several tensors


def test_each_tensor_gets_what_is_its_own(tmp_path):
    """The toy tells its tensors apart: methylated CpGs count for the one class, the others for the other."""
    model = open_model(toys.write(tmp_path / "reads.onnx", toys.read_model(8)), "cpu", 3)
    codes = np.array([[0, 17, 2, 3, 3, 17, 2, 0], [0, 9, 2, 3, 3, 17, 2, 4], [0, 1, 2, 3, 3, 1, 2, 0]], dtype=np.uint8)
    batch = encoded(model, codes)
    assert batch.shape == (3, 2, 8)
    assert model.run(batch).tolist() == [[4, 0], [1, 2], [0, 0]]


def test_the_order_of_a_files_inputs_plays_no_part(tmp_path):
    proto = onnx.load_from_string(toys.read_model(8))
    first, second = list(proto.graph.input)
    del proto.graph.input[:]
    proto.graph.input.extend([second, first])
    model = open_model(toys.write(tmp_path / "turned.onnx", proto.SerializeToString()), "cpu", 1)
    assert model.run(encoded(model, np.array([[0, 17, 2, 3, 3, 9, 2, 4]], dtype=np.uint8))).tolist() == [[1, 2]]


@pytest.mark.parametrize("change", ["name", "missing", "window", "dtype"])
def test_tensors_that_are_not_the_cards(tmp_path, change):
    proto = onnx.load_from_string(toys.read_model(8))
    if change == "window":
        proto = onnx.load_from_string(toys.read_model(9))
        helper.set_model_props(
            proto, {CARD_KEY: read_card(toys.write(tmp_path / "8.onnx", toys.read_model(8))).to_json()}
        )
    elif change == "missing":
        proto = onnx.load_from_string(toys.kmer_bert(3, window=8))
        helper.set_model_props(
            proto, {CARD_KEY: read_card(toys.write(tmp_path / "8.onnx", toys.read_model(8))).to_json()}
        )
    elif change == "dtype":
        proto.graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.INT32
        for node in proto.graph.node:
            if "methylation" in node.input:
                proto.graph.node.insert(
                    0, helper.make_node("Cast", ["methylation"], ["wide"], to=onnx.TensorProto.INT64)
                )
                break
        for node in list(proto.graph.node)[1:]:
            node.input[:] = ["wide" if one == "methylation" else one for one in node.input]
    else:
        proto.graph.input[1].name = "states"
        for node in proto.graph.node:
            node.input[:] = ["states" if one == "methylation" else one for one in node.input]
    path = toys.write(tmp_path / "other.onnx", proto.SerializeToString())
    with pytest.raises(GenoscanError, match=r"input does not match its card: .* for each of tokens, methylation$"):
        open_model(path, "cpu")


# ---- answers


def test_gc_by_hand(gc):
    model = open_model(gc, "cpu", 3)
    codes = np.array([[0, 0, 0, 0, 0, 0, 0, 0], [1, 2, 1, 2, 1, 2, 1, 2], [0, 1, 2, 3, 4, 4, 4, 4]], dtype=np.uint8)
    output = model.run(encoded(model, codes))
    assert output.dtype == np.float32
    np.testing.assert_array_equal(output, [[0], [1], [0.25]])


def test_threads_share_a_session(tmp_path):
    model = open_model(toys.write(tmp_path / "bert.onnx", toys.kmer_bert(window=64)), "cpu", 4)
    batches = random_batches(model)
    alone = [model.run(batch) for batch in batches]
    barrier = threading.Barrier(4)

    def run_all(_):
        barrier.wait()
        return [model.run(batch) for batch in batches]

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(run_all, range(4)):
            np.testing.assert_array_equal(np.stack(found), np.stack(alone))


def test_a_batch_of_another_shape_is_an_error_that_names_the_model(gc):
    model = open_model(gc, "cpu", 3)
    with pytest.raises(GenoscanError, match=r"gc.onnx: the model failed on a batch of shape \[3, 4, 7\]"):
        model.run(np.zeros((3, 4, 7), dtype=np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers(gc, value):
    model = open_model(gc, "cpu", 2)
    batch = np.ones((2, 4, 8), dtype=np.float32)
    batch[1, 1, 3] = value
    with pytest.raises(GenoscanError, match=r"gc\.onnx: the model gave NaN or infinite scores"):
        model.run(batch)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["bert", "base"])
def test_cuda_agrees_with_the_cpu(tmp_path, name):
    if PROVIDER_OF["cuda"] not in onnxruntime.get_available_providers() or not devices.cuda_device_count():
        pytest.skip("no CUDA device, or no CUDA build of ONNX Runtime")
    made = toys.kmer_bert(window=64) if name == "bert" else toys.base_model("A", 96, 16)
    path = toys.write(tmp_path / "toy.onnx", made)
    cpu, cuda = open_model(path, "cpu", 8), open_model(path, "cuda", 8)
    assert (cpu.device, cuda.device, open_model(path, "auto").device) == ("cpu", "cuda", "cuda")
    batches = random_batches(cpu)
    expected = [cpu.run(batch) for batch in batches]
    with ThreadPoolExecutor(3) as pool:  # each thread has buffers of its own on the device
        found = list(pool.map(cuda.run, batches))
    np.testing.assert_allclose(np.stack(found), np.stack(expected), rtol=0, atol=1e-4)
