"""Genomes in gzip and bgzip: what is whole is read, what is truncated or corrupt is told."""

import gzip
import random
from pathlib import Path

import pytest
from fastas import bgzip, failure, feed_stdin, write

from genoscan.scanner.reading.genome import open_genome


def test_bad_gzip(tmp_path, monkeypatch):
    text = b">a\n" + bytes(random.Random(2).choices(b"ACGT", k=200_000)) + b"\n"
    packed = gzip.compress(text)
    assert "truncated" in failure(write(tmp_path, packed[:-9], "a.gz"))
    assert "truncated" in failure(write(tmp_path, packed[:1000], "a.gz"))
    assert "truncated" in failure(write(tmp_path, packed[:2], "a.gz"))
    assert "corrupt" in failure(write(tmp_path, packed + b"trailing", "a.gz"))
    assert "corrupt" in failure(write(tmp_path, packed[:-6] + b"\0\0" + packed[-4:], "a.gz"))
    assert "corrupt" in failure(write(tmp_path, packed[:5000] + b"\xff" * 50 + packed[5050:], "a.gz"))
    feed_stdin(monkeypatch, packed[:1000])
    assert "truncated" in failure("-")
    blocked = bgzip(tmp_path / "b.gz", text).read_bytes()
    assert len(blocked) > 28
    assert "end marker" in failure(write(tmp_path, blocked[:-28], "b.gz"))
    with open_genome(write(tmp_path, blocked, "b.gz")) as genome:
        assert genome.lengths.tolist() == [200_000]


def test_no_room_for_the_copy(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    path = write(tmp_path, gzip.compress(b">a\nACGT\n"), "a.gz")
    real = Path.open

    def full(self, mode="r", **options):
        return real(Path("/dev/full") if mode == "wb" else self, mode, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", full)
        assert "set TMPDIR" in failure(path)
