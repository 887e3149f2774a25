"""What users get wrong: one line that says what, the right exit code, and every file as it was."""

from __future__ import annotations

import gzip
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import commands
import numpy as np
import onnx
import pytest
import toys
from onnx import TensorProto, helper

from genoscan.scanner.card import CARD_KEY, ModelCard, parse_card

SEQUENCE = "ACGTACGTAAAAACCCGGTTACGT" * 4
OLD_TRACK = b"an earlier track\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder of a user: a genome, a model, an earlier track; temporaries go to a folder beside it."""
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (here / "genome.fa").write_text(f">one\n{SEQUENCE}\n>two\n{SEQUENCE}\n")
    toys.write(here / "model.onnx", toys.gc_model(8, 4))
    (here / "out.bed").write_bytes(OLD_TRACK)
    return here


def one_error(folder, *arguments, code=1, stdin=None, kept=None):
    """The one line of an error, once it is shown that the command did nothing else; ``kept``: a folder of finished
    pieces that it leaves."""
    before = commands.contents(folder)
    result = commands.invoke(*arguments, stdin=stdin)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("genoscan: error: ")
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == code
    assert result.stdout_bytes == b""
    if kept is not None:
        assert list((folder / kept).glob("*.piece"))
        shutil.rmtree(folder / kept)
    assert commands.contents(folder) == before
    assert not list((folder.parent / "temporary").iterdir())
    return lines[0]


def scan(genome="genome.fa", model="model.onnx", *more):
    return "scan", genome, "--model", model, "-o", "out.bed", "--device", "cpu", *more


# ---- genomes

PROTEIN = ">p\nMKVLAAGIVGLCAKAYLEHPEFKLLMQPRSTVWYEFIL\n"
GENOMES = {
    "empty": (b"", "is empty"),
    "protein": (PROTEIN.encode(), "record 'p'.*protein"),
    "fastq": (b"@read\nACGT\n+\nIIII\n", "FASTQ"),
    "text": (b"hello world\n", "not FASTA"),
    "truncated-gzip": (gzip.compress(SEQUENCE.encode() * 1000, mtime=0)[:60], "truncated"),
    "gzip-of-nothing": (gzip.compress(b""), "is empty"),
    "duplicate-names": (b">one\nACGT\n>two\nACGT\n>one x\nACGT\n", "1 and 3 have the same name 'one'"),
    "no-bases": (b">one\n>two\n", "no bases"),
    "no-name": (b">\nACGT\n", "record 1 has no name"),
    "odd-letter": (b">one\nACGT\n>two\nACG!\n", "record 'two' has '!' at position 4"),
}


@pytest.mark.parametrize("name", GENOMES)
@pytest.mark.parametrize("given", ["file", "stdin"])
def test_a_genome_that_is_none(folder, name, given):
    content, said = GENOMES[name]
    (folder / "bad.fa").write_bytes(content)
    if given == "file":
        line = one_error(folder, *scan("bad.fa"))
        assert "bad.fa: " in line
    else:
        line = one_error(folder, *scan("-"), stdin=content)
        assert "<stdin>: " in line
    assert re.search(said, line), line


@pytest.mark.parametrize(
    ("genome", "said"),
    [("nix.fa", "nix.fa: no such file"), (".", ".: is a folder"), ("x" * 300, "File name too long"),
     ("genome.fa/x", "Not a directory"), ("", "no such file")],
)  # fmt: skip
def test_a_genome_that_cannot_be_read(folder, genome, said):
    assert said in one_error(folder, *scan(genome))


def test_an_empty_record_is_one_warning_and_the_rest_is_scanned(folder):
    (folder / "genome.fa").write_text(f">hole\n>one\n{SEQUENCE}\n")
    result = commands.invoke(*scan("genome.fa", "model.onnx", "-q"))
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("genoscan: warning: genome.fa: record 'hole' is empty")
    assert b"one\t" in (folder / "out.bed").read_bytes()


def test_names_with_control_characters_stay_within_their_line(folder):
    (folder / "odd\x1b[31m\nname\u2028.fa").write_text(f">hole\n>one\n{SEQUENCE}\n")
    shown = "odd\\x1b[31m\\nname\\u2028.fa: "
    result = commands.invoke(
        "scan", "odd\x1b[31m\nname\u2028.fa", "-m", "model.onnx", "-o", "out.bed", "--device", "cpu"
    )
    warning, summary = result.stderr.splitlines()
    assert warning.startswith(f"genoscan: warning: {shown}record 'hole' is empty")
    assert summary.startswith(f"genoscan: {shown}")
    assert f"genoscan: error: {shown}no such file" in one_error(folder, *scan("x/odd\x1b[31m\nname\u2028.fa")).replace(
        "x/", ""
    )


# ---- regions


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("one:1-97", "region 'one:1-97': reaches beyond the end of 'one', which has 96 bases"),
        ("one:97", "beyond the end of 'one'"),
        ("three:1-5", "unknown contig 'three'"),
        ("three", "unknown contig 'three'"),
        ("one:0-5", "counted from 1"),
        ("one:9-5", "starts after its end"),
        ("one:a-b", "expected one:START-END"),
        ("empty.bed", "the regions hold no bases of genome.fa"),
        ("comment.bed", "the regions hold no bases of genome.fa"),
        ("beyond.bed", "beyond.bed line 2: ends at 97"),
        ("unknown.bed", "unknown.bed line 1: unknown contig 'three'"),
        ("model.onnx", "model.onnx"),
    ],
)
def test_regions_that_mean_nothing(folder, region, said):
    beds = {"empty": "", "comment": "#chrom\n\n", "beyond": "one\t0\t5\none\t0\t97\n", "unknown": "three\t0\t1\n"}
    for name, text in beds.items():
        (folder / f"{name}.bed").write_text(text)
    assert said in one_error(folder, *scan("genome.fa", "model.onnx", "--regions", region), code=2)


# ---- models


def proto(model: bytes | None = None) -> onnx.ModelProto:
    return onnx.load_from_string(model or toys.gc_model(8, 4))


def card_of(model: onnx.ModelProto) -> ModelCard:
    return parse_card(next(one.value for one in model.metadata_props if one.key == CARD_KEY), "toy")


def with_card(text: str) -> bytes:
    model = proto()
    helper.set_model_props(model, {CARD_KEY: text})
    return model.SerializeToString()


def changed_card(path: str, value) -> str:
    """The toy's card with one field set (or, for ..., taken away)."""
    card = json.loads(card_of(proto()).to_json())
    *parents, last = path.split(".")
    place = card
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(card)


CARDS = [
    ("name", "../gc"),
    ("name", ...),
    ("task", "segmentatoin"),
    ("input.kind", "kmers"),
    ("input.layout", "two-hot"),
    ("window", 100),
    ("window", "eight"),
    ("window", 10**20),
    ("step", 0),
    ("step", ...),
    ("windw", 8),
    ("shortest_window", 0),
    ("shortest_window", 8),
    ("strand", "reverse"),
    ("max_unknown", 1.5),
    ("output.names", []),
    ("output.names", ["a\tb"]),
    ("output.bin", 3),
    ("output.called", ["other"]),
    ("calling.extend", 0.6),
    ("calling.threshold", float("nan")),
    ("calling.threshold", 1e300),
    ("calling.gap", -1),
    ("track.score_range", [1, 1]),
    ("track.color", "red"),
]


@pytest.mark.parametrize(("field", "value"), CARDS, ids=lambda one: str(one)[:20])
def test_a_wrong_card_names_the_field(folder, field, value):
    (folder / "bad.onnx").write_bytes(with_card(changed_card(field, value)))
    line = one_error(folder, *scan(model="bad.onnx"))
    said = "input: " if field == "input.kind" else field
    assert line.startswith(f"genoscan: error: bad.onnx: wrong model card: {said.removesuffix('.layout')}"), line


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"gc"'])
def test_a_card_that_is_none(folder, text):
    (folder / "bad.onnx").write_bytes(with_card(text))
    assert "bad.onnx: wrong model card: " in one_error(folder, *scan(model="bad.onnx"))
    assert "bad.onnx: wrong model card: " in one_error(folder, "models", "show", "bad.onnx")


def without_card() -> bytes:
    model = proto()
    del model.metadata_props[:]
    return model.SerializeToString()


FILES = {
    "no-card": (without_card, "has no genoscan card"),
    "empty": (lambda: b"", "bad.onnx: "),
    "random": (lambda: np.random.default_rng(1).bytes(5000), "not a readable ONNX model"),
    "truncated": (lambda: toys.kmer_bert(window=32)[:-5000], "not a readable ONNX model"),
    "half": (lambda: (lambda model: model[: len(model) // 2])(toys.gc_model(8, 4)), "bad.onnx: "),
    "a-genome": (lambda: f">one\n{SEQUENCE}\n".encode(), "not a readable ONNX model"),
    "a-pickle": (lambda: b"PK\x03\x04" + bytes(400), "not a readable ONNX model"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_model_file_that_is_none(folder, name):
    make, said = FILES[name]
    (folder / "bad.onnx").write_bytes(make())
    assert said in one_error(folder, *scan(model="bad.onnx"))


@pytest.mark.parametrize("model", ["nix", "nix.onnx", "some/nix.onnx", ".", "", "x" * 300])
def test_a_model_that_is_not_there(folder, model):
    line = one_error(folder, *scan(model=model), code=2)
    assert f"'{model}'" in line
    assert "bundled models: " in line


def counting(source_shape=("batch", 4, 8), kind=TensorProto.FLOAT, finish=None, rank=2, **card_fields) -> bytes:
    """A graph that sums its input a window, with the card of `toys.gc_model(8, 4)`; ``finish`` ends it."""
    graph = toys.Graph()
    source = "sequence" if kind == TensorProto.FLOAT else graph("Cast", "sequence", to=TensorProto.FLOAT)
    count = graph("ReduceSum", source, graph.ints(1, 2), keepdims=0)
    output = finish(graph, count) if finish else graph("Unsqueeze", count, graph.ints(1))
    card = card_of(proto()).model_copy(update=card_fields)
    return graph.serialize(card, ("sequence", kind, source_shape), output, [None] * rank)


def two_inputs() -> bytes:
    model = proto(counting())
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch"]))
    return model.SerializeToString()


def output_type(kind: int) -> bytes:
    model = proto(counting())
    last = model.graph.node[-1]
    model.graph.node.remove(last)
    model.graph.node.append(helper.make_node("Cast", last.input, last.output, to=kind))
    model.graph.output[0].type.tensor_type.elem_type = kind
    return model.SerializeToString()


def no_output() -> bytes:
    model = proto(counting())
    del model.graph.output[:]
    return model.SerializeToString()


def unsqueezed(*axes: int):
    return lambda graph, count: graph("Unsqueeze", count, graph.ints(*axes))


def fixed_although_short() -> bytes:
    """A card that promises shorter windows than the graph takes."""
    model = proto(toys.base_model("A", 16, 8))
    card = card_of(model).model_copy(update={"shortest_window": 8})
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return model.SerializeToString()


UNFIT = {
    "window": (lambda: counting(("batch", 4, 16)), "input does not match its card"),
    "input-rank": (
        lambda: counting(("batch", 4, 8, 1), finish=lambda _, count: count),
        "input does not match its card",
    ),
    "input-type": (lambda: counting(kind=TensorProto.DOUBLE), "input does not match its card"),
    "two-inputs": (two_inputs, "input does not match its card.*mask"),
    "no-batch": (lambda: counting((0, 4, 8)), "input does not match its card"),
    "output-rank-1": (lambda: counting(finish=lambda _, count: count, rank=1), "output does not match.*ask for"),
    "output-rank-3": (lambda: counting(finish=unsqueezed(1, 2), rank=3), "output does not match.*ask for"),
    "output-rank-0": (
        lambda: counting(finish=lambda graph, count: graph("ReduceMax", count, keepdims=0), rank=0),
        "output does not match",
    ),
    "output-count": (
        lambda: counting(finish=lambda graph, count: graph("Concat", *[unsqueezed(1)(graph, count)] * 2, axis=1)),
        r"output does not match its card: shape \[\d+, 2\]",
    ),
    "no-output": (no_output, "output does not match its card: the model has none"),
    "output-double": (lambda: output_type(TensorProto.DOUBLE), r"'logits' is tensor\(double\)"),
    "output-integer": (lambda: output_type(TensorProto.INT64), r"'logits' is tensor\(int64\)"),
    "output-text": (lambda: output_type(TensorProto.STRING), r"'logits' is tensor\(string\)"),
    "always-nan": (
        lambda: counting(finish=lambda graph, count: unsqueezed(1)(graph, graph("Log", graph("Neg", count)))),
        "gave NaN or infinite scores",
    ),
    "always-infinite": (
        lambda: counting(finish=lambda graph, count: unsqueezed(1)(graph, graph("Div", count, graph.constant(0)))),
        "gave NaN or infinite scores",
    ),
    "shorter-windows": (fixed_although_short, "failed on a batch of shape"),
}


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


# ---- options and places


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300"])
def test_a_threshold_that_is_no_score(folder, value):
    assert f"--threshold {float(value)}" in one_error(
        folder, *scan("genome.fa", "model.onnx", "--threshold", value), code=2
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--threshold", "high"),
        ("--min-length", "0"),
        ("--tile-size", "-5"),
        ("--batch-size", "0"),
        ("-t", "0"),
        ("-t", "100000"),
        ("--batch-size", "10000000"),
        ("--device", "gpu"),
        ("--format", "gff"),
        ("--unknown",),
    ],
    ids=" ".join,
)
def test_options_that_click_refuses(folder, options):
    before = commands.contents(folder)
    result = commands.invoke(*scan("genome.fa", "model.onnx", *options))
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert options[0] in result.stderr.splitlines()[-1]
    assert commands.contents(folder) == before


@pytest.mark.usefixtures("folder")
def test_a_measurement_that_would_not_end():
    for seconds in ("inf", "1e300"):
        result = commands.invoke("bench", "-m", "model.onnx", "--genome", "genome.fa", "--seconds", seconds)
        assert result.exit_code == 2
        assert "--seconds" in result.stderr


def test_a_batch_that_no_memory_holds(folder):
    toys.write(folder / "long.onnx", toys.gc_model(10_000, 5000))
    line = one_error(folder, *scan("genome.fa", "long.onnx", "--batch-size", "1000000"), code=2)
    assert "--batch-size 1000000 is too large for windows of 10,000 bases" in line


def test_a_device_that_is_not_there(folder, monkeypatch):
    monkeypatch.setattr("genoscan.scanner.inference.session.cuda_device_count", lambda: 0)
    for device in ("cuda", "tensorrt"):
        line = one_error(folder, "scan", "genome.fa", "-m", "model.onnx", "-o", "out.bed", "--device", device)
        assert line.startswith(f"genoscan: error: --device {device}: ")


PLACES = [
    (("-o", "nix/out.bed"), 1, "the folder 'nix' does not exist"),
    (("-o", "genome.fa/out.bed"), 1, "does not exist"),
    (("-o", "."), 1, "is a folder"),
    (("-o", "x" * 300), 1, "File name too long"),
    (("-o", "genome.fa"), 2, "genome.fa: is an input of this scan"),
    (("-o", "../here/genome.fa"), 2, "is an input of this scan"),
    (("-o", "link.fa"), 2, "link.fa: is an input of this scan"),
    (("-o", "model.onnx"), 2, "model.onnx: is an input of this scan"),
    (("-o", "some.bed", "--regions", "some.bed"), 2, "some.bed: is an input of this scan"),
    (("-o", "some", "--regions", "some.json"), 2, "some.json: is an input of this scan"),
    (("-o", "x.bed", "--out-dir", "tracks"), 2, "not both"),
    (("--out-dir", "genome.fa"), 1, "genome.fa: cannot make the folder"),
    (("--out-dir", "genome.fa/x"), 1, "cannot make the folder"),
    (("copy/genome.fa", "-o", "x.bed"), 2, "2 genomes and 1 model: name a folder for their tracks with --out-dir"),
    (("copy/genome.fa", "--out-dir", "tracks"), 2, "tracks/genome.gc.bed.gz: two of the genomes or models"),
    (("-m", "twin.onnx"), 2, "1 genome and 2 models"),
    (("-m", "twin.onnx", "--out-dir", "tracks"), 2, "two of the genomes or models"),
    (("-m", "model.onnx", "--out-dir", "tracks"), 2, "two of the genomes or models"),
    (("genome.fa", "--out-dir", "tracks"), 2, "genome 'genome.fa' is given twice"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "code", "said"), PLACES, ids=lambda one: str(one)[:40])
def test_places_that_cannot_be_written(folder, options, code, said):
    (folder / "copy").mkdir()
    for name in ("copy/genome.fa", "some.bed", "some.json"):
        (folder / name).write_text(f">one\n{SEQUENCE}\n" if name.endswith("fa") else "one\t0\t50\n")
    (folder / "link.fa").symlink_to("genome.fa")
    (folder / "twin.onnx").write_bytes((folder / "model.onnx").read_bytes())
    assert said in one_error(folder, "scan", "genome.fa", "-m", "model.onnx", *options, code=code)


def test_a_folder_without_permission(folder, monkeypatch):
    """Asked of the system rather than tried: the superuser may write everywhere."""
    (folder / "locked").mkdir()
    monkeypatch.setattr("genoscan.scanner.writing.output.os.access", lambda *_: False)
    assert "the folder 'locked' is not writable" in one_error(
        folder, "scan", "genome.fa", "-m", "model.onnx", "-o", "locked/x.bed"
    )


@pytest.mark.parametrize("arguments", [("bench", "-m", "model.onnx", "--genome", "nix.fa"),
                                       ("bench", "-m", "nix.onnx"), ("models", "show", "nix"),
                                       ("demo", "--no-scan", "-o", "genome.fa")])  # fmt: skip
def test_the_other_commands_say_one_line_too(folder, arguments):
    line = one_error(folder, *arguments, code=1 if "genome.fa" in arguments or "nix.fa" in arguments else 2)
    assert arguments[-1] in line


def test_devices_and_pipes_are_written_to_and_not_replaced(folder):
    expected = commands.invoke("scan", "genome.fa", "-m", "model.onnx", "-q").stdout_bytes
    (folder / "stdout").symlink_to("/proc/self/fd/1")  # what /dev/stdout is
    before = commands.contents(folder)
    with (folder.parent / "redirected").open("wb") as redirected:
        result = commands.run("scan", "genome.fa", "-m", "model.onnx", "-q", "-o", "stdout", stdout=redirected)
    assert (result.returncode, result.stderr) == (0, b"")
    assert (folder.parent / "redirected").read_bytes() == expected
    assert (folder / "stdout").is_symlink()
    (folder / "stdout").unlink()
    del before["stdout"]
    assert commands.contents(folder) == before


# ---- ends that come from outside


@pytest.fixture
def long_scan(folder):
    """Arguments of a scan that takes a minute, of a genome that needs a temporary folder."""
    letters = np.random.default_rng(1).choice(list("ACGT"), 3_000_000)
    (folder / "long.fa.gz").write_bytes(gzip.compress((">one\n" + "".join(letters) + "\n").encode(), 1))
    toys.write(folder / "slow.onnx", toys.kmer_bert(window=128, layers=4))
    return "scan", "long.fa.gz", "--model", "slow.onnx", "--device", "cpu", "--tile-size", "2000000"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_scan_at_once_and_leaves_nothing(folder, long_scan, name):
    before = commands.contents(folder)
    process = commands.start(*long_scan, "-o", "out.bed", text=True)
    deadline = time.monotonic() + 60
    while not (folder / "out.bed.pieces" / "out.bed.partial").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list((folder.parent / "temporary").iterdir())
    time.sleep(0.3)
    sent = time.monotonic()
    process.send_signal(getattr(signal, name))
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - sent < 4  # about 1 on a quiet machine
    assert process.returncode == 128 + getattr(signal, name)
    assert (stdout, len(stderr.splitlines())) == ("", 1)
    assert stderr.startswith("genoscan: ")
    assert commands.contents(folder) == before
    assert not list((folder.parent / "temporary").iterdir())


def test_a_reader_that_goes_away(folder):
    toys.write(folder / "a.onnx", toys.base_model("A", 4096, 64))
    letters = np.random.default_rng(1).choice(list("ACGT"), 1_000_000)
    (folder / "long.fa").write_text(">one\n" + "".join(letters) + "\n")
    process = commands.start("scan", "long.fa", "--model", "a.onnx", "--tile-size", "10000")
    assert process.stdout.readline() == b"#chrom\tstart\tend\tname\tscore\tstrand\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=30) == 128 + signal.SIGPIPE
    assert not list((folder.parent / "temporary").iterdir())


def test_a_disk_that_is_full(folder):
    """A limit on the size of files stands in for the disk."""
    letters = np.random.default_rng(1).choice(list("ACGT"), 200_000)
    (folder / "long.fa").write_text(">one\n" + "".join(letters) + "\n")
    toys.write(folder / "a.onnx", toys.base_model("A", 4096, 64))
    before = commands.contents(folder)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    for output in ("out.bed", "out.bed.gz"):
        result = commands.run("scan", "long.fa", "--model", "a.onnx", "-o", output, preexec_fn=limit)
        (line,) = result.stderr.decode().splitlines()
        assert re.match(rf"genoscan: error: {output}(\.pieces)?: cannot write: File too large", line)
        assert result.returncode == 1
        assert "--resume" in line or commands.contents(folder) == before


@pytest.mark.parametrize(
    ("closed", "said"),
    [("1", "<stdout>: is closed"), ("0", "<stdin>: is closed")],
)
def test_streams_that_are_closed(folder, closed, said):
    script = f"import os, sys; os.close({closed}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    arguments = ["-m", "genoscan", "scan", "-" if closed == "0" else "genome.fa", "--model", "model.onnx"]
    command = [sys.executable, "-c", script, *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"genoscan: error: {said}")


def test_onnx_runtime_adds_no_lines_of_its_own(folder):
    """A shape whose size overflows is an error that it would report by itself, coloured, beside ours."""
    model = proto()
    model.graph.initializer[0].dims[:] = [2**62]
    (folder / "bad.onnx").write_bytes(model.SerializeToString())
    for words in (("models", "show", "bad.onnx"), scan(model="bad.onnx")):
        result = commands.run(*words)
        (line,) = result.stderr.decode().splitlines()
        assert line.startswith("genoscan: error: bad.onnx: not a readable ONNX model")


def test_the_telemetry_of_onnx_runtime_is_off():
    """It would send model names and hashes away, and leaves a file among the temporaries."""
    script = "import os, genoscan.scanner.inference; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.data
def test_the_collected_oddities(data_folder, folder):
    """Each of them is scanned or refused in one line; none ends in a traceback or leaves anything."""
    scanned = []
    before = commands.contents(folder)
    for path in sorted((data_folder / "genomes" / "oddities").iterdir()):
        result = commands.invoke("scan", path, "-m", "model.onnx", "-q", "--device", "cpu")
        assert result.exit_code in (0, 1), path
        assert result.exception is None or isinstance(result.exception, SystemExit), path
        errors = [line for line in result.stderr.splitlines() if "error: " in line]
        assert len(errors) == result.exit_code, path
        if result.exit_code:
            assert path.name in errors[0]
        else:
            scanned.append(path)
    assert scanned
    assert commands.contents(folder) == before
    assert not list((folder.parent / "temporary").iterdir())
