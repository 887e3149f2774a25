"""Reading genomes: the same bases whatever the file looks like, and one clear line for what is no genome."""

import gzip
import hashlib
import io
import os
import random
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading import genome as genome_module
from genoscan.scanner.reading.genome import open_genome

IUPAC = "ACGTUNRYSWKMBDHVX"


def naive_codes(sequence: str) -> list[int]:
    return [{"A": 0, "C": 1, "G": 2, "T": 3, "U": 3}.get(letter, 4) for letter in sequence.upper()]


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


def silent(text: str) -> None:
    pass


def write(folder: Path, text: str | bytes, name: str = "genome.fa") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def bgzip(path: Path, text: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(text)
    return path


def bases_read(path) -> int:
    """Open a genome and read all of it."""
    with open_genome(path, silent) as genome:
        return sum(len(genome.codes(contig, 0, length)) for contig, length in enumerate(genome.lengths.tolist()))


def one_line(path, error: pytest.ExceptionInfo) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("<stdin>: " if path == "-" else f"{path}: ")
    return message


def failure(path) -> str:
    """The message that opening or reading a bad genome ends in: one line that begins with the file."""
    with pytest.raises(GenoscanError) as caught:
        bases_read(path)
    return one_line(path, caught)


@pytest.fixture(autouse=True)
def temporaries(tmp_path_factory, monkeypatch):
    """A temporary folder of the test's own, which must be empty again at its end."""
    folder = tmp_path_factory.mktemp("temporaries")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def feed_stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# What is read


def test_golden(tmp_path):
    path = write(tmp_path, ">one first record\nACGTU\nacgtu\nNRyX\n>two\tx\nTTTT\n")
    with open_genome(path) as genome:
        assert genome.names == ["one", "two"]
        assert genome.lengths.dtype == np.int64
        assert genome.lengths.tolist() == [14, 4]
        codes = genome.codes(0, 0, 14)
        assert codes.dtype == np.uint8
        assert codes.tolist() == [0, 1, 2, 3, 3, 0, 1, 2, 3, 3, 4, 4, 4, 4]
        assert genome.codes(0, 4, 6).tolist() == [3, 0]
        assert genome.codes(1, 1, 4).tolist() == [3, 3, 3]
        assert genome.codes(1, 2, 2).tolist() == []
        codes[0] = 4  # the caller's own
        assert genome.codes(0, 0, 1).tolist() == [0]
        for bad in ((-1, 2), (0, 5), (3, 2)):
            with pytest.raises(IndexError):
                genome.codes(1, *bad)


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
            assert len(warned) == (not all(records.values()))
            for contig, sequence in enumerate(records.values()):
                start = rng.randint(0, len(sequence))
                end = rng.randint(start, len(sequence))
                assert genome.codes(contig, 0, len(sequence)).tolist() == naive_codes(sequence)
                assert genome.codes(contig, start, end).tolist() == naive_codes(sequence[start:end])
    assert not list(tmp_path.glob("*.fai"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    lengths=st.lists(st.integers(1, 100), min_size=1, max_size=4),
    width=st.integers(1, 40),
    newline=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_the_index_of_samtools_is_used_and_agrees(tmp_path, monkeypatch, lengths, width, newline, last, seed):
    rng = random.Random(seed)
    sequences = ["".join(rng.choices("ACGTNacgtn", k=length)) for length in lengths]
    text = ""
    for number, sequence in enumerate(sequences):
        lines = [sequence[i : i + width] for i in range(0, len(sequence), width)]
        text += newline.join([f">record{number} text", *lines, ""])
    path = write(tmp_path, text if last else text.rstrip())
    with monkeypatch.context() as forbidden:
        with open_genome(path) as genome:
            own = [genome.codes(contig, 0, length).tolist() for contig, length in enumerate(lengths)]
        pysam.faidx(str(path))
        forbidden.setattr(genome_module, "read_layout", None)  # the index is used: nothing is indexed
        with open_genome(path) as genome:
            for contig, sequence in enumerate(sequences):
                codes = genome.codes(contig, 0, len(sequence)).tolist()
                assert codes == own[contig] == naive_codes(sequence)
                start = rng.randrange(len(sequence))
                assert genome.codes(contig, start, len(sequence)).tolist() == codes[start:]
                assert genome.codes(contig, 0, start).tolist() == codes[:start]
    Path(f"{path}.fai").unlink()


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


def test_threads_read_the_same(tmp_path):
    rng = np.random.default_rng(3)
    letters = np.frombuffer(b"ACGTN", dtype=np.uint8)[rng.integers(0, 5, 200_000)].tobytes().decode()
    path = write(tmp_path, ">a\n" + "\n".join(letters[i : i + 61] for i in range(0, len(letters), 61)))
    expected = np.array(naive_codes(letters), dtype=np.uint8)
    barrier = threading.Barrier(4)

    def read(seed: int) -> bool:
        places = np.random.default_rng(seed).integers(0, 190_000, 200).tolist()
        barrier.wait()
        return all(
            np.array_equal(genome.codes(0, place, place + 5000), expected[place : place + 5000]) for place in places
        )

    with open_genome(path) as genome, ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))


def test_standard_input(monkeypatch):
    monkeypatch.setattr(genome_module, "_CHUNK", 7)
    text = b">a\nACGT\n>b\nGG\nT\n"
    for data in (text, gzip.compress(text)):
        feed_stdin(monkeypatch, data)
        with open_genome("-") as genome:
            assert genome.source == "<stdin>"
            assert genome.codes(1, 0, 3).tolist() == [2, 2, 3]
            assert genome.digest() == hashlib.blake2b(text, digest_size=16).hexdigest()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(path.write_bytes, b">a\nACG\n")
        with open_genome(path) as genome:
            assert genome.codes(0, 0, 3).tolist() == [0, 1, 2]
            assert genome.digest() == hashlib.blake2b(b">a\nACG\n", digest_size=16).hexdigest()


def test_digest_is_of_the_bytes_on_disk(tmp_path, monkeypatch):
    text = b">a\nAC\nGTA\n\n"
    for path in (write(tmp_path, text), bgzip(tmp_path / "b.gz", text)):
        monkeypatch.chdir(tmp_path)
        with open_genome(path.name) as genome:
            monkeypatch.chdir("/")
            assert genome.digest() == hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


# The index beside the file


def index(path: Path) -> Path:
    pysam.faidx(str(path))
    return Path(f"{path}.fai")


def expect_indexed_anew(path: Path, reason: str) -> None:
    before = Path(f"{path}.fai").read_bytes()
    warned: list[str] = []
    with open_genome(path, warned.append) as genome:
        assert genome.names == ["a", "b"]
        assert genome.codes(1, 0, 3).tolist() == [2, 2, 3]
    assert len(warned) == 1
    assert reason in warned[0]
    assert str(path) in warned[0]
    assert Path(f"{path}.fai").read_bytes() == before  # the user's file is left as it is


def test_stale_index(tmp_path):
    path = write(tmp_path, ">a\nACGT\n>b\nGGT\n")
    fai = index(path)
    os.utime(fai, (1, 1))
    expect_indexed_anew(path, "older")


@pytest.mark.parametrize(
    "fai",
    [
        "",
        "nonsense\n",
        "a\t4\t3\t4\t5\nb\tx\t11\t3\t4\n",
        "a\t4\t3\t4\t5\n",  # a record is missing
        "b\t3\t11\t3\t4\n",
        "a\t4\t3\t4\t5\nc\t3\t11\t3\t4\n",  # another name
        "a\t4\t3\t4\t5\nb\t3\t12\t3\t4\n",
        "a\t4\t3\t4\t5\nb\t300\t11\t3\t4\n",  # beyond the file
        "a\t4\t3\t4\t5\nb\t-3\t11\t3\t4\n",
        "a\t4\t3\t0\t0\nb\t3\t11\t3\t4\n",
        "a\t4\t3\t4\t99999999999999999999\nb\t3\t11\t3\t4\n",
        b"\xff\t4\t3\t4\t5\nb\t3\t11\t3\t4\n",
    ],
)
def test_wrong_index(tmp_path, fai):
    path = write(tmp_path, ">a\nACGT\n>b\nGGT\n")
    write(tmp_path, fai, "genome.fa.fai")
    expect_indexed_anew(path, "indexing")


@pytest.mark.parametrize(
    ("text", "fai"),
    [
        (">a\nACGT \nAC \n>b\nGGT\n", "a\t6\t3\t4\t6\nb\t3\t16\t3\t4\n"),  # blanks at the ends of lines
        (">a \nACGT\nAC\t\n>b\nGGT\n", "a\t6\t4\t4\t5\nb\t3\t16\t3\t4\n"),
    ],
)
def test_index_of_lines_with_blanks(tmp_path, text, fai):
    """samtools writes one; pyfaidx would read the blanks as letters."""
    path = write(tmp_path, text)
    write(tmp_path, fai, "genome.fa.fai")
    expect_indexed_anew(path, "does not fit")


@pytest.mark.parametrize(
    ("text", "fai"),
    [
        (b">a\rACGT", "a\t4\t3\t4\t4\n"),
        (b">a\nAC\rGT", "a\t4\t3\t2\t3\n"),
        (b">a\nACGT\n>b\rc", "a\t4\t3\t4\t5\nb\t0\t12\t0\t0\n"),
        (b">a\nACGT\r\t", "a\t4\t3\t4\t5\n"),
    ],
)
def test_no_index_makes_up_for_line_ends_that_are_none(tmp_path, text, fai):
    path = write(tmp_path, text)
    write(tmp_path, fai, "genome.fa.fai")
    assert "carriage returns without line feeds" in failure(path)


def test_no_index_finds_records_in_the_middle_of_a_line(tmp_path):
    path = write(tmp_path, ">a\nACGT\n>b\v>c\n")
    write(tmp_path, "a\t4\t3\t4\t5\nb\t0\t11\t0\t0\nc\t0\t14\t0\t0\n", "genome.fa.fai")
    with open_genome(path, warn=lambda _: None) as genome:
        assert genome.names == ["a", "b"]


def test_index_with_a_name_that_samtools_dropped(tmp_path):
    path = write(tmp_path, ">a\nACGT\n>a\nGGT\n")
    write(tmp_path, "a\t4\t3\t4\t5\n", "genome.fa.fai")
    assert "same name 'a'" in failure(path)


def test_letters_are_checked_when_an_index_is_used(tmp_path):
    path = write(tmp_path, ">a\nACGT\nAEGT\n>b\nGG\n")
    index(path)
    with open_genome(path) as genome:
        assert genome.codes(0, 0, 5).tolist() == [0, 1, 2, 3, 0]
        with pytest.raises(GenoscanError, match="record 'a' has 'E' at position 6"):
            genome.codes(0, 2, 8)
    path = write(tmp_path, b">a\nACGT\nA\xffGT\n")
    index(path)
    assert "record 'a' has byte 0xff at position 6" in failure(path)
    path = write(tmp_path, ">a\nACGT\nAéG\n")
    index(path)
    assert "record 'a' has byte 0xc3 at position 6" in failure(path)
    path = write(tmp_path, ">p\nMKVRSDHMKVRSDHMKVRSDHW\n")
    index(path)
    assert "record 'p' looks like protein" in failure(path)


@pytest.mark.parametrize("indexed", [False, True])
def test_a_piece_is_not_taken_for_protein_when_its_record_is_dna(tmp_path, indexed):
    path = write(tmp_path, f">a\n{'X' * 25 + 'ACGT' * 10}\n>p\n{'RYKM' * 20 + 'ACGT' * 10}\n")
    if indexed:
        index(path)
    else:
        assert "record 'p' looks like protein" in failure(path)
        path.write_bytes(path.read_bytes().partition(b">p")[0])
    with open_genome(path) as genome:
        assert genome.codes(0, 0, 24).tolist() == [4] * 24
        if indexed:
            with pytest.raises(GenoscanError, match="record 'p' looks like protein"):
                genome.codes(1, 0, 24)


def test_file_that_changes_while_open(tmp_path):
    path = write(tmp_path, ">a\n" + "ACGT\n" * 1000)
    with open_genome(path) as genome:
        os.truncate(path, 2000)
        assert genome.codes(0, 0, 4).tolist() == [0, 1, 2, 3]
        with pytest.raises(GenoscanError, match="record 'a' is shorter than when it was indexed"):
            genome.codes(0, 0, 4000)


# What is no genome


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


def test_missing_and_folder(tmp_path):
    assert "no such file" in failure(tmp_path / "absent.fa")
    assert "is a folder" in failure(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path):
    path = write(tmp_path, ">a\nA\n")
    path.chmod(0)
    assert "cannot be read" in failure(path)


def test_bad_gzip(tmp_path, monkeypatch):
    text = b">a\n" + bytes(random.Random(2).choices(b"ACGT", k=200_000)) + b"\n"
    packed = gzip.compress(text)
    assert "truncated" in failure(write(tmp_path, packed[:-9], "a.gz"))
    assert "truncated" in failure(write(tmp_path, packed[:1000], "a.gz"))
    assert "truncated" in failure(write(tmp_path, packed[:2], "a.gz"))
    assert "corrupt" in failure(write(tmp_path, packed + b"trailing", "a.gz"))
    assert "corrupt" in failure(write(tmp_path, packed[:-6] + b"\0\0" + packed[-4:], "a.gz"))
    assert "corrupt" in failure(write(tmp_path, packed[:5000] + b"\xff" * 50 + packed[5050:], "a.gz"))
    feed_stdin(monkeypatch, packed[:1000])
    assert "truncated" in failure("-")
    blocked = bgzip(tmp_path / "b.gz", text).read_bytes()
    assert len(blocked) > 28
    assert "end marker" in failure(write(tmp_path, blocked[:-28], "b.gz"))
    with open_genome(write(tmp_path, blocked, "b.gz")) as genome:
        assert genome.lengths.tolist() == [200_000]


def test_no_room_for_the_copy(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    path = write(tmp_path, gzip.compress(b">a\nACGT\n"), "a.gz")
    real = Path.open

    def full(self, mode="r", **options):
        return real(Path("/dev/full") if mode == "wb" else self, mode, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", full)
        assert "set TMPDIR" in failure(path)


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


# Real files


@pytest.mark.data
def test_every_oddity_reads_or_ends_in_one_line(data_folder):
    read = refused = 0
    for path in sorted((data_folder / "genomes" / "oddities").iterdir()):
        try:
            assert bases_read(path) > 0
            read += 1
        except GenoscanError:
            failure(path)
            refused += 1
    assert read > 10
    assert refused > 10


@pytest.mark.data
@pytest.mark.parametrize("name", ["yeast_R64-1-1.fa.gz", "athaliana.1pct.fa.gz"])
def test_real_genomes_agree_with_pysam(data_folder, tmp_path, name):
    path = write(tmp_path, gzip.decompress((data_folder / "genomes" / name).read_bytes()))
    with open_genome(path) as plain, open_genome(data_folder / "genomes" / name) as packed:
        assert not Path(f"{path}.fai").exists()
        index(path)
        table = np.full(128, 4, dtype=np.uint8)
        table[list(b"ACGTacgt")] = [0, 1, 2, 3] * 2
        with pysam.FastaFile(str(path)) as judge:
            assert plain.names == packed.names == list(judge.references)
            for contig, reference in enumerate(judge.references):
                length = judge.get_reference_length(reference)
                expected = table[np.frombuffer(judge.fetch(reference).encode(), dtype=np.uint8)]
                assert np.array_equal(plain.codes(contig, 0, length), expected)
                assert np.array_equal(packed.codes(contig, length // 3, length), expected[length // 3 :])
