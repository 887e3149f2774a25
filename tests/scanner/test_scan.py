"""The whole scan, against answers known by hand: coordinates, strands, and that no way of cutting changes a byte."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import toys
from commands import scan_file
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.scanner.batch import genome_stem
from genoscan.scanner.scan import scan

LETTERS = "ACGT"


def random_sequence(length, seed):
    return "".join(np.random.default_rng(seed).choice(list(LETTERS), length))


@pytest.fixture(scope="module")
def genome_path(tmp_path_factory):
    """Three contigs, one of them short, with N runs, lower case, IUPAC letters and a planted motif."""
    first = random_sequence(5000, 1)
    first = first[:1000] + "N" * 700 + first[1700:2000].lower() + "RYK" + first[2003:]
    path = tmp_path_factory.mktemp("genome") / "small.fa"
    records = {"one": first, "tiny": "ACGTA", "two": random_sequence(3001, 2)}
    path.write_text("".join(f">{name} text\n{sequence}\n" for name, sequence in records.items()))
    return path


def sequences(path):
    records = path.read_text().split(">")[1:]
    return {record.split()[0]: "".join(record.split("\n")[1:]).upper() for record in records}


def track(path, model, tmp_path, batch_size=None, **options):
    out = tmp_path / "out.bed"
    scan_file(path, model, out, batch_size=batch_size, **options)
    return "".join(path.read_text() for path in sorted(tmp_path.glob("out*.bed")))  # raw scores: one a channel


def rows(text):
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def expected_runs(sequence, letter):
    return [match.span() for match in re.finditer(f"{letter}+", sequence)]


@pytest.mark.parametrize(("step", "context"), [(64, 0), (50, 7), (4096, 128)])
def test_every_base_is_where_it_should_be(genome_path, tmp_path, step, context):
    model = toys.write(tmp_path / "a.onnx", toys.base_model("A", step, context, strand="both"))
    found = rows(track(genome_path, model, tmp_path))
    for name, sequence in sequences(genome_path).items():
        for strand, letter in (("+", "A"), ("-", "T")):
            spans = [(int(row[1]), int(row[2])) for row in found if row[0] == name and row[5] == strand]
            assert spans == expected_runs(sequence, letter)
    assert {row[4] for row in found} == {"1000"}


def test_a_motif_is_found_on_both_strands(genome_path, tmp_path):
    model = toys.write(tmp_path / "m.onnx", toys.motif_model("ACGTA", 100))
    found = rows(track(genome_path, model, tmp_path))
    expected = []
    for name, sequence in sequences(genome_path).items():
        expected += [(name, m.start(), "+") for m in re.finditer("(?=ACGTA)", sequence)]
        expected += [(name, m.start() + 4, "-") for m in re.finditer("(?=TACGT)", sequence)]
    assert ("tiny", 0, "+") in expected
    places = [(row[0], start, row[5]) for row in found for start in range(int(row[1]), int(row[2]))]
    assert sorted(places) == sorted(expected)


def test_gc_of_windows_by_hand(tmp_path):
    """Window 8, step 4: bins at the ends take the window moved inwards, and half-known windows are scored."""
    path = tmp_path / "g.fa"
    path.write_text(">c\nGGGGAAAACCCCAAAAGG\n>n\nNNNNNGGGNNNNNNNNNNNN\n")
    model = toys.write(tmp_path / "gc.onnx", toys.gc_model(8, 4))
    text = track(path, model, tmp_path, format="bedgraph")
    # Windows read [0, 8) for bins 0 and 1 (start -2 moved to 0, then 2), ... and [10, 18) for the last ones.
    sequence = "GGGGAAAACCCCAAAAGG"
    expected = []
    for start in range(0, 18, 4):
        window = min(max(start - 2, 0), 10)
        part = sequence[window : window + 8]
        expected.append((start, min(start + 4, 18), (part.count("G") + part.count("C")) / 8))
    # Of contig n every window that touches GGG has at most 3 known bases of 8: more than half is unknown.
    merged = []
    for start, end, value in expected:
        if merged and merged[-1][2] == value:
            merged[-1] = (merged[-1][0], end, value)
        else:
            merged.append((start, end, value))
    assert [(row[0], int(row[1]), int(row[2]), float(row[3])) for row in rows(text)] == [("c", *one) for one in merged]


def test_bins_of_several_bases(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">c\nAAAACCAACCCCAAAAAANNNNNAAA\n")
    model = toys.write(tmp_path / "a.onnx", toys.base_model("A", 8, 4, bin=4))
    text = track(path, model, tmp_path, format="bedgraph")
    # The bin 16-20 is AANN, half known; 20-24 is NNNA, three quarters unknown; the last holds AA only.
    assert [tuple(row[1:]) for row in rows(text)] == [
        ("0", "4", "1"),
        ("4", "8", "0.5"),
        ("8", "12", "0"),
        ("12", "16", "1"),
        ("16", "20", "0.5"),
        ("24", "26", "0.5"),
    ]


MODELS = {
    "base": toys.base_model("G", 96, 16, strand="both"),
    "short": toys.base_model("G", 96, 16, shortest_window=32),
    "gc": toys.gc_model(100, 20),
    "motif": toys.motif_model("ACG", 50, task="classification"),
    "bert": toys.kmer_bert(window=64),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: toys.write(folder / f"{name}.onnx", model) for name, model in MODELS.items()}


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("format_", ["bed", "bedgraph"])
def test_tiles_and_threads_change_no_byte(genome_path, models, tmp_path, name, format_):
    options = {"format": format_, "threshold": 0.45}
    whole = track(genome_path, models[name], tmp_path, tile_size=10**6, threads=1, **options)
    assert len(rows(whole)) > 3
    for tile_size in (1, 300, 1777):
        for threads in (1, 3):
            assert track(genome_path, models[name], tmp_path, tile_size=tile_size, threads=threads, **options) == whole


@pytest.mark.parametrize("name", list(MODELS))
def test_batch_size_changes_no_call(genome_path, models, tmp_path, name):
    whole = track(genome_path, models[name], tmp_path, batch_size=1, threshold=0.45)
    for batch_size in (3, 64):
        assert track(genome_path, models[name], tmp_path, batch_size=batch_size, threshold=0.45) == whole


@settings(max_examples=15, deadline=None)
@given(region=st.tuples(st.integers(0, 4999), st.integers(1, 2000)), name=st.sampled_from(["short", "gc", "motif"]))
def test_a_region_gives_the_calls_of_the_whole(genome_path, models, tmp_path_factory, region, name):
    start, end = region[0], min(5000, region[0] + region[1])
    folder = tmp_path_factory.mktemp("region")
    part = rows(track(genome_path, models[name], folder, regions=(f"one:{start + 1}-{end}",)))
    whole = rows(track(genome_path, models[name], folder))
    inside = [row for row in whole if row[0] == "one" and start < int(row[1]) and int(row[2]) < end]
    assert [row for row in part if start < int(row[1]) and int(row[2]) < end] == inside
    assert all(start <= int(row[1]) and int(row[2]) <= end for row in part)


def test_bed_regions_and_contig_names(genome_path, models, tmp_path):
    bed = tmp_path / "regions.bed"
    bed.write_text("two\t0\t100\none\t1700\t1800\n")
    found = rows(track(genome_path, models["short"], tmp_path, regions=(str(bed), "tiny")))
    assert list(dict.fromkeys(row[0] for row in found)) == ["one", "tiny", "two"]


def test_unknown_bases_never_reach_the_model_or_the_track(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">c\n" + "N" * 10_000 + "A" * 50 + "N" * 10_000 + "\n>all\n" + "n" * 500 + "\n")
    model = toys.write(tmp_path / "a.onnx", toys.base_model("A", 64, 16))
    scan_file(path, model, tmp_path / "o.bed")
    counted = json.loads((tmp_path / "o.bed.json").read_text())["counts"]
    assert rows((tmp_path / "o.bed").read_text()) == [["c", "10000", "10050", "A", "1000", "+"]]
    assert counted["windows"] <= 2
    assert counted["skipped_windows"] == -(-20_050 // 64) + -(-500 // 64) - counted["windows"]


def test_threshold_and_length_come_from_the_card_unless_given(genome_path, tmp_path):
    model = toys.write(tmp_path / "a.onnx", toys.base_model("A", 64, 16))
    runs = [end - start for one in sequences(genome_path).values() for start, end in expected_runs(one, "A")]
    assert len(rows(track(genome_path, model, tmp_path, min_length=3))) == sum(size >= 3 for size in runs)
    assert rows(track(genome_path, model, tmp_path, threshold=1.1)) == []


def test_the_python_api_yields_the_same_calls(genome_path, models, tmp_path):
    calls = list(scan(genome_path, models["short"], device="cpu"))
    assert [[c.chrom, str(c.start), str(c.end), c.name, "1000", c.strand] for c in calls] == rows(
        track(genome_path, models["short"], tmp_path)
    )
    assert {(call.score, call.peak) for call in calls} == {(1.0, 1.0)}


def test_the_summary_says_what_was_done(genome_path, models, tmp_path):
    text = track(genome_path, models["short"], tmp_path)
    summary = json.loads((tmp_path / "out.bed.json").read_text())
    assert summary["counts"]["calls"] == len(rows(text))
    assert summary["counts"]["called_bases"] == sum(int(row[2]) - int(row[1]) for row in rows(text))
    assert summary["counts"]["bases"] == summary["genome"]["bases"] == 5000 + 5 + 3001
    assert summary["genome"]["contigs"] == 3
    assert summary["calling"] == {"threshold": 0.5, "extend": 0.5, "gap": 0, "min_length": 1}
    assert len(summary["model"]["sha256"]) == 64


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_bedtools_accepts_the_track(genome_path, models, tmp_path):
    track(genome_path, models["base"], tmp_path)
    out = tmp_path / "out.bed"
    sizes = tmp_path / "sizes"
    sizes.write_text("".join(f"{name}\t{len(one)}\n" for name, one in sequences(genome_path).items()))
    command = ["bedtools", "intersect", "-sorted", "-g", sizes, "-a", out, "-b", out, "-u", "-header"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == out.read_text()


@pytest.mark.parametrize(
    ("source", "stem"), [("a/b.fa", "b"), ("x.fasta.gz", "x"), ("-", "stdin"), ("my.v2.fna", "my.v2"), ("fa", "fa")]
)
def test_genome_stem(source, stem):
    assert genome_stem(source) == stem
