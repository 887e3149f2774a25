"""Annotated calls, from a genome to the lines of a track: what is said of a call does not depend on how it was found.

The model calls what lies between unknown bases (see `toys.known_model`), so calls are where the tests put them."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import commands
import numpy as np
import pytest
import toys
from commands import invoke, scan_file
from fastas import naive_codes

import genoscan
from genoscan.scanner.calling.repeats import COLUMNS, annotate
from genoscan.scanner.calling.satellites import load_satellites
from genoscan.scanner.errors import UsageError
from genoscan.scanner.resume import unpack

GAP = 5
HEADER = ["#chrom", "start", "end", "name", "score", "strand", *(column.name for column in COLUMNS)]
UNIT = "GATTACAGGCATCCGTTAAGCTCGATTGCCATGGAACTTGACCGTAGTCA"
"""A satellite of the user's."""


def array(random, period, length, divergence=0.1):
    """Copies of a random unit, each base another with some probability."""
    unit = random.integers(0, 4, period)
    codes = np.tile(unit, -(-length // period))[:length]
    changed = random.random(length) < divergence
    codes[changed] = random.integers(0, 4, changed.sum())
    return "".join(np.array(list("ACGT"))[codes])


def genome_of(random):
    """Arrays of many periods between gaps shorter, as long, and longer than what is joined; one over many tiles."""
    big = "N" * 37
    for number in range(250):
        big += array(random, int(random.integers(1, 90)), int(random.integers(1, 900)))
        big += "N" * (3, GAP, GAP + 1, 40, 300)[number % 5]
    big += array(random, 171, 30_000) + "N" * 10 + "AC" * 60 + UNIT * 8 + "NN" + "TTAGGG" * 30
    records = {"big": big, "end": array(random, 31, 4096) + "N" * 4 + array(random, 31, 5000)}
    records |= {f"short{number}": array(random, 7, 50 + 9 * number) for number in range(40)}
    return records


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with genome.fa, its records in records.json, a FASTA of satellites, and the model."""
    folder = tmp_path_factory.mktemp("annotated")
    records = genome_of(np.random.default_rng(7))
    (folder / "records.json").write_text(json.dumps(records))
    (folder / "genome.fa").write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records.items()))
    (folder / "mine.fa").write_text(f">mine of my own\n{UNIT}\n")
    toys.write(folder / "known.onnx", toys.known_model(512, 64, gap=GAP))
    return folder


def spans_of(sequence, gap=GAP):
    """Stretches of known bases, those at most ``gap`` apart joined."""
    spans = []
    for match in re.finditer("[ACGT]+", sequence):
        if spans and match.start() - spans[-1][1] <= gap:
            spans[-1][1] = match.end()
        else:
            spans.append(list(match.span()))
    return spans


def expected_rows(records, satellites, gap=GAP):
    """The rows of the track by the definition: `annotate` on each whole call, decimals as the columns ask."""
    rows = []
    for chrom, sequence in records.items():
        codes = np.array(naive_codes(sequence), dtype=np.uint8)
        for start, end in spans_of(sequence, gap):
            found = annotate(lambda a, b: codes[a:b], np.array([start]), np.array([end]), satellites, 1, 0.5)  # noqa: B023
            for one in found.segments:
                name = satellites.names[one["name"]] if one["name"] >= 0 else "known"
                numbers = [one[field] for field in ("consensus_size", "match", "indel", "purity", "a", "c", "g", "t")]
                unit = found.letters[one["unit_start"] : one["unit_end"]].tobytes().decode()
                place = chrom, str(one["start"]), str(one["end"])
                decimals = f"{one['copies'] / 10:.1f}", f"{one['entropy'] / 100:.2f}"
                rows.append(
                    [*place, name, "1000", ".", str(one["period"]), decimals[0], *map(str, numbers), decimals[1], unit]
                )
    return rows


def rows_of(text):
    header, *lines = [line.split("\t") for line in text.splitlines()]
    assert header == HEADER
    return lines


@pytest.fixture(scope="module")
def expected(place):
    """The lines of the whole genome."""
    rows = expected_rows(json.loads((place / "records.json").read_text()), load_satellites())
    assert len(rows) > 150
    return rows


def test_the_track_is_what_the_definition_says(place, expected, tmp_path):
    row = scan_file(place / "genome.fa", place / "known.onnx", tmp_path / "x.bed")
    found = rows_of((tmp_path / "x.bed").read_text())
    assert found == expected
    counts = json.loads((tmp_path / "x.bed.json").read_text())["counts"]
    assert counts["calls"] == row.calls == len(found)
    assert counts["called_bases"] == sum(int(row[2]) - int(row[1]) for row in found)


@pytest.mark.parametrize("tile_size", [2**12, 2**14, 2**16, 2**18])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_tiles_pieces_and_threads_change_no_byte(place, expected, tmp_path, monkeypatch, tile_size, threads):
    for wanted in (0, 3 * tile_size):  # bases of a piece: one tile, some tiles
        monkeypatch.setattr("genoscan.scanner.pieces.Pace.wanted", lambda *_, wanted=wanted: wanted)
        options = {"tile_size": tile_size, "threads": threads, "batch_size": 2}
        scan_file(place / "genome.fa", place / "known.onnx", tmp_path / "x.bed", **options)
        assert rows_of((tmp_path / "x.bed").read_text()) == expected


def small_pieces(folder, sequence, where, gap=GAP, **options):
    """The rows of a scan in tiles and pieces of 128 bases, and those that the definition gives."""
    (folder / "x.fa").write_text(f">x\n{sequence}\n")
    toys.write(folder / "small.onnx", toys.known_model(64, 8, gap=gap))
    where.setattr("genoscan.scanner.pieces.Pace.wanted", lambda *_: 0)
    scan_file(folder / "x.fa", folder / "small.onnx", folder / "x.bed", tile_size=128, batch_size=2, **options)
    return rows_of((folder / "x.bed").read_text()), expected_rows({"x": sequence}, load_satellites(), gap=gap)


@pytest.mark.parametrize("gap", [0, 1, GAP])
@pytest.mark.parametrize("unknown", [1, 4, 5, 6, 7])
def test_calls_within_a_gap_of_a_piece_border(tmp_path, monkeypatch, gap, unknown):
    """Whatever lies where: every place of a gap about a border is tried, in one contig."""
    random = np.random.default_rng(unknown)
    sequence = ""
    for shift in range(-9, 10):
        border = -(-(len(sequence) + 40) // 128) * 128
        sequence += array(random, 6, border + shift - len(sequence)) + "N" * unknown
    found, expected = small_pieces(tmp_path, sequence + "ACACAC", monkeypatch, gap)
    assert found == expected
    assert len({row[1] for row in found}) >= (20 if unknown > gap else 1)


def test_a_call_that_spans_many_pieces_is_annotated_once_and_whole(tmp_path, monkeypatch):
    sequence = "N" * 50 + array(np.random.default_rng(3), 37, 20_000, 0.05) + "N" * 50 + "AC" * 30
    calls = []

    def noted(read, starts, ends, *settings):
        calls.extend(zip(starts.tolist(), ends.tolist(), strict=True))
        return annotate(read, starts, ends, *settings)

    kinds = genoscan.scanner.calling.annotations.KINDS
    monkeypatch.setitem(kinds, "tandem-repeat", kinds["tandem-repeat"]._replace(annotate=noted))
    found, expected = small_pieces(tmp_path, sequence, monkeypatch)
    assert sorted(calls) == [(50, 20_050), (20_100, 20_160)]
    assert found == expected


def test_a_call_at_a_regions_edge_is_annotated_as_it_is_cut(place, tmp_path, monkeypatch):
    monkeypatch.setattr("genoscan.scanner.pieces.Pace.wanted", lambda *_: 0)
    records = json.loads((place / "records.json").read_text())
    for start, end in ((100, 4000), (4050, 4095), (4000, 9000)):
        regions = (f"end:{start + 1}-{end}",)
        for tile_size in (1024, 2**18):
            scan_file(
                place / "genome.fa", place / "known.onnx", tmp_path / "x.bed", regions=regions, tile_size=tile_size
            )
            cut = "N" * start + records["end"][start:end]
            assert rows_of((tmp_path / "x.bed").read_text()) == expected_rows({"end": cut}, load_satellites())


def test_a_call_over_two_regions_holds_what_lies_between_them(place, tmp_path, monkeypatch):
    monkeypatch.setattr("genoscan.scanner.pieces.Pace.wanted", lambda *_: 0)
    regions = ("end:501-1000", f"end:{1000 + GAP + 1}-2000")
    records = {"end": "N" * 500 + json.loads((place / "records.json").read_text())["end"][500:2000]}
    for tile_size in (1, 2**18):
        scan_file(place / "genome.fa", place / "known.onnx", tmp_path / "x.bed", regions=regions, tile_size=tile_size)
        assert rows_of((tmp_path / "x.bed").read_text()) == expected_rows(records, load_satellites())


def test_a_compound_call_becomes_a_line_for_each_of_its_parts(tmp_path):
    sequence = "N" * 20 + "AC" * 100 + UNIT * 8 + "N" * 20
    (tmp_path / "x.fa").write_text(f">x\n{sequence}\n")
    toys.write(tmp_path / "known.onnx", toys.known_model(64, 8))
    row = scan_file(tmp_path / "x.fa", tmp_path / "known.onnx", tmp_path / "x.bed")
    found = rows_of((tmp_path / "x.bed").read_text())
    assert [row[6] for row in found] == ["2", str(len(UNIT))]
    assert (found[0][1], found[1][2]) == ("20", str(20 + 200 + 8 * len(UNIT)))
    assert found[0][2] == found[1][1]
    assert abs(int(found[0][2]) - 220) <= 3
    assert [row[7] for row in found] == ["100.0", "8.0"]
    assert row.calls == 2


def test_satellites_of_the_users_name_calls(place, tmp_path):
    paths = place / "genome.fa", place / "known.onnx", tmp_path / "x.bed"
    scan_file(*paths, satellites=str(place / "mine.fa"), regions=("big",))
    with_mine = rows_of((tmp_path / "x.bed").read_text())
    scan_file(*paths, regions=("big",))
    without = rows_of((tmp_path / "x.bed").read_text())
    assert {row[3] for row in with_mine} - {row[3] for row in without} == {"mine"}
    assert [row[:3] + row[4:] for row in with_mine] == [row[:3] + row[4:] for row in without]


# ---- interrupted scans


@pytest.fixture
def slow_place(place, tmp_path):
    """The folder's own copy, with a genome that takes seconds in pieces of one tile."""
    for name in ("known.onnx", "mine.fa"):
        shutil.copy(place / name, tmp_path)
    text = "".join((place / "genome.fa").read_text().split("\n>end")[0])
    (tmp_path / "long.fa").write_text("".join(text.replace(">big", f">copy{number}") + "\n" for number in range(8)))
    return tmp_path


SLOW = ("scan", "long.fa", "-m", "known.onnx", "-o", "x.bed", "--device", "cpu", "--tile-size", "2048")


def test_a_killed_scan_goes_on_to_the_same_bytes(slow_place, monkeypatch):
    monkeypatch.chdir(slow_place)
    folder = slow_place / "x.bed.pieces"
    process = commands.start(*SLOW, "-t", "1", "--batch-size", "1", "-q")
    with process:
        until = time.monotonic() + commands.LIMIT
        while len(list(folder.glob("*.piece"))) < 3:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    kept = [unpack(path.read_bytes()) for path in folder.glob("*.piece")]
    assert sum(len(one.annotations[0].segments) for one in kept) > 0
    refused = invoke(*SLOW, "--batch-size", "1", "--resume", "--satellites", "mine.fa")
    assert refused.exit_code == 1
    assert "cannot resume: the options differ (satellites of known: " in refused.stderr
    assert invoke(*SLOW, "-t", "2", "--batch-size", "1", "--resume").exit_code == 0
    resumed = (slow_place / "x.bed").read_bytes()
    assert json.loads((slow_place / "x.bed.json").read_text())["counts"]["resumed_bases"] == sum(
        one.bases for one in kept
    )
    assert invoke(*SLOW, "--batch-size", "1").exit_code == 0
    assert (slow_place / "x.bed").read_bytes() == resumed
    assert "is complete already" in invoke(*SLOW, "--batch-size", "1", "--resume").stderr
    (slow_place / "mine.fa").write_text(">other\nACGTTGCA\n")
    assert "is complete" not in invoke(*SLOW, "--batch-size", "1", "--resume", "--satellites", "mine.fa").stderr


# ---- who reads the track


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_bedtools_sorts_and_merges_the_track(place, expected, tmp_path):
    out, names = tmp_path / "x.bed", tmp_path / "names"
    scan_file(place / "genome.fa", place / "known.onnx", out)
    records = json.loads((place / "records.json").read_text())
    names.write_text("".join(f"{name}\n" for name in records))
    run = {"capture_output": True, "text": True, "check": True}
    ordered = subprocess.run(["bedtools", "sort", "-g", names, "-header", "-i", out], **run)
    assert ordered.stdout == out.read_text()
    merged = subprocess.run(["bedtools", "merge", "-i", out, "-c", "7,17,18", "-o", "count,max,first"], **run)
    assert len(merged.stdout.splitlines()) == sum(len(spans_of(sequence)) for sequence in records.values())
    assert sum(int(line.split("\t")[3]) for line in merged.stdout.splitlines()) == len(expected)


@pytest.mark.skipif(shutil.which("tabix") is None, reason="tabix is not installed")
def test_tabix_finds_segments_by_place(place, expected, tmp_path):
    out = tmp_path / "x.bed.gz"
    scan_file(place / "genome.fa", place / "known.onnx", out)
    assert os.path.exists(f"{out}.csi")
    chrom, start, end, *_ = one = expected[len(expected) // 2]
    region = f"{chrom}:{int(start) + 1}-{end}"
    found = subprocess.run(["tabix", out, region], capture_output=True, text=True, check=True)
    assert found.stdout == "\t".join(one) + "\n"
    header = subprocess.run(["tabix", "-H", out], capture_output=True, text=True, check=True)
    assert header.stdout == "\t".join(HEADER) + "\n"


def test_python_gets_the_columns_of_each_line(place, expected):
    calls = list(genoscan.scan(place / "genome.fa", place / "known.onnx", device="cpu"))
    assert len(calls) == len(expected)
    for call, row in zip(calls, expected, strict=True):
        assert [call.chrom, str(call.start), str(call.end), call.name, call.strand] == [*row[:4], row[5]]
        assert (call.score, call.peak) == (1.0, 1.0)
        assert list(call.columns) == HEADER[6:]
        numbers = [float(row[7]), *map(int, row[8:16]), float(row[16])]
        assert list(call.columns.values()) == [int(row[6]), *numbers, row[17]]


def test_python_gets_arrays(place, expected):
    chunks = list(genoscan.scan_arrays(place / "genome.fa", place / "known.onnx", device="cpu", tile_size=4096))
    for arrays in chunks:
        assert list(arrays) == ["chrom", "start", "end", "name", "score", "strand", "peak", *HEADER[6:]]
        assert len({len(one) for one in arrays.values()}) == 1
    together = {name: np.concatenate([one[name] for one in chunks]) for name in chunks[0]}
    kinds = {name: array.dtype.kind for name, array in together.items()}
    texts, decimals = ("chrom", "name", "strand", "sequence"), ("score", "peak", "copyNum", "entropy")
    assert kinds == {name: "O" if name in texts else "f" if name in decimals else "i" for name in kinds}
    assert together["end"].tolist() == [int(row[2]) for row in expected]
    assert together["sequence"].tolist() == [row[-1] for row in expected]


# ---- what is not annotated


def test_a_model_without_annotation_has_six_columns_and_takes_no_satellites(place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    model = toys.write(tmp_path / "a.onnx", toys.base_model("A", 512, 64))
    scan_file(place / "genome.fa", model, tmp_path / "x.bed")
    lines = (tmp_path / "x.bed").read_text().splitlines()
    assert {line.count("\t") for line in lines} == {5}
    with pytest.raises(UsageError, match=r"--satellites mine\.fa: base-A says nothing of its calls .*; leave it out"):
        scan_file(place / "genome.fa", model, tmp_path / "x.bed", satellites="mine.fa")
    assert next(genoscan.scan(place / "genome.fa", model, device="cpu")).columns == {}


def test_a_bedgraph_is_never_annotated(place, tmp_path):
    paths = place / "genome.fa", place / "known.onnx", tmp_path / "x.bedgraph"
    scan_file(*paths, format="bedgraph", regions=("end",))
    assert (tmp_path / "x.bedgraph").read_text() == "end\t0\t4096\t1\nend\t4100\t9100\t1\n"
    with pytest.raises(UsageError, match=r"--satellites .*: bedgraph has no names of calls; use --format bed"):
        scan_file(*paths, format="bedgraph", satellites=str(place / "mine.fa"))


@pytest.mark.parametrize("text", ["", "ACGT\n", ">one\nACGT\n>two\nAC!T\n", None], ids=["empty", "bare", "odd", "gone"])
def test_a_bad_file_of_satellites_is_one_line_before_anything_is_scanned(place, tmp_path, text):
    bad, out = tmp_path / "bad.fa", tmp_path / "x.bed"
    if text is not None:
        bad.write_text(text)
    result = invoke(
        "scan", place / "genome.fa", "-m", place / "known.onnx", "-o", out, "--device", "cpu", "--satellites", bad
    )
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"genoscan: error: {bad}")
    assert not out.exists()


def test_satellites_are_never_written_over(place, tmp_path):
    path = tmp_path / "mine.fa"
    shutil.copy(place / "mine.fa", path)
    result = invoke("scan", place / "genome.fa", "-m", place / "known.onnx", "-o", path, "--satellites", path)
    assert (result.exit_code, result.stderr) == (
        2,
        f"genoscan: error: {path}: is an input of this scan; name another output\n",
    )
    assert path.read_text() == (place / "mine.fa").read_text()
