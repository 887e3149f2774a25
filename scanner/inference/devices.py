"""Which ONNX Runtime execution providers a device name means, and whether this machine has the device."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda", "tensorrt")


def cuda_device_count() -> int:
    """CUDA devices that the driver reports; 0 without a driver. Does not load the CUDA runtime."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def available_threads() -> int:
    """CPUs that this process may use, not those that the machine has: the least of its affinity, a container's quota
    and what SLURM gave the job on this node."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *_container_limit(), *_slurm_limit(os.environ)]))


def _container_limit(groups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """The least quota, in whole CPUs, of the control groups that the process is in: `cpu.max` of version 2, `cpu.cfs_*`
    of version 1. https://docs.kernel.org/admin-guide/cgroup-v2.html
    """
    folders = {groups, groups / "cpu"}
    with suppress(OSError, ValueError):
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):
                own = (groups / "cpu" if controllers else groups) / path.strip("/")
                folders |= {own, *(one for one in own.parents if one.is_relative_to(groups))}
    limits = [limit for folder in folders for limit in _quota(folder)]
    return [min(limits)] if limits else []


def _quota(group: Path) -> list[int]:
    """The quota of one control group; nothing where it has none."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = ((group / f"cpu.cfs_{one}_us").read_text() for one in ("quota", "period"))
        except OSError:
            return []
    try:
        return [int(quota) // int(period) or 1] if int(quota) > 0 and int(period) > 0 else []
    except ValueError:  # "max": no limit
        return []


def _slurm_limit(environment: Mapping[str, str]) -> list[int]:
    """CPUs of the SLURM task: SLURM does not everywhere bind a job to its CPUs. https://slurm.schedmd.com/srun.html"""
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        value = environment.get(name, "")
        if value.isdigit() and int(value) > 0:
            return [int(value)]
    return []


def provider_options(
    device: str,
    *,
    half: bool,
    input_names: Sequence[str],
    smallest: tuple[int, ...],
    largest: tuple[int, ...],
    engine_folder: str,
) -> list[tuple[str, dict[str, str]]]:
    """Providers for ``device`` ('cpu', 'cuda' or 'tensorrt'), most wanted first.

    smallest, largest: the shapes that will be run, of each input, for TensorRT's optimisation profile, so that it
        builds one engine and never again.
    engine_folder: where TensorRT keeps that engine. One folder a model: engines are told apart by a graph's names and
        shapes, so a retrained model would be given its predecessor's.

    TF32 is off: it would cost FP32 models three digits.
    """
    cpu: tuple[str, dict[str, str]] = ("CPUExecutionProvider", {})
    cuda = (
        "CUDAExecutionProvider",
        {
            "arena_extend_strategy": "kSameAsRequested",
            "cudnn_conv_algo_search": "HEURISTIC",
            "do_copy_in_default_stream": "1",
            "use_tf32": "0",
        },
    )
    if device == "cpu":
        return [cpu]
    if device == "cuda":
        return [cuda, cpu]

    def profile(shape: tuple[int, ...]) -> str:
        return ",".join(f"{name}:" + "x".join(map(str, shape)) for name in input_names)

    tensorrt = (
        "TensorrtExecutionProvider",
        {
            "trt_fp16_enable": "1" if half else "0",
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": engine_folder,
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": engine_folder,
            "trt_profile_min_shapes": profile(smallest),
            "trt_profile_opt_shapes": profile(largest),
            "trt_profile_max_shapes": profile(largest),
        },
    )
    return [tensorrt, cuda, cpu]


PROVIDER_OF = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
