"""Containers, workflows and completion: by their own tools where these are installed, else by what they would run."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import genoscan
from genoscan.cli import main

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
NEXTFLOW = DEPLOY / "nextflow" / "modules" / "local" / "genoscan" / "scan"


@pytest.fixture
def environment(tmp_path):
    """An environment in which there is a command ``genoscan``, whether it is installed or not."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "genoscan"
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom genoscan.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "sample.fa").write_text(">chr1\n" + "ACGTTAGCCA" * 300 + "\n")
    return tmp_path / "sample.fa"


def dependencies():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_images_hold_what_the_package_is_made_of():
    """All packages of pyproject.toml are let through, and nothing that is not there."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    rooms = {one.split(".")[1] for one in packages if "." in one}
    assert rooms <= allowed
    assert {"pyproject.toml", "README.md", "LICENSE", "__init__.py", "__main__.py", "cli.py"} <= allowed
    assert all((ROOT / one).exists() for one in allowed)


def test_extras_of_the_images_exist():
    extras = set(dependencies()["optional-dependencies"])
    text = (DEPLOY / "Dockerfile").read_text() + (DEPLOY / "genoscan.def").read_text()
    found = re.findall(r"\)\[([\w,]+)\]|extras=([\w,]+)", text)
    assert len(found) == 4
    assert {name for pair in found for one in pair if one for name in one.split(",")} <= extras


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_the_dockerfile_is_linted():
    subprocess.run(["hadolint", DEPLOY / "Dockerfile"], check=True)


@pytest.mark.skipif(shutil.which("snakemake") is None, reason="snakemake is not installed")
def test_the_workflow_runs(tmp_path, genome, environment):
    command = ["snakemake", "--snakefile", DEPLOY / "snakemake" / "Snakefile", "--cores", "1", "--directory", tmp_path]
    command += ["--config", f'genomes=["{genome.name}"]', 'models=["repeats"]', "device=cpu"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in (tmp_path / "tracks").iterdir()) == [
        f"sample.repeats.bed.gz{ending}" for ending in ("", ".csi", ".json")
    ]
    assert "sample.repeats.bed.gz" in (tmp_path / "report.html").read_text()


def nextflow_script(block, **values):
    """The bash of a block of the process, Groovy's variables and escapes replaced as Nextflow does."""
    text = (NEXTFLOW / "main.nf").read_text()
    (script,) = re.findall(rf'^ +{block}:\n.*?"""\n(.*?)"""', text, re.DOTALL | re.MULTILINE)
    script = re.sub(r"(?<!\\)\$\{([\w.]+)\}", lambda match: values[match[1]], script)
    return re.sub(r"^ {4}", "", script, flags=re.MULTILINE).replace("\\\\", "\\").replace("\\$", "$")


@pytest.mark.parametrize("block", ["script", "stub"])
def test_scripts_of_the_process_write_its_outputs(tmp_path, genome, environment, block):
    values = {"fasta": genome.name, "model": "repeats", "task.cpus": "1", "args": "--device cpu", "prefix": "out"}
    script = nextflow_script(block, **values, **{"task.process": "GENOSCAN_SCAN"})
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=environment, check=True)
    for pattern in re.findall(r'path\("?([^")]+)"?\)', (NEXTFLOW / "main.nf").read_text())[1:]:
        assert list(tmp_path.glob(pattern)), pattern
    assert (tmp_path / "versions.yml").read_text() == f'"GENOSCAN_SCAN":\n    genoscan: {genoscan.__version__}\n'


def test_the_process_and_its_description_agree():
    process, description = (NEXTFLOW / "main.nf").read_text(), (NEXTFLOW / "meta.yml").read_text()
    emitted = re.findall(r"emit: (\w+)", process)
    assert emitted == re.findall(r"^  - (\w+):$", description.split("\noutput:\n")[1], re.MULTILINE)
    assert f"bioconda::genoscan={genoscan.__version__}" in (NEXTFLOW / "environment.yml").read_text()


def test_the_recipe_asks_for_what_the_package_asks_for():
    recipe = (DEPLOY / "bioconda" / "meta.yaml").read_text()
    run = recipe.split("  run:\n")[1].split("\n\n")[0]
    found = dict(re.findall(r"- ([\w-]+) >=([\d.]+)", run))
    wanted = dict(re.findall(r"^([\w-]+)>=([\d.]+)", "\n".join(dependencies()["dependencies"]), re.MULTILINE))
    wanted["onnxruntime"] = wanted.pop("onnxruntime-gpu")  # conda-forge has the variants under one name
    wanted["ray-core"] = wanted.pop("ray")
    wanted["python"] = dependencies()["requires-python"].removeprefix(">=")
    assert found == wanted
    assert f'version = "{genoscan.__version__}"' in recipe
    for line in re.findall(r"^    - genoscan (.+)$", recipe.split("  commands:\n")[1], re.MULTILINE):
        name = line.split()[0]
        assert name == "--version" or name in main.commands


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(environment, shell):
    lines = (ROOT / "docs" / "deploy.md").read_text()
    assert f"_GENOSCAN_COMPLETE={shell}_source genoscan" in lines
    source = subprocess.run(
        ["genoscan"], env={**environment, "_GENOSCAN_COMPLETE": f"{shell}_source"}, capture_output=True, text=True
    )
    assert "_GENOSCAN_COMPLETE" in source.stdout
    words = {"COMP_WORDS": "genoscan sc", "COMP_CWORD": "sc" if shell == "fish" else "1"}
    asked = {**environment, **words, "_GENOSCAN_COMPLETE": f"{shell}_complete"}
    assert "scan" in subprocess.run(["genoscan"], env=asked, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["genoscan", "sc"], ["scan"]),
        (["genoscan", "re"], ["report"]),
        (["genoscan", "scan", "x.fa", "--form"], ["--format"]),
        (["genoscan", "scan", "x.fa", "--format", "big"], ["bigbed", "bigwig"]),
        (["genoscan", "scan", "x.fa", "--model", "rep"], ["repeats"]),
        (["genoscan", "scan", "x.fa", "--model", "mine/"], ["files"]),
        (["genoscan", "scan", "x.f"], ["files"]),
        (["genoscan", "report", "-o", "x"], ["files"]),
        (["genoscan", "scan", "x.fa", "--regions", "chr"], ["files"]),
        (["genoscan", "scan", "x.fa", "--threads", ""], []),
    ],
)
def test_bash_completes_what_is_typed(environment, typed, offered):
    """The function that the line of docs/deploy.md defines, called as bash calls it."""
    words = " ".join(f"'{word}'" for word in typed)
    script = f"""
compopt() {{ echo files; }}  # what has bash offer files
eval "$(_GENOSCAN_COMPLETE=bash_source genoscan)"
wanted=$(complete -p genoscan); [[ $wanted =~ -F\\ ([^ ]+) ]]
COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; COMPREPLY=()
"${{BASH_REMATCH[1]}}" genoscan '{typed[-1]}' '{typed[-2]}'
printf "%s\\n" "${{COMPREPLY[@]}}"
"""
    ended = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert sorted(ended.stdout.split()) == sorted(offered)
