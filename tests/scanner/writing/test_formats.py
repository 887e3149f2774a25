"""Every format of tracks, read back by readers that are not ours: pyBigWig, gffutils, tabix, pyarrow."""

import json
import os
import re
import shutil
import subprocess

import gffutils
import numpy as np
import pyarrow.parquet
import pybigtools
import pyBigWig
import pysam
import pytest
import toys
from commands import invoke, scan_file

from genoscan.scanner.card import Calling
from genoscan.scanner.errors import OutputError, UsageError
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.writing import big_binary, contig_tree
from genoscan.scanner.writing.bigbed import write_bigbed
from genoscan.scanner.writing.bigwig import write_bigwig
from genoscan.scanner.writing.formats import FORMATS, files_of, format_of
from genoscan.scanner.writing.gff3 import usual_type, write_gff3
from genoscan.scanner.writing.parquet import write_parquet
from genoscan.scanner.writing.target import Target

PEAKS = Calling(threshold=0.5, extend=0.125, prominence=0.25, min_length=9, shuffled_rates=((0.25, 9.0),))
ODD = "chr;2=%,&|é"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A genome whose contigs are not sorted by name, models of runs and of peaks, and their tracks as BED."""
    folder = tmp_path_factory.mktemp("formats")
    random = np.random.default_rng(3)
    letters = np.array(list("ACGT"))
    records = {"chr10": 3000, ODD: 500, "chr1": 9000, "none": 40, "chr9": 1200}
    with (folder / "genome.fa").open("w") as file:
        for name, size in records.items():
            text = "A" * size if name == "none" else "".join(letters[random.integers(0, 4, size)])
            file.write(f">{name}\n{text}\n")
    toys.write(folder / "runs.onnx", toys.base_model("G", 128, 16, 8))
    toys.write(folder / "peaks.onnx", toys.base_model("G", 128, 16, 8, strand="both", calling=PEAKS))
    (folder / "empty.fa").write_text(">a\n" + "A" * 90 + "\n>b\n" + "N" * 70 + "\n")
    (folder / "unknown.fa").write_text(">a\n" + "N" * 90 + "\n")
    for model in ("runs", "peaks"):
        scan_file(folder / "genome.fa", folder / f"{model}.onnx", folder / f"{model}.bed")
    scan_file(folder / "genome.fa", folder / "runs.onnx", folder / "runs.bedgraph")
    return folder


def lines_of(path):
    return [line.split("\t") for line in path.read_text().splitlines() if line[0] != "#"]


def lengths_of(place):
    with pysam.FastaFile(str(place / "genome.fa")) as genome:
        return dict(zip(genome.references, genome.lengths, strict=True))


def target(place, path, model="peaks", **changes):
    lengths = lengths_of(place)
    given = {"names": list(lengths), "lengths": np.array(list(lengths.values())), **changes}
    return Target(str(path), read_card(place / f"{model}.onnx"), **given)


@pytest.mark.parametrize(("model", "own"), [("runs", 6), ("peaks", 9)])
def test_a_bigbed_holds_what_the_bed_holds(place, tmp_path, model, own):
    out = tmp_path / "x.bb"
    scan_file(place / "genome.fa", place / f"{model}.onnx", out)
    rows = lines_of(place / f"{model}.bed")
    with pyBigWig.open(str(out)) as track:
        assert track.isBigBed()
        found = {name: track.entries(name, 0, size) or [] for name, size in track.chroms().items()}
        table = track.SQL().decode()
    assert len(rows) > 50
    for name, size in lengths_of(place).items():
        expected = [(int(row[1]), int(row[2]), "\t".join(row[3:])) for row in rows if row[0] == name]
        assert sorted(found.get(name, [])) == sorted(expected), size
    header = out.read_bytes()[:64]
    assert np.frombuffer(header[32:36], "<u2").tolist() == [len(rows[0]), own]
    assert len(re.findall(r"^    \S+ \w+; \"", table, re.MULTILINE)) == len(rows[0])


def test_contigs_of_a_bigbed_are_sorted_by_their_bytes(place, tmp_path):
    scan_file(place / "genome.fa", place / "runs.onnx", tmp_path / "x.bb")
    with pybigtools.open(str(tmp_path / "x.bb")) as track:
        names = list(track.chroms())
    assert names == sorted(names, key=str.encode)
    assert names == ["chr1", "chr10", "chr9", ODD]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_bigwig_of_each_strand_is_the_score_of_each_bin(place, tmp_path, strand):
    """The definition: the share of G (on -, of C) in each bin of 8 bases."""
    scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / "x.bw")
    assert sorted(os.listdir(tmp_path)) == ["x.bw.json", "x.minus.bw", "x.plus.bw"]
    assert json.loads((tmp_path / "x.bw.json").read_text())["files"] == ["x.plus.bw", "x.minus.bw"]
    letter, label = {"+": ("G", "plus"), "-": ("C", "minus")}[strand]
    with pyBigWig.open(str(tmp_path / f"x.{label}.bw")) as track, pysam.FastaFile(str(place / "genome.fa")) as genome:
        for name, size in lengths_of(place).items():
            text = genome.fetch(name)
            expected = [text[at // 8 * 8 : at // 8 * 8 + 8].count(letter) / 8 for at in range(size)]
            assert np.allclose(track.values(name, 0, size), expected, atol=1e-4)


def test_bedgraphs_of_strands_are_what_the_bigwigs_are(place, tmp_path):
    for ending in ("bw", "bedgraph"):
        scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / f"x.{ending}", threads=2, tile_size=512)
    for label in ("plus", "minus"):
        rows = lines_of(tmp_path / f"x.{label}.bedgraph")
        with pyBigWig.open(str(tmp_path / f"x.{label}.bw")) as track:
            for name in lengths_of(place):
                wanted = [
                    (int(row[1]), int(row[2]), pytest.approx(float(row[3]), abs=1e-6)) for row in rows if row[0] == name
                ]
                assert list(track.intervals(name)) == wanted


def test_a_gff3_holds_what_the_bed_holds(place, tmp_path):
    scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / "x.gff3")
    database = gffutils.create_db(str(tmp_path / "x.gff3"), ":memory:", merge_strategy="error")
    features = {one.id: one for one in database.all_features()}
    rows = lines_of(place / "peaks.bed")
    names = (place / "peaks.bed").read_text().split("\n", 1)[0].split("\t")[6:]
    assert len(features) == len(rows) > 50
    for number, row in enumerate(rows, 1):
        one = features[f"sequence_feature{number}"]
        seqid = re.sub("%(..)", lambda match: chr(int(match[1], 16)), one.seqid).encode("latin-1").decode()
        assert (seqid, one.start, one.end, one.score, one.strand) == (
            row[0],
            int(row[1]) + 1,
            int(row[2]),
            row[4],
            row[5],
        )
        said = {name[0].lower() + name[1:]: [value] for name, value in zip(names, row[6:], strict=True)}
        assert dict(one.attributes) == {"ID": [one.id], "Name": ["G"], **said}
    declared = [line.split()[1:] for line in (tmp_path / "x.gff3").read_text().splitlines() if line.startswith("##seq")]
    assert [int(end) - int(start) + 1 for _, start, end in declared] == [
        size for name, size in lengths_of(place).items() if name != "none"
    ]


def test_a_gff3_in_bgzip_is_found_by_tabix(place, tmp_path):
    scan_file(place / "genome.fa", place / "runs.onnx", tmp_path / "x.gff3.gz")
    row = next(row for row in lines_of(place / "runs.bed") if row[0] == "chr9")
    with pysam.TabixFile(str(tmp_path / "x.gff3.gz"), index=str(tmp_path / "x.gff3.gz.csi")) as track:
        found = [line.split("\t")[3:5] for line in track.fetch("chr9", int(row[1]), int(row[1]) + 1)]
    assert found == [[str(int(row[1]) + 1), row[2]]]


def test_texts_in_a_gff3_are_escaped(place, tmp_path):
    with write_gff3(target(place, tmp_path / "x.gff3", "runs")) as write:
        write(f"{ODD}\t0\t5\ta;b=c%,&d\t7\t.\n".encode())
    *_, declared, feature = (tmp_path / "x.gff3").read_text().splitlines()
    assert declared == "##sequence-region chr%3B2%3D%25%2C%26|%C3%A9 1 500"
    assert feature == (
        "chr%3B2%3D%25%2C%26|%C3%A9\tbase-G\tsequence_feature\t1\t5\t7\t.\t.\tID=sequence_feature1;Name=a%3Bb%3Dc%25%2C%26d"
    )


@pytest.mark.parametrize(
    ("names", "track", "expected"),
    [(("promoter",), "", "promoter"), (("G",), "enhancer", "enhancer"), (("promoter", "exon"), "", "sequence_feature")],
)
def test_types_are_terms_of_the_sequence_ontology(place, names, track, expected):
    card = read_card(place / "runs.onnx")
    output = card.output.model_copy(update={"names": names})
    assert (
        usual_type(card.model_copy(update={"output": output, "track": card.track.model_copy(update={"name": track})}))
        == expected
    )


@pytest.mark.parametrize("model", ["runs", "peaks"])
def test_a_parquet_holds_what_the_bed_holds(place, tmp_path, model):
    scan_file(place / "genome.fa", place / f"{model}.onnx", tmp_path / "x.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "x.parquet")
    header = (place / f"{model}.bed").read_text().split("\n", 1)[0].lstrip("#").split("\t")
    assert table.column_names == header
    assert {str(table.schema.field(name).type) for name in ("start", "end", "score")} == {"int64"}
    rows = lines_of(place / f"{model}.bed")
    columns = [
        [value if isinstance(value, str) else f"{value:g}" for value in column.to_pylist()] for column in table.columns
    ]
    assert [list(row) for row in zip(*columns, strict=True)] == [
        [
            value if name in ("chrom", "name", "strand", "itemRgb") else f"{float(value):g}"
            for name, value in zip(header, row, strict=True)
        ]
        for row in rows
    ]


def test_row_groups_do_not_tell_how_lines_came(place, tmp_path, monkeypatch):
    monkeypatch.setattr("genoscan.scanner.writing.parquet.GROUP", 7)
    text = b"".join(b"chr1\t%d\t%d\tG\t1\t+\n" % (at, at + 1) for at in range(40))
    lines = text.splitlines(keepends=True)
    for name, cuts in {"a": [40], "b": [1, 12, 13, 40]}.items():
        with write_parquet(target(place, tmp_path / name, "runs")) as write:
            for start, end in zip([0, *cuts], cuts, strict=False):
                write(b"".join(lines[start:end]))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pyarrow.parquet.read_metadata(tmp_path / "a").num_row_groups == 6


@pytest.mark.parametrize("ending", ["bb", "bw", "gff3.gz", "parquet", "bedgraph.gz"])
def test_tiles_and_threads_change_no_byte(place, tmp_path, ending):
    for number, options in enumerate(({}, {"tile_size": 256, "threads": 3})):
        scan_file(place / "genome.fa", place / "peaks.onnx", tmp_path / f"{number}.{ending}", **options)
    names = sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith((".json", ".csi")))
    first, second = ([name for name in names if name[0] == number] for number in "01")
    assert len(first) == len(second) == (2 if ending in ("bw", "bedgraph.gz") else 1)
    for one, other in zip(first, second, strict=True):
        assert (tmp_path / one).read_bytes() == (tmp_path / other).read_bytes()


@pytest.mark.parametrize("ending", ["bb", "bw", "gff3", "gff3.gz", "parquet", "bedgraph"])
def test_a_track_without_lines_is_whole(place, tmp_path, ending):
    genome = "unknown.fa" if ending in ("bw", "bedgraph") else "empty.fa"
    scan_file(place / genome, place / "runs.onnx", tmp_path / f"x.{ending}")
    if ending in ("bb", "bw"):
        with pyBigWig.open(str(tmp_path / f"x.{ending}")) as track:
            assert track.chroms() == {"a": 90}
            assert not (track.entries("a", 0, 90) if ending == "bb" else track.intervals("a"))
        with pybigtools.open(str(tmp_path / f"x.{ending}")) as track:
            assert list(track.records("a")) == []
    if ending == "parquet":
        assert pyarrow.parquet.read_table(tmp_path / "x.parquet").num_rows == 0
    if ending == "gff3":
        assert (tmp_path / "x.gff3").read_text() == "##gff-version 3\n"


def test_what_the_library_would_swallow_is_an_error(place, tmp_path):
    for text in (
        b"chr1\t5\t9\tG\t1\t+\nchr1\t4\t9\tG\t1\t+\n",
        b"chr1\t8990\t9001\tG\t1\t+\n",
        b"chr1\t5\t5\tG\t1\t+\n",
    ):
        said = pytest.raises(OutputError, match=r"x.bb: chr1:\d+-\d+ is out of order, or beyond")
        with said, write_bigbed(target(place, tmp_path / "x.bb", "runs")) as write:
            write(text)
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("node", "count"), [(2, 1), (2, 7), (3, 9), (256, 300)])
def test_contigs_are_found_in_a_tree_of_any_depth(place, tmp_path, monkeypatch, node, count):
    """By two readers, of a file whose contigs have names and lengths of their own."""
    monkeypatch.setattr(contig_tree, "_NODE", node)
    lengths = {f"c{number}{'x' * (number % 5)}": 50 + number for number in range(count)}
    wanted = target(place, tmp_path / "x.bb", "runs", names=list(lengths), lengths=np.array(list(lengths.values())))
    with write_bigbed(wanted) as write:
        for name, length in lengths.items():
            write(f"{name}\t{length - 9}\t{length}\tG\t{length}\t+\n".encode())
    with pyBigWig.open(str(tmp_path / "x.bb")) as track:
        assert track.chroms() == lengths
        for name, length in lengths.items():
            assert track.entries(name, 0, length) == [(length - 9, length, f"G\t{length}\t+")]
    with pybigtools.open(str(tmp_path / "x.bb")) as track:
        assert dict(track.chroms()) == lengths


def test_a_tree_lists_more_contigs_than_16_bits_count(tmp_path):
    """70,000 of them in a file that has one call: the reader's own list."""
    lengths = {f"c{number:05}": 60 for number in range(70_000)}
    writer = pybigtools.open(str(tmp_path / "x.bb"), "w")
    writer.write({"c00000": 60}, iter([("c00000", 50, 60, "G")]))
    contig_tree.replace_tree(tmp_path / "x.bb", [(name.encode(), length) for name, length in lengths.items()])
    with pyBigWig.open(str(tmp_path / "x.bb")) as track:
        assert track.chroms() == lengths
        assert track.entries("c00000", 0, 60) == [(50, 60, "G")]
        assert not track.entries("c69999", 0, 60)


def test_a_file_that_is_not_whole_is_an_error(place, tmp_path, monkeypatch):
    whole = big_binary._write

    def cut(built, *args):
        whole(built, *args)
        os.truncate(built, built.stat().st_size // 2)

    monkeypatch.setattr(big_binary, "_write", cut)
    (tmp_path / "x.bw").write_bytes(b"before")
    said = pytest.raises(OutputError, match=r"x.bw: cannot write: is the disk full\?")
    with said, write_bigwig(target(place, tmp_path / "x.bw")) as write:
        write(b"chr1\t0\t5\t0.5\n")
    assert os.listdir(tmp_path) == ["x.bw"]
    assert (tmp_path / "x.bw").read_bytes() == b"before"


def test_an_interrupt_while_the_library_writes_is_heard(place, tmp_path):
    def interrupted(_):
        raise KeyboardInterrupt

    wanted = big_binary.BIGBED, target(place, tmp_path / "x.bb"), tmp_path / "x.partial", interrupted
    with pytest.raises(KeyboardInterrupt), big_binary.write_big_binary(*wanted) as write:
        write(b"chr1\t0\t5\tx\n")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-m", "runs.onnx", "--format", "bigbed"), "--format bigbed is read at its ends first and cannot be a stream"),
        (
            ("-m", "runs.onnx", "--format", "parquet", "-o", "x.parquet.gz"),
            "x.parquet.gz: parquet is compressed already",
        ),
        (
            ("-m", "peaks.onnx", "--format", "bedgraph"),
            "holds one score a base, but base-G gives G (+), G (-): name a file",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_the_scan(place, monkeypatch, arguments, said):
    monkeypatch.chdir(place)
    before = sorted(os.listdir(place))
    result = invoke("scan", "genome.fa", *arguments, "--device", "cpu")
    assert result.exit_code == 2
    assert said in result.stderr
    assert sorted(os.listdir(place)) == before


def test_a_missing_package_is_named_before_the_scan(place, tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr("genoscan.scanner.writing.formats.import_module", missing)
    result = invoke("scan", place / "genome.fa", "-m", place / "runs.onnx", "-o", tmp_path / "x.bw")
    assert (result.exit_code, result.stderr) == (
        1, "genoscan: error: this command needs pybigtools: pip install 'genoscan[formats]'\n"
    )  # fmt: skip


def test_the_name_of_a_track_tells_its_format():
    for name, format_ in FORMATS.items():
        assert {format_of(f"x{ending}") for ending in format_.endings} == {name}
    assert [format_of(one) for one in (None, "-", "x.txt", "BIG.BW")] == ["bed", "bed", "bed", "bigwig"]


def test_files_of_channels_are_named_after_them(place):
    card = read_card(place / "peaks.onnx")
    output = card.output.model_copy(update={"names": ("leaf, dark", "leaf; dark"), "called": ()})
    assert list(files_of("a/x.tab", card, "bigwig")) == ["a/x.plus.tab", "a/x.minus.tab"]
    assert list(files_of("a/x.bedgraph.gz", card, "bedgraph")) == ["a/x.plus.bedgraph.gz", "a/x.minus.bedgraph.gz"]
    card = card.model_copy(update={"output": output, "strand": "forward"})
    assert list(files_of("x.bw", card, "bigwig")) == ["x.1.leaf_dark.plus.bw", "x.2.leaf_dark.plus.bw"]
    with pytest.raises(UsageError, match=r"gives leaf, dark \(\+\), leaf; dark \(\+\)"):
        files_of(None, card, "bedgraph")


def test_several_genomes_in_a_folder(place, tmp_path):
    result = invoke(
        "scan", place / "genome.fa", place / "empty.fa", "-m", place / "peaks.onnx", "-q", "--device", "cpu",
        "--format", "bigwig", "--out-dir", tmp_path, "--resume",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    listed = sorted(os.listdir(tmp_path))
    again = invoke("scan", place / "genome.fa", "-m", place / "peaks.onnx", "--device", "cpu", "--format", "bigwig",
                   "--out-dir", tmp_path, "--resume")  # fmt: skip
    assert "is complete already" in again.stderr
    assert listed == [
        "empty.base-G.bw.json", "empty.base-G.minus.bw", "empty.base-G.plus.bw",
        "genome.base-G.bw.json", "genome.base-G.minus.bw", "genome.base-G.plus.bw", "summary.tsv",
    ]  # fmt: skip
    (tmp_path / "genome.base-G.plus.bw").unlink()
    again = invoke("scan", place / "genome.fa", "-m", place / "peaks.onnx", "--device", "cpu", "--format", "bigwig",
                   "--out-dir", tmp_path, "--resume", "-q")  # fmt: skip
    assert (tmp_path / "genome.base-G.plus.bw").exists()


def test_odd_names_are_kept_with_one_warning(place, tmp_path):
    result = invoke(
        "scan", place / "genome.fa", "-m", place / "runs.onnx", "-o", tmp_path / "x.bb", "-q", "--device", "cpu"
    )
    (line,) = result.stderr.splitlines()
    assert line.endswith(f"contig '{ODD}': BED v1 allows letters, digits and _ in names; kept as it is")


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_bedtools_takes_the_gff3(place, tmp_path):
    scan_file(place / "genome.fa", place / "runs.onnx", tmp_path / "x.gff3")
    command = ["bedtools", "intersect", "-u", "-a", str(place / "runs.bed"), "-b", str(tmp_path / "x.gff3")]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(found) == sum(row[0] != ODD for row in lines_of(place / "runs.bed"))
