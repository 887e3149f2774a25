"""Signals, readers, disks and streams that end a scan: one line, and nothing left."""

from __future__ import annotations

import gzip
import os
import re
import resource
import signal
import subprocess
import sys
import time

import commands
import numpy as np
import pytest
import toys


@pytest.fixture
def long_scan(folder):
    """Arguments of a scan that takes a minute, of a genome that needs a temporary folder."""
    letters = np.random.default_rng(1).choice(list("ACGT"), 3_000_000)
    (folder / "long.fa.gz").write_bytes(gzip.compress((">one\n" + "".join(letters) + "\n").encode(), 1))
    toys.write(folder / "slow.onnx", toys.kmer_bert(window=128, layers=4))
    return "scan", "long.fa.gz", "--model", "slow.onnx", "--device", "cpu", "--tile-size", "2000000"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", pytest.param("SIGHUP", marks=pytest.mark.long)])
def test_a_signal_ends_a_scan_at_once_and_leaves_nothing(folder, long_scan, name):
    before = commands.contents(folder)
    process = commands.start(*long_scan, "-o", "out.bed", text=True)
    deadline = time.monotonic() + commands.LIMIT
    while not (folder / "out.bed.pieces" / "out.bed.partial").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list((folder.parent / "temporary").iterdir())
    time.sleep(0.3)
    stdout, stderr = commands.ended_by(process, getattr(signal, name))
    assert process.returncode == 128 + getattr(signal, name)
    assert (stdout, len(stderr.splitlines())) == ("", 1)
    assert stderr.startswith("genoscan: ")
    assert commands.contents(folder) == before
    assert not list((folder.parent / "temporary").iterdir())


def test_a_reader_that_goes_away(folder):
    toys.write(folder / "a.onnx", toys.base_model("A", 4096, 64))
    letters = np.random.default_rng(1).choice(list("ACGT"), 1_000_000)
    (folder / "long.fa").write_text(">one\n" + "".join(letters) + "\n")
    process = commands.start("scan", "long.fa", "--model", "a.onnx", "--tile-size", "10000")
    assert process.stdout.readline() == b"#chrom\tstart\tend\tname\tscore\tstrand\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=commands.LIMIT) == 128 + signal.SIGPIPE
    assert not list((folder.parent / "temporary").iterdir())


def test_a_disk_that_is_full(folder):
    """A limit on the size of files stands in for the disk."""
    letters = np.random.default_rng(1).choice(list("ACGT"), 200_000)
    (folder / "long.fa").write_text(">one\n" + "".join(letters) + "\n")
    toys.write(folder / "a.onnx", toys.base_model("A", 4096, 64))
    before = commands.contents(folder)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    for output in ("out.bed", "out.bed.gz"):
        result = commands.run("scan", "long.fa", "--model", "a.onnx", "-o", output, preexec_fn=limit)
        (line,) = result.stderr.decode().splitlines()
        assert re.match(rf"genoscan: error: {output}(\.pieces)?: cannot write: File too large", line)
        assert result.returncode == 1
        assert "--resume" in line or commands.contents(folder) == before


@pytest.mark.parametrize(
    ("closed", "said"),
    [("1", "<stdout>: is closed"), ("0", "<stdin>: is closed")],
)
def test_streams_that_are_closed(folder, closed, said):
    script = f"import os, sys; os.close({closed}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    arguments = ["-m", "genoscan", "scan", "-" if closed == "0" else "genome.fa", "--model", "model.onnx"]
    command = [sys.executable, "-c", script, *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"genoscan: error: {said}")


def test_the_telemetry_of_onnx_runtime_is_off():
    """It would send model names and hashes away, and leaves a file among the temporaries."""
    script = "import os, genoscan.scanner.inference; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
