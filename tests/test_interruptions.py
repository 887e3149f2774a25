"""Whatever ends a scan half way: the same command with --resume gives the bytes of an undisturbed run, nothing that was
finished is done again, and nothing is left over."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import commands
import numpy as np
import psutil
import pysam
import pytest
import toys

from genoscan.scanner import batch, tracks
from genoscan.scanner.errors import OutputError
from genoscan.scanner.resume import unpack

LIMIT = 60
"""Seconds that a process may take on a busy machine."""
CPU = ("--device", "cpu", "--batch-size", "8", "--tile-size", "2048")
KEPT = "{} finished pieces are kept in x.bed.gz.pieces: the same command with --resume goes on from there"
TIMES = ("seconds", "mb_per_second")


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Path:
    """Genomes, and models of which one takes seconds for the longer genome; none is to be changed."""
    folder = tmp_path_factory.mktemp("material")
    random = np.random.default_rng(5)
    for name, sizes in {"genome.fa": (110_000, 70, 3_000, 50_000), "small.fa": (5_000, 9_000)}.items():
        records = []
        for number, size in enumerate(sizes):
            letters = "".join(random.choice(list("ACGT"), size))
            lines = (letters[start : start + 60] for start in range(0, size, 60))
            records.append(f">contig{number}\n" + "\n".join(lines) + "\n")
        (folder / name).write_text("".join(records))
    text = (folder / "genome.fa").read_bytes()
    (folder / "genome.gzip.fa.gz").write_bytes(gzip.compress(text))
    with pysam.BGZFile(str(folder / "genome.bgzip.fa.gz"), "wb") as packed:
        packed.write(text)
    toys.write(folder / "slow.onnx", toys.kmer_bert(layers=4, strand="forward"))
    toys.write(folder / "gc.onnx", toys.gc_model(40, 20))
    toys.write(folder / "base.onnx", toys.base_model("A", 64, 16))
    return folder


class Place:
    """A working folder with the material, and a temporary folder of its own."""

    def __init__(self, folder: Path, material: Path):
        self.here, self.temporary = folder / "here", folder / "temporary"
        shutil.copytree(material, self.here)
        self.temporary.mkdir()
        self.given = set(os.listdir(self.here))
        self.mark = f"test-{folder}"
        self.started: list[subprocess.Popen] = []

    def start(self, *arguments, **options) -> subprocess.Popen:
        environment = {**os.environ, "TMPDIR": str(self.temporary), "GENOSCAN_TEST_RUN": self.mark}
        options = {"cwd": self.here, "env": environment, "start_new_session": True, **options}
        self.started.append(commands.start(*arguments, **options))
        return self.started[-1]

    def finish(self, *arguments, stdin: bytes = b"") -> str:
        """The command run to its end in this process, which is quicker; what it says."""
        with contextlib.chdir(self.here), pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(self.temporary))
            result = commands.invoke(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.stderr
        return result.stderr

    def made(self) -> set[str]:
        """What there is that was not given, temporaries included."""
        there = set(os.listdir(self.here)) - self.given
        return there | {f"temporary/{name}" for name in os.listdir(self.temporary)}

    def processes(self) -> list[psutil.Process]:
        """Those that this place's commands have left."""
        found = []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if one.environ().get("GENOSCAN_TEST_RUN") == self.mark and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one)
        return found


def ended(process: subprocess.Popen, stdin: bytes | None = None) -> subprocess.CompletedProcess:
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=LIMIT)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout.decode(), stderr.decode())


@pytest.fixture
def place(tmp_path, material):
    made = Place(tmp_path, material)
    yield made
    for process in made.started:
        with process:
            process.kill()
    left = made.processes()
    for one in left:
        one.kill()
    assert not left


def wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def pieces_of(folder: Path) -> dict[str, int]:
    """The bases of each finished piece in a folder, by the names of the files."""
    return {path.name: unpack(path.read_bytes()).bases for path in folder.glob("*.piece")}


def wait_for_pieces(process: subprocess.Popen, folder: Path, count: int = 3) -> None:
    wait_for(lambda: len(list(folder.glob("*.piece"))) >= count, process)


def slow(*more: str, genome: str = "genome.fa", output: str = "x.bed.gz") -> tuple[str, ...]:
    """The scan that is interrupted here."""
    return ("scan", genome, "--model", "slow.onnx", "-o", output, *CPU, *more)


def killed(place: Place, *arguments: str, folder: str = "x.bed.gz.pieces", stdin: str | None = None) -> dict[str, int]:
    """Have a scan killed with SIGKILL when it has finished some pieces; their bases."""
    with contextlib.ExitStack() as stack:
        given = stack.enter_context(open(place.here / stdin, "rb")) if stdin else subprocess.DEVNULL
        process = place.start(*arguments, stdin=given)
        wait_for_pieces(process, place.here / folder)
        process.kill()
        assert ended(process).returncode == -signal.SIGKILL
    return pieces_of(place.here / folder)


def outputs(folder: Path, *names: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def summary(path: Path) -> dict:
    """A track's summary without what may differ between two runs."""
    found = json.loads(path.read_text())
    found = {key: value for key, value in found.items() if key not in TIMES}
    found["counts"] = {key: value for key, value in found["counts"].items() if key != "resumed_bases"}
    return found


def resumed_bases(path: Path) -> int:
    return json.loads(path.read_text())["counts"]["resumed_bases"]


def one_error(result: subprocess.CompletedProcess) -> str:
    """The line that the command ended in."""
    assert result.returncode == 1, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("genoscan: error: ")
    return line


@pytest.fixture(scope="module")
def undisturbed(material, tmp_path_factory) -> Path:
    """A folder with what undisturbed scans write."""
    here = Place(tmp_path_factory.mktemp("undisturbed"), material)
    for arguments in (
        slow("-t", "2"),
        slow("-t", "2", "--format", "bedgraph", output="x.bedgraph"),
        ("scan", "genome.fa", "-m", "gc.onnx", "-o", "gc.bed.gz", *CPU),
        ("scan", "small.fa", "-m", "slow.onnx", "-o", "small.bed.gz", *CPU),
    ):
        here.finish(*arguments)
    assert (here.here / "x.bedgraph").read_bytes().count(b"\n") > 500
    assert len(gzip.decompress((here.here / "x.bed.gz").read_bytes()).splitlines()) > 100
    return here.here


TRACK = ("x.bed.gz", "x.bed.gz.csi")


# ---- ends that come from outside


@pytest.mark.parametrize(
    ("number", "code", "first", "again"),
    [
        (signal.SIGKILL, -9, ("-t", "1"), ("-t", "2")),
        (signal.SIGTERM, 143, ("-t", "1"), ("-t", "1", "--tile-size", "9000")),
        (signal.SIGINT, 130, ("-t", "2"), ("-t", "2")),
        (signal.SIGHUP, 129, ("-t", "1"), ("-t", "3", "--tile-size", "300000")),
    ],
    ids=["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"],
)
def test_a_scan_that_was_ended_goes_on(place, undisturbed, number, code, first, again):
    process = place.start(*slow(*first))
    folder = place.here / "x.bed.gz.pieces"
    wait_for_pieces(process, folder)
    sent = time.monotonic()
    process.send_signal(number)
    result = ended(process)
    assert time.monotonic() - sent < 5  # well under 1 on a quiet machine
    assert result.returncode == code
    assert place.processes() == []
    assert place.made() == {"x.bed.gz.pieces"}
    kept = pieces_of(folder)
    assert len(kept) >= 3
    if number != signal.SIGKILL:
        said = {signal.SIGINT: "interrupted"}.get(number, f"ended by {signal.Signals(number).name}")
        assert result.stderr == f"genoscan: {said}; {KEPT.format(len(kept))}\n"
        assert {path.name for path in folder.iterdir()} == {"lock", "manifest.json", *kept}
    finished = ended(place.start(*slow(*again, "--resume")))
    assert finished.returncode == 0
    assert len(finished.stderr.splitlines()) == 1
    assert place.made() == {*TRACK, "x.bed.gz.json"}
    assert outputs(place.here, *TRACK) == outputs(undisturbed, *TRACK)
    there, expected = (summary(one / "x.bed.gz.json") for one in (place.here, undisturbed))
    for one in (there, expected):
        one.pop("workers")
        one["options"].pop("tile_size")
        one["genome"].pop("mtime_ns")
    assert there == expected
    assert resumed_bases(place.here / "x.bed.gz.json") == sum(kept.values())


@pytest.mark.parametrize(
    ("genome", "stdin"), [("genome.gzip.fa.gz", None), ("genome.bgzip.fa.gz", None), ("-", "genome.gzip.fa.gz")]
)
def test_any_kind_of_genome_goes_on_and_its_copy_is_swept(place, undisturbed, genome, stdin):
    scan = slow("-t", "2", genome=genome)
    kept = killed(place, *scan, stdin=stdin)
    (left,) = list(place.temporary.iterdir())  # SIGKILL leaves it, and the next run takes it away
    assert left.name.startswith("genoscan-")
    packed = (place.here / stdin).read_bytes() if stdin else b""
    place.finish(*scan, "--resume", stdin=packed)
    assert place.made() == {*TRACK, "x.bed.gz.json"}
    assert outputs(place.here, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(place.here / "x.bed.gz.json") == sum(kept.values())


def test_a_bedgraph_goes_on(place, undisturbed):
    scan = slow("-t", "2", "--format", "bedgraph", output="x.bedgraph")
    kept = killed(place, *scan, folder="x.bedgraph.pieces")
    place.finish(*scan, "--resume")
    assert place.made() == {"x.bedgraph", "x.bedgraph.json"}
    assert outputs(place.here, "x.bedgraph") == outputs(undisturbed, "x.bedgraph")
    assert resumed_bases(place.here / "x.bedgraph.json") == sum(kept.values())


def test_two_models_go_on(place, undisturbed):
    scan = ("scan", "genome.fa", "-m", "slow.onnx", "-m", "gc.onnx", "--out-dir", "out", *CPU, "-t", "2")
    killed(place, *scan, folder="out/genome.pieces")
    place.finish(*scan, "--resume")
    expected = {
        f"genome.{model}.bed.gz{ending}": (undisturbed / f"{name}.bed.gz{ending}").read_bytes()
        for model, name in {"kmer-bert-3": "x", "gc": "gc"}.items()
        for ending in ("", ".csi")
    }
    assert outputs(place.here / "out", *expected) == expected
    assert set(os.listdir(place.here / "out")) == {
        *expected, "genome.gc.bed.gz.json", "genome.kmer-bert-3.bed.gz.json", "summary.tsv"
    }  # fmt: skip


def test_a_batch_goes_on_and_what_is_complete_is_left_alone(place, undisturbed):
    rows = (("first", "small.fa"), ("second", "genome.fa"), ("third", "small.fa"))
    text = "".join(f"{sample}\t{genome}\tslow.onnx\n" for sample, genome in rows)
    (place.here / "sheet.tsv").write_text("sample\tgenome\tmodels\n" + text)
    scan, out = ("batch", "sheet.tsv", "--out-dir", "out", *CPU, "-t", "2"), place.here / "out"
    process, first = place.start(*scan), out / "first.kmer-bert-3.bed.gz"
    wait_for(Path(f"{first}.json").exists, process)
    wait_for_pieces(process, out / "second.pieces")
    process.kill()
    assert ended(process).returncode == -signal.SIGKILL
    kept = pieces_of(out / "second.pieces")
    before = first.stat()
    lines = place.finish(*scan, "--resume").splitlines()
    assert lines[0] == "genoscan: small.fa: is complete already"
    assert [line.split(": ")[1] for line in lines] == ["small.fa", "genome.fa", "small.fa"]
    assert first.stat() == before
    ending = ".kmer-bert-3.bed.gz"
    for sample, name in {"first": "small.bed.gz", "second": "x.bed.gz", "third": "small.bed.gz"}.items():
        assert (out / f"{sample}{ending}").read_bytes() == (undisturbed / name).read_bytes()
        assert (out / f"{sample}{ending}.csi").read_bytes() == (undisturbed / f"{name}.csi").read_bytes()
    assert len(list(out.iterdir())) == 3 * 3 + 1
    assert resumed_bases(out / f"second{ending}.json") == sum(kept.values())
    table = [line.split("\t") for line in (out / "summary.tsv").read_text().splitlines()]
    assert [(row[0], row[-1]) for row in table[1:]] == [(sample, "complete") for sample, _ in rows]


def test_a_killed_ray_driver_leaves_no_process_and_goes_on(place, undisturbed):
    scan = slow("--workers", "2", "-t", "1")
    process = place.start(*scan)
    wait_for_pieces(process, place.here / "x.bed.gz.pieces", 1)
    process.kill()
    ended(process)
    deadline = time.monotonic() + LIMIT
    while place.processes() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert place.processes() == []
    kept = pieces_of(place.here / "x.bed.gz.pieces")
    place.finish(*slow("-t", "2", "--resume"))
    assert outputs(place.here, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(place.here / "x.bed.gz.json") == sum(kept.values())


# ---- what is taken up, and what is not


@pytest.fixture(scope="module")
def cut_short(material, tmp_path_factory) -> Path:
    """The finished pieces that a killed scan has left."""
    place = Place(tmp_path_factory.mktemp("cut-short"), material)
    killed(place, *slow("-t", "2"))
    return place.here / "x.bed.gz.pieces"


@pytest.fixture
def interrupted(place, cut_short) -> Place:
    shutil.copytree(cut_short, place.here / "x.bed.gz.pieces")
    return place


def test_pieces_of_another_scan_are_refused(interrupted, monkeypatch):
    monkeypatch.chdir(interrupted.here)
    before = commands.contents(interrupted.here)
    (interrupted.here / "else.onnx").write_bytes(toys.kmer_bert(layers=4, strand="forward", seed=4))
    for arguments, said in (
        (slow("--resume", genome="small.fa"), "cannot resume: the genome differs (digest "),
        (("scan", "genome.fa", "-m", "else.onnx", "-o", "x.bed.gz", *CPU), "the model kmer-bert-3 differs (SHA-256 "),
        (slow("--threshold", "0.7"), "the options differ (thresholds of kmer-bert-3: [5000, 5000, "),
        (slow("--batch-size", "9"), "the options differ (batch size of kmer-bert-3: 8 then, 9 now)"),
        (slow("--regions", "contig0"), "the options differ (regions: [] then, "),
        (slow("--format", "bedgraph"), "the options differ (format: bed then, bedgraph now)"),
    ):
        result = commands.invoke(*arguments, "--resume")
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith("genoscan: error: x.bed.gz.pieces: cannot resume: the ")
        assert said in line
        assert sum(f"the {one} " in line for one in ("genome", "model", "options")) == 1
    (interrupted.here / "else.onnx").unlink()
    assert commands.contents(interrupted.here) == before


@pytest.mark.parametrize("how", ["a bit", "all of it"])
def test_a_damaged_piece_is_done_again(interrupted, undisturbed, how):
    folder = interrupted.here / "x.bed.gz.pieces"
    kept = pieces_of(folder)
    damaged = folder / sorted(kept)[1]
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 4
    damaged.write_bytes(data if how == "a bit" else b"")
    interrupted.finish(*slow("-t", "2", "--resume"))
    assert interrupted.made() == {*TRACK, "x.bed.gz.json"}
    assert outputs(interrupted.here, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(interrupted.here / "x.bed.gz.json") == sum(kept.values()) - kept[damaged.name]


def test_a_scan_killed_at_its_very_end_is_complete(place, cut_short):
    """Its tracks are there, and besides its pieces and its copy of the genome."""
    scan = ("scan", "small.fa", "-m", "gc.onnx", "-o", "x.bed.gz", "--device", "cpu")
    place.finish(*scan)
    before = commands.contents(place.here)
    shutil.copytree(cut_short, place.here / "x.bed.gz.pieces")
    copy = place.temporary / "genoscan-copy"
    copy.mkdir()
    (copy / "letters").write_text("ACGT")
    (copy / "genoscan.lock").write_text(socket.gethostname())
    assert place.finish(*scan, "--resume") == "genoscan: small.fa: is complete already\n"
    assert commands.contents(place.here) == before
    assert not copy.exists()


def test_a_track_never_has_the_summary_of_another(place, monkeypatch):
    """Ended between the track and its summary: the summary that was there before spoke of the track before."""
    monkeypatch.chdir(place.here)
    scan = ("scan", "small.fa", "-m", "gc.onnx", "-o", "x.bed", "--device", "cpu")
    assert commands.invoke(*scan).exit_code == 0
    before = (place.here / "x.bed").read_bytes()

    def ends(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tracks, "write_beside", ends)
        assert commands.invoke(*scan, "--threshold", "0.7").exit_code == 130
    assert (place.here / "x.bed").read_bytes() != before
    assert not (place.here / "x.bed.json").exists()
    assert commands.invoke(*scan, "--resume").exit_code == 1  # the other scan's pieces are there
    shutil.rmtree(place.here / "x.bed.pieces")
    assert commands.invoke(*scan, "--resume").exit_code == 0
    assert (place.here / "x.bed").read_bytes() == before


# ---- disks and files that fail


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB with all but 12 kB, which is three small files, taken by a file `ballast`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=256k", "genoscan-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(options, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        (folder / "ballast").write_bytes(bytes((256 - 12) << 10))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_the_scan_goes_on(place, undisturbed, small_disk):
    scan = slow("-t", "1", output=str(small_disk / "x.bed.gz"))
    line = one_error(ended(place.start(*scan)))
    assert ": cannot write: No space left on device; free some space" in line
    assert line.startswith(f"genoscan: error: {small_disk / 'x.bed.gz'}")
    kept = pieces_of(small_disk / "x.bed.gz.pieces")
    assert f"; {len(kept)} finished piece" in line
    assert {path.name for path in small_disk.iterdir()} == {"ballast", "x.bed.gz.pieces"}
    (small_disk / "ballast").unlink()
    place.finish(*scan, "--resume")
    assert outputs(small_disk, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(small_disk / "x.bed.gz.json") == sum(kept.values())
    assert {path.name for path in small_disk.iterdir()} == {*TRACK, "x.bed.gz.json"}


@pytest.mark.parametrize("output", ["x.bedgraph", "x.bedgraph.gz"])
def test_a_limit_on_files_is_one_line_and_the_scan_goes_on(place, output):
    scan = ("scan", "genome.fa", "-m", "base.onnx", "--format", "bedgraph", *CPU, "-t", "1", "-o")
    limit = 30_000

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    line = one_error(ended(place.start(*scan, output, preexec_fn=limited)))
    assert line.startswith(f"genoscan: error: {output}")
    assert ": cannot write: " in line
    kept = pieces_of(place.here / f"{output}.pieces")
    assert kept
    place.finish(*scan, output, "--resume")
    assert resumed_bases(place.here / f"{output}.json") == sum(kept.values())
    place.finish(*scan, f"other.{output}")
    assert (place.here / output).read_bytes() == (place.here / f"other.{output}").read_bytes()
    assert len((place.here / output).read_bytes()) > limit
    assert place.temporary.exists()
    assert not list(place.here.glob("*.pieces"))


@pytest.mark.parametrize("back", [True, False])
def test_an_output_folder_that_goes_away(place, undisturbed, back):
    tracks_folder, gone = place.here / "tracks", place.here / "gone"
    tracks_folder.mkdir()
    scan = slow("-t", "1", output="tracks/x.bed.gz")
    process = place.start(*scan)
    wait_for_pieces(process, tracks_folder / "x.bed.gz.pieces")
    tracks_folder.rename(gone)
    line = one_error(ended(process))
    assert line.startswith("genoscan: error: tracks/x.bed.gz")
    assert line.endswith(": cannot write: No such file or directory")  # nothing is said to be kept
    kept = pieces_of(gone / "x.bed.gz.pieces")
    if back:
        gone.rename(tracks_folder)
    else:
        tracks_folder.mkdir()
        shutil.rmtree(gone)
    place.finish(*scan, "--resume")
    assert outputs(tracks_folder, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(tracks_folder / "x.bed.gz.json") == (sum(kept.values()) if back else 0)
    assert place.made() == {"tracks"}
    assert len(list(tracks_folder.iterdir())) == 3


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("harm", ["truncated", "altered"])
def test_a_genome_that_changes_half_way(place, undisturbed, indexed, harm):
    genome = place.here / "genome.fa"
    text = genome.read_bytes()
    if indexed:
        pysam.faidx(str(genome))
        place.given.add("genome.fa.fai")
    process = place.start(*slow("-t", "1"))
    wait_for_pieces(process, place.here / "x.bed.gz.pieces", 2)
    with genome.open("r+b") as file:
        if harm == "truncated":
            file.truncate(len(text) // 4)
        else:  # other bases everywhere, in as many bytes
            file.write(text.replace(b"G", b"A"))
    line = one_error(ended(process))
    assert line.startswith("genoscan: error: genome.fa: ")
    assert "changed" in line
    assert place.made() == {"x.bed.gz.pieces"}
    kept = pieces_of(place.here / "x.bed.gz.pieces")
    assert len(kept) >= 2
    genome.write_bytes(text)
    said = place.finish(*slow("-t", "2", "--resume"))
    assert ("genome.fa.fai: is older than the file" in said) == indexed
    assert outputs(place.here, *TRACK) == outputs(undisturbed, *TRACK)
    assert resumed_bases(place.here / "x.bed.gz.json") == sum(kept.values())
    assert place.made() == {*TRACK, "x.bed.gz.json"}


def test_the_table_of_a_batch_does_not_hide_what_ended_it(place, monkeypatch):
    monkeypatch.chdir(place.here)

    def ends(*_):
        raise KeyboardInterrupt

    def full(*_):
        raise OutputError("summary.tsv: cannot write: No space left on device")

    monkeypatch.setattr(batch, "_scan_one", ends)
    monkeypatch.setattr(batch, "write_table", full)
    result = commands.invoke("scan", "small.fa", "-m", "gc.onnx", "--out-dir", "out", "--device", "cpu")
    assert (result.exit_code, result.stderr) == (130, "genoscan: interrupted\n")


# ---- ended before the first piece


@pytest.fixture
def long_in_opening(place) -> str:
    """A gzip file of 4 MB whose 4 Gb take half a minute to unpack."""
    member = gzip.compress(b">a\n" + b"ACGTTGCAAC" * 6_400_000 + b"\n")
    more = gzip.compress(b"ACGTTGCAAC" * 6_400_000 + b"\n")
    (place.here / "long.fa.gz").write_bytes(member + 64 * more)
    place.given.add("long.fa.gz")
    return "long.fa.gz"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("ahead", [False, True])
def test_a_signal_while_a_genome_is_unpacked(place, long_in_opening, sent, ahead):
    genomes = ["genome.fa", long_in_opening] if ahead else [long_in_opening]
    process = place.start("scan", *genomes, "-m", "slow.onnx", "--out-dir", "out", *CPU, "-t", "1")
    wait_for(lambda: any(path.stat().st_size > 1e6 for path in place.temporary.glob("*/letters")), process)
    started = time.monotonic()
    process.send_signal(sent)
    result = ended(process)
    assert time.monotonic() - started < 5
    assert result.returncode == 128 + sent
    assert not list(place.temporary.iterdir())
    assert set(os.listdir(place.here / "out")) - {"genome.pieces"} == {"summary.tsv"}


@pytest.mark.parametrize("source", ["stdin", "pipe", "pipe with a writer"])
def test_a_signal_while_nothing_comes_from_a_pipe(place, source):
    genome = place.here / "pipe"
    os.mkfifo(genome)
    process = place.start("scan", "-" if source == "stdin" else "pipe", "-m", "gc.onnx", "-o", "x.bed",
                          stdin=subprocess.PIPE)  # fmt: skip
    with contextlib.ExitStack() as stack:
        if source == "stdin":
            process.stdin.write(b">a\nACGT")
            process.stdin.flush()
        if source == "pipe with a writer":
            stack.enter_context(genome.open("wb", buffering=0)).write(b">a\nACGT\n")
        loaded = Path(f"/proc/{process.pid}/maps")
        wait_for(lambda: "onnxruntime" in loaded.read_text(), process)
        time.sleep(1.5)  # until the model is open and the genome is waited for
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 143
        assert time.monotonic() - started < 5
        assert process.stderr.read() == b"genoscan: ended by SIGTERM\n"
        process.stdin.close()
        process.stderr.close()
        process.stdout.close()
    assert place.made() == {"pipe"}


def test_a_signal_while_the_first_piece_waits_for_the_digest(place):
    genome = place.here / "sparse.fa"
    with genome.open("wb") as file:
        file.write(b">a\n" + b"ACGTACGTAC" * 300 + b"\n>b\n")
        file.truncate(40 << 30)  # takes no room, and a minute to digest
    rest = (40 << 30) - 3007
    (place.here / "sparse.fa.fai").write_text(f"a\t3000\t3\t3000\t3001\nb\t{rest}\t3007\t{rest}\t{rest + 1}\n")
    process = place.start("scan", "sparse.fa", "-m", "gc.onnx", "--regions", "a", "-o", "x.bed", "--device", "cpu")
    partial = place.here / "x.bed.pieces" / "x.bed.partial"
    wait_for(partial.exists, process)
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    result = ended(process)
    assert time.monotonic() - started < 5
    assert (result.returncode, result.stderr) == (143, "genoscan: ended by SIGTERM\n")
    assert place.made() == {"sparse.fa", "sparse.fa.fai"}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_comes_where_exceptions_are_dropped(place, sent):
    """As in a destructor, or a callback that compiled code makes: Python cannot raise there."""
    script = (
        "import os, sys, time\n"
        "from genoscan import cli\n"
        "from genoscan.scanner import batch\n"
        "class Dropping:\n"
        "    def __del__(self):\n"
        f"        os.kill(os.getpid(), {int(sent)})\n"
        "        time.sleep(0.5)\n"  # the handler runs here
        "        print('not reached')\n"
        "def scans(*_, **__):\n"
        "    Dropping()\n"
        "    time.sleep(30)\n"
        "batch.scan_samples = scans\n"
        "cli.main(['scan', 'small.fa', '-m', 'gc.onnx'])\n"
    )
    options = {"cwd": place.here, "capture_output": True, "text": True, "timeout": 20}
    done = subprocess.run([sys.executable, "-c", script], check=False, **options)
    said = "interrupted" if sent == signal.SIGINT else f"ended by {signal.Signals(sent).name}"
    assert (done.returncode, done.stdout, done.stderr) == (128 + sent, "", f"genoscan: {said}\n")


def test_ctrl_c_during_an_import_has_its_exit_code(place):
    """Imports of many packages call exec()."""
    script = (
        "from genoscan import cli\n"
        "from genoscan.scanner import batch\n"
        "text = 'import os, time; os.kill(os.getpid(), 2); time.sleep(20)'\n"
        "batch.scan_samples = lambda *_, **__: exec(text)\n"
        "cli.main(['scan', 'small.fa', '-m', 'gc.onnx'])\n"
    )
    (place.here / "imports.py").write_text(script)
    options = {"cwd": place.here, "capture_output": True, "text": True, "timeout": 20}
    done = subprocess.run([sys.executable, "-m", "imports"], check=False, **options)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "genoscan: interrupted\n")
