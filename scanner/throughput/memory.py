"""Peak memory of a process and of those that it has started."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil


def peak_memory(process: psutil.Process | None = None) -> int:
    """Bytes: the most that a process (None: this one) has had resident so far."""
    process = process or psutil.Process()
    with suppress(OSError):  # what getrusage says has the peak of the process that started this one in it
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    found = process.memory_info()
    return int(getattr(found, "peak_wset", found.rss))


def peak_memory_of_all() -> int:
    """Bytes: the sum of the peaks of this process and all that it has started and that still live.

    Pages that several processes share are counted for each of them.
    """
    total = 0
    for one in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.Error):
            total += peak_memory(one)
    return total
