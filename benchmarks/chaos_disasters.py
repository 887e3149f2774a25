"""What can happen to a scan: each disaster strikes a running command, is mended afterwards, and has its exit codes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chaos_place import Place

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Disaster:
    """strike: does it (place, process, genome) and returns what mends it. codes: exit codes that may follow, besides
    0 where the scan was complete before. gentle: the command is to go on by itself."""

    name: str
    strike: Callable[[Place, subprocess.Popen, Path], Callable[[], None]]
    codes: tuple[int, ...]
    gentle: bool = False
    ends_soon: bool = False


def _nothing() -> None:
    pass


def _signal(number: int) -> Callable[[Place, subprocess.Popen, Path], Callable[[], None]]:
    def strike(_: Place, process: subprocess.Popen, __: Path) -> Callable[[], None]:
        process.send_signal(number)
        return _nothing

    return strike


def _kill_everything(place: Place, process: subprocess.Popen, _: Path) -> Callable[[], None]:
    """As when a machine loses its power."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for one in place.processes():
        with suppress(Exception):
            one.kill()
    return _nothing


def _kill_worker(place: Place, process: subprocess.Popen, _: Path) -> Callable[[], None]:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        for one in place.processes():
            with suppress(Exception):
                if "_Scanner" in " ".join(one.cmdline()):
                    one.kill()
                    return _nothing
        time.sleep(0.1)
    return _nothing


def _fill_disk(place: Place, process: subprocess.Popen, _: Path) -> Callable[[], None]:
    if not place.mounted:  # no file system to fill: files may grow no further
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
        return _nothing
    ballast = place.disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(_CHUNK)):
            pass
    return ballast.unlink


def _truncate_genome(_: Place, __: subprocess.Popen, genome: Path) -> Callable[[], None]:
    data = genome.read_bytes()
    os.truncate(genome, len(data) // 3)
    return lambda: genome.write_bytes(data)


def _remove_genome(_: Place, __: subprocess.Popen, genome: Path) -> Callable[[], None]:
    away = genome.with_name("away")
    genome.rename(away)
    return lambda: away.rename(genome)


def _remove_output(place: Place, _: subprocess.Popen, __: Path) -> Callable[[], None]:
    away = place.disk / "away"
    place.out.rename(away)

    def mend() -> None:
        shutil.rmtree(away)
        place.out.mkdir(exist_ok=True)

    return mend


_ALL = (
    Disaster("kill -9 of the driver", _signal(signal.SIGKILL), (-9,)),
    Disaster("kill -9 of everything", _kill_everything, (-9,)),
    Disaster("SIGTERM", _signal(signal.SIGTERM), (143,), ends_soon=True),
    Disaster("SIGINT", _signal(signal.SIGINT), (130,), ends_soon=True),
    Disaster("SIGHUP", _signal(signal.SIGHUP), (129,), ends_soon=True),
    Disaster("full disk", _fill_disk, (1,)),
    Disaster("genome truncated", _truncate_genome, (1,)),
    Disaster("genome removed", _remove_genome, (1,)),
    Disaster("output folder removed", _remove_output, (1,)),
    Disaster("kill -9 of a worker", _kill_worker, (), gentle=True),
)
DISASTERS = {one.name: one for one in _ALL}
