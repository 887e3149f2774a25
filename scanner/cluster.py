"""Connecting to a Ray cluster, or starting one on this machine for as long as a scan takes."""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TextIO

import psutil

from .errors import GenoscanError, UsageError
from .inference.devices import available_threads
from .staffing import Node
from .temporary import temporary_folder

LONGEST_SOCKET_FOLDER = 40
"""Ray keeps sockets some 65 characters below its folder, and a socket's path may have 107."""
OBJECT_STORE = 256 * 2**20
"""Bytes; what is longer than SENT_BYTES goes through it. What does not fit goes to files in Ray's folder."""
SENT_BYTES = 128 * 2**20
"""Models, results and sequences up to this size are sent from process to process. A process that has something in
Ray's object store, or puts something there, is ended by Ray on the spot (exit code 1, nothing tidied) where the store
has ended before it, as it may when a signal reaches all processes of a job."""
END_SECONDS = 5.0
"""How long Ray's processes have to end by themselves."""
ANSWER_SECONDS = 20.0
"""How long a cluster's head may take to be there: jobs start it just before the scan."""

_TOKEN = secrets.token_hex(32)
"""Of all clusters that this process starts: Ray reads its token once."""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a worker without a GPU of its own keeps CUDA_VISIBLE_DEVICES
    "RAY_ENABLE_AUTO_CONNECT": "0",  # no call may start a cluster by itself
    "RAY_task_events_report_interval_ms": "0",  # at the end Ray would wait 5 s to tell a dead head of our tasks
    "RAY_max_direct_call_object_size": str(SENT_BYTES),
    "RAY_task_rpc_inlined_bytes_limit": str(2 * SENT_BYTES),
}


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
    as many CPUs as this process may use. Gives its nodes.

    A program that is connected to a cluster already keeps that one. `GenoscanError` where there is none.
    """
    with ExitStack() as stack:
        stack.enter_context(_environment({name: os.environ.get(name, value) for name, value in _SETTINGS.items()}))
        if address is None:  # nobody else may give our cluster work, and no token is left in the user's home
            # Ray reads the mode when it is imported; where it was, it has tokens by default.
            mode = os.environ.get("RAY_AUTH_MODE") if "ray" in sys.modules else "token"
            stack.enter_context(_environment({"RAY_AUTH_MODE": mode, "RAY_AUTH_TOKEN": _TOKEN}))
        else:
            _require_answer(address)
            # Tries, of 40 s each, at a port that is not a cluster's.
            stack.enter_context(_environment({"RAY_gcs_server_port_wait_time_s": "1"}))
        import ray

        if not ray.is_initialized():
            stack.enter_context(redirect_stdout(_BytesOnly(sys.stdout)))
            _connect(address, stack)
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield [Node(one.get("CPU", 0.0), one.get("GPU", 0.0)) for one in alive]


def _connect(address: str | None, stack: ExitStack) -> None:
    """Connect as `ray_cluster` does; ``stack`` gets what ends it."""
    import ray

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    options = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.CRITICAL}
    if address is None:
        folder = stack.enter_context(_short_folder())
        stack.enter_context(_children_end(ray.shutdown))
        options |= {"num_cpus": available_threads(), "include_dashboard": False, "_temp_dir": str(folder)}
        options["object_store_memory"] = OBJECT_STORE
    else:
        stack.callback(ray.shutdown)
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        try:
            with _own_signals(), _stderr_to(log):
                ray.init(address=address or "local", **options)
        except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
            where = "on this machine" if address is None else f"at '{address}'"
            log.seek(0)
            said = [str(error), *(re.sub(r"^\[.*?\] (\S+: )?", "", line) for line in list(log)[-1:])]
            reason = "; ".join(" ".join(text.split())[:200] for text in said if text)
            raise GenoscanError(f"cannot use a Ray cluster {where}: {reason}") from None


@contextmanager
def _environment(wanted: Mapping[str, str | None]) -> Iterator[None]:
    """These variables (None: without), and afterwards what there was before, whatever Ray has set them to."""
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _require_answer(address: str) -> None:
    """`GenoscanError` where nobody listens: Ray itself would go on asking for minutes."""
    if "://" in address:
        raise UsageError(f"--ray {address}: give HOST:PORT of the cluster's head (6379, not 10001 or 8265), or auto")
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    host, colon, port = address.rpartition(":")
    if not colon:
        return  # to be looked up, or for Ray to complain about
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise UsageError(f"--ray {address}: '{port}' is no port; give HOST:PORT of the cluster's head, or auto")
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
        except (OSError, UnicodeError) as error:  # the latter: no host can have that name
            if time.monotonic() > until or isinstance(error, (socket.gaierror, UnicodeError)):
                raise GenoscanError(f"cannot use a Ray cluster at '{address}': nobody answers ({error})") from None
        time.sleep(0.5)


@contextmanager
def _stderr_to(file: TextIO) -> Iterator[None]:
    """Have what Ray's C++ parts write to standard error in a file."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray puts its own signal handlers in place of ours: put them back, and let ours have what theirs has caught."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    terminated = False
    try:
        yield
    except SystemExit:
        terminated = True
    finally:
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)
    if terminated:
        signal.raise_signal(signal.SIGTERM)


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
