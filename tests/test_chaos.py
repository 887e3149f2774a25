"""benchmarks/chaos.py: a few rounds of it, and that it would notice what it is there to notice."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def scripts_on_path():
    """The script and its siblings import each other plainly, as they do when the script is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture(scope="module")
def chaos():
    return importlib.import_module("chaos")


def test_rounds_of_chaos_end_in_the_same_bytes(tmp_path):
    out = tmp_path / "chaos.json"
    command = [sys.executable, BENCHMARKS / "chaos.py", "--rounds", "3", "--seed", "8", "--bases", "500000"]
    done = subprocess.run([*command, "--no-ray", "--out", out], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    summary = result["summary"]
    assert (summary["rounds"], summary["failed"], summary["finished_bases_redone"]) == (3, 0, 0)
    assert summary["disasters"] >= 3
    assert summary["disasters_in_time"] >= 1
    assert all(one["problems"] == [] for one in result["rounds"])


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
    with subprocess.Popen(["sleep", "60"], env=environment) as sleeping:
        assert place.stray_processes() == ["sleep 60"]
        assert sleeping.wait(10) == -9
    assert place.stray_processes() == []
