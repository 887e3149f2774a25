"""Genomes, models, and what undisturbed scans of them write."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pysam
import pytest
import toys
from interrupted_scans import CPU, Place, slow


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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
