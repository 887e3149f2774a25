"""Running the command line as its users do: in this process where that is enough, as a process where it is not."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import psutil
from click.testing import CliRunner, Result

from genoscan.cli import main
from genoscan.scanner.batch import Sample, scan_samples
from genoscan.scanner.writing.table import SummaryRow

LIMIT = 200
"""Seconds after which a process hangs: on a busy machine a first scan, which compiles, takes minutes."""


def invoke(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    """The command's result, run in this process; ``stdout_bytes``, ``stderr`` and ``exit_code`` are of interest."""
    return CliRunner().invoke(main, [str(one) for one in arguments], input=stdin)


def start(*arguments: str | Path, **options) -> subprocess.Popen:
    """A process that runs the command, stdout and stderr as pipes unless ``options`` say otherwise."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "-m", "genoscan", *map(str, arguments)], **options)


def run(*arguments: str | Path, stdin: bytes = b"", **options) -> subprocess.CompletedProcess:
    """The command run to its end in a process of its own; output as bytes."""
    with start(*arguments, stdin=subprocess.PIPE, **options) as process:
        stdout, stderr = process.communicate(stdin, timeout=LIMIT)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def processor_seconds() -> float:
    """Processor time of processes that this one has waited for: it does not grow with what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ended_by(process: subprocess.Popen, number: int) -> tuple[bytes, bytes]:
    """Send a signal to a process, which must end within a minute and with little more work; what it has written."""
    before = processor_seconds() + sum(psutil.Process(process.pid).cpu_times()[:2])
    process.send_signal(number)
    written = process.communicate(timeout=60)
    assert processor_seconds() - before < 4  # well under 1 on a quiet machine
    return written


def scan_file(genome: str | Path, model: str | Path, out: str | Path, *, regions=(), **options) -> SummaryRow:
    """Scan one genome with one model on the CPU, without a word; the row that says how it went."""
    sample = Sample("sample", str(genome), (str(model),), tuple(regions))
    (row,) = scan_samples([sample], str(out), device="cpu", quiet=True, **options)
    return row


def contents(folder: Path) -> dict[str, bytes]:
    """Every file and folder below ``folder``, hidden ones too, with its bytes."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else b"" for name, path in found.items()}
