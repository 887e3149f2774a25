"""docs/cluster.md: its SLURM script run with stand-ins for SLURM, Ray and genoscan; its Kubernetes job read."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from genoscan.cli import main

DOCUMENT = (Path(__file__).parents[1] / "docs" / "cluster.md").read_text(encoding="utf-8")


def fenced(language):
    return DOCUMENT.partition(f"```{language}\n")[2].partition("```\n")[0]


def require_genoscan(words):
    """That `genoscan` would take this command line."""
    program, command, *rest = words
    assert program == "genoscan"
    main.commands[command].make_context(command, rest)


STAND_INS = {
    "sleep": "",
    "openssl": "echo 0123",
    "hostname": "echo node1",
    "srun": 'echo "srun $*" >> $LOG',
    "scontrol": 'echo "scontrol $*" >> $LOG',
}


def started(folder, genoscan, nodes):
    """The script of the document, running."""
    (folder / "bin").mkdir()
    for name, text in {**STAND_INS, "genoscan": f'echo "genoscan $*" >> $LOG\n{genoscan}'}.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    (folder / "job.sh").write_text(fenced("slurm"))
    variables = {"LOG": str(folder / "log"), "SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": nodes}
    variables |= {"SLURM_CPUS_PER_TASK": "32", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    return subprocess.Popen(["bash", "-u", folder / "job.sh"], env=os.environ | variables)


def logged(folder):
    return (folder / "log").read_text().splitlines() if (folder / "log").exists() else []


@pytest.mark.parametrize("nodes", ["1", "4"])
@pytest.mark.parametrize("code", [0, 1])
def test_the_slurm_script_ends_as_the_scan_does(tmp_path, code, nodes):
    assert started(tmp_path, f"/bin/sleep 0.2; exit {code}", nodes).wait(timeout=200) == code
    sruns = [line.split() for line in logged(tmp_path) if line.startswith("srun")]
    assert len(sruns) == (1 if nodes == "1" else 2)
    assert [word for words in sruns for word in words if word == "--num-cpus=32"] == ["--num-cpus=32"] * len(sruns)
    (command,) = [line.split() for line in logged(tmp_path) if line.startswith("genoscan")]
    require_genoscan(command)
    assert "node1:6379" in command
    assert not any(line.startswith("scontrol") for line in logged(tmp_path))


def test_the_slurm_script_queues_again_when_time_is_up(tmp_path):
    script = started(tmp_path, "trap '/bin/sleep 0.3; exit 143' TERM; for i in {1..2000}; do /bin/sleep 0.1; done", "1")
    until = time.monotonic() + 200
    while not any(line.startswith("genoscan") for line in logged(tmp_path)):
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(0.2)
    script.send_signal(signal.SIGTERM)
    assert script.wait(timeout=200) == 143
    assert logged(tmp_path)[-1] == "scontrol requeue 7"


def test_the_kubernetes_job():
    job = yaml.safe_load(fenced("yaml"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    require_genoscan(shlex.split(job["spec"]["entrypoint"]))
    cluster = job["spec"]["rayClusterSpec"]
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    (container,) = head["template"]["spec"]["containers"]
    volumes = {one["name"] for one in head["template"]["spec"]["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == volumes
    assert container["image"] == workers["template"]["spec"]["containers"][0]["image"]


def test_ray_job_submit():
    (line,) = [line for line in DOCUMENT.splitlines() if line.startswith("$ ray job submit")]
    _, _, command = line.partition(" -- ")
    require_genoscan(shlex.split(command))
