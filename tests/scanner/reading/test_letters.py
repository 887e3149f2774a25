"""The open files behind genomes: a bounded number, shared by threads, and never by forked processes."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastas import write

from genoscan.scanner.reading import letters as letters_module
from genoscan.scanner.reading.genome import open_genome, open_part


def open_paths() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(os.readlink(entry))
        except OSError:  # closed since
            continue
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")


@pytest.fixture
def parts(tmp_path):
    """Parts of 40 genomes; each of contig 0, which is ACGT and as many A as the genome's number."""
    made = []
    for number in range(40):
        with open_genome(write(tmp_path, ">a\nACGT" + "A" * number + "\n", f"g{number}.fa")) as genome:
            made.append(genome.share(np.array([0])))
    return made


@needs_proc
def test_a_bounded_number_is_open_and_none_after_closing(tmp_path, parts, monkeypatch):
    monkeypatch.setattr(letters_module, "MOST_OPEN", 5)
    before = len([path for path in open_paths() if path.startswith(str(tmp_path))])
    assert before == 0
    for _ in range(2):
        for number, part in enumerate(parts):
            assert open_part(part).codes(0, 0, 4 + number).tolist() == [0, 1, 2, 3] + [0] * number
            assert len([path for path in open_paths() if path.startswith(str(tmp_path))]) <= 5
    with open_genome(parts[0].file.path) as genome:
        genome.codes(0, 0, 4)
    assert parts[0].file.path not in open_paths()


@needs_proc
def test_a_removed_file_is_closed_when_another_is_opened(tmp_path, parts):
    open_part(parts[0])
    Path(parts[0].file.path).unlink()
    assert f"{parts[0].file.path} (deleted)" in open_paths()
    open_part(parts[1])
    assert f"{parts[0].file.path} (deleted)" not in open_paths()
    assert str(tmp_path) in "".join(open_paths())


def test_threads_and_evictions(parts, monkeypatch):
    """Ten threads that read forty files of which two are kept: a file is closed under nobody."""
    monkeypatch.setattr(letters_module, "MOST_OPEN", 2)
    barrier = threading.Barrier(10)

    def read(seed: int) -> bool:
        barrier.wait()
        numbers = np.random.default_rng(seed).integers(0, 40, 300).tolist()
        return all(
            open_part(parts[number]).codes(0, 0, 4 + number).tolist() == [0, 1, 2, 3] + [0] * number
            for number in numbers
        )

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(read, range(10)))


def test_threads_on_one_file(tmp_path):
    rng = np.random.default_rng(3)
    expected = rng.integers(0, 4, 300_000).astype(np.uint8)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[expected].tobytes().decode()
    path = write(tmp_path, ">a\n" + "\n".join(letters[i : i + 61] for i in range(0, len(letters), 61)))
    with open_genome(path) as genome:
        part = genome.share(np.array([0]))

        def read(seed: int) -> bool:
            places = np.random.default_rng(seed).integers(0, 290_000, 100).tolist()
            return all(
                np.array_equal(open_part(part).codes(0, place, place + 9000), expected[place : place + 9000])
                for place in places
            )

        with ThreadPoolExecutor(10) as pool:
            assert all(pool.map(read, range(10)))


@needs_proc
def test_more_files_than_descriptors(tmp_path):
    """300 genomes read in turn by a process that may have 64 files open."""
    script = (
        "import pickle, resource, sys\n"
        "import numpy as np\n"
        "from genoscan.scanner.reading.genome import open_genome, open_part\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "genomes = [open_genome(path) for path in sys.argv[1:]]\n"
        "parts = [genome.share(np.array([0])) for genome in genomes]\n"
        "for _ in range(2):\n"
        "    print(sum(len(open_part(part).codes(0, 0, 4)) for part in parts))\n"
        "print(sum(len(genome.codes(0, 0, 4)) for genome in genomes))\n"
    )
    paths = [str(write(tmp_path, ">a\nACGT\n", f"{number}.fa")) for number in range(300)]
    ran = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, check=True)
    assert ran.stdout.split() == [b"1200"] * 3


@needs_proc
def test_a_forked_process_opens_files_of_its_own(tmp_path):
    """One that read through the parent's would move the place where the parent reads."""
    script = (
        "import os, sys\n"
        "from genoscan.scanner.reading.genome import open_genome\n"
        "genome = open_genome(sys.argv[1])\n"
        "genome.codes(0, 0, 10)\n"
        "numbers = [int(one) for one in os.listdir('/proc/self/fd')]\n"
        "file, = [one for one in numbers if one > 2 and os.path.realpath(f'/proc/self/fd/{one}') == sys.argv[1]]\n"
        "place = os.lseek(file, 0, os.SEEK_CUR)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(genome.codes(0, 600_000, 600_003).tolist() != [0, 1, 2])\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert os.lseek(file, 0, os.SEEK_CUR) == place\n"
    )
    path = write(tmp_path, b">a\n" + b"ACG" * 300_000 + b"\n")
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, path.resolve()], check=True, timeout=60)
