"""A scan with Ray workers that are slow, blind, faulty or deadly: `python ray_driver.py JSON`, as `genoscan scan` else.

The functions below run in the workers; those are given them by value, as this file is the main module.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from genoscan.scanner import actors, batch, staffing
from genoscan.scanner.cluster import ray_cluster
from genoscan.scanner.inference.session import open_session, read_model
from genoscan.scanner.options import ScanOptions
from genoscan.subcommands.guard import guarded


def opener_of(seconds, log, meet, blind, deadly, wrong):
    """An opener for `ray_workers` whose models sleep ``seconds`` a batch and write a line to the file ``log`` for it.

    meet: a file with a number; no batch ends before so many processes have begun one, whenever they come.
    blind: raylets (process numbers) whose workers do not see genomes; deadly: die of sequence without C and G;
    wrong: "version", "model", "bug".
    """

    def opened(file):
        from genoscan.scanner import actors
        from genoscan.scanner.errors import GenoscanError

        def refuse(part):
            raise actors.NotShared(part.source)

        def other_version():
            return {"genoscan": "0.0.0"}

        if os.getppid() in blind:
            actors.open_part = refuse
        if wrong == "version":
            actors.package_versions = other_version
        if wrong == "model":
            raise GenoscanError(f"{file.path}: does not suit")
        if wrong == "bug":
            raise TypeError("a mistake\nin two lines")
        model = open_session(file)

        def run(batch):
            with open(log, "a") as lines:
                lines.write(f"{os.getpid()} {os.getppid()}\n")
            time.sleep(seconds)
            while meet and len(set(Path(log).read_text().splitlines())) < int(Path(meet).read_text()):
                time.sleep(0.02)
            if deadly and not batch[:, 1:3].any():
                os.kill(os.getpid(), signal.SIGKILL)
            return model.run(batch)

        return replace(model, run=run)

    return opened


@guarded
def main(
    genome, models, output=None, address=None, workers=None, threads=1, format="bed", tile_size=2**18, resume=False,
    seconds=0.0, log=os.devnull, meet=None, blind=(), deadly=False, wrong=None, attempts=actors.ATTEMPTS,
):  # fmt: skip
    actors.ATTEMPTS = attempts
    files = [read_model(path, "cpu", 8) for path in models]
    with ray_cluster(address) as nodes:
        if address is None:
            staff = staffing.staff_machine(workers, threads, None, "cpu")
        else:
            staff = staffing.staff_cluster(nodes, workers, threads, None, "cpu")
        opener = opener_of(seconds, log, meet, blind, deadly, wrong)
        with actors.ray_workers(files, staff, batch._warn, opener) as crew:
            sample = batch.Sample("sample", genome, tuple(models))
            options = ScanOptions(format=format, tile_size=tile_size)
            job = batch.plan_single(sample, crew.models[0].card, output, format)
            batch.run_jobs([job], crew, options, resume=resume, quiet=True, auto=False, table=None)


if __name__ == "__main__":
    sys.path = [one for one in sys.path if Path(one or ".").resolve() != Path(__file__).parent]
    main(**json.loads(sys.argv[1]))
