"""Temporary folders: gone when they are done with, and when their process was killed gone with the next run."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from genoscan.scanner import temporary
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.temporary import temporary_folder

pytestmark = pytest.mark.skipif(temporary.fcntl is None, reason="no file locks here")


@pytest.fixture(autouse=True)
def parent(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def start(parent):
    """Start a process that makes a temporary folder, says so and runs some code within it."""
    started = []

    def start_one(code: str) -> tuple[subprocess.Popen, Path]:
        script = (
            "import os, subprocess, sys, time\n"
            "from genoscan.scanner.temporary import temporary_folder\n"
            "with temporary_folder() as folder:\n"
            "    (folder / 'deep').mkdir()\n"
            "    (folder / 'deep' / 'letters').write_text('ACGT')\n"
            f"    {code}\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "TMPDIR": str(parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, Path(process.stdout.readline().strip())

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_there_and_gone(parent):
    with temporary_folder() as folder, temporary_folder() as other:
        assert folder.parent == other.parent == parent
        assert folder.name.startswith("genoscan-")
        assert folder != other
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("x")
        (folder / "link").symlink_to(parent)
        assert folder.stat().st_mode & 0o077 == 0
    assert names(parent) == []
    with pytest.raises(ZeroDivisionError), temporary_folder():
        1 / 0  # noqa: B018
    assert names(parent) == []


def test_a_killed_process_is_swept_and_a_living_one_is_not(parent, start):
    killed, left = start("print(folder, flush=True); time.sleep(60)")
    living, kept = start("print(folder, flush=True); sys.stdin.readline()")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert (left / "deep" / "letters").read_text() == "ACGT"
    with temporary_folder() as own:
        assert names(parent) == sorted([kept.name, own.name])
        assert (kept / "deep" / "letters").read_text() == "ACGT"
    living.communicate("\n")
    assert living.returncode == 0
    assert names(parent) == []


@pytest.mark.parametrize(
    "child",
    [
        "child = subprocess.Popen(['sleep', '60'], close_fds=False)",
        "child = os.fork() or time.sleep(60)",
    ],
    ids=["exec", "fork"],
)
def test_a_child_does_not_keep_the_lock(start, child):
    code = f"{child}; print(folder, getattr(child, 'pid', child), flush=True); time.sleep(60)"
    process, said = start(code)
    folder, number = str(said).split()
    try:
        process.kill()
        process.wait()
        os.kill(int(number), 0)  # the child lives
        until = time.monotonic() + 100
        while Path(folder).exists():  # a forked child lets go of the lock once it runs
            assert time.monotonic() < until
            with temporary_folder():
                time.sleep(0.05)
    finally:
        os.kill(int(number), signal.SIGKILL)


def test_a_forked_child_leaves_the_folder_to_its_parent(start):
    process, folder = start("child = os.fork()\n    if child == 0: sys.exit()\n    os.waitpid(child, 0)\n"
                            "    print(folder, flush=True); sys.stdin.readline()")  # fmt: skip
    assert (folder / "deep" / "letters").read_text() == "ACGT"
    with temporary_folder():
        assert folder.exists()
    process.communicate("\n")
    assert process.returncode == 0
    assert not folder.exists()


def test_a_context_that_is_never_left(parent):
    script = (
        "from genoscan.scanner.temporary import temporary_folder\ncontext = temporary_folder()\ncontext.__enter__()\n"
    )
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(parent)}, check=True)
    assert names(parent) == []


def test_what_is_not_ours_is_left_alone(parent):
    (parent / "genoscan-1000").mkdir()  # a cache folder, no lock in it
    (parent / "genoscan-file").write_text("x")
    outside = parent / "outside"
    outside.mkdir()
    (outside / "genoscan.lock").write_bytes(temporary._host())
    (parent / "genoscan-link").symlink_to(outside)
    (parent / "genoscan-elsewhere").mkdir()
    (parent / "genoscan-elsewhere" / "genoscan.lock").write_bytes(b"another machine")
    (parent / "genoscan-fresh").mkdir()
    (parent / "genoscan-fresh" / "genoscan.lock.new").touch()  # not yet locked
    before = names(parent)
    with temporary_folder():
        pass
    assert names(parent) == before
    assert names(outside) == ["genoscan.lock"]
    (parent / "genoscan-1000" / "genoscan.lock").write_bytes(temporary._host())
    with temporary_folder():
        assert "genoscan-1000" not in names(parent)


def test_folders_of_others_are_left_alone(parent, monkeypatch):
    (parent / "genoscan-x").mkdir()
    (parent / "genoscan-x" / "genoscan.lock").write_bytes(temporary._host())
    with monkeypatch.context() as other:
        other.setattr(os, "getuid", lambda: 123_456)
        with temporary_folder():
            assert "genoscan-x" in names(parent)
    with temporary_folder():
        assert "genoscan-x" not in names(parent)


def test_without_locks(parent, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    (parent / "genoscan-x").mkdir()
    (parent / "genoscan-x" / "genoscan.lock").write_bytes(temporary._host())
    monkeypatch.setattr(temporary.fcntl, "flock", refuse)
    with temporary_folder() as folder:
        assert names(folder) == []
    monkeypatch.setattr(temporary, "fcntl", None)
    with temporary_folder() as folder:
        assert names(folder) == []
    assert names(parent) == ["genoscan-x"]


def test_many_at_once_never_sweep_each_other(parent):
    failed = []

    def make():
        for _ in range(30):
            with temporary_folder() as folder:
                (folder / "letters").write_text("x")
                if not (folder / "letters").exists():
                    failed.append(folder)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert names(parent) == []


def test_no_place_for_a_folder(parent, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(parent / "absent"))
    with pytest.raises(GenoscanError, match="set TMPDIR"), temporary_folder():
        pass
