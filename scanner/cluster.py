"""Connecting to a Ray cluster, or starting one on this machine for as long as a scan takes."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path

import psutil

from .errors import GenoscanError
from .inference.devices import available_threads
from .staffing import Node
from .temporary import temporary_folder

LONGEST_SOCKET_FOLDER = 40
"""Ray keeps sockets some 65 characters below its folder, and a socket's path may have 107."""
OBJECT_STORE = 256 * 2**20
"""Bytes; only sequences for nodes that do not see the genome's file go through it."""


END_SECONDS = 5.0
"""How long Ray's processes have to end by themselves."""


class _BytesOnly:
    """Standard output while Ray runs: a track's bytes pass; text, which Ray prints about its workers, does not."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


@contextmanager
def ray_cluster(address: str | None) -> Iterator[list[Node]]:
    """Connect to the cluster at ``address`` ('auto': the one that runs here), or start one on this machine (None), of
    as many CPUs as this process may use. Gives its nodes. `GenoscanError` where there is none."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address is None:  # nobody else may give our cluster work, and no token is left in the user's home
        os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
    import ray

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    quiet = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.CRITICAL}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(_BytesOnly(sys.stdout)))
        try:
            if address is None:
                folder = stack.enter_context(_short_folder())
                stack.enter_context(_children_end(ray.shutdown))
                ray.init(
                    address="local",
                    num_cpus=available_threads(),
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE,
                    _temp_dir=str(folder),
                    **quiet,
                )
            else:
                stack.callback(ray.shutdown)
                ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            first = " ".join(str(error).split())[:200]
            where = "on this machine" if address is None else f"at '{address}'"
            raise GenoscanError(f"cannot use a Ray cluster {where}: {first}") from None
        finally:
            for number, handler in handlers.items():  # Ray puts its own in their place
                if handler is not None and threading.current_thread() is threading.main_thread():
                    signal.signal(number, handler)
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield [Node(one.get("CPU", 0.0), one.get("GPU", 0.0)) for one in alive]


@contextmanager
def _children_end(shutdown: Callable[[], None]) -> Iterator[None]:
    """Shut down at the end, and see to it that no process started meanwhile outlives that: Ray's take a moment, and
    write logs until then."""
    before = set(psutil.Process().children(recursive=True))
    try:
        yield
    finally:
        started = set(psutil.Process().children(recursive=True)) - before
        shutdown()
        _, alive = psutil.wait_procs(started, timeout=END_SECONDS)
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=END_SECONDS)


@contextmanager
def _short_folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        if len(str(folder)) <= LONGEST_SOCKET_FOLDER:
            yield folder
            return
    with temporary_folder(Path("/tmp")) as folder:
        yield folder
