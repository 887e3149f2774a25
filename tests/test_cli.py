"""The command line as a user meets it: help, streams, folders of tracks, what is said where, and what is imported."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import commands
import matplotlib.image
import numpy as np
import pysam
import pytest
import toys

import genoscan
from genoscan.cli import main
from genoscan.scanner.catalogue import bundled_models


def walk(command: click.Command, *names: str):
    yield names, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from walk(one, *names, name)


ROOT = Path(__file__).parents[1]
COMMANDS = dict(walk(main))
SUMMARY = re.compile(r"genoscan: .*: [\d.]+ \w?b with \S+ on cpu( \(auto\))?, \d+ threads?: .*; [\d.]+ s, [\d.]+ Mb/s")


@pytest.fixture
def folder(working_folder):
    """Two genomes and two models."""
    here = working_folder
    random = np.random.default_rng(3)
    for name in ("human", "mouse"):
        records = {f"{name}{number}": "".join(random.choice(list("ACGT"), 2000)) for number in (1, 2)}
        (here / f"{name}.fa").write_text("".join(f">{one}\n{letters}\n" for one, letters in records.items()))
    toys.write(here / "a.onnx", toys.base_model("A", 64, 16))
    toys.write(here / "gc.onnx", toys.gc_model(40, 20))
    return here


# ---- help and versions


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_help_has_an_example(names):
    result = commands.invoke(*names, "--help")
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip() in ("Example:", "Examples:"))
    assert lines[start + 1].strip().startswith(" ".join(("genoscan", *names)))
    assert max(map(len, lines)) <= 110
    for option in COMMANDS[names].params:
        assert option.opts[0] in result.stdout or isinstance(option, click.Argument)


def test_the_commands_are_all_there():
    assert {" ".join(names) for names in COMMANDS} >= {
        "", "scan", "models", "models show", "bench", "demo", "train", "train repeats", "export",
    }  # fmt: skip


def test_the_version_is_one_line():
    assert commands.invoke("--version").stdout == f"genoscan {genoscan.__version__}\n"


def test_help_is_there_at_once():
    seconds = []
    for _ in range(3):
        before = commands.processor_seconds()
        result = commands.run("--help")
        seconds.append(commands.processor_seconds() - before)
        assert (result.returncode, result.stderr) == (0, b"")
        assert b"Example:" in result.stdout
    assert min(seconds) < 0.5


@pytest.mark.parametrize("arguments", [("nix",), ("scan",), ("scan", "g.fa"), ("models", "nix"), ("scan", "-m", "x")])
def test_usage_errors_end_with_2(arguments):
    result = commands.invoke(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert result.stdout == ""


# ---- what is imported

HEAVY = ("torch", "onnx", "ray", "sklearn", "onnxscript", "tensorboard", "transformers")


def imported(script: str, *names: str) -> list[str]:
    """Those of the modules that a fresh interpreter has loaded after the script."""
    script += f"\nimport sys\nprint([name for name in {names} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(done.stderr.replace("'", '"'))


def test_scanning_imports_nothing_of_training():
    script = "import genoscan.scanner.scan, genoscan.scanner.batch, genoscan.scanner.throughput.sweep"
    assert imported(script, *HEAVY, "numpy") == ["numpy"]


def test_making_a_data_set_imports_no_torch():
    assert imported("import genoscan.training.data.repeat_windows", *HEAVY, "numpy") == ["numpy"]


def test_help_imports_nothing_heavy():
    script = "from genoscan.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert imported(script, *HEAVY, "numpy", "numba", "onnxruntime", "pysam", "pydantic", "rich", "click") == ["click"]


# ---- streams


def test_bed_to_stdout_and_one_line_to_stderr(folder):
    result = commands.run("scan", "human.fa", "--model", "a.onnx", "-t", "1")
    assert result.returncode == 0
    (line,) = result.stderr.decode().splitlines()
    assert SUMMARY.fullmatch(line), line
    assert line.startswith("genoscan: human.fa: 4.0 kb with base-A on ")
    rows = [line.split("\t") for line in result.stdout.decode().splitlines()]
    assert rows[0] == ["#chrom", "start", "end", "name", "score", "strand"]
    assert {len(row) for row in rows} == {6}
    assert f", 1 thread: {len(rows) - 1:,} calls" in line
    assert sorted(os.listdir(folder)) == ["a.onnx", "gc.onnx", "human.fa", "mouse.fa"]
    assert not list((folder.parent / "temporary").iterdir())


@pytest.mark.parametrize("packed", [False, True])
def test_stdin_gives_what_the_file_gives(folder, packed):
    text = (folder / "human.fa").read_bytes()
    stdin = gzip.compress(text) if packed else text
    expected = commands.invoke("scan", "human.fa", "-m", "a.onnx", "-q")
    result = commands.run("scan", "-", "--model", "a.onnx", "--quiet", stdin=stdin)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == expected.stdout_bytes != b""


def test_quiet_says_nothing(folder):
    for output in ([], ["-o", "-"], ["-o", "x.bed"], ["--out-dir", "tracks"]):
        result = commands.invoke("scan", "human.fa", "-m", "a.onnx", "--quiet", *output)
        assert (result.exit_code, result.stderr) == (0, ""), output
    assert (folder / "x.bed").read_bytes() == commands.invoke("scan", "human.fa", "-m", "a.onnx", "-q").stdout_bytes


@pytest.mark.usefixtures("folder")
def test_auto_says_what_it_took(monkeypatch):
    monkeypatch.setattr("genoscan.scanner.inference.session.cuda_device_count", lambda: 0)
    assert " on cpu (auto), " in commands.invoke("scan", "human.fa", "-m", "a.onnx").stderr
    assert " on cpu, " in commands.invoke("scan", "human.fa", "-m", "a.onnx", "--device", "cpu").stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "terminals", "bar"),
    [((), {"stderr"}, True), (("--quiet",), {"stderr"}, False), ((), {"stderr", "stdout"}, False)],
)
def test_a_bar_only_on_a_terminal_that_is_free(options, terminals, bar):
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    streams = {name: follower if name in terminals else subprocess.DEVNULL for name in ("stdout", "stderr")}
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = commands.start("scan", "human.fa", "-m", "a.onnx", *options, env=environment, **streams)
    os.close(follower)
    seen = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(leader)
    assert process.wait(timeout=commands.LIMIT) == 0
    drawn = re.search(rb"human base-A .* of 4\.0 kb +[\d.]+ Mb/s", seen)
    assert bool(drawn) == bar, seen[:500]
    summaries = [line for line in seen.decode().splitlines() if "genoscan: human.fa: " in line]
    assert len(summaries) == (not options)
    if options:
        assert seen == b""


def test_file_names_that_are_not_utf8(folder):
    name = os.fsdecode(b"\xff\xfe.fa")
    try:
        (folder / name).write_bytes((folder / "human.fa").read_bytes())
    except OSError:
        pytest.skip("this file system has no such names")
    result = commands.invoke("scan", name, "-m", "a.onnx", "--out-dir", "tracks")
    assert result.exit_code == 0
    summary = (folder / "tracks" / os.fsdecode(b"\xff\xfe.base-A.bed.gz.json")).read_text(encoding="utf-8")
    assert json.loads(summary)["genome"]["path"] == name


def test_a_name_with_a_line_feed_is_still_one_line(folder):
    assert len(commands.invoke("scan", "no\nsuch.fa", "-m", "a.onnx").stderr.splitlines()) == 1
    assert not list(folder.glob("*.bed*"))


# ---- several genomes and models


def test_several_genomes_and_models(folder):
    result = commands.invoke(
        "scan", "human.fa", "mouse.fa", "-m", "a.onnx", "-m", "gc.onnx", "--out-dir", "tracks", "--device", "cpu"
    )
    assert result.exit_code == 0
    assert result.stdout == ""
    assert [SUMMARY.fullmatch(line) is not None for line in result.stderr.splitlines()] == [True] * 4
    stems = [f"{genome}.{model}.bed.gz" for genome in ("human", "mouse") for model in ("base-A", "gc")]
    files = [*(stem + end for stem in stems for end in ("", ".csi", ".json")), "summary.tsv"]
    assert sorted(os.listdir("tracks")) == sorted(files)
    for genome in ("human", "mouse"):
        alone = commands.invoke("scan", f"{genome}.fa", "-m", "a.onnx", "-q").stdout_bytes
        assert gzip.decompress((folder / "tracks" / f"{genome}.base-A.bed.gz").read_bytes()) == alone
        with pysam.TabixFile(f"tracks/{genome}.base-A.bed.gz", index=f"tracks/{genome}.base-A.bed.gz.csi") as track:
            rows = [line.encode() for line in track.fetch(f"{genome}2", 100, 900)]
        lines = [line.split(b"\t") for line in alone.splitlines()[1:]]
        inside = [one for one in lines if one[0] == f"{genome}2".encode() and int(one[1]) < 900 and int(one[2]) > 100]
        assert rows == [b"\t".join(one) for one in inside] != []
        summary = json.loads((folder / "tracks" / f"{genome}.base-A.bed.gz.json").read_text())
        assert summary["genome"]["path"] == f"{genome}.fa"
        assert summary["counts"]["calls"] == len(lines)


def test_bedgraph_tracks_have_their_own_ending(folder):
    result = commands.invoke(
        "scan", "human.fa", "-m", "gc.onnx", "--format", "bedgraph", "--out-dir", "tracks/of/today", "-q"
    )
    assert result.exit_code == 0
    assert sorted(os.listdir(folder / "tracks" / "of" / "today")) == [
        *(f"human.gc.bedgraph.gz{ending}" for ending in ("", ".csi", ".json")),
        "summary.tsv",
    ]


def test_what_is_complete_stays_when_a_later_genome_is_bad(folder):
    (folder / "mouse.fa").write_text(">one\nACGT\n>two\nACG!\n")
    arguments = ("scan", "human.fa", "mouse.fa", "-m", "a.onnx", "--out-dir", "tracks")
    result = commands.invoke(*arguments)
    assert result.exit_code == 1
    first, second, third = result.stderr.splitlines()
    assert SUMMARY.fullmatch(first)
    assert second.startswith("genoscan: error: mouse.fa: record 'two' has '!' at position 4")
    assert third == "genoscan: error: 1 of 2 genomes failed: mouse.fa; the other tracks are complete"
    kept = [f"human.base-A.bed.gz{ending}" for ending in ("", ".csi", ".json")]
    assert sorted(os.listdir("tracks")) == [*kept, "summary.tsv"]
    with pysam.BGZFile("tracks/human.base-A.bed.gz") as track:
        assert track.read() == commands.invoke("scan", "human.fa", "-m", "a.onnx", "-q").stdout_bytes


def test_an_index_that_is_there_stays_and_none_is_left(folder):
    commands.invoke("scan", "human.fa", "-m", "a.onnx", "-o", "x.bed")
    assert not list(folder.glob("*.fai"))
    pysam.faidx("human.fa")
    before = (folder / "human.fa.fai").read_bytes()
    assert commands.invoke("scan", "human.fa", "-m", "a.onnx", "-o", "y.bed", "-q").stderr == ""
    assert (folder / "human.fa.fai").read_bytes() == before
    assert (folder / "x.bed").read_bytes() == (folder / "y.bed").read_bytes()


# ---- the other commands


def test_models_show_prints_the_card_of_a_file(folder):
    result = commands.invoke("models", "show", folder / "gc.onnx")
    assert (result.exit_code, result.stderr) == (0, "")
    card = json.loads(result.stdout)
    assert (card["name"], card["window"], card["step"], card["context"]) == ("gc", 40, 20, 10)


def test_models_show_tells_the_columns_as_autosql(folder):
    for model, count in (("repeats", 18), (folder / "gc.onnx", 6)):
        result = commands.invoke("models", "show", model, "--autosql")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("table ")
        assert result.stdout.endswith('"\n    )\n')
        assert result.stdout.count(";") == count


def test_models_lists_what_is_bundled():
    result = commands.invoke("models")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["model", "version", "task", "window"]
    assert [line.split()[0] for line in lines[1:]] == list(bundled_models())


@pytest.mark.parametrize("name", ["repeats", "repeats.onnx"])
def test_a_bundled_model_is_found_from_any_folder(folder, name):
    if "repeats" not in bundled_models():
        pytest.skip("no bundled model 'repeats'")
    result = commands.invoke("scan", folder / "human.fa", "-m", name, "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(commands.invoke("models", "show", name).stdout)["name"] == "repeats"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [("models", "show", "gc.onnx"), ("scan", "human.fa", "-m", "a.onnx")])
@pytest.mark.usefixtures("folder")
def test_a_full_disk_behind_stdout_is_one_line(arguments):
    with open("/dev/full", "wb") as full:
        result = commands.run(*arguments, stdout=full)
    assert result.returncode == 1
    assert re.fullmatch(rb"genoscan: error: .*cannot write: No space left on device\S*.*\n", result.stderr)


def test_a_file_wins_over_a_bundled_model(folder):
    (folder / "a.onnx").rename(folder / "repeats.onnx")
    assert json.loads(commands.invoke("models", "show", "repeats.onnx").stdout)["name"] == "base-A"


def test_demo_writes_the_same_genome_each_time(folder):
    for name in ("one", "two"):
        result = commands.invoke("demo", "--no-scan", "--bases", "20000", "--seed", "5", "-o", name)
        assert (result.exit_code, result.stderr) == (0, "")
        assert re.match(
            rf"genome  {name}/demo.fa \(0.0 Mb\)\ntruth   {name}/demo.truth.bed \(\d+ repeats\)\n", result.stdout
        )
    first, second = commands.contents(folder / "one"), commands.contents(folder / "two")
    assert first == second
    assert sorted(first) == ["demo.fa", "demo.truth.bed"]
    with pysam.FastaFile(str(folder / "one" / "demo.fa")) as fasta:
        lengths = dict(zip(fasta.references, fasta.lengths, strict=True))
    assert sum(lengths.values()) == 20_000
    for line in (folder / "one" / "demo.truth.bed").read_text().splitlines()[1:]:
        chrom, start, end = line.split("\t")[:3]
        assert 0 <= int(start) < int(end) <= lengths[chrom]


def bench(*arguments):
    """A quick one, on the CPU with one thread."""
    return commands.invoke("bench", "--genome", "human.fa", "--seconds", "0.1", "--device", "cpu", *arguments)


@pytest.mark.usefixtures("folder")
def test_bench_as_json_with_a_setting_that_fails():
    """Documented in docs/bench.md: one object, a row for each setting, and the fastest as options of a scan."""
    arguments = ("-m", "a.onnx", "-t", "1", "--batch-size", "2", "--batch-size", "1000000", "--plot", "bench.png")
    result = bench(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    measured = json.loads(result.stdout)
    assert (measured["genome"], measured["bases"], measured["probes"]) == ("human.fa", 4000, [])
    assert measured["machine"]["versions"]["genoscan"] == genoscan.__version__
    row, failed = measured["settings"]
    assert (row["name"], row["device"], row["workers"], row["threads"], row["batch_size"]) == ("base-A", "cpu", 1, 1, 2)
    for speeds in (row["windows_per_second"], row["mb_per_second"]):
        assert min(speeds.values()) > 0
        assert row["share_of_session"] == pytest.approx(speeds["scan"] / speeds["session"])
        assert row["share_of_bound"] == pytest.approx(speeds["scan"] / speeds["bound"])
    assert row["human_genome_seconds"] == pytest.approx(3100 / row["mb_per_second"]["scan"])
    assert "--batch-size 1000000 is too large" in failed["error"]
    assert measured["fastest"] == ["--model a.onnx --device cpu --threads 1 --batch-size 2"]
    assert matplotlib.image.imread("bench.png").shape[2] == 4
    documented = set(re.findall(r"`([a-z_0-9.]+)`", (ROOT / "docs" / "bench.md").read_text()))
    assert {*measured, *row, *failed, *(f"machine.{one}" for one in measured["machine"])} <= documented


def test_bench_prints_each_stage_and_warns_in_one_line(folder):
    (folder / "human.fa").write_text(">hole\n" + (folder / "human.fa").read_text())
    result = bench("-m", "a.onnx")
    assert result.exit_code == 0
    assert result.stderr == "genoscan: warning: human.fa: record 'hole' is empty; nothing is scanned there\n"
    for label in ("bare session", "encoding", "whole scan", "whole / bare session", "peak memory"):
        assert re.search(rf"{label} +[\d.,]+", result.stdout)
    assert re.match(r"fastest: genoscan scan GENOME --model a.onnx --device cpu --threads \d+ --batch-size \d+ -o OUT",
                    result.stdout.splitlines()[-1])  # fmt: skip
    assert not list((folder.parent / "temporary").iterdir())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-m", "a.onnx", "--plot", "bench.txt"), 2, "bench.txt: name a picture that ends in .png, .svg, .pdf"),
        (("-m", "a.onnx", "--genome", "-"), 2, "--genome -: it is read several times: name a file"),
        (("-m", "a.onnx", "--batch-size", "1000000"), 1, "--batch-size 1000000 is too large"),
    ],
)
def test_what_bench_cannot_do_is_one_line(arguments, code, said):
    result = bench(*arguments)
    assert result.exit_code == code
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)
    assert said in result.stderr
