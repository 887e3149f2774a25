"""Signals before the first piece is finished, and where Python cannot raise: the command ends at once, as it should."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import LIMIT
from interrupted_scans import CPU, ended_by, wait_for


@pytest.fixture
def long_in_opening(place) -> str:
    """A gzip file of 4 MB whose 4 Gb take half a minute to unpack."""
    member = gzip.compress(b">a\n" + b"ACGTTGCAAC" * 6_400_000 + b"\n")
    more = gzip.compress(b"ACGTTGCAAC" * 6_400_000 + b"\n")
    (place.here / "long.fa.gz").write_bytes(member + 64 * more)
    place.given.add("long.fa.gz")
    return "long.fa.gz"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("ahead", [False, True])
def test_a_signal_while_a_genome_is_unpacked(place, long_in_opening, sent, ahead):
    genomes = ["genome.fa", long_in_opening] if ahead else [long_in_opening]
    process = place.start("scan", *genomes, "-m", "slow.onnx", "--out-dir", "out", *CPU, "-t", "1")
    wait_for(lambda: any(path.stat().st_size > 1e6 for path in place.temporary.glob("*/letters")), process)
    result = ended_by(process, sent)
    assert result.returncode == 128 + sent
    assert not list(place.temporary.iterdir())
    assert set(os.listdir(place.here / "out")) - {"genome.pieces"} == {"summary.tsv"}


@pytest.mark.parametrize("source", ["stdin", "pipe", "pipe with a writer"])
def test_a_signal_while_nothing_comes_from_a_pipe(place, source):
    genome = place.here / "pipe"
    os.mkfifo(genome)
    process = place.start("scan", "-" if source == "stdin" else "pipe", "-m", "gc.onnx", "-o", "x.bed",
                          stdin=subprocess.PIPE)  # fmt: skip
    with contextlib.ExitStack() as stack:
        if source == "stdin":
            process.stdin.write(b">a\nACGT")
            process.stdin.flush()
        if source == "pipe with a writer":
            stack.enter_context(genome.open("wb", buffering=0)).write(b">a\nACGT\n")
        loaded = Path(f"/proc/{process.pid}/maps")
        wait_for(lambda: "onnxruntime" in loaded.read_text(), process)
        time.sleep(1.5)  # until the model is open and the genome is waited for
        process.send_signal(signal.SIGTERM)  # with the pipe open: it must not wait for more
        assert process.wait(LIMIT) == 143
        assert process.stderr.read() == b"genoscan: ended by SIGTERM\n"
        process.stdin.close()
        process.stderr.close()
        process.stdout.close()
    assert place.made() == {"pipe"}


def test_a_signal_while_the_first_piece_waits_for_the_digest(place):
    genome = place.here / "sparse.fa"
    with genome.open("wb") as file:
        file.write(b">a\n" + b"ACGTACGTAC" * 300 + b"\n>b\n")
        file.truncate(40 << 30)  # takes no room, and a minute to digest
    rest = (40 << 30) - 3007
    (place.here / "sparse.fa.fai").write_text(f"a\t3000\t3\t3000\t3001\nb\t{rest}\t3007\t{rest}\t{rest + 1}\n")
    process = place.start("scan", "sparse.fa", "-m", "gc.onnx", "--regions", "a", "-o", "x.bed", "--device", "cpu")
    partial = place.here / "x.bed.pieces" / "x.bed.partial"
    wait_for(partial.exists, process)
    time.sleep(0.5)
    result = ended_by(process, signal.SIGTERM)
    assert (result.returncode, result.stderr) == (143, "genoscan: ended by SIGTERM\n")
    assert place.made() == {"sparse.fa", "sparse.fa.fai"}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_comes_where_exceptions_are_dropped(place, sent):
    """As in a destructor, or a callback that compiled code makes: Python cannot raise there."""
    script = (
        "import os, sys, time\n"
        "from genoscan import cli\n"
        "from genoscan.scanner import batch\n"
        "class Dropping:\n"
        "    def __del__(self):\n"
        f"        os.kill(os.getpid(), {int(sent)})\n"
        "        time.sleep(5)\n"  # the handler runs here
        "        print('not reached')\n"
        "def scans(*_, **__):\n"
        "    Dropping()\n"
        "    time.sleep(1000)\n"
        "batch.scan_samples = scans\n"
        "cli.main(['scan', 'small.fa', '-m', 'gc.onnx'])\n"
    )
    options = {"cwd": place.here, "capture_output": True, "text": True, "timeout": LIMIT}
    done = subprocess.run([sys.executable, "-c", script], check=False, **options)
    said = "interrupted" if sent == signal.SIGINT else f"ended by {signal.Signals(sent).name}"
    assert (done.returncode, done.stdout, done.stderr) == (128 + sent, "", f"genoscan: {said}\n")


def test_ctrl_c_during_an_import_has_its_exit_code(place):
    """Imports of many packages call exec()."""
    script = (
        "from genoscan import cli\n"
        "from genoscan.scanner import batch\n"
        "text = 'import os, time; os.kill(os.getpid(), 2); time.sleep(1000)'\n"
        "batch.scan_samples = lambda *_, **__: exec(text)\n"
        "cli.main(['scan', 'small.fa', '-m', 'gc.onnx'])\n"
    )
    (place.here / "imports.py").write_text(script)
    options = {"cwd": place.here, "capture_output": True, "text": True, "timeout": LIMIT}
    done = subprocess.run([sys.executable, "-m", "imports"], check=False, **options)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "genoscan: interrupted\n")
