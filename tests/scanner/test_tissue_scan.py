"""Whole scans of a sample's methylation: the track to the base, other tools as judges, and errors in one line."""

import array
import json
import shutil
import subprocess
from pathlib import Path

import commands
import numpy as np
import pytest
import toys
from bams import read, write_bam, write_fasta

import genoscan
from genoscan.scanner.card import Marker, sequence_digest
from genoscan.scanner.errors import UsageError

SEQUENCE = "TTACGTTCGATTTTCGAACCGGTTTT" * 20  # CpGs at 3, 7, 14 and 19 of each 26
CONTIGS = {"chr2": SEQUENCE, "chr1": SEQUENCE[:300]}
LENGTHS = {name: len(sequence) for name, sequence in CONTIGS.items()}
MARKERS = (("chr1", 26, 52, "unmethylated"), ("chr2", 104, 130, "methylated"), ("chr2", 400, 420, ""))


def marker(chrom, start, end, target, sequence=None):
    digest = sequence_digest(sequence or CONTIGS[chrom][start:end])
    return Marker(chrom=chrom, start=start, end=end, target=target, digest=digest)


def converted(start, end, states):
    """Letters of a bisulfite read of the forward strand; ``states``: of its CpGs."""
    letters, states = list(SEQUENCE[start:end]), iter(states)
    for at in range(len(letters)):
        if letters[at] == "C":
            letters[at] = "TC"[next(states)] if SEQUENCE[start + at + 1 : start + at + 2] == "G" else "T"
    return "".join(letters)


def bisulfite(name, start, end, states, contig=0, **fields):
    return read(name, converted(start, end, states), start, contig, tags=[("YD", "f")], **fields)


READS = [
    bisulfite("a", 104, 124, (1, 1, 1, 1)),  # all of the marker chr2:105-130
    bisulfite("b", 104, 124, (1, 1, 1, 0)),
    bisulfite("c", 104, 113, (0, 0)),
    bisulfite("d", 200, 230, (1, 1, 1, 1, 1)),  # off the markers
    bisulfite("e", 26, 46, (0, 0, 0, 0), contig=1),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_fasta(tmp_path / "genome.fa", CONTIGS)
    toys.write(
        tmp_path / "markers.onnx", toys.read_model(40, assembly="hg38", markers=[marker(*one) for one in MARKERS])
    )
    toys.write(tmp_path / "anywhere.onnx", toys.read_model(40))
    write_bam(tmp_path / "sample.bam", LENGTHS, READS)
    return tmp_path


def scan(*more, model="markers.onnx", sample="sample.bam", output="out.bed"):
    result = commands.invoke(
        "scan", "genome.fa", "--model", model, "--methylation", sample, "-o", output, "--device", "cpu", *more
    )
    return result


def lines(path="out.bed"):
    with open(path) as file:
        return [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]


def refused(*more, code=1, **fields):
    """The last line of a scan that fails and leaves no track."""
    before = [path for path in Path().iterdir() if path.name.startswith("out.bed")]
    result = scan(*more, **fields)
    assert result.exit_code == code
    *warnings, last = result.stderr.splitlines()
    assert all(line.startswith("genoscan: warning: ") for line in warnings)
    assert last.startswith("genoscan: error: ")
    assert [path for path in Path().iterdir() if path.name.startswith("out.bed")] == before
    return last.removeprefix("genoscan: error: ")


# ---- the track


@pytest.mark.usefixtures("folder")
def test_the_track_by_hand():
    """Logits of the toy are twice the CpGs of each kind, so the likelihood ratios of the three reads of the first
    marker are e^8, e^4 and e^-4."""
    result = scan()
    assert result.exit_code == 0, result.stderr
    first, second = lines()
    ratios = np.exp([8, 4, -4])
    grid = np.linspace(0, 1, 100_001)
    totals = np.log(ratios[:, None] * grid + 1 - grid).sum(axis=0)
    share = grid[totals.argmax()]
    evidence = (totals.max() - totals[[0, -1]]) / np.log(10)
    assert first[:8] == ["chr2", "104", "130", "methylated", str(round(1000 * share)), ".", "104", "130"]
    assert float(first[9]) == pytest.approx(share, abs=0.002)
    assert first[10:13] == [f"{evidence[0]:.1f}", "unmethylated", f"{1 - float(first[9]):.4f}"]
    assert first[13:17] == [f"{evidence[1]:.1f}", "3", "10", "methylated"]
    assert first[17] == f"methylated={first[9]},unmethylated={first[12]}"
    assert second[:8] == ["chr1", "26", "52", "unmethylated", "1000", ".", "26", "52"]
    assert second[9:] == ["1.0000", "3.5", ".", "0", "0", "1", "4", "unmethylated", "unmethylated=1.0000"]
    assert first[8] != second[8]
    assert "4 reads with reads on cpu: 2 of 2 regions with reads are called" in result.stderr
    header = Path("out.bed").read_text().splitlines()[0]
    assert header.startswith("#chrom\tstart\tend\tname\tscore\tstrand\tthickStart")
    assert len(header.split("\t")) == len(first) == 18


def test_the_summary(folder):
    assert scan("--min-reads", "2").exit_code == 0
    summary = json.loads((folder / "out.bed.json").read_text())
    counts = summary["counts"]
    expected = {"reads": 4, "cpgs": 14, "windows": 4, "off_markers": 1, "regions": 2, "calls": 1, "called_bases": 26}
    assert expected.items() <= counts.items()
    assert counts["bases"] == 26 + 26 + 20
    assert summary["files"] == ["out.bed"]
    assert summary["records"] == {
        "records": 5, "looked_at": 5, "low_quality": 0, "without_calls": 0, "unusable_tags": 0, "without_cpg": 0,
    }  # fmt: skip
    assert summary["calling"] == {"threshold": 0.5, "min_share": 0.1, "min_evidence": 0.5, "min_reads": 2}
    assert summary["markers"] == 3
    assert summary["genome"]["contigs"] == 2


@pytest.mark.usefixtures("folder")
def test_a_report_can_be_made_of_it():
    assert scan().exit_code == 0
    result = commands.invoke("report", "out.bed", "-o", "out.html")
    assert result.exit_code == 0, result.output
    assert "unmethylated" in Path("out.html").read_text()


@pytest.mark.usefixtures("folder")
def test_without_markers_regions_are_where_reads_are():
    assert scan(model="anywhere.onnx").exit_code == 0
    assert [(*row[:4], row[14]) for row in lines()] == [
        ("chr2", "104", "124", "methylated", "3"),
        ("chr2", "200", "230", "methylated", "1"),
        ("chr1", "26", "46", "unmethylated", "1"),
    ]
    assert scan("--regions", "chr2:150-400", model="anywhere.onnx").exit_code == 0
    assert [row[:3] for row in lines()] == [["chr2", "200", "230"]]


@pytest.mark.usefixtures("folder")
def test_thresholds():
    assert scan("--threshold", "0.7").exit_code == 0
    assert [row[3] for row in lines()] == ["unmethylated"]
    assert scan("--min-evidence", "3").exit_code == 0
    assert [(row[3], row[17]) for row in lines()] == [("methylated", f"methylated={lines()[0][9]}"),
                                                      ("unmethylated", "unmethylated=1.0000")]  # fmt: skip
    assert scan("--min-share", "0.5").exit_code == 0
    assert [row[17].count("=") for row in lines()] == [1, 1]


@pytest.mark.usefixtures("folder")
def test_regions_choose_markers():
    assert scan("--regions", "chr1").exit_code == 0
    assert [row[0] for row in lines()] == ["chr1"]
    message = refused("--regions", "chr2:200-210", code=2)
    assert message == "the regions hold none of reads's 3 markers: chr2:200-210"


def test_batches_and_threads_change_nothing(folder):
    assert scan().exit_code == 0
    expected = (folder / "out.bed").read_bytes()
    for more in (["--batch-size", "1"], ["--batch-size", "64", "-t", "3"], ["-t", "2"]):
        assert scan(*more).exit_code == 0
        assert (folder / "out.bed").read_bytes() == expected


def test_every_format_tells_the_same(folder):
    """The same reads as .pat and with Bismark's and MM tags; a .pat knows no bases around its CpGs."""
    assert scan().exit_code == 0
    expected = [row[:5] + row[14:16] for row in lines()]
    # CpGs of chr1 are numbers 1-46, those of chr2 follow: 46 in 300 bases, the marker at 104 begins with its 17th
    (folder / "sample.pat").write_text("chr1\t5\tTTTT\t1\nchr2\t63\tCCCC\t1\nchr2\t63\tCCCT\t1\nchr2\t63\tTT\t1\n")
    cpgs = sum(SEQUENCE[:300][at : at + 2] == "CG" for at in range(300))
    assert cpgs == 46
    assert scan(sample="sample.pat").exit_code == 0
    assert [row[:5] + row[14:16] for row in lines()] == expected
    rows = []
    for one in READS:
        calls, skips = [], []
        for at, letter in enumerate(one.query_sequence):
            here = one.reference_start + at
            cpg = SEQUENCE[here : here + 2] == "CG"
            calls.append(("Z" if letter == "C" else "z") if cpg else ".")
            if SEQUENCE[here] == "C":
                skips.append(250 if letter == "C" else 3)
        rows.append((one, "".join(calls), skips))
    bismark = [read(one.query_name, one.query_sequence, one.reference_start, one.reference_id, tags=[("XM", calls)])
               for one, calls, _ in rows]  # fmt: skip
    write_bam(folder / "bismark.bam", LENGTHS, bismark)
    assert scan(sample="bismark.bam").exit_code == 0
    assert [row[:5] + row[14:16] for row in lines()] == expected
    nanopore = []
    for one, _, values in rows:
        letters = SEQUENCE[one.reference_start : one.reference_end]
        tags = [("MM", "C+m?" + ",0" * len(values) + ";"), ("ML", array.array("B", values))]
        nanopore.append(read(one.query_name, letters, one.reference_start, one.reference_id, tags=tags))
    write_bam(folder / "nanopore.bam", LENGTHS, nanopore)
    assert scan(sample="nanopore.bam").exit_code == 0
    assert [row[:5] + row[14:16] for row in lines()] == expected


def test_other_formats_hold_the_same(folder):
    """Every format of calls takes the lines as they are; formats of scores have no place for them."""
    assert scan().exit_code == 0
    assert scan(output="out.gff3").exit_code == 0
    features = (line for line in (folder / "out.gff3").read_text().splitlines() if not line.startswith("#"))
    first = next(features).split("\t")
    assert (first[0], *first[3:5]) == ("chr2", "105", "130")
    assert f"evidence={lines()[0][10]};secondTissue=unmethylated" in first[8]
    pytest.importorskip("pyarrow")
    assert scan(output="out.parquet").exit_code == 0
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(folder / "out.parquet").to_pydict()
    assert [f"{share:.4f}" for share in table["share"]] == [row[9] for row in lines()]
    message = refused("--format", "bigwig", output="other.bw", code=2)
    assert message == "--format bigwig holds scores of bases, a track of tissues has calls: leave it out"


@pytest.mark.skipif(not shutil.which("tabix"), reason="no tabix")
def test_tabix_reads_it(folder):
    assert scan(output="out.bed.gz").exit_code == 0
    found = subprocess.run(["tabix", "out.bed.gz", "chr1:40-41"], capture_output=True, text=True, check=True).stdout
    assert found.split("\t")[:4] == ["chr1", "26", "52", "unmethylated"]
    assert (folder / "out.bed.gz.csi").exists()


@pytest.mark.skipif(not shutil.which("bedtools"), reason="no bedtools")
def test_bedtools_reads_it(folder):
    assert scan().exit_code == 0
    (folder / "b.bed").write_text("chr2\t110\t111\n")
    command = ["bedtools", "intersect", "-a", "out.bed", "-b", "b.bed", "-u"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (found.stderr, found.stdout.count("\n")) == ("", 1)


@pytest.mark.usefixtures("folder")
def test_as_a_process_to_standard_output():
    arguments = "scan", "genome.fa", "--model", "markers.onnx", "--methylation", "sample.bam", "--device", "cpu", "-q"
    result = commands.run(*arguments)
    assert result.returncode == 0
    assert result.stdout.count(b"\n") == 3
    assert result.stderr == b""


# ---- one line each


def test_reads_off_the_markers(folder):
    write_bam(folder / "off.bam", LENGTHS, [bisulfite("n", 104, 130, (1, 1, 1, 1), contig=1)])
    expected = "off.bam: has no reads on the model's markers: is it of another assembly, or of other places?"
    assert refused(sample="off.bam") == expected
    write_bam(folder / "between.bam", LENGTHS, READS[3:4])
    expected = "between.bam: 1 reads tell of CpGs, but none of a CpG in the model's markers"
    assert refused(sample="between.bam") == expected


def test_reads_without_cpgs(folder):
    write_bam(folder / "s.bam", LENGTHS, [bisulfite("n", 113, 117, ())])
    message = "s.bam: none of its 1 reads on the model's markers tells of a CpG's methylation"
    assert refused(sample="s.bam") == message


def test_poor_reads(folder):
    write_bam(folder / "s.bam", LENGTHS, [bisulfite("n", 104, 124, (1, 1, 1, 1), quality=3)])
    assert refused(sample="s.bam").startswith("s.bam: all of its 1 reads on the model's markers are poorly mapped")


def test_stale_tags(folder):
    tags = [("MM", "C+m?,40;"), ("ML", array.array("B", [250]))]
    write_bam(folder / "s.bam", LENGTHS, [read("n", SEQUENCE[104:124], 104, tags=tags)])
    message = refused(sample="s.bam")
    assert message.startswith("s.bam: the tags of 1 of 1 reads cannot be used, read 'n': MM counts 41 C in a sequence")
    assert message.endswith("(minimap2 -y -Y), or mend them (modkit repair)")
    write_bam(folder / "s.bam", LENGTHS, [read("n", SEQUENCE[104:124], 104, tags=tags), read(
        "m", SEQUENCE[104:124], 104, tags=[("MM", "C+m?,0;"), ("ML", array.array("B", [250]))])])  # fmt: skip
    result = scan(sample="s.bam")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0].startswith("genoscan: warning: s.bam: the tags of 1 reads cannot be used")


def test_another_assembly(folder):
    toys.write(folder / "m.onnx", toys.read_model(40, assembly="hg38", markers=[marker("chr2", 5, 30, "", "A" * 25)]))
    assert refused(model="m.onnx").startswith("genome.fa: is not hg38, which reads's markers are of")
    write_bam(folder / "s.bam", {"chr1": 301, "chr2": 520}, READS[:1])
    assert "is of another assembly than genome.fa: 'chr1' has 301 bases" in refused(sample="s.bam")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["--resume"], "--resume is not for scans with --methylation"),
        (["--min-length", "5"], "--min-length is not for scans with --methylation"),
        (["--workers", "2"], "--workers is not for scans with --methylation"),
        (["--ray", "auto"], "--ray is not for scans with --methylation"),
        (["--model", "repeats"], "--methylation takes one genome and one model; run it once for each"),
        (["--threshold", "nan"], "--threshold nan: must be a share of the reads, from 0 to 1"),
        (["--min-share", "nan"], "--min-share nan: must be a share of the reads, from 0 to 1"),
        (["--min-evidence", "nan"], "--min-evidence nan: must be 0 or more"),
    ],
)
def test_options_that_mean_nothing(more, problem):
    assert refused(*more, code=2) == problem


def test_models_and_commands_that_do_not_fit(folder):
    toys.write(folder / "gc.onnx", toys.gc_model(8, 4))
    assert "model gc reads no methylation: leave out --methylation" in refused(model="gc.onnx", code=2)
    result = commands.invoke("scan", "genome.fa", "--model", "markers.onnx")
    assert result.exit_code == 2
    assert "model reads classifies reads: name a sample with --methylation" in result.stderr
    result = commands.invoke("scan", "genome.fa", "--model", "gc.onnx", "--min-reads", "2")
    assert "--min-reads is for scans with --methylation" in result.stderr
    assert "is an input of this scan" in refused(output="sample.bam", code=2)
    assert refused(sample="none.bam") == "none.bam: cannot be read: No such file or directory"


def test_from_python(folder):
    counts = genoscan.scan_methylation("genome.fa", "markers.onnx", "sample.bam", "out.bed", device="cpu", quiet=True)
    assert (counts.reads, counts.calls, len(lines())) == (4, 2, 2)
    with pytest.raises(UsageError, match="--min-reads 0: must be at least 1"):
        genoscan.scan_methylation("genome.fa", "markers.onnx", "sample.bam", str(folder / "x.bed"), min_reads=0)


@pytest.mark.usefixtures("folder")
def test_nothing_is_called():
    assert scan("--min-reads", "4").exit_code == 0
    assert lines() == []
