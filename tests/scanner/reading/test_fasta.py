"""FASTA texts of every layout: the same bases, or one clear line for what is no genome."""

import gzip
import random
import shutil
import subprocess

import pytest
from fastas import bases_read, bgzip, failure, feed_stdin, index, naive_codes, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading import genome as genome_module
from genoscan.scanner.reading.genome import open_genome

IUPAC = "ACGTUNRYSWKMBDHVX"


def naive_records(text: bytes) -> dict[str, str]:
    records: dict[str, str] = {}
    name = ""
    for line in text.decode().replace("\r\n", "\n").split("\n"):
        if line.startswith(">"):
            name = line[1:].split()[0]
            records[name] = ""
        elif line.strip():
            records[name] += line.strip()
    return records


@st.composite
def fasta_texts(draw) -> bytes:
    """FASTA of every layout: case, line widths, ragged lines, CRLF, blanks, empty records, no last line end."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    names = draw(st.lists(st.text("ab.|:>é7", min_size=1, max_size=5), min_size=1, max_size=5, unique=True))
    lines = [""] * draw(st.integers(0, 2))
    for name in names:
        lines.append(
            ">" + draw(st.sampled_from(["", " "])) + name + draw(st.sampled_from(["", " more > text", "\tx "]))
        )
        # Mostly plain letters, so that no record looks like protein.
        sequence = draw(st.text("ACGTNacgtn", max_size=60)) + draw(st.text(IUPAC + IUPAC.lower(), max_size=8))
        width = draw(st.integers(1, 20))
        while sequence:
            lines.append(sequence[:width] + draw(st.sampled_from([""] * 20 + [" "])))
            sequence = sequence[width:]
            if draw(st.integers(0, 15)) == 0:
                width = draw(st.integers(1, 20))
            if draw(st.integers(0, 15)) == 0:
                lines.append("")
        lines += [""] * draw(st.sampled_from([0, 0, 0, 1, 2]))
    return (newline.join(lines) + draw(st.sampled_from(["", newline]))).encode()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=fasta_texts(), chunk=st.sampled_from([1, 5, 64, 1 << 20]), seed=st.integers(0, 2**32))
def test_any_layout_reads_as_a_naive_parser_does(tmp_path, monkeypatch, text, chunk, seed):
    records = naive_records(text)
    forms = [
        write(tmp_path, text),
        write(tmp_path, gzip.compress(text[:9], 1) + gzip.compress(text[9:], 1), "genome.fa.gz"),
        bgzip(tmp_path / "blocked.fa.gz", text),
        write(tmp_path, text, "misleading.gz"),
        "-",
    ]
    monkeypatch.setattr(genome_module, "_CHUNK", chunk)
    feed_stdin(monkeypatch, text)
    rng = random.Random(seed)
    for path in forms:
        if not any(records.values()):
            assert "no bases" in failure(path)
            continue
        warned: list[str] = []
        with open_genome(path, warned.append) as genome:
            assert genome.names == list(records)
            assert genome.lengths.tolist() == [len(sequence) for sequence in records.values()]
            skipped = any(name.startswith(">") for name in records)
            assert len(warned) == (not all(records.values())) + skipped
            for contig, sequence in enumerate(records.values()):
                start = rng.randint(0, len(sequence))
                end = rng.randint(start, len(sequence))
                assert genome.codes(contig, 0, len(sequence)).tolist() == naive_codes(sequence)
                assert genome.codes(contig, start, end).tolist() == naive_codes(sequence[start:end])
    assert not list(tmp_path.glob("*.fai"))


def test_agrees_with_samtools_faidx(tmp_path):
    if shutil.which("samtools") is None:
        pytest.skip("samtools is not on PATH")
    rng = random.Random(5)
    sequence = "".join(rng.choices("ACGTNRYacgt", k=1003))
    path = write(tmp_path, ">a b\n" + "\n".join(sequence[i : i + 70] for i in range(0, 1003, 70)) + "\n>c\nAC\n")
    for start, end in [(1, 1003), (70, 71), (71, 140), (400, 999)]:
        shown = subprocess.run(["samtools", "faidx", path, f"a:{start}-{end}"], capture_output=True, check=True)
        letters = "".join(shown.stdout.decode().split("\n")[1:])
        with open_genome(path) as genome:
            assert genome.codes(0, start - 1, end).tolist() == naive_codes(letters)


@pytest.mark.parametrize(
    "text",
    [
        b">a\nAC\nGTACG",  # a longer last line
        b">a\nACG\nT\nACG\n",
        b">a\nAC\n\nGTA\nCG",
        b">a\nAC\r\nGT\nAC\nG\n",  # mixed line ends
        b">a\nAC\nGT\r\nAC\nG\n",
        b">a\r\nAC \nGT\nAC\nG\n",
        b">a\n\n \nACGT\r\r\nACG\r\r\n",
    ],
)
def test_uneven_lines(tmp_path, text):
    with open_genome(write(tmp_path, text + b"\n>b\nTT\n")) as genome:
        assert genome.codes(0, 0, 7).tolist() == [0, 1, 2, 3, 0, 1, 2]
        assert genome.codes(1, 0, 2).tolist() == [3, 3]
    with open_genome(write(tmp_path, b">b\nTT\n" + text)) as genome:
        for start in range(8):
            assert genome.codes(1, start, 7).tolist() == [0, 1, 2, 3, 0, 1, 2][start:]


def test_one_long_line_and_many_chunks(tmp_path):
    sequence = bytes(random.Random(1).choices(b"ACGTN", k=3_000_001))
    path = write(tmp_path, b">long\n" + sequence)
    with open_genome(path) as genome:
        assert genome.lengths.tolist() == [3_000_001]
        assert genome.codes(0, 1_500_000, 3_000_001).tolist() == naive_codes(sequence[1_500_000:].decode())


def test_many_contigs(tmp_path):
    """More records than fit into the pass's table at once."""
    path = write(tmp_path, "".join(f">c{i}\n{'ACGT'[i % 4]}A\n" for i in range(100_000)))
    with open_genome(path) as genome:
        assert genome.names[::33_333] == ["c0", "c33333", "c66666", "c99999"]
        assert genome.lengths.tolist() == [2] * 100_000
        assert genome.codes(77_777, 0, 2).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("\n \r\n", "empty"),
        ("@read\nACGT\n+\nIIII\n", "FASTQ"),
        ("ACGT\n", "not FASTA"),
        ("; comment\n>a\nACGT\n", "comment"),
        ("# comment\n>a\nACGT\n", "comment"),
        (">a\nAC\n; comment\nGT\n", "record 'a' has ';' at position 3, which is no nucleotide (remove comment lines)"),
        ("BZh91AY", "bzip2"),
        ("\n  >a\nACGT\n", "not FASTA"),
        (">a\n>b\n\n", "no bases"),
        (">a\nAC\n>\nGT\n", "record 2 has no name"),
        ("> \nAC\n", "record 1 has no name"),
        (">a\nAC\n>b\nAC\n>a x\nGT\n", "records 1 and 3 have the same name 'a'"),
        (">a\nACGTACG\nAC-GT\n", "record 'a' has '-' at position 10, which is no nucleotide (remove alignment gaps)"),
        (
            ">x\nA\n>p\nMAAQRRSLLQSEQQ\n",
            "record 'p' has 'Q' at position 4, which is no nucleotide (looks like protein)",
        ),
        (">p\nMKVRSDHMKVRSDHMKVRSDHW\n", "record 'p' looks like protein"),
        (">p\nMKVRSDHMKVRSDHMKVRSDHW\n>n\nACGT\n", "record 'p' looks like protein"),
        (">a\nAC5T\n", "record 'a' has '5' at position 3"),
        (b">a\nAC\x00T\n", "record 'a' has byte 0x00 at position 3"),
        (">a\nAC>T\n", "record 'a' has '>' at position 3"),
        (">a\rACGT\r>b\rACGT\r", "old Mac"),
        (">a\nACGT\rACGT\n", "old Mac"),
        (b">a\nAC\n>b\xff\nGT\n", "the name of record 2 is not UTF-8"),
        ("\ufeff>a\nACGT\n", "not FASTA"),
        (b"\xff\xfe>\x00a\x00", "not FASTA"),
    ],
)
def test_bad_text(tmp_path, monkeypatch, text, said):
    plain = write(tmp_path, text)
    assert said in failure(plain)
    assert said in failure(write(tmp_path, gzip.compress(plain.read_bytes()), "genome.fa.gz"))
    feed_stdin(monkeypatch, plain.read_bytes())
    assert said in failure("-")
    monkeypatch.setattr(genome_module, "_CHUNK", 1)
    assert said in failure(plain)


def test_protein_is_found_on_opening_by_its_first_letters(tmp_path):
    protein = write(tmp_path, ">a\nACGT\n>p\n" + "MKV" * 1700 + "AC" * 2449 + "\n>b\nACGT\n")
    with pytest.raises(GenoscanError, match="record 'p' looks like protein"):
        open_genome(protein)
    path = write(tmp_path, ">a\n" + "AC" * 5000 + "MKV" * 9000)
    assert bases_read(path) == 37_000
    index(path)
    assert bases_read(path) == 37_000


def test_short_iupac_record_is_dna(tmp_path):
    with open_genome(write(tmp_path, ">a\nRYSWKMBDHVRYSWKMBDH\n>b\nRYSWKMBDHVACGTNACGTN\n")) as genome:
        assert genome.lengths.tolist() == [19, 20]


def test_empty_records_are_warned_of_once(tmp_path):
    warned: list[str] = []
    for text in (">a\n>b\nAC\n", ">b\nAC\n>a\n>c\n\n>d\nA\n>e\n"):
        with open_genome(write(tmp_path, text), warned.append) as genome:
            contig = genome.names.index("a")
            assert genome.lengths[contig] == 0
            assert genome.codes(contig, 0, 0).tolist() == []
            assert genome.codes(genome.names.index("b"), 0, 2).tolist() == [0, 1]
    assert len(warned) == 2
    assert "record 'a' is empty;" in warned[0]
    assert "record 'a' is empty, as are 2 others;" in warned[1]
    with pytest.warns(UserWarning, match="record 'a' is empty"):
        open_genome(write(tmp_path, ">a\n>b\nAC\n")).close()


@pytest.mark.parametrize("name", ["#a", "#", "track", "track1", "browser_2"])
def test_names_that_begin_a_header_line_of_bed(tmp_path, name):
    path = write(tmp_path, f">a\nACGT\n>{name} more\nGGT\n")
    message = failure(path)
    assert f"record 2 has the name '{name}'" in message
    assert "rename the record" in message
    index(path)
    assert failure(path) == message


def test_names_with_control_characters(tmp_path):
    assert "the name of record 2, 'b\\x01', has control characters" in failure(write(tmp_path, ">a\nA\n>b\x01 x\nA\n"))


def test_names_that_bedtools_skips_are_warned_of(tmp_path):
    warned: list[str] = []
    for names in (["a", "chrom"], ["!x", "a", ">y", "Track1"], ["chrom1", "atrack", "a#", "chromosome", "brow"]):
        path = write(tmp_path, "".join(f">{name}\nACGT\n" for name in names))
        with open_genome(path, warned.append) as genome:
            assert genome.names == names
    assert len(warned) == 2
    assert "named 'chrom'; rename" in warned[0]
    assert "named '!x' (3 such); rename" in warned[1]


@pytest.mark.parametrize(
    "name", ["#a", "track1", "browser", ">a", "!a", "Track", "visibility", "chrom", "a#", "chrom1"]
)
def test_bedtools_skips_what_is_refused_or_warned_of(tmp_path, name):
    if shutil.which("bedtools") is None:
        pytest.skip("bedtools is not on PATH")
    bed = write(tmp_path, f"{name}\t0\t10\n", "x.bed")
    merged = subprocess.run(["bedtools", "merge", "-i", bed], capture_output=True).stdout
    path = write(tmp_path, f">{name}\nACGT\n")
    told: list[str] = []
    try:
        open_genome(path, told.append).close()
    except GenoscanError as error:
        told.append(str(error))
    assert bool(told) == (merged == b"")
