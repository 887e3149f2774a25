"""Ray workers: the bytes of one process whatever dies on the way, and one line for what goes wrong."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import toys
from commands import LIMIT, contents, run, scan_file, start
from ray_nodes import ENVIRONMENT, Nodes

from genoscan.scanner import cluster
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.inference.session import read_card

TESTS = Path(__file__).parents[1]
BASES, CONTIGS = 600_000, 3
BATCH = 8
"""Windows; of 50 bases' step, see `inputs`."""
BATCHES = BASES / 50 / BATCH


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder of a genome, models, and what one process makes of them, in each format."""
    folder = tmp_path_factory.mktemp("inputs")
    letters = np.frombuffer(b"ACGT", dtype="S1")[np.random.default_rng(1).integers(0, 4, BASES)].tobytes().decode()
    lines = [letters[i : i + 100] for i in range(0, BASES, 100)]
    third = len(lines) // CONTIGS
    records = [f">c{i}\n" + "\n".join(lines[i * third : (i + 1) * third]) for i in range(CONTIGS)]
    (folder / "genome.fa").write_text("\n".join(records) + "\n")
    toys.write(folder / "gc.onnx", toys.gc_model(100, 50))
    toys.write(folder / "motif.onnx", toys.motif_model("GAT", 50))
    said = toys.Calling(threshold=0.5, extend=0.5, gap=1, min_length=4, annotation="tandem-repeat")
    toys.write(folder / "said.onnx", toys.base_model("A", 50, 5, calling=said))
    for model in ("gc", "motif", "said"):
        for format in ("bed", "bedgraph") if model == "gc" else ("bed",):
            scan_file(folder / "genome.fa", folder / f"{model}.onnx", folder / f"{model}.{format}", format=format)
    assert len((folder / "gc.bed").read_bytes()) > 20_000
    return folder


@pytest.fixture(scope="module")
def nodes():
    with Nodes() as running:
        yield running


@pytest.fixture
def temporary(monkeypatch):
    """An empty TMPDIR; Ray's sockets want a short one."""
    folder = Path("/tmp") / f"g{os.getpid()}"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert contents(folder) == {}
    folder.rmdir()


class Driver:
    """`ray_driver.py` running with these settings; its log of batches, and what came of it."""

    def __init__(self, inputs, tmp_path, nodes=None, stdout=subprocess.PIPE, **settings):
        self.log, self.output = settings.pop("log", tmp_path / "log"), tmp_path / "out.bed"
        given = {"genome": inputs / "genome.fa", "models": [str(inputs / "gc.onnx")], "output": self.output}
        self.meet = self.log.with_name(f"{self.log.name}.meet")
        self.expect(settings.get("workers") or 0)
        given |= {"log": self.log, "tile_size": 4_000, "address": nodes.address if nodes else None, **settings}
        given["meet"] = self.meet
        self.process = subprocess.Popen(
            [sys.executable, TESTS / "ray_driver.py", json.dumps(given, default=str)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=os.environ | (ENVIRONMENT if nodes else {}),
        )

    def expect(self, workers):
        """Hold all batches until so many processes have begun one: a scan then cannot end before they work."""
        changed = self.meet.with_suffix(".new")
        changed.write_text(str(workers))
        changed.rename(self.meet)
        return self

    def batches(self):
        """(worker, raylet) process numbers of each batch that was begun."""
        if not self.log.exists():
            return []
        return [
            tuple(map(int, line.split())) for line in self.log.read_text().splitlines(keepends=True) if "\n" in line
        ]

    def wait_for(self, count):
        """Until so many batches are done; the scan must still run then."""
        until = time.monotonic() + LIMIT
        while len(self.batches()) < count:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        return self

    def wait_for_workers(self, count):
        """Until so many processes have worked, and all of them for a while."""
        self.expect(count)
        until = time.monotonic() + LIMIT
        while len(set(self.batches())) < count:
            self.wait_for(0)
            assert time.monotonic() < until
            time.sleep(0.02)
        return self.wait_for(len(self.batches()) + 50)

    def kill(self, worker):
        """Kill a worker, while the others' batches are held until another works in its place; the number of batches
        when it is dead."""
        self.expect(len(set(self.batches())) + 1)
        victim = psutil.Process(worker)
        victim.kill()
        until = time.monotonic() + LIMIT
        while lives(victim):
            assert time.monotonic() < until
            time.sleep(0.02)
        return len(self.batches())

    def end(self):
        """Exit code, standard output and standard error."""
        stdout, stderr = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, stdout, stderr.decode()


@pytest.mark.usefixtures("temporary")
def test_workers_of_this_machine_give_the_same_tracks(inputs, tmp_path):
    models = [word for name in ("gc", "motif", "said") for word in ("-m", inputs / f"{name}.onnx")]
    options = "--workers", 2, "--device", "cpu", "--tile-size", 10_000, "--out-dir", tmp_path / "tracks"
    ran = run("scan", inputs / "genome.fa", *models, *options)
    assert (ran.returncode, ran.stdout) == (0, b"")
    for model, name in (("gc", "gc"), ("motif", "motif-GAT"), ("said", "base-A")):
        track = subprocess.run(["gzip", "-dc", tmp_path / "tracks" / f"genome.{name}.bed.gz"], stdout=subprocess.PIPE)
        assert track.stdout == (inputs / f"{model}.bed").read_bytes()
    lines = ran.stderr.decode().splitlines()
    assert len(lines) == 3
    assert all("on cpu, 2 Ray workers of " in line for line in lines)


@pytest.mark.usefixtures("temporary")
def test_nothing_but_the_track_on_standard_output_when_a_worker_dies(inputs, tmp_path):
    driver = Driver(inputs, tmp_path, output=None, workers=2, format="bedgraph", seconds=0.002).wait_for_workers(2)
    driver.kill(driver.batches()[0][0])
    assert driver.end() == (0, (inputs / "gc.bedgraph").read_bytes(), "")
    assert len({worker for worker, _ in driver.batches()}) == 3


@pytest.mark.usefixtures("temporary")
def test_sigterm_ends_everything_in_seconds(inputs, tmp_path):
    """As SLURM gives it: to every process of the job, Ray's too, of which some may have ended when ours hears of it."""
    toys.write(tmp_path / "slow.onnx", toys.kmer_bert(layers=4))
    output = tmp_path / "out.bed"
    options = "-o", output, "--workers", 2, "--device", "cpu", "--tile-size", 2_000
    scan = start("scan", inputs / "genome.fa", "-m", tmp_path / "slow.onnx", *options, start_new_session=True)
    until = time.monotonic() + LIMIT
    while not list(tmp_path.glob("out.bed.pieces/*.piece")):
        assert scan.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    started = {process: name_of(process) for process in psutil.Process(scan.pid).children(recursive=True)}
    (raylet,) = [process for process, name in started.items() if name == "raylet"]
    raylet.terminate()
    while any(lives(process) for process, name in started.items() if process == raylet or "_Scanner" in name):
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(1)  # Ray's library in our process hears of it: where that held something in its store it would end it
    began = time.monotonic()
    os.killpg(scan.pid, signal.SIGTERM)
    stdout, stderr = scan.communicate(timeout=40)
    assert time.monotonic() - began < 25  # SLURM waits for 30 s
    assert (scan.returncode, stdout) == (143, b""), stderr.decode()
    assert_kept(stderr.decode(), output, "ended by SIGTERM")
    assert [process for process in started if lives(process)] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.bed.pieces", "slow.onnx"]


def name_of(process):
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def assert_kept(stderr, output, last):
    kept = rf"\d+ finished pieces? (is|are) kept in {output}.pieces: the same command with --resume goes on from there"
    assert re.fullmatch(rf"genoscan: {last}; {kept}\n", stderr)


def lives(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # an orphan that nobody has waited for is over too
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def raylets(nodes):
    """Nodes of two CPUs; a test that kills one takes it from the list."""
    return [nodes.add(2) for _ in range(2)]


@pytest.mark.long
def test_a_node_that_is_killed_leaves_no_trace_in_the_track(inputs, tmp_path, nodes, raylets):
    driver = Driver(inputs, tmp_path, nodes, workers=2, threads=2, seconds=0.02).wait_for_workers(2)  # one to a node
    killed = raylets.pop()
    driver.expect(1000)  # held while the node is killed
    nodes.kill(killed)
    before = driver.expect(0).batches()
    assert driver.end() == (0, b"", "")
    assert driver.output.read_bytes() == (inputs / "gc.bed").read_bytes()
    assert killed in {raylet for _, raylet in before}
    assert killed not in {raylet for _, raylet in driver.batches()[len(before) :]}
    assert len(before) < BATCHES <= len(driver.batches())


@pytest.fixture(scope="module")
def pair(nodes, raylets):
    """Two nodes of two CPUs that live on."""
    while len(raylets) < 2:
        raylets.append(nodes.add(2))
    return raylets[:2]


@pytest.mark.long
@pytest.mark.usefixtures("pair")
def test_only_the_pieces_of_a_killed_worker_are_done_again(inputs, tmp_path, nodes):
    driver = Driver(inputs, tmp_path, nodes, seconds=0.004, workers=2).wait_for_workers(2)
    victim = driver.batches()[-1][0]
    before = driver.kill(victim)
    assert driver.end() == (0, b"", "")
    assert driver.output.read_bytes() == (inputs / "gc.bed").read_bytes()
    workers = [worker for worker, _ in driver.batches()]
    assert len(set(workers)) == 3  # two, and the one in its place
    assert victim not in workers[before:]
    assert 0 <= len(workers) - BATCHES < BATCHES / 4


@pytest.mark.long
def test_ctrl_c_lets_the_workers_of_a_cluster_go(inputs, tmp_path, nodes, pair):
    driver = Driver(inputs, tmp_path, nodes, seconds=0.01, workers=2).wait_for(300)
    driver.expect(1000)  # batches do not end, and must not be waited for
    workers = [psutil.Process(worker) for worker, _ in set(driver.batches())]
    driver.process.send_signal(signal.SIGINT)
    code, stdout, stderr = driver.end()
    assert (code, stdout) == (130, b"")
    assert_kept(stderr, driver.output, "interrupted")
    assert psutil.wait_procs([one for one in workers if lives(one)], timeout=LIMIT)[1] == []
    assert {raylet for _, raylet in driver.batches()} <= set(pair)


@pytest.mark.long
@pytest.mark.usefixtures("pair")
def test_a_piece_that_kills_every_worker_is_given_up(inputs, tmp_path, nodes):
    genome = (inputs / "genome.fa").read_text()
    (tmp_path / "genome.fa").write_text(f"{genome}>deadly\n{'A' * 4000}\n")
    deadly = Driver(inputs, tmp_path, nodes, genome=tmp_path / "genome.fa", deadly=True, workers=1, attempts=2)
    code, stdout, stderr = deadly.end()
    assert (code, stdout) == (1, b"")
    said = r"2 workers died of the same piece \(c2:[0-9,]+\); do they have enough memory\? Try .* fewer --threads"
    assert_kept(stderr, deadly.output, f"error: {tmp_path}/genome.fa: {said}")
    whole = Driver(
        inputs, tmp_path, nodes, genome=tmp_path / "genome.fa", resume=True, workers=1, log=tmp_path / "again"
    )
    assert whole.end()[0] == 0
    assert len(whole.batches()) < BATCHES / 2
    assert whole.output.read_bytes() == (inputs / "gc.bed").read_bytes()  # nothing is called in the last contig


@pytest.mark.long
@pytest.mark.parametrize(("all_blind", "model"), [(True, "said"), (False, "gc")])
def test_sequence_is_sent_to_nodes_that_do_not_see_the_genome(inputs, tmp_path, nodes, pair, all_blind, model):
    blind, models = pair if all_blind else pair[:1], [str(inputs / f"{model}.onnx")]
    driver = Driver(inputs, tmp_path, nodes, blind=blind, models=models, workers=2, threads=2, seconds=0.005)
    assert driver.end() == (0, b"", "")
    assert driver.output.read_bytes() == (inputs / f"{model}.bed").read_bytes()
    assert {raylet for _, raylet in driver.batches()} == set(pair)


def cluster_scan(nodes, *arguments):
    return run("scan", *arguments, "--ray", nodes.address, "--device", "cpu", env=os.environ | ENVIRONMENT)


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize("what", ["letter", "scores"])
def test_what_a_user_did_wrong_is_told_as_without_ray(inputs, tmp_path, nodes, what):
    line = "ACGT" * 25
    if what == "letter":  # with an index nobody looks at the letters before they are scanned
        (tmp_path / "a.fa").write_text(f">a\n{line}\nAC!T\n")
        (tmp_path / "a.fa.fai").write_text("a\t104\t3\t100\t101\n")
        said, model = "genoscan: error: {0}/a.fa: record 'a'", inputs / "gc.onnx"
    else:
        (tmp_path / "a.fa").write_text(f">a\n{line}\n{'C' * 100}\n{'C' * 100}\n")
        said = "genoscan: error: {0}/bad.onnx: the model gave NaN"
        model = toys.write(tmp_path / "bad.onnx", nan_without_a(read_card(inputs / "gc.onnx")))
    arguments = tmp_path / "a.fa", "-m", model, "-o", tmp_path / "out.bed"
    alone, there = run("scan", *arguments, "--device", "cpu"), cluster_scan(nodes, *arguments, "--workers", 1)
    assert (there.returncode, there.stdout) == (1, b"")
    assert there.stderr == alone.stderr
    assert there.stderr.decode().startswith(said.format(tmp_path))
    assert there.stderr.count(b"\n") == 1


def nan_without_a(card):
    """A model with this card whose scores are NaN where a window holds no A."""
    graph = toys.Graph()
    only_a = graph("Slice", "sequence", graph.ints(0), graph.ints(1), graph.ints(1))
    count = graph("ReduceSum", only_a, graph.ints(1, 2), keepdims=0)
    score = graph("Unsqueeze", graph("Div", count, count), graph.ints(1))
    return graph.serialize(card, ("sequence", toys.TensorProto.FLOAT, ["batch", 4, card.window]), score, ["batch", 1])


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("model", "{model}: does not suit"),
        ("version", "a Ray worker has genoscan 0.0.0, this is {version}: install the same on all nodes"),
        ("bug", "a Ray worker could not start: in two lines"),
    ],
)
def test_workers_that_cannot_start_are_told_in_one_line(inputs, tmp_path, nodes, wrong, said):
    from genoscan import __version__

    code, stdout, stderr = Driver(inputs, tmp_path, nodes, wrong=wrong, workers=1).end()
    expected = said.format(model=inputs / "gc.onnx", version=__version__)
    *before, last = stderr.splitlines()
    assert (code, stdout, last) == (1, b"", f"genoscan: error: {expected}")
    waiting = "genoscan: warning: waiting for Ray to start a worker"  # on a busy machine
    assert all(line.startswith(waiting) for line in before)


@pytest.mark.usefixtures("pair")
def test_more_workers_than_the_cluster_has_room_for(inputs, tmp_path, nodes):
    ran = cluster_scan(nodes, inputs / "genome.fa", "-m", inputs / "gc.onnx", "-o", tmp_path / "o", "--workers", 5)
    assert ran.returncode == 2
    assert ran.stderr.decode().startswith("genoscan: error: the Ray cluster has room for 4 workers of 1 CPU")


def test_auto_without_a_cluster(inputs, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    arguments = inputs / "genome.fa", "-m", inputs / "gc.onnx", "-o", tmp_path / "o", "--ray", "auto"
    ran = run("scan", *arguments, env=environment | {"RAY_TMPDIR": str(tmp_path), "RAY_AUTH_MODE": "token"})
    (line,) = ran.stderr.decode().splitlines()
    assert line.startswith("genoscan: error: cannot use a Ray cluster at 'auto': ")
    assert (ran.returncode, ran.stdout, list(tmp_path.iterdir())) == (1, b"", [])


@pytest.mark.parametrize("variable", [False, True])
def test_an_address_where_nobody_answers(monkeypatch, variable):
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    address = "auto" if variable else "127.0.0.1:1"
    before = dict(os.environ)
    with pytest.raises(GenoscanError, match=r"cannot use a Ray cluster at '127\.0\.0\.1:1': nobody answers"):  # noqa: SIM117
        with cluster.ray_cluster(address):
            pass
    assert dict(os.environ) == before


def test_a_client_address_is_refused():
    with pytest.raises(UsageError, match="--ray ray://head:10001: give HOST:PORT"):  # noqa: SIM117
        with cluster.ray_cluster("ray://head:10001"):
            pass


PROGRAM = """
import ray, sys
from genoscan.scanner.batch import Sample, scan_samples
ray.init(address=sys.argv[3], log_to_driver=False)
kept = ray.put("kept")
scan_samples([Sample("s", sys.argv[1], (sys.argv[2],))], sys.argv[4], workers=1, device="cpu", quiet=True)
print(ray.get(kept))
"""


@pytest.mark.usefixtures("pair")
def test_the_cluster_of_a_program_is_left_running(inputs, tmp_path, nodes):
    arguments = inputs / "genome.fa", inputs / "gc.onnx", nodes.address, tmp_path / "out.bed"
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        timeout=LIMIT,
    )
    assert (ran.returncode, ran.stdout) == (0, b"kept\n"), ran.stderr
    assert (tmp_path / "out.bed").read_bytes() == (inputs / "gc.bed").read_bytes()
