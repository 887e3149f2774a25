"""Genomes: opened, read, shared with other processes, hashed, and found out when they change."""

import gzip
import hashlib
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pysam
import pytest
from fastas import bases_read, bgzip, failure, feed_stdin, index, naive_codes, silent, write

from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.reading import digest as digest_module
from genoscan.scanner.reading import genome as genome_module
from genoscan.scanner.reading.genome import NotShared, open_genome, open_part


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
    padded = gzip.compress(text[:5]) + gzip.compress(text[5:]) + bytes(40_000)
    uneven = write(tmp_path, b">a\nAC\nGTA\nA\n", "uneven.fa")
    for path in (write(tmp_path, text), bgzip(tmp_path / "b.gz", text), write(tmp_path, padded, "padded.gz"), uneven):
        monkeypatch.chdir(tmp_path)
        with open_genome(path.name) as genome:
            monkeypatch.chdir("/")
            assert genome.digest() == hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def test_file_that_changes_while_open(tmp_path):
    path = write(tmp_path, ">a\n" + "ACGT\n" * 1000)
    with open_genome(path) as genome:
        os.truncate(path, 2000)
        assert genome.codes(0, 0, 4).tolist() == [0, 1, 2, 3]
        with pytest.raises(GenoscanError, match="record 'a' is shorter than when it was indexed"):
            genome.codes(0, 0, 4000)


def test_missing_and_folder(tmp_path):
    assert "no such file" in failure(tmp_path / "absent.fa")
    assert "is a folder" in failure(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path):
    path = write(tmp_path, ">a\nA\n")
    path.chmod(0)
    assert "cannot be read" in failure(path)


# Changes while a scan goes on


def test_a_replaced_file_is_found_out(tmp_path):
    path = write(tmp_path, ">a\nACGT\n")
    with open_genome(path) as genome:
        genome.require_unchanged()
        other = write(tmp_path, ">a\nTTTT\n", "other.fa")
        os.utime(other, ns=(0, path.stat().st_mtime_ns + 1))
        other.replace(path)
        assert genome.codes(0, 0, 4).tolist() == [0, 1, 2, 3]  # of the file that was opened
        with pytest.raises(GenoscanError, match=f"^{path}: changed while it was being scanned; run again$"):
            genome.require_unchanged()
        path.unlink()
        with pytest.raises(GenoscanError, match="changed while"):
            genome.require_unchanged()


def test_a_stream_cannot_change(monkeypatch):
    feed_stdin(monkeypatch, b">a\nACGT\n")
    with open_genome("-") as genome:
        genome.require_unchanged()


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_grows_while_it_is_opened(tmp_path, monkeypatch, packed):
    text = b">a\nACGT\n"
    path = write(tmp_path, gzip.compress(text) if packed else text)
    real = genome_module._pieces

    def growing(file):
        yield from real(file)
        with path.open("ab") as more:
            more.write(b"ACGT\n")

    monkeypatch.setattr(genome_module, "_pieces", growing)
    with pytest.raises(GenoscanError, match="changed while it was being scanned"):
        open_genome(path)


# The digest


def test_digest_of_a_file_that_was_not_read_on_opening(tmp_path):
    path = write(tmp_path, b">a\n" + b"ACGT" * 1_000_000)
    index(path)
    expected = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    with open_genome(path) as genome:
        assert not any(thread.name.startswith("genoscan-digest") for thread in threading.enumerate())
        genome.start_digest()
        genome.start_digest()
        assert genome.digest() == genome.digest() == expected
    with open_genome(path) as genome:
        assert genome.digest() == expected


@pytest.mark.parametrize("change", ["replace", "truncate", "remove"])
def test_digest_of_a_file_that_changed(tmp_path, change):
    path = write(tmp_path, b">a\nACGT\n")
    index(path)
    with open_genome(path) as genome:
        if change == "replace":
            path.write_bytes(b">a\nACGA\n")
            os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
        elif change == "truncate":
            os.truncate(path, 5)
        else:
            path.unlink()
        with pytest.raises(GenoscanError, match="no such file" if change == "remove" else "changed while it was"):
            genome.digest()


def test_closing_gives_the_digest_up(tmp_path, monkeypatch):
    path = write(tmp_path, b">a\n" + b"ACGT" * 1000)
    index(path)
    monkeypatch.setattr(digest_module, "_CHUNK", 1)
    reading, go_on = threading.Event(), threading.Event()
    real = digest_module.open_unchanged

    def slowly(*arguments):
        reading.set()
        go_on.wait(20)
        return real(*arguments)

    monkeypatch.setattr(digest_module, "open_unchanged", slowly)
    genome = open_genome(path)
    genome.start_digest()
    assert reading.wait(20)
    threading.Timer(0.2, go_on.set).start()
    genome.close()
    for thread in threading.enumerate():
        if thread.name.startswith("genoscan-digest"):
            thread.join(20)
    with pytest.raises(RuntimeError, match="given up"):
        genome.digest()


def test_an_unfinished_digest_does_not_keep_the_process(tmp_path):
    path = tmp_path / "genome.fa"
    with path.open("wb") as file:
        file.write(b">a\nACGT\n")
        file.truncate(1 << 40)  # sparse: it takes nothing, and minutes to hash
    script = (
        "import sys, time\n"
        "from genoscan.scanner.reading.digest import FileDigest\n"
        "from genoscan.scanner.reading.letters import FileState\n"
        f"digest = FileDigest('x', FileState.of({str(path)!r}))\n"
        "print('started', flush=True)\n"
        "digest.result() if sys.argv[1] == 'wait' else time.sleep(0.2)\n"
    )
    subprocess.run([sys.executable, "-c", script, "leave"], timeout=100, check=True, stdout=subprocess.DEVNULL)
    for number in (signal.SIGTERM, signal.SIGINT):
        command = [sys.executable, "-c", script, "wait"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.readline()
            process.send_signal(number)
            assert process.wait(100) != 0


# Parts for other processes


def parts_of(tmp_path, monkeypatch):
    """Genomes whose letters lie in the file itself, in a file with a misleading name, and in a temporary copy."""
    text = b">a\nACGTN\nACG\n>empty\n>b\nGGTTC\nAA\n>c\nTTTT\n"
    for path in (
        write(tmp_path, text),
        write(tmp_path, text, "misleading.gz"),
        write(tmp_path, gzip.compress(text), "packed"),
        write(tmp_path, text.replace(b"ACGTN", b"ACG\nTN"), "uneven.fa"),
    ):
        yield open_genome(path, silent)
    feed_stdin(monkeypatch, text)
    yield open_genome("-", silent)


def test_a_part_reads_as_the_genome_does(tmp_path, monkeypatch):
    for genome in parts_of(tmp_path, monkeypatch):
        with genome:
            part = pickle.loads(pickle.dumps(genome.share(np.array([3, 0, 2, 2]))))
            assert part.contigs.tolist() == [0, 2, 3]
            assert part.layout.names == ["a", "b", "c"]
            reader = open_part(part)
            for contig in (0, 2, 3):
                length = int(genome.lengths[contig])
                for start in range(length + 1):
                    for end in range(start, length + 1):
                        assert reader.codes(contig, start, end).tolist() == genome.codes(contig, start, end).tolist()
            with pytest.raises(IndexError):
                reader.codes(3, 0, 5)
            for absent in (1, 4):
                with pytest.raises(KeyError):
                    reader.codes(absent, 0, 0)


def test_a_part_in_another_process(tmp_path):
    text = b">a\n" + bytes(random.Random(4).choices(b"ACGT", k=1000)) + b"\n>b\nACXT\nAC?T\n"
    path = write(tmp_path, text)
    index(path)
    script = (
        "import pickle, sys\n"
        "from genoscan.scanner.errors import GenoscanError\n"
        "from genoscan.scanner.reading.genome import open_part\n"
        "reader = open_part(pickle.load(sys.stdin.buffer))\n"
        "print(reader.codes(0, 100, 1000).tolist())\n"
        "try:\n    reader.codes(1, 0, 8)\nexcept GenoscanError as error:\n    print(error)\n"
    )
    with open_genome(path) as genome:
        part = pickle.dumps(genome.share(np.array([0, 1])))
        ran = subprocess.run([sys.executable, "-c", script], input=part, capture_output=True, check=True)
        codes, error = ran.stdout.decode().splitlines()
        assert codes == str(genome.codes(0, 100, 1000).tolist())
        assert error == f"{path}: record 'b' has '?' at position 7, which is no nucleotide; only IUPAC letters are read"


def test_a_part_that_is_not_shared(tmp_path):
    path = write(tmp_path, ">a\nACGT\n")
    with open_genome(path) as genome:
        part = genome.share(np.array([0]))
        open_part(part)
        aside = path.rename(tmp_path / "aside")
        with pytest.raises(NotShared):
            open_part(part)
        path.mkdir()
        with pytest.raises(NotShared):
            open_part(part)
        path.rmdir()
        path.symlink_to(tmp_path / "nowhere")
        with pytest.raises(NotShared):
            open_part(part)
        path.unlink()
        for text, later in ((">a\nACGT\n", 1), (">a\nACGTA\n", 0)):
            write(tmp_path, text)
            os.utime(path, ns=(0, part.file.mtime_ns + later))
            with pytest.raises(NotShared):
                open_part(part)
        aside.replace(path)
        assert open_part(part).codes(0, 0, 4).tolist() == [0, 1, 2, 3]
    assert not issubclass(NotShared, GenoscanError)


def test_a_truncated_part(tmp_path):
    path = write(tmp_path, ">a\n" + "ACGT\n" * 100_000)
    with open_genome(path) as genome:
        reader = open_part(genome.share(np.array([0])))
        os.truncate(path, 2000)
        with pytest.raises(GenoscanError, match="record 'a' is shorter than when it was indexed"):
            reader.codes(0, 0, 400_000)


# Files in all


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
