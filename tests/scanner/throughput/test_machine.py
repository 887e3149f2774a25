"""What is recorded of a machine, from listings as Linux and NVIDIA's driver write them."""

import datetime

from genoscan.scanner.throughput import machine
from genoscan.scanner.throughput.machine import gpus, instructions, processor, provenance, used_gpu_memory

LISTING = "processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nflags\t\t: fpu avx2 avx512_vnni x\n\nprocessor\t: 1\n"
SMI = """#!/bin/sh
case "$1" in
*memory.used) echo 512; echo "[N/A]"; echo 1024 ;;
*) echo "NVIDIA X, 81559, 570.1"; echo "NVIDIA Y, [N/A], 570.1" ;;
esac
"""


def test_the_processor(tmp_path):
    (tmp_path / "cpuinfo").write_text(LISTING)
    assert processor(tmp_path / "cpuinfo") == "A Processor @ 2 GHz"
    assert instructions(tmp_path / "cpuinfo") == ["avx2", "avx512_vnni"]
    assert processor(tmp_path / "absent")
    assert instructions(tmp_path / "absent") == []


def test_gpus(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text(SMI)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert gpus() == [
        {"name": "NVIDIA X", "memory_mib": 81559.0, "driver": "570.1"},
        {"name": "NVIDIA Y", "memory_mib": None, "driver": "570.1"},
    ]
    assert used_gpu_memory() == [512.0, 1024.0]
    monkeypatch.setenv("PATH", "")
    assert (gpus(), used_gpu_memory()) == ([], [])


def test_provenance(monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: [])
    found = provenance()
    assert abs(datetime.date.fromisoformat(found["date"]) - datetime.date.today()).days <= 1
    assert found["machine"]["threads"] <= found["machine"]["cpus"]
    assert {"python", "numpy"} <= set(found["machine"]["versions"])
