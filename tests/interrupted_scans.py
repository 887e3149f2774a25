"""Scans that are ended half way: where they run, how they are ended, and what of them is compared."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import commands
import psutil
import pytest

from genoscan.scanner.resume import unpack

CPU = ("--device", "cpu", "--batch-size", "8", "--tile-size", "2048")
KEPT = "{} finished pieces are kept in x.bed.gz.pieces: the same command with --resume goes on from there"
TIMES = ("seconds", "mb_per_second")
TRACK = ("x.bed.gz", "x.bed.gz.csi")


class Place:
    """A working folder with the material, and a temporary folder of its own."""

    def __init__(self, folder: Path, material: Path):
        self.here, self.temporary = folder / "here", folder / "temporary"
        shutil.copytree(material, self.here)
        self.temporary.mkdir()
        self.given = set(os.listdir(self.here))
        self.mark = f"test-{folder}"
        self.started: list[subprocess.Popen] = []

    def start(self, *arguments, **options) -> subprocess.Popen:
        environment = {**os.environ, "TMPDIR": str(self.temporary), "GENOSCAN_TEST_RUN": self.mark}
        options = {"cwd": self.here, "env": environment, "start_new_session": True, **options}
        self.started.append(commands.start(*arguments, **options))
        return self.started[-1]

    def finish(self, *arguments, stdin: bytes = b"") -> str:
        """The command run to its end in this process, which is quicker; what it says."""
        with contextlib.chdir(self.here), pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(self.temporary))
            result = commands.invoke(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.stderr
        return result.stderr

    def made(self) -> set[str]:
        """What there is that was not given, temporaries included."""
        there = set(os.listdir(self.here)) - self.given
        return there | {f"temporary/{name}" for name in os.listdir(self.temporary)}

    def processes(self) -> list[psutil.Process]:
        """Those that this place's commands have left."""
        found = []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if one.environ().get("GENOSCAN_TEST_RUN") == self.mark and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one)
        return found


def ended(process: subprocess.Popen, stdin: bytes | None = None) -> subprocess.CompletedProcess:
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=commands.LIMIT)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout.decode(), stderr.decode())


def ended_by(process: subprocess.Popen, number: int) -> subprocess.CompletedProcess:
    """What comes of a process that gets a signal, and must end with little more work."""
    with process:
        try:
            stdout, stderr = commands.ended_by(process, number)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout.decode(), stderr.decode())


def wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + commands.LIMIT
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def pieces_of(folder: Path) -> dict[str, int]:
    """The bases of each finished piece in a folder, by the names of the files."""
    return {path.name: unpack(path.read_bytes()).bases for path in folder.glob("*.piece")}


def wait_for_pieces(process: subprocess.Popen, folder: Path, count: int = 3) -> None:
    wait_for(lambda: len(list(folder.glob("*.piece"))) >= count, process)


def slow(*more: str, genome: str = "genome.fa", output: str = "x.bed.gz") -> tuple[str, ...]:
    """The scan that is interrupted here."""
    return ("scan", genome, "--model", "slow.onnx", "-o", output, *CPU, *more)


def killed(place: Place, *arguments: str, folder: str = "x.bed.gz.pieces", stdin: str | None = None) -> dict[str, int]:
    """Have a scan killed with SIGKILL when it has finished some pieces; their bases."""
    with contextlib.ExitStack() as stack:
        given = stack.enter_context(open(place.here / stdin, "rb")) if stdin else subprocess.DEVNULL
        process = place.start(*arguments, stdin=given)
        wait_for_pieces(process, place.here / folder)
        process.kill()
        assert ended(process).returncode == -signal.SIGKILL
    return pieces_of(place.here / folder)


def outputs(folder: Path, *names: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def summary(path: Path) -> dict:
    """A track's summary without what may differ between two runs."""
    found = json.loads(path.read_text())
    found = {key: value for key, value in found.items() if key not in TIMES}
    found["counts"] = {key: value for key, value in found["counts"].items() if key != "resumed_bases"}
    return found


def resumed_bases(path: Path) -> int:
    return json.loads(path.read_text())["counts"]["resumed_bases"]


def error_line(result: subprocess.CompletedProcess) -> str:
    """The line that the command ended in."""
    assert result.returncode == 1, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("genoscan: error: ")
    return line
