"""What is measured of a setting, which batch is picked, and from where in a genome."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import toys
from onnx import helper

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.inference.session import open_model
from genoscan.scanner.throughput import stages
from genoscan.scanner.throughput.matrix_rate import PRODUCTS, matrix_rate
from genoscan.scanner.throughput.memory import peak_memory, peak_memory_of_all
from genoscan.scanner.throughput.stages import Setting, best_batch_size, first_regions, measure


@pytest.fixture
def genome(tmp_path):
    letters = np.array(list("ACGT"))[np.random.default_rng(0).integers(0, 4, 3000)]
    path = tmp_path / "genome.fa"
    path.write_text(f">unknown\n{'N' * 50}\n>one\n{'N' * 20}{''.join(letters)}\n")
    return str(path)


@pytest.fixture
def quick(monkeypatch):
    """Matrices of a hundredth of the time."""
    monkeypatch.setattr("genoscan.scanner.throughput.matrix_rate.ON_CPU", 64)
    monkeypatch.setattr(stages, "_MATRIX_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
def test_a_scan_of_both_strands(tmp_path, genome):
    model = toys.write(tmp_path / "motif.onnx", toys.motif_model("ACGT", 50, task="classification"))
    found = measure(Setting(str(model), "cpu", 1, 2, 4), genome, 0.05)
    assert (found.name, found.precision, found.batch_size) == ("motif-ACGT", "fp32", 4)
    # two windows, one of each strand, for every step of 50 bases
    assert found.mb_per_window == pytest.approx(50 / 1e6 / 2)
    assert min(found.session, found.encoding, found.scan) > 0
    assert found.bound == pytest.approx(1 / (1 / found.session + 1 / found.encoding))
    assert found.share_of_session == pytest.approx(found.scan / found.session)
    # one channel of 4 x 4 weights at the 56 places of a window
    assert found.multiply_accumulates == {"fp32": 56 * 16}
    assert found.share_of_matrix_rate == pytest.approx(found.scan * 56 * 16 / found.matrix_rates["fp32"])
    assert found.human_genome_seconds == pytest.approx(3100 / (found.scan * found.mb_per_window))
    assert 50 < found.memory_mb < 5000


@pytest.mark.usefixtures("quick")
def test_reads(tmp_path, genome):
    model = str(toys.write(tmp_path / "reads.onnx", toys.read_model()))
    found = measure(Setting(model, "cpu", 1, 1, 4), genome, 0.03)
    assert (found.mb_per_window, found.human_genome_seconds) == (None, None)
    assert found.scan > 0
    assert (found.multiply_accumulates, found.share_of_matrix_rate) == ({}, None)
    with pytest.raises(UsageError, match="one worker"):
        measure(Setting(model, "cpu", 2, 1, 4), genome, 0.03)


def test_regions_begin_where_bases_are_known(genome):
    with stages.open_genome(genome, warn=lambda _: None) as opened:
        assert first_regions(opened, 100) == ("one:21-120",)
        assert first_regions(opened, 10_000) == ("one:21-3020",)
        assert first_regions(opened, 200, 100) == ("one:101-300",)
        assert first_regions(opened, 200, 3000) == ("one:21-220",)  # no room for a whole unit
    contigs = {"a": [4, 4, 0, 1, 4], "b": [4], "c": [0] * 7, "d": [1] * 9}
    made = SimpleNamespace(
        names=list(contigs),
        lengths=np.array([len(one) for one in contigs.values()]),
        codes=lambda contig, start, end: np.array([*contigs.values()][contig][start:end]),
    )
    assert first_regions(made, 8) == ("a:3-5", "c:1-5")


@pytest.mark.parametrize(
    ("batches_a_second", "fits", "best", "tried"),
    [
        # windows a second: 800, 1600, 2400, 2400, 1280: the last is slower, and of the two fastest the smaller is taken
        ({8: 100, 16: 100, 32: 75, 64: 37.5, 128: 10}, 4096, 32, [8, 16, 32, 64, 128]),
        # 16 is 98 % as fast as 32, which is near enough
        ({8: 50, 16: 98, 32: 50, 64: 10}, 4096, 16, [8, 16, 32, 64]),
        # memory ends while larger batches are still faster
        ({8: 100, 16: 100, 32: 100}, 32, 32, [8, 16, 32]),
        # the second is slower, but two sizes alone do not end the search
        ({8: 100, 16: 20, 32: 100, 64: 5}, 4096, 32, [8, 16, 32, 64]),
    ],
)
def test_the_best_batch(monkeypatch, tmp_path, batches_a_second, fits, best, tried):
    model = toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4))

    def opened(path, device, size):
        if size > fits:
            raise GenoscanError("out of memory")
        return open_model(path, device, size)

    def rate(work, *_):
        work(0)  # the model runs a batch of this size
        return batches_a_second[tried[len(ran) - 1]]

    ran = []
    monkeypatch.setattr(stages, "open_model", lambda *given: ran.append(given[-1]) or opened(*given))
    monkeypatch.setattr(stages, "rate", rate)
    expected = {size: batches_a_second[size] * size for size in tried}
    assert best_batch_size(str(model), "cpu", 0.1) == (best, expected)


def test_a_model_made_for_one_batch_and_a_device_that_holds_none(monkeypatch, tmp_path):
    made = onnx.load_from_string(toys.gc_model(8, 4))
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    fixed = str(toys.write(tmp_path / "fixed.onnx", made.SerializeToString()))
    assert list(best_batch_size(fixed, "cpu", 0.01)[1]) == [3]

    def full(*_):
        raise GenoscanError("out of memory")

    monkeypatch.setattr(stages, "open_model", full)
    with pytest.raises(GenoscanError, match="out of memory"):
        best_batch_size(fixed, "cpu", 0.1)


def test_the_memory_of_a_gpu_is_that_of_the_one_that_took_most():
    assert stages._most_taken([100.0, 50.0], [900.0, 50.0]) == 800.0
    assert stages._most_taken([], []) is None


def test_shares_of_several_precisions_add_up():
    """A millionth of a second of bytes and two of floats a window; 100,000 windows a second take 0.3 s of each."""
    products, rates = {"int8": 4e6, "fp32": 2e6}, {"int8": 4e12, "fp32": 1e12}
    assert stages._share_of_matrix_rate(products, rates, 1e5) == pytest.approx(0.3)
    assert stages._share_of_matrix_rate(products, {"int8": 4e12, "fp32": None}, 1e5) is None


@pytest.mark.parametrize(
    ("precision", "operator", "types"),
    [
        ("fp32", "MatMul", ("FLOAT", "FLOAT", "FLOAT")),
        ("fp16", "MatMul", ("FLOAT16", "FLOAT16", "FLOAT16")),
        ("int8", "MatMulInteger", ("UINT8", "INT8", "INT32")),
    ],
)
def test_the_products_are_what_they_are_called(precision, operator, types):
    """Each file is one product of square matrices, as onnx makes it."""
    kinds = [getattr(onnx.TensorProto, one) for one in types]
    first, second, result = (
        helper.make_tensor_value_info(name, kind, ["n", "n"]) for name, kind in zip("aby", kinds, strict=True)
    )
    node = helper.make_node(operator, ["a", "b"], ["y"])
    graph = helper.make_graph([node], "product", [first, second], [result])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    assert onnx.load(PRODUCTS / f"{precision}.onnx") == made


@pytest.mark.usefixtures("quick")
def test_a_rate_for_every_precision():
    """More than a million a second, on any machine; a device that is not there is an error."""
    assert all(matrix_rate("cpu", precision, 2, 0.01) > 1e6 for precision in ("fp32", "int8"))


def test_the_peak_of_a_process_stays_when_memory_is_given_back():
    before = peak_memory()
    held = np.ones(2**26, dtype=np.uint8)
    assert peak_memory() >= before
    assert peak_memory() >= held.nbytes
    del held
    assert peak_memory() >= 2**26
    assert peak_memory_of_all() >= peak_memory()
