"""A place for rounds of chaos: folders of its own, its processes, and what they leave behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psutil

from genoscan.scanner.resume import unpack

LIMIT = 240.0
"""Seconds that a scan may take: then it hangs."""
LEAVING = 30.0
"""Seconds that processes of Ray may take to notice that their driver is gone."""
MARK = "GENOSCAN_CHAOS"


class Place:
    """A folder with genomes, the disk that tracks are written to, and a temporary folder.

    The disk is a small file system of its own where ``mounted``, so that it can be filled.
    """

    def __init__(self, folder: Path, mounted: bool):
        self.folder, self.disk, self.temporary = folder, folder / "disk", folder / "t"
        self.out, self.calm = self.disk / "out", folder / "calm"
        for one in (self.disk, self.temporary, self.calm):
            one.mkdir()
        try:
            self.mounted = mounted and _mount(self.disk)
            self.out.mkdir()
            self._shared = set(_shared_memory())
        except BaseException:  # a signal, for example
            self.close()
            raise

    def start(self, *arguments: str, stdin: Path | None = None) -> subprocess.Popen:
        """The command as a process in a group of its own."""
        environment = {**os.environ, "TMPDIR": str(self.temporary), MARK: str(self.folder)}
        with open(stdin or os.devnull, "rb") as given:
            return subprocess.Popen(
                [sys.executable, "-m", "genoscan", *arguments],
                cwd=self.folder,
                env=environment,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=_hears_signals,
            )

    def processes(self) -> list[psutil.Process]:
        """Those that the place's commands have started and that live."""
        found = []
        for one in psutil.process_iter():
            with suppress(psutil.Error):
                if one.environ().get(MARK) == str(self.folder) and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one)
        return found

    def stray_processes(self) -> list[str]:
        """Processes that do not end by themselves now that the driver is gone; they are killed."""
        deadline = time.monotonic() + LEAVING
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        names = []
        for one in left:
            with suppress(psutil.Error):
                names.append(" ".join(one.cmdline())[:80])
                one.kill()
        return names

    def stray_files(self) -> list[str]:
        """What lies in the temporary folder and, used by nobody, in shared memory."""
        left = [f"TMPDIR/{name}" for name in os.listdir(self.temporary)]
        return left + [str(path) for path in set(_shared_memory()) - self._shared if not _is_used(path)]

    def pieces(self) -> set[Path]:
        """Finished pieces on the disk."""
        return set(self.out.glob("*.pieces/*.piece"))

    def finished_bases(self, without: Collection[str] = ()) -> int:
        """Bases of all finished pieces on the disk; ``without``: of tracks whose names begin so."""
        pieces = (path for path in self.pieces() if f"{path.parent.stem}." not in without)
        return sum(unpack(path.read_bytes()).bases for path in pieces)

    def close(self) -> None:
        """End the place's processes and unmount its disk."""
        for one in self.processes():
            with suppress(psutil.Error):
                one.kill()
        if self.disk.is_mount():
            subprocess.run(["umount", "-l", str(self.disk)], check=True)


def _hears_signals() -> None:
    """What runs in the background (nohup, &) may have been told to ignore some, and its children inherit that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)


def ready(process: subprocess.Popen) -> bool:
    """Wait until the command answers signals as it says; whether it lives."""
    status = Path(f"/proc/{process.pid}/status")
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError, StopIteration, ValueError):
            caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
            if int(caught.split()[1], 16) >> 14 & 1:  # SIGTERM is 15, counted from 1
                return True
        time.sleep(0.005)
    return process.poll() is None


def ended(process: subprocess.Popen) -> tuple[int, list[str]]:
    """Exit code (None: it hung) and the lines on standard error."""
    try:
        _, said = process.communicate(timeout=LIMIT)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
        code = None
    return code, said.decode(errors="replace").splitlines()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, without those that tell times."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): b"" if path.suffix in (".json", ".tsv") else path.read_bytes() for path in files
    }


def _mount(folder: Path) -> bool:
    if shutil.which("mount") is None:
        return False
    options = ["mount", "-t", "tmpfs", "-o", "size=64m", "genoscan-chaos", str(folder)]
    return subprocess.run(options, capture_output=True).returncode == 0


def _shared_memory() -> list[Path]:
    folder = Path("/dev/shm")
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_used(path: Path) -> bool:
    for one in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(path) in (one / "maps").read_text() or any(
                os.readlink(number) == str(path) for number in (one / "fd").iterdir()
            ):
                return True
    return False
