"""Ray's own test cluster, several nodes on this machine, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

ENVIRONMENT = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
"""What drivers on the cluster need as well."""


class Nodes:
    """A cluster of nodes to be killed: a head without CPUs, where drivers connect, and those that are added.

    address: of the head. A context; ends with all its processes.
    """

    def __enter__(self) -> Nodes:
        self._folder = tempfile.TemporaryDirectory(prefix="nodes-", dir="/tmp", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **ENVIRONMENT, "RAY_TMPDIR": self._folder.name},
        )
        self.address = self._asked("head")
        return self

    def __exit__(self, *_: object) -> None:
        processes = [self._process, *psutil.Process(self._process.pid).children(recursive=True)]
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.stdout.close()
        for process in processes[1:]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait(timeout=20)
        self._folder.cleanup()

    def add(self, cpus: int) -> int:
        """Add a node; the process number of its raylet, which is the parent of its workers."""
        return int(self._asked(f"add {cpus}"))

    def kill(self, raylet: int) -> None:
        """Kill all processes of a node."""
        assert self._asked(f"kill {raylet}") == "dead"

    def _asked(self, line: str) -> str:
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer, f"the test cluster failed at '{line}'"
        return answer


def _serve() -> None:
    from ray.cluster_utils import Cluster

    answers, sys.stdout = sys.stdout, sys.stderr
    cluster, nodes = Cluster(), {}
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "head":
            cluster.add_node(num_cpus=0, include_dashboard=False)
            answer = cluster.address
        elif word == "add":
            node = cluster.add_node(num_cpus=int(rest[0]))
            (raylet,) = node.all_processes["raylet"]
            answer = raylet.process.pid
            nodes[answer] = node
        else:
            node = nodes.pop(int(rest[0]))
            workers = psutil.Process(int(rest[0])).children(recursive=True)
            cluster.remove_node(node, allow_graceful=False)
            for worker in workers:  # a machine that dies takes them along at once
                if worker.is_running():
                    worker.kill()
            answer = "dead"
        print(answer, file=answers, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    sys.path = [one for one in sys.path if Path(one or ".").resolve() != Path(__file__).parent]
    _serve()
