"""Whole data sets: what length, place, family and chance must not give away, and what a user can get wrong."""

import json
from collections import Counter

import numpy as np
import pytest
from commands import invoke
from fastas import silent, write

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.reading.genome import open_genome
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.negatives import holds_tandem_repeat
from genoscan.training.data.repeat_windows import WindowSettings, build_from_genome, build_simulated
from genoscan.training.data.simulate import RepeatSimulation, random_table, simulate
from genoscan.training.data.splits import sketch
from genoscan.training.data.window_dataset import SPLITS, read_description, read_split
from genoscan.training.metrics import count, measures

SETTINGS = WindowSettings(seed=3, longest=200, flank=40, distance=200)
SIMULATION = RepeatSimulation(periods=(2, 60), gap=900)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two contigs with known repeats, a family of which lies in five places, and files about them."""
    folder = tmp_path_factory.mktemp("windows")
    generator = np.random.default_rng(1)
    fasta, bed, masked = b"", [], b""
    family = np.tile(generator.integers(0, 4, 19).astype(np.uint8), 4)
    for name in ("one", "two"):
        codes, truth = simulate(generator, 150_000, SIMULATION, random_table(generator))
        places = [(int(row["start"]), int(row["end"])) for row in truth]
        for at in (20_000, 70_000, 120_000)[: 3 if name == "one" else 2]:
            codes[at : at + len(family)] = family if at != 70_000 else reverse_complement(family)
            places = [place for place in places if place[1] < at or place[0] > at + len(family)]
            places.append((at, at + len(family)))
        hidden = codes.copy()
        for start, end in places:
            bed.append(f"{name}\t{start}\t{end}\n")
            hidden[start:end] = 4
        fasta, masked = fasta + fasta_record(name, codes), masked + fasta_record(name, hidden)
    write(folder, fasta, "genome.fa")
    write(folder, masked, "masked.fa")
    (folder / "loci.bed").write_text("".join(bed))
    (folder / "other.bed").write_text("one\t30000\t60000\n")
    return folder


def build(made, out, settings=SETTINGS):
    names = (str(made / name) for name in ("genome.fa", "loci.bed", "masked.fa"))
    build_from_genome(out, *names, False, [str(made / "other.bed")], settings, silent)
    return {split: read_split(out, split) for split in SPLITS}


@pytest.fixture(scope="module")
def windows(made, tmp_path_factory):
    return build(made, tmp_path_factory.mktemp("data"))


def test_it_is_worth_testing(windows):
    sizes = {split: len(rows) for split, rows in windows.items()}
    assert sizes["train"] > 200
    assert min(sizes["validation"], sizes["test"]) >= 20


def test_classes_are_balanced_and_lengths_the_very_same(windows):
    for rows in windows.values():
        lengths = [Counter(len(one.codes) for one in rows if one.label == label) for label in (0, 1)]
        assert lengths[0] == lengths[1]


def test_a_classifier_by_length_alone_has_no_correlation(windows):
    generator = np.random.default_rng(1)
    for rows in windows.values():
        lengths, labels = np.array([len(one.codes) for one in rows]), np.array([one.label for one in rows])
        for answer in [generator.random(400) < share for share in (0.1, 0.5, 0.9)] + [np.arange(400) > 40]:
            assert measures(count(answer[lengths], labels))["mcc"] == 0


def test_sequences_and_flanks_are_the_genome_s(made, windows):
    with open_genome(made / "genome.fa", silent) as genome:
        for one in [one for rows in windows.values() for one in rows][:80]:
            contig = list(genome.names).index(one.contig)
            low, high = max(0, one.start - 40), min(one.end + 40, int(genome.lengths[contig]))
            whole = np.concatenate((one.left, one.codes, one.right))
            assert np.array_equal(whole, genome.codes(contig, low, high))
            assert one.end - one.start == len(one.codes) <= 200


def test_positives_are_loci_and_negatives_touch_none(made, windows):
    known = {name: np.zeros(150_000, dtype=int) for name in ("one", "two")}
    for name, value in (("other.bed", 1), ("loci.bed", 2)):
        for line in (made / name).read_text().splitlines():
            contig, start, end = line.split("\t")
            known[contig][int(start) : int(end)] = value
    for one in (one for rows in windows.values() for one in rows):
        inside = known[one.contig][one.start : one.end]
        assert (inside == 2).all() if one.label else (inside == 0).all()
        left = known[one.contig][max(0, one.start - 40) : one.start] > 0
        assert np.array_equal(left, one.left_repeat)
        assert one.label or not holds_tandem_repeat(one.codes)


def test_no_two_negatives_overlap_and_nothing_is_there_twice(windows):
    rows = sorted((one.contig, one.start, one.end) for split in windows.values() for one in split)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in zip(rows, rows[1:], strict=False))
    texts = Counter(
        min(one.codes.tobytes(), reverse_complement(one.codes).tobytes()) for split in windows.values() for one in split
    )
    assert max(texts.values()) == 1


def test_neighbours_and_families_are_in_one_split(windows):
    split_of = {}
    places = []
    for split, rows in windows.items():
        for one in rows:
            assert split_of.setdefault(one.group, split) == split
            places.append((one.contig, one.start, one.end, split))
    places.sort()
    for left, right in zip(places, places[1:], strict=False):
        assert left[0] != right[0] or right[1] - left[2] > 200 or left[3] == right[3]
    sketches = [(sketch(one.codes), split) for split, rows in windows.items() for one in rows]
    for number, (one, split) in enumerate(sketches):
        for other, another in sketches[number + 1 :: 7]:
            assert split == another or np.mean(one == other) < 0.6


def test_a_family_on_both_strands_is_one_locus(windows):
    """Five copies of one array: four are duplicates of the first, on either strand."""
    found = [one for rows in windows.values() for one in rows if one.start in (20_000, 70_000, 120_000)]
    assert len([one for one in found if one.label]) == 1


def test_the_seed_decides_and_nothing_else(made, windows, tmp_path):
    again = build(made, tmp_path / "again")
    other = build(made, tmp_path / "other", WindowSettings(seed=4, longest=200, flank=40, distance=200))
    place = [[(one.contig, one.start) for one in rows["test"]] for rows in (windows, again, other)]
    assert place[0] == place[1] != place[2]


def test_the_description(made, tmp_path):
    windows = build(made, tmp_path / "data")
    told = read_description(tmp_path / "data")
    for split, rows in windows.items():
        half = len(rows) // 2
        assert told["splits"][split]["positives"] == told["splits"][split]["negatives"] == half
        assert told["splits"][split]["same_lengths"]
    assert told["loci"]["records"] == len((made / "loci.bed").read_text().splitlines())
    assert told["loci"]["duplicates"] >= 4
    with open_genome(made / "genome.fa", silent) as genome:
        assert told["inputs"]["genome"]["digest"] == genome.digest()
    with open_genome(made / "masked.fa", silent) as genome:
        assert told["inputs"]["masked"]["digest"] == genome.digest()
    assert told["settings"]["seed"] == 3
    assert "10-mers" in told["split_rule"]


def test_soft_masking_is_as_good_as_hard(made, windows, tmp_path):
    masked = (made / "masked.fa").read_bytes()
    genome = (made / "genome.fa").read_bytes()
    soft = bytes(one | 0x20 if other == ord("N") else one for one, other in zip(genome, masked, strict=True))
    path = write(tmp_path, soft, "soft.fa")
    build_from_genome(
        tmp_path / "data", str(path), str(made / "loci.bed"), None, True, [str(made / "other.bed")], SETTINGS, silent
    )
    for split in SPLITS:
        places = [
            [(one.contig, one.start) for one in rows] for rows in (read_split(tmp_path / "data", split), windows[split])
        ]
        assert places[0] == places[1]


def test_simulated_sequences(tmp_path):
    for name in ("a", "b"):
        build_simulated(tmp_path / name, 100, None, SETTINGS, silent)
    for split, size in zip(SPLITS, (80, 10, 10), strict=True):
        rows = read_split(tmp_path / "a", split)
        assert len(rows) == size
        lengths = [Counter(len(one.codes) for one in rows if one.label == label) for label in (0, 1)]
        assert lengths[0] == lengths[1]
        assert not any(holds_tandem_repeat(one.codes) for one in rows if not one.label)
        assert (tmp_path / "a" / f"{split}.tsv.gz").read_bytes() == (tmp_path / "b" / f"{split}.tsv.gz").read_bytes()


def test_the_command(made, tmp_path):
    result = invoke(
        "data", "repeats", "--genome", made / "genome.fa", "--masked", made / "masked.fa", "--positives",
        made / "loci.bed", "--max-length", 150, "--flank", 10, "--limit", 60, "--seed", 5, "-o", tmp_path / "data",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "genoscan: train: " in result.stderr
    told = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert sum(split["positives"] for split in told["splits"].values()) <= 60
    assert told["settings"] | {"seed": 5, "longest": 150, "flank": 10, "limit": 60} == told["settings"]


def test_the_command_simulates(tmp_path):
    result = invoke("data", "repeats", "--simulate", 20, "-o", tmp_path / "data")
    assert result.exit_code == 0, result.stderr
    assert len(read_split(tmp_path / "data", "train")) == 16


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give --genome and --positives, or --simulate N"),
        (("--simulate", 20, "--positives", "loci.bed"), 2, "takes --genome only"),
        (("--genome", "genome.fa", "--positives", "loci.bed", "--min-length", 600), 2, "larger than --max-length"),
        (("--genome", "nothing.fa", "--positives", "loci.bed"), 1, "nothing.fa: no such file"),
        (("--genome", "genome.fa", "--positives", "nothing.bed"), 2, "nothing.bed: cannot be read"),
        (("--genome", "genome.fa", "--positives", "genome.fa"), 2, "genome.fa line 1: "),
        (("--genome", "genome.fa", "--positives", "beyond.bed"), 2, "beyond.bed line 2: ends at 999,999"),
        (("--genome", "genome.fa", "--positives", "short.bed"), 1, "none of the loci has 26 or more known bases"),
        (("--genome", "genome.fa", "--positives", "loci.bed", "--masked", "third.fa"), 2, "'three' is not a contig of"),
        (("--genome", "genome.fa", "--positives", "loci.bed", "--masked", "part.fa"), 2, "'one' has 30 bases, not"),
        (("--genome", "genome.fa", "--positives", "loci.bed", "--exclude", "all.bed"), 1, "no negatives"),
    ],
)
def test_what_a_user_can_get_wrong(made, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    for name in ("genome.fa", "loci.bed"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    (tmp_path / "beyond.bed").write_text("one\t5\t60\none\t5\t999999\n")
    (tmp_path / "short.bed").write_text("one\t5\t10\n")
    (tmp_path / "all.bed").write_text("one\t0\t150000\ntwo\t0\t150000\n")
    (tmp_path / "third.fa").write_text(">three\n" + "ACGT" * 10 + "\n")
    (tmp_path / "part.fa").write_text(">one\n" + "ACGTAC" * 5 + "\n")
    result = invoke("data", "repeats", *arguments, "-o", tmp_path / "out")
    assert result.exit_code == code
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("genoscan: error: ")
    assert message in lines[0]
