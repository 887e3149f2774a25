"""Peaks from a genome to the lines of a track: they do not depend on tiles, pieces, threads, and kills.

The model's score is the share of G in a bin (on -, of C), so the definition can be worked out from the text."""

import json
import shutil
import signal
import subprocess
import time
from itertools import pairwise

import commands
import numpy as np
import pytest
import toys
from commands import invoke, scan_file

import genoscan
from genoscan.scanner.card import Calling
from genoscan.scanner.resume import unpack

BIN = 8
CALLING = Calling(
    threshold=0.5,
    extend=0.125,
    prominence=0.25,
    start_output="G",
    min_length=9,
    shuffled_rates=((0.25, 9.0), (0.75, 0.25)),
)
HEADER = ["#chrom", "start", "end", "name", "score", "strand"]
HEADER += ["thickStart", "thickEnd", "itemRgb", "summit", "prominence", "shuffledPerMb", "G"]


def model():
    return toys.base_model("G", 128, 16, BIN, strand="both", calling=CALLING)


def genome_of(random):
    letters = np.array(list("ACGT"))
    records = {f"short{number}": "".join(letters[random.integers(0, 4, 30 + 7 * number)]) for number in range(20)}
    records["big"] = "".join(letters[random.integers(0, 4, 30_000)])
    records["gaps"] = "N" * 100 + "".join(letters[random.integers(0, 4, 500)]) + "N" * 64 + "G" * 300 + "ACGG" * 300
    return records


def expected_rows(records):
    """All peaks by the definition."""
    rows = []
    for chrom, sequence in records.items():
        found = []
        for strand, letter in (("+", "G"), ("-", "C")):
            scores = {}
            for start in range(0, len(sequence), BIN):
                bases = sequence[start : start + BIN]
                if bases.count("N") <= 0.5 * len(bases):
                    scores[start] = round(10_000 * bases.count(letter) / BIN)
            stretch = []
            for start in range(0, len(sequence) + BIN, BIN):
                if scores.get(start, -1) >= 1250:
                    stretch.append((start, min(start + BIN, len(sequence)), scores[start]))
                elif stretch:
                    found += [(*peak, strand) for peak in peaks_of(stretch)]
                    stretch = []
        rows += [[chrom, *one] for one in lines_of(sorted(found, key=lambda peak: (*peak[:2], peak[-1])))]
    return rows


def peaks_of(stretch):
    """Parts of a stretch of (start, end, score), joined until no dip between two is shallow; then the cuts."""
    parts = [[one] for one in stretch]
    cuts = [min(a[2], b[2]) for a, b in pairwise(stretch)]
    height = lambda part: max(one[2] for one in part)  # noqa: E731
    while cuts:
        rises = [min(height(a), height(b)) - cut for (a, b), cut in zip(pairwise(parts), cuts, strict=True)]
        smallest = rises.index(min(rises))
        if rises[smallest] >= 2500:
            break
        parts[smallest] += parts.pop(smallest + 1)
        cuts.pop(smallest)
    tops = [max(part, key=lambda one: (one[2], -one[0])) for part in parts]
    places = [stretch[0][0]]
    for left, right in pairwise(tops):
        between = [one for one in stretch if left[0] < one[0] < right[0]]
        places.append(min(between, key=lambda one: (one[2], one[0]))[0])
    places.append(stretch[-1][1])
    low = [1250, *(score for start, _, score in stretch if start in places[1:-1]), 1250]
    for number, top in enumerate(tops):
        start, end = places[number], places[number + 1]
        prominence = top[2] - max(low[number], low[number + 1])
        if top[2] >= 5000 and end - start >= 9 and prominence >= 2500:
            yield start, end, top, prominence


def lines_of(peaks):
    for start, end, (first, last, score), prominence, strand in peaks:
        share = f"{score / 10_000:.4f}".rstrip("0").rstrip(".")
        rise = f"{prominence / 10_000:.4f}".rstrip("0").rstrip(".")
        rate = "9" if score < 7500 else "0.25"
        yield [*map(str, (start, end)), "G", str((2 * 1000 * score + 10_000) // 20_000), strand, str(first), str(last),
               "0,0,0", str((first + last) // 2), rise, rate, share]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peaks")
    records = genome_of(np.random.default_rng(5))
    (folder / "records.json").write_text(json.dumps(records))
    (folder / "genome.fa").write_text("".join(f">{name}\n{text}\n" for name, text in records.items()))
    toys.write(folder / "peaks.onnx", model())
    return folder


@pytest.fixture(scope="module")
def expected(place):
    rows = expected_rows(json.loads((place / "records.json").read_text()))
    assert len(rows) > 300
    assert {row[5] for row in rows} == {"+", "-"}
    return rows


def rows_of(path):
    header, *lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert header == HEADER
    return lines


def test_the_track_is_what_the_definition_says(place, expected, tmp_path):
    row = scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / "x.bed")
    assert rows_of(tmp_path / "x.bed") == expected
    summary = json.loads((tmp_path / "x.bed.json").read_text())
    assert summary["counts"]["calls"] == row.calls == len(expected)
    assert summary["calling"]["prominence"] == 0.25


@pytest.mark.parametrize("tile_size", [128, 1024, 2**18])
@pytest.mark.parametrize("threads", [1, 3])
def test_tiles_pieces_and_threads_change_no_byte(place, expected, tmp_path, monkeypatch, tile_size, threads):
    for wanted in (0, 3 * tile_size):
        monkeypatch.setattr("genoscan.scanner.pieces.Pace.wanted", lambda *_, wanted=wanted: wanted)
        options = {"tile_size": tile_size, "threads": threads, "batch_size": 2}
        scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / "x.bed", **options)
        assert rows_of(tmp_path / "x.bed") == expected


def test_a_killed_scan_goes_on_to_the_same_bytes(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(place / "peaks.onnx", tmp_path)
    big = json.loads((place / "records.json").read_text())["big"]
    (tmp_path / "long.fa").write_text("".join(f">copy{number}\n{big}\n" for number in range(12)))
    slow = ("scan", "long.fa", "-m", "peaks.onnx", "-o", "x.bed", "--device", "cpu", "--tile-size", "1024")
    folder = tmp_path / "x.bed.pieces"
    with commands.start(*slow, "-t", "1", "--batch-size", "1", "-q") as process:
        until = time.monotonic() + commands.LIMIT
        while len(list(folder.glob("*.piece"))) < 3:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    kept = [unpack(path.read_bytes()) for path in folder.glob("*.piece")]
    assert sum(len(one.found[0]) for one in kept) > 0
    assert invoke(*slow, "-t", "2", "--batch-size", "1", "--resume").exit_code == 0
    resumed = (tmp_path / "x.bed").read_bytes()
    assert json.loads((tmp_path / "x.bed.json").read_text())["counts"]["resumed_bases"] > 0
    assert invoke(*slow, "--batch-size", "1").exit_code == 0
    assert (tmp_path / "x.bed").read_bytes() == resumed


def test_python_gets_the_columns(place, expected):
    calls = list(genoscan.scan(place / "genome.fa", place / "peaks.onnx", device="cpu"))
    assert len(calls) == len(expected)
    for call, row in zip(calls, expected, strict=True):
        assert [call.chrom, str(call.start), str(call.end), call.name, call.strand] == [*row[:4], row[5]]
        assert list(call.columns) == HEADER[6:]
        assert list(call.columns.values()) == [value if "," in value else float(value) for value in row[6:]]
        assert call.peak == call.score == call.columns["G"]


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_bedtools_takes_the_track_as_sorted(place, expected, tmp_path):
    scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / "x.bed")
    command = ["bedtools", "merge", "-s", "-c", "4,9", "-o", "count,max", "-i", tmp_path / "x.bed"]
    merged = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sum(int(line.split("\t")[3]) for line in merged) == len(expected)
