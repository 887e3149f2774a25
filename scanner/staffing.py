"""Who scans: the threads of this process, or Ray workers here or on a cluster; how many there are and what each has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from .errors import UsageError
from .inference.devices import available_threads, cuda_device_count
from .inference.session import choose_device, open_model, read_model
from .workers import ThreadWorkers, Workers


@dataclass(frozen=True)
class Staff:
    """What was asked for. None: what suits the machine or the cluster.

    workers: processes with a session each. address: of a Ray cluster; 'auto': the one that runs on this machine.
    threads: CPU threads of each worker. gpus: the share of a GPU that each gets.
    """

    workers: int | None = None
    address: str | None = None
    threads: int | None = None
    gpus: float | None = None


@contextmanager
def hire(
    paths: Sequence[str], device: str, batch_size: int | None, staff: Staff, warn: Callable[[str], None]
) -> Iterator[Workers]:
    """Workers with these models, ready to scan. One worker on this machine is this process: Ray is not started.

    Raises `GenoscanError` for models and devices that cannot be used, UsageError for more than there is.
    """
    if staff.address is None:
        chosen = choose_device(device)
        workers = staff.workers or (1 if chosen == "cpu" else max(1, cuda_device_count()))
        if workers == 1:
            models = [open_model(path, chosen, batch_size) for path in paths]
            yield ThreadWorkers(models, staff.threads or available_threads())
            return
    from .actors import ray_workers
    from .cluster import ray_cluster

    with ExitStack() as stack:
        if staff.address is None:
            files = [read_model(path, chosen, batch_size) for path in paths]
            staffing = staff_machine(workers, staff.threads, staff.gpus, chosen)
            stack.enter_context(ray_cluster(None))
        else:
            nodes = stack.enter_context(ray_cluster(staff.address))
            if device == "auto":
                device = "cuda" if any(node.gpus for node in nodes) else "cpu"
            files = [read_model(path, device, batch_size) for path in paths]
            staffing = staff_cluster(nodes, staff.workers, staff.threads, staff.gpus, device)
        yield stack.enter_context(ray_workers(files, staffing, warn))


class Node(NamedTuple):
    """What a node of the cluster has for work."""

    cpus: float
    gpus: float


class Staffing(NamedTuple):
    """How many workers there are to be, and what each has; a share of a GPU may be a fraction."""

    workers: int
    threads: int
    cpus: float
    gpus: float


def staff_machine(workers: int, threads: int | None, gpus: float | None, device: str) -> Staffing:
    """Workers on this machine: they share its CPUs (as many as this process may use) and its GPUs.

    Raises UsageError where the GPUs that were asked for are not there.
    """
    threads = threads or max(1, available_threads() // workers)
    if device == "cpu":
        return Staffing(workers, threads, 0.0, 0.0)
    there = cuda_device_count()
    share = _share_of_gpu(1.0 / -(-workers // max(1, there)) if gpus is None else gpus)
    if there and there * _workers_on_gpu(share) < workers:
        raise UsageError(f"--workers {workers} with {share:g} of a GPU each: there are {there} GPUs")
    return Staffing(workers, threads, 0.0, share)


def staff_cluster(
    nodes: Sequence[Node], workers: int | None, threads: int | None, gpus: float | None, device: str
) -> Staffing:
    """Workers on a cluster: by default as many as it has room for, a GPU each; on CPUs as large as the nodes allow
    that not more than a tenth of them stays idle.

    Raises UsageError where there is no room for what was asked for.
    """
    share = 0.0 if device == "cpu" else _share_of_gpu(1.0 if gpus is None else gpus)
    able = [node for node in nodes if node.cpus >= 1 and (not share or node.gpus >= 1)]
    if not able:
        raise UsageError(f"the Ray cluster has no node with a CPU{' and a GPU' if share else ''}")
    places = [int(node.gpus) * _workers_on_gpu(share) if share else int(node.cpus) for node in able]

    def room(each: int) -> int:
        return sum(min(int(node.cpus) // each, most) for node, most in zip(able, places, strict=True))

    if threads is None:
        if share:
            threads = max(1, min(int(node.cpus) // most for node, most in zip(able, places, strict=True)))
        else:
            sizes = range(int(max(node.cpus for node in able)), 0, -1)
            threads = next(each for each in sizes if each * room(each) >= 0.9 * room(1))
        while workers is not None and threads > 1 and room(threads) < workers:
            threads -= 1
    if (workers or 1) > room(threads):
        each = f"{threads} CPU{'s' if threads > 1 else ''}" + (f" and {share:g} GPU" if share else "")
        raise UsageError(
            f"the Ray cluster has room for {room(threads)} workers of {each}; ask for fewer --workers or --threads"
        )
    return Staffing(workers or room(threads), threads, float(threads), share)


def _share_of_gpu(wanted: float) -> float:
    """Ray counts in ten-thousandths, and cuts off the rest."""
    return max(1, int(wanted * 10_000 + 1e-6)) / 10_000


def _workers_on_gpu(share: float) -> int:
    """Ray gives no worker parts of two GPUs."""
    return 10_000 // round(share * 10_000)
