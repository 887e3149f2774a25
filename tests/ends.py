"""Ends of a process, for tests of those who wait for it. Imports little: each is a process of its own."""

import os
import signal
import time

from genoscan.scanner.errors import UsageError


def end(how: str) -> None:
    if how == "memory":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "error":
        raise ValueError("line one\nline two")
    if how == "usage":
        raise UsageError("--what: no")
    if how == "late":
        time.sleep(60)
    os._exit(7)
