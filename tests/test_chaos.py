"""benchmarks/chaos.py: a few rounds of it, and that it would notice what it is there to notice."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def scripts_on_path():
    """The script and its siblings import each other plainly, as they do when the script is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


def command_line(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ended meanwhile
        return ""


@pytest.fixture(scope="module")
def chaos():
    return importlib.import_module("chaos")


@pytest.mark.long
def test_rounds_of_chaos_end_in_the_same_bytes(tmp_path):
    out = tmp_path / "chaos.json"
    command = [sys.executable, BENCHMARKS / "chaos.py", "--rounds", "2", "--seed", "8", "--bases", "500000"]
    done = subprocess.run([*command, "--no-ray", "--out", out], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    summary = result["summary"]
    assert (summary["rounds"], summary["failed"], summary["finished_bases_redone"]) == (2, 0, 0)
    assert summary["disasters"] >= 2
    assert summary["disasters_in_time"] >= 1
    assert all(one["problems"] == [] for one in result["rounds"])


@pytest.mark.long
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_disk_and_no_process(chaos, tmp_path, sent):
    """A round with a full disk, which is a file system of its own, while its scan runs."""
    first = next(
        number
        for number in range(100)
        if any(name == "full disk" for name, *_ in chaos.plan_round(8, number, 500_000, ray=False).disasters)
    )
    arguments = ["--rounds", "1", "--first", str(first), "--seed", "8", "--bases", "500000", "--no-ray"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, BENCHMARKS / "chaos.py", *arguments, "--out", tmp_path / "chaos.json"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 200
        while not list(tmp_path.glob("*/calm/*")):  # the pieces of the undisturbed scan
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (folder,) = tmp_path.glob("*/disk")
        if not folder.is_mount():
            process.kill()
            pytest.skip("a file system cannot be mounted here")
        process.send_signal(sent)
        _, said = process.communicate(timeout=200)
    assert process.returncode == 128 + sent, said
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert list(tmp_path.iterdir()) == []
    assert not [command for command in map(command_line, psutil.process_iter()) if str(tmp_path) in command]


def test_a_round_is_told_by_its_seed_and_number(chaos):
    plans = [chaos.plan_round(1, number, 10_000, ray=True) for number in range(60)]
    assert plans == [chaos.plan_round(1, number, 10_000, ray=True) for number in range(60)]
    assert plans[3] != chaos.plan_round(2, 3, 10_000, ray=True)
    assert sum(plan.ray for plan in plans) == 10
    assert {name for plan in plans for name, *_ in plan.disasters} == set(chaos.DISASTERS)
    assert not any(plan.ray for plan in (chaos.plan_round(1, number, 10_000, ray=False) for number in range(60)))


@pytest.fixture
def one_round(chaos, tmp_path):
    """A round of one small genome, scanned undisturbed."""
    plan = next(
        plan
        for plan in (chaos.plan_round(1, number, 20_000, ray=False) for number in range(100))
        if not plan.batch and plan.output == "x.bed" and not plan.stdin
    )
    place = chaos.Place(tmp_path, mounted=False)
    playing = chaos.Round(plan, place, chaos.make_pool(1)[:100_000])
    playing.undisturbed()
    yield playing
    place.close()


def test_what_is_wrong_is_noticed(one_round):
    place = one_round.place
    one_round.finish()
    one_round.compare()
    assert one_round.problems == []
    track = place.out / "x.bed"
    track.write_bytes(track.read_bytes() + b"\n")
    (place.out / ".x.bed.7.partial").write_bytes(b"")
    (place.out / "x.bed.json").unlink()
    (place.temporary / "genoscan-left").mkdir()
    one_round.compare()
    assert one_round.problems == [
        ".x.bed.7.partial: is too much",
        "x.bed: differs from the undisturbed run's",
        "x.bed.json: is missing",
        "files are left: ['TMPDIR/genoscan-left']",
    ]
    one_round.problems.clear()
    one_round.expect_names("SIGTERM")
    one_round.expect_words("SIGTERM", 143, ["Traceback (most recent call last):"])
    one_round.expect_words("full disk", 1, ["genoscan: error: a", "genoscan: error: b"])
    assert len(one_round.problems) == 3


def test_a_process_that_is_left_is_noticed_and_ended(chaos, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.import_module("chaos_place"), "LEAVING", 0.2)
    place = chaos.Place(tmp_path, mounted=False)
    environment = {**os.environ, "GENOSCAN_CHAOS": str(tmp_path)}
    with subprocess.Popen(["sleep", "1000"], env=environment) as sleeping:
        deadline = time.monotonic() + 100
        # A program's environment shows a little after it starts.
        while not place.processes() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert place.stray_processes() == ["sleep 1000"]
        assert sleeping.wait(100) == -9
    assert place.stray_processes() == []
