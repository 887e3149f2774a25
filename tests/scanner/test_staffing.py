"""Who scans: CPUs that may be used, shares of GPUs, nodes of several sizes; and Ray only where it is needed."""

import subprocess
import sys

import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner import staffing
from genoscan.scanner.errors import UsageError
from genoscan.scanner.inference import devices
from genoscan.scanner.staffing import Node, Staffing, staff_cluster, staff_machine


@pytest.fixture
def machine(monkeypatch):
    """A function that sets the CPUs and GPUs of this machine."""

    def set_to(cpus, gpus=0):
        monkeypatch.setattr(staffing, "available_threads", lambda: cpus)
        monkeypatch.setattr(staffing, "cuda_device_count", lambda: gpus)

    return set_to


@pytest.mark.parametrize(
    ("cpus", "workers", "threads", "chosen"), [(8, 2, None, 4), (8, 3, None, 2), (2, 5, None, 1), (8, 2, 7, 7)]
)
def test_workers_on_the_cpus_of_a_machine_share_them(machine, cpus, workers, threads, chosen):
    machine(cpus)
    assert staff_machine(workers, threads, None, "cpu") == Staffing(workers, chosen, 0.0, 0.0)


@pytest.mark.parametrize(
    ("gpus", "workers", "asked", "share"),
    [
        (4, 4, None, 1.0),
        (4, 2, None, 1.0),
        (2, 4, None, 0.5),
        (2, 3, None, 0.5),
        (1, 3, None, 0.3333),
        (2, 4, 0.4, 0.4),
    ],
)
def test_workers_on_the_gpus_of_a_machine(machine, gpus, workers, asked, share):
    machine(16, gpus)
    assert staff_machine(workers, None, asked, "cuda") == Staffing(workers, 16 // workers, 0.0, share)


@pytest.mark.parametrize(("gpus", "workers", "share"), [(2, 3, 1.0), (1, 3, 0.5), (2, 5, 0.4)])
def test_no_worker_gets_parts_of_two_gpus(machine, gpus, workers, share):
    machine(16, gpus)
    with pytest.raises(UsageError, match=f"--workers {workers} with {share:g} of a GPU each: there are {gpus} GPUs"):
        staff_machine(workers, None, share, "cuda")


@given(gpus=st.integers(1, 16), workers=st.integers(1, 300))
def test_any_number_of_workers_fits_on_the_gpus(gpus, workers):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staffing, "cuda_device_count", lambda: gpus)
        share = staff_machine(workers, 1, None, "cuda").gpus
    # As Ray counts: whole ten-thousandths, a worker on one GPU.
    assert gpus * (10_000 // round(share * 10_000)) >= workers


@pytest.mark.parametrize(
    ("nodes", "workers", "threads", "expected"),
    [
        ([(8, 0)], None, None, (1, 8)),
        ([(8, 0), (8, 0)], None, None, (2, 8)),
        ([(8, 0), (16, 0)], None, None, (3, 8)),  # with 16 threads each a third would be idle
        ([(1, 0), (64, 0)], None, None, (1, 64)),  # a small head is not worth 65 workers
        ([(0, 0), (16, 0)], None, None, (1, 16)),
        ([(8, 0)], 2, None, (2, 4)),
        ([(8, 0), (8, 0)], 3, None, (3, 4)),
        ([(8, 0), (8, 0)], None, 3, (4, 3)),
        ([(8, 0)], 5, 1, (5, 1)),
    ],
)
def test_workers_on_the_cpus_of_a_cluster(nodes, workers, threads, expected):
    staffing = staff_cluster([Node(*one) for one in nodes], workers, threads, None, "cpu")
    assert staffing == Staffing(*expected, float(expected[1]), 0.0)


@pytest.mark.parametrize(
    ("nodes", "workers", "threads", "gpus", "expected"),
    [
        ([(16, 4)], None, None, None, (4, 4, 1.0)),
        ([(16, 4), (64, 8)], None, None, None, (12, 4, 1.0)),  # the threads that the poorest node has for each GPU
        ([(32, 0), (16, 4)], None, None, None, (4, 4, 1.0)),  # the head without GPU does nothing
        ([(2, 4)], None, None, None, (2, 1, 1.0)),  # a worker needs a CPU
        ([(16, 2)], None, None, 0.5, (4, 4, 0.5)),
        ([(16, 2)], None, None, 0.4, (4, 4, 0.4)),  # two on each GPU, not five on two
        ([(16, 2)], 1, None, None, (1, 8, 1.0)),
        ([(16, 2)], None, 2, 0.25, (8, 2, 0.25)),
    ],
)
def test_workers_on_the_gpus_of_a_cluster(nodes, workers, threads, gpus, expected):
    staffing = staff_cluster([Node(*one) for one in nodes], workers, threads, gpus, "cuda")
    assert staffing == Staffing(expected[0], expected[1], float(expected[1]), expected[2])


@pytest.mark.parametrize(
    ("nodes", "workers", "threads", "device", "said"),
    [
        ([], None, None, "cpu", "the Ray cluster has no node with a CPU$"),
        ([(0, 0)], None, None, "cpu", "no node with a CPU$"),
        ([(8, 0)], None, None, "cuda", "no node with a CPU and a GPU$"),
        ([(8, 0)], 9, None, "cpu", "has room for 8 workers of 1 CPU; ask for fewer"),
        ([(8, 0)], None, 9, "cpu", "has room for 0 workers of 9 CPUs; ask for fewer"),
        ([(8, 2)], 3, None, "cuda", "has room for 2 workers of 1 CPU and 1 GPU; ask for fewer"),
    ],
)
def test_more_than_a_cluster_has_is_an_error(nodes, workers, threads, device, said):
    with pytest.raises(UsageError, match=said):
        staff_cluster([Node(*one) for one in nodes], workers, threads, None, device)


@given(
    nodes=st.lists(st.builds(Node, st.integers(0, 70), st.integers(0, 8)), min_size=1, max_size=5),
    workers=st.none() | st.integers(1, 20),
    share=st.none() | st.floats(0.01, 1.0),
    device=st.sampled_from(["cpu", "cuda"]),
)
def test_every_worker_of_a_cluster_has_a_place(nodes, workers, share, device):
    try:
        staffing = staff_cluster(nodes, workers, None, share, device)
    except UsageError:
        return
    left = 0
    for node in nodes:
        places = node.cpus // staffing.threads
        left += min(places, node.gpus * int(1 / staffing.gpus + 1e-9)) if staffing.gpus else places
    assert 1 <= staffing.workers <= left
    assert workers in (None, staffing.workers)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "200000 100000\n"}, [2]),
        ({"cpu.max": "250000 100000\n"}, [2]),
        ({"cpu.max": "50000 100000\n"}, [1]),  # half a CPU is still one thread
        ({"cpu.max": "max 100000\n"}, []),
        ({"cpu.max": "nonsense\n"}, []),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, [4]),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, []),
        ({"cpu/cpu.cfs_quota_us": "400000\n"}, []),
        ({}, []),
    ],
)
def test_the_quota_of_a_container(tmp_path, files, limit):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert devices._container_limit(tmp_path, tmp_path / "none") == limit


def test_the_least_quota_of_nested_groups_counts(tmp_path):
    """As on a host, where a job's group lies some levels below the root."""
    (tmp_path / "jobs" / "job7" / "step").mkdir(parents=True)
    (tmp_path / "jobs" / "cpu.max").write_text("1600000 100000\n")
    (tmp_path / "jobs" / "job7" / "cpu.max").write_text("400000 100000\n")
    (tmp_path / "jobs" / "job7" / "step" / "cpu.max").write_text("max 100000\n")
    own = tmp_path / "own"
    own.write_text("0::/jobs/job7/step\n")
    assert devices._container_limit(tmp_path, own) == [4]
    own.write_text("0::/jobs\n")
    assert devices._container_limit(tmp_path, own) == [16]
    own.write_text("nonsense\n")
    assert devices._container_limit(tmp_path, own) == []


@pytest.mark.parametrize(
    ("environment", "limit"),
    [
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_CPUS_ON_NODE": "64"}, [4]),
        ({"SLURM_CPUS_ON_NODE": "64"}, [64]),
        ({"SLURM_CPUS_PER_TASK": "", "SLURM_CPUS_ON_NODE": "0"}, []),
        ({"SLURM_CPUS_PER_TASK": "many"}, []),
        ({}, []),
    ],
)
def test_the_cpus_of_a_slurm_job(environment, limit):
    assert devices._slurm_limit(environment) == limit


@pytest.mark.parametrize(("affinity", "slurm", "expected"), [(6, "4", 4), (3, "4", 3), (6, "", 6)])
def test_the_least_of_all_limits_counts(monkeypatch, affinity, slurm, expected):
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    monkeypatch.setattr(devices, "_container_limit", lambda: [])
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", slurm)
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    assert devices.available_threads() == expected


HIRE = "with staffing.hire(['gc.onnx'], 'cpu', None, staffing.Staff(workers={}), print) as workers: pass"
COMMAND = "from genoscan.cli import main; main(['scan', 'a.fa', '-m', 'gc.onnx', '--workers', '1', '-o', 'a.bed'], {})"


@pytest.mark.parametrize("does", [HIRE.format(1), HIRE.format(None), COMMAND.format("standalone_mode=False")])
def test_one_worker_does_not_import_ray(tmp_path, does):
    toys.write(tmp_path / "gc.onnx", toys.gc_model(10, 10))
    (tmp_path / "a.fa").write_text(">a\n" + "ACGGC" * 100 + "\n")
    code = f"import sys\nfrom genoscan.scanner import staffing\n{does}\nprint('ray' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == ("False\n", 0), ran.stderr
