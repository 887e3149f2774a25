"""Models that are not what their cards say: found before or during a scan, in one line."""

from __future__ import annotations

import re

import commands
import pytest
from mistakes import OLD_TRACK, one_error, scan
from unfit_models import UNFIT, counting, proto, unsqueezed


@pytest.mark.parametrize("name", UNFIT)
def test_a_model_that_is_not_what_its_card_says(folder, name):
    make, said = UNFIT[name]
    (folder / "bad.onnx").write_bytes(make())
    line = one_error(folder, *scan(model="bad.onnx"))
    assert line.startswith("genoscan: error: bad.onnx: ")
    assert re.search(said, line), line


def test_a_model_that_fails_in_mid_scan_leaves_the_earlier_track(folder):
    """NaN where a window holds no A; the first windows do."""

    def root(graph, _):
        letter_a = graph("Slice", "sequence", graph.ints(0), graph.ints(1), graph.ints(1))
        count = graph("ReduceSum", letter_a, graph.ints(1, 2), keepdims=0)
        return unsqueezed(1)(graph, graph("Sqrt", graph("Sub", count, graph.constant(1))))

    (folder / "bad.onnx").write_bytes(counting(finish=root))
    (folder / "genome.fa").write_text(">one\n" + "ACGT" * 1000 + "C" * 40 + "\n")
    line = one_error(folder, *scan("genome.fa", "bad.onnx", "--tile-size", "64"), kept="out.bed.pieces")
    assert line.startswith("genoscan: error: bad.onnx: the model gave NaN or infinite scores; try an fp32 export; ")
    assert "out.bed.pieces: the same command with --resume goes on" in line


def test_a_model_that_knows_no_answer_without_bases_still_scans(folder):
    """The share of G and C among known bases is 0 / 0 in a window of N, which no model is ever given."""

    def share(graph, count):
        both = graph("Slice", "sequence", graph.ints(1), graph.ints(3), graph.ints(1))
        return unsqueezed(1)(graph, graph("Div", graph("ReduceSum", both, graph.ints(1, 2), keepdims=0), count))

    (folder / "share.onnx").write_bytes(counting(finish=share))
    (folder / "genome.fa").write_text(">one\n" + "N" * 500 + "GCGCGCGC" + "N" * 500 + "\n")
    result = commands.invoke("scan", "genome.fa", "-m", "share.onnx", "-q", "--device", "cpu")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes.splitlines()[1:] == [b"one\t500\t508\tgc\t1000\t."]


def test_a_batch_size_that_is_fixed(folder):
    (folder / "model.onnx").write_bytes(counting((3, 4, 8)))
    assert commands.invoke(*scan("genome.fa", "model.onnx", "-q")).exit_code == 0
    assert (folder / "out.bed").read_bytes() != OLD_TRACK
    assert commands.invoke(*scan("genome.fa", "model.onnx", "-q", "--batch-size", "3")).exit_code == 0
    line = one_error(folder, *scan("genome.fa", "model.onnx", "--batch-size", "4"), code=2)
    assert "made for batches of 3" in line


def test_onnx_runtime_adds_no_lines_of_its_own(folder):
    """A shape whose size overflows is an error that it would report by itself, coloured, beside ours."""
    model = proto()
    model.graph.initializer[0].dims[:] = [2**62]
    (folder / "bad.onnx").write_bytes(model.SerializeToString())
    for words in (("models", "show", "bad.onnx"), scan(model="bad.onnx")):
        result = commands.run(*words)
        (line,) = result.stderr.decode().splitlines()
        assert line.startswith("genoscan: error: bad.onnx: not a readable ONNX model")
