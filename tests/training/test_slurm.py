"""Job scripts: what they say, and that one run under a pretended sbatch submits itself until the run is finished."""

import json
import os
import stat
import subprocess

import pytest
from commands import invoke
from small_recipes import tiny_repeats

from genoscan.scanner.errors import UsageError
from genoscan.training.recipe import recipe_text
from genoscan.training.slurm import slurm_minutes, slurm_script


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("90:30", 90.5), ("08:00:00", 480), ("1-12", 2160), ("1-12:30", 2190), ("2-00:00:30", 2880.5)],
)
def test_times_as_sbatch_takes_them(text, minutes):
    assert slurm_minutes(text) == minutes


def test_the_script_says_what_it_was_told():
    lines = slurm_script(
        ["train", "promoter", "-o", "a b"], "a b", "job.sh", ["--time=10:00:00", "--gpus=1"]
    ).splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "#SBATCH --time=10:00:00" in lines
    assert "#SBATCH --gpus=1" in lines
    assert any(line.startswith("#SBATCH --output=") for line in lines)
    (command,) = (line for line in lines if " train promoter " in line)
    assert command.endswith("-m genoscan train promoter -o 'a b' --time-limit 570")  # a twentieth is kept back


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["gpus=1"], "--sbatch gpus=1: say an option of sbatch"),
        (["--time=tomorrow"], "--sbatch --time=tomorrow: say minutes"),
        (["--time=5"], "--sbatch --time=5: too short"),
        (["--x=1\nrm"], "say an option of sbatch in one word"),
    ],
)
def test_what_cannot_be(options, message):
    with pytest.raises(UsageError, match=message):
        slurm_script(["train"], "out", "job.sh", options)


def test_the_command_checks_what_it_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("train", "--slurm", "job.sh", "promoter", "--recipe", "r.toml")
    assert result.exit_code == 2
    assert "Missing option '-o'" in result.stderr
    result = invoke("train", "--slurm", "job.sh", "promoter", "--recipe", "r.toml", "-o", "out", "--time-limit", 3)
    assert "--time-limit: the job script sets it" in result.stderr
    result = invoke("train", "--sbatch=--gpus=1", "promoter", "--recipe", "r.toml", "-o", "out")
    assert "--sbatch is for --slurm FILE" in result.stderr
    assert not (tmp_path / "job.sh").exists()
    result = invoke("train", "--slurm", "job.sh", "repeats", "-o", "out")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "job.sh: submit it with: sbatch job.sh\n"
    subprocess.run(["bash", "-n", "job.sh"], check=True)


def test_it_submits_itself_until_the_run_is_finished(tmp_path, monkeypatch):
    """The pretended sbatch runs the script at once; the job's limit is made so short that it takes several."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.toml").write_text(recipe_text(tiny_repeats(epochs=1, steps_per_epoch=2)))
    words = ["repeats", "--recipe", "r.toml", "-t", 1, "-o", "out dir"]
    assert invoke("train", "--slurm", "my job.sh", *words).exit_code == 0
    script = (tmp_path / "my job.sh").read_text()
    assert "--time-limit 228" in script  # four hours less a twentieth
    (tmp_path / "my job.sh").write_text(script.replace("--time-limit 228", "--time-limit 0.0001"))
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text('#!/bin/bash\necho submitted >> "$LOG"\nexec bash "$1"\n')
    sbatch.chmod(sbatch.stat().st_mode | stat.S_IXUSR)
    environment = os.environ | {"PATH": f"{sbatch.parent}:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
    done = subprocess.run([sbatch, "my job.sh"], env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "finished"
    assert (tmp_path / "log").read_text().count("submitted") == 2  # of two steps the first is stopped after
    run = json.loads((tmp_path / "out dir" / "run.json").read_text())
    assert [one["from_step"] for one in run["sessions"]] == [0, 1]
