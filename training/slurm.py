"""A SLURM job that trains until its time is up, saves, and submits itself again until the run is finished."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ..scanner.errors import UsageError
from .checkpoint import RUN

DEFAULT_TIME = "04:00:00"
_MARGIN_MINUTES = 5
"""Between the run's own limit and the job's: the step under way, a save, and the test at the end."""
_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<parts>\d+(?::\d+){0,2})")


def slurm_script(words: Sequence[str], out: str, script: str, options: Sequence[str] = ()) -> str:
    """The text of a job script.

    words: those of the command behind `genoscan`, without a time limit. out: its run folder. script: where the text will
    be, which `sbatch` is given again. options: of sbatch, such as ``--partition=gpu``; ``--time`` sets the limit.
    `UsageError` for what is no option, or a time that leaves nothing to train in.
    """
    wrong = [one for one in options if not one.startswith("--") or "\n" in one]
    if wrong:
        raise UsageError(f"--sbatch {wrong[0]}: say an option of sbatch in one word, such as --partition=gpu")
    time = next((one.partition("=")[2] for one in options if one.startswith("--time=")), DEFAULT_TIME)
    minutes = slurm_minutes(time)
    limit = minutes - max(_MARGIN_MINUTES, minutes / 20)
    if limit < 1:
        raise UsageError(f"--sbatch --time={time}: too short: a job needs {_MARGIN_MINUTES + 1} minutes")
    folder, here = Path(out).resolve(), Path.cwd()
    chosen = {"--job-name": f"genoscan-{folder.name}", "--output": f"{folder}.slurm-%j.log", "--time": time}
    lines = [f"#SBATCH {name}={shlex.quote(value)}" for name, value in chosen.items() if not _has(options, name) or name == "--time"]
    lines += [f"#SBATCH {one}" for one in options if not one.startswith("--time=")]
    command = [sys.executable, "-m", "genoscan", *words, "--time-limit", f"{limit:g}"]
    run, again = shlex.quote(str(folder / RUN)), shlex.quote(str(Path(script).resolve()))
    body = f"""
# Trains until shortly before the job's time is up, saves, and submits itself until the run is finished.
set -euo pipefail
cd {shlex.quote(str(here))}
{shlex.join(command)}
if grep -q '"finished": true' {run}; then
  echo finished
else
  sbatch {again}
fi
"""
    return "\n".join(["#!/bin/bash", *lines]) + "\n" + body.lstrip("\n")


def slurm_minutes(text: str) -> float:
    """Minutes of a time as sbatch takes it: MM, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise UsageError(f"--sbatch --time={text}: say minutes, HH:MM:SS or D-HH:MM:SS")
    parts = [int(one) for one in found["parts"].split(":")]
    if found["days"] is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        return int(found["days"]) * 1440 + hours * 60 + minutes + seconds / 60
    if len(parts) == 3:
        return parts[0] * 60 + parts[1] + parts[2] / 60
    return parts[0] + (parts[1] / 60 if len(parts) == 2 else 0)


def _has(options: Sequence[str], name: str) -> bool:
    return any(one == name or one.startswith(f"{name}=") for one in options)
