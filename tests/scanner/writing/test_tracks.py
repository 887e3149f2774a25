"""BED and bedGraph lines, and where they go."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.calling.annotations import Annotator
from genoscan.scanner.calling.channels import Channel
from genoscan.scanner.calling.intervals import RUN
from genoscan.scanner.calling.levels import LEVEL
from genoscan.scanner.calling.repeats import SEGMENT, Annotation
from genoscan.scanner.calling.satellites import load_satellites
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.writing.bed import annotated_lines, bed_header, bed_lines, bed_scores
from genoscan.scanner.writing.bedgraph import bedgraph_lines
from genoscan.scanner.writing.output import open_output, write_beside

CHANNELS = (Channel(0, "promoter", "+", False), Channel(0, "promoter", "-", True))


def test_bed_lines_by_hand():
    calls = np.array([(1, 1, 5, 15, 75_000, 10, 9000), (1, 0, 20, 21, 10_000, 1, 10_000)], dtype=RUN)
    assert bed_header() == b"#chrom\tstart\tend\tname\tscore\tstrand\n"
    assert bed_lines(calls, ["a", "chr 2"], CHANNELS, (0.0, 1.0)) == (
        b"chr 2\t5\t15\tpromoter\t750\t-\nchr 2\t20\t21\tpromoter\t1000\t+\n"
    )


def segments_of(*rows):
    """SEGMENT rows without the fields that nobody prints; unit as the last two."""
    segments = np.zeros(len(rows), dtype=SEGMENT)
    for segment, row in zip(segments, rows, strict=True):
        for field, value in zip(SEGMENT.names, row, strict=True):
            segment[field] = value
    return segments


def test_annotated_lines_by_hand():
    satellites = load_satellites()
    calls = np.array([(1, 1, 5, 35, 75_000, 10, 9000), (1, 0, 40, 41, 10_000, 1, 10_000)], dtype=RUN)
    segments = segments_of(
        (0, 5, 20, 2, 75, 2, 93, 7, 98, 50, 50, 0, 0, 100, -1, 0, 2),
        (0, 20, 35, 1234567, 105, 3, 0, 0, 100, 0, 0, 0, 100, 5, 0, 2, 5),
        (1, 40, 41, 1, 10, 0, 100, 0, 100, 0, 0, 0, 100, 0, -1, 5, 5),
    )
    annotation = Annotation(segments, np.frombuffer(b"ACGTT", dtype=np.uint8))
    annotator = Annotator("tandem-repeat", satellites)
    name = satellites.names[0].encode()
    assert annotated_lines(calls, annotation, annotator, ["a", "chr 2"], CHANNELS, (0.0, 1.0)) == (
        b"chr 2\t5\t20\tpromoter\t750\t-\t2\t7.5\t2\t93\t7\t98\t50\t50\t0\t0\t1.00\tAC\n"
        b"chr 2\t20\t35\t" + name + b"\t750\t-\t1234567\t10.5\t3\t0\t0\t100\t0\t0\t0\t100\t0.05\tGTT\n"
        b"chr 2\t40\t41\tpromoter\t1000\t+\t1\t1.0\t0\t100\t0\t100\t0\t0\t0\t100\t0.00\t\n"
    )
    nothing = Annotation(segments[:0], annotation.letters)
    assert annotated_lines(calls[:0], nothing, annotator, ["a"], CHANNELS, (0.0, 1.0)) == b""
    assert bed_header(["x", "y"]) == b"#chrom\tstart\tend\tname\tscore\tstrand\tx\ty\n"


def test_the_largest_numbers_fit():
    calls = np.array([(0, 0, 0, 2**62, 10_000, 1, 10_000)], dtype=RUN)
    largest = [np.iinfo(SEGMENT[field]).max for field in SEGMENT.names[3:14]]
    segments = segments_of(*[(0, 2**62 - 1, 2**62, *largest, -1, 0, 3)] * 500)
    annotator = Annotator("tandem-repeat", load_satellites())
    letters = np.frombuffer(b"ACG", dtype=np.uint8)
    text = annotated_lines(calls, Annotation(segments, letters), annotator, ["c" * 300], CHANNELS[:1], (0.0, 1.0))
    lines = set(text.decode().splitlines())
    assert text.count(b"\n") == 500
    (line,) = lines
    assert line.split("\t")[7] == f"{(2**31 - 1) // 10}.{(2**31 - 1) % 10}"
    assert line.endswith("\tACG")


@pytest.mark.parametrize(
    ("total", "scored", "score_range", "expected"),
    [(5, 10, (0, 1), 0), (5000, 1, (0, 1), 500), (15, 1, (0, 1), 2), (-30_000, 1, (-3, 3), 0), (0, 7, (-3, 3), 500)],
)
def test_bed_scores(total, scored, score_range, expected):
    calls = np.array([(0, 0, 0, scored, total, scored, 0)], dtype=RUN)
    assert bed_scores(calls, score_range).tolist() == [expected]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 2**40), st.integers(1, 2**33), st.integers(-(2**31) + 1, 2**31 - 1)
        ),
        max_size=30,
    )
)
def test_bedgraph_lines_read_back(rows):
    rows = sorted(rows)
    levels = np.array([(c, 0, start, start + size, score) for c, start, size, score in rows], dtype=LEVEL)
    names = ["chr1", "scaffold|π", "x"]
    read = [line.split("\t") for line in bedgraph_lines(levels, names).decode().splitlines()]
    assert [(names.index(c), int(s), int(e) - int(s), round(float(v) * 10_000)) for c, s, e, v in read] == rows


def test_bedgraph_prints_no_trailing_zeros():
    levels = np.array(
        [(0, 0, 0, 1, 5000), (0, 0, 1, 2, -10_000), (0, 0, 2, 3, -1), (0, 0, 3, 4, 0), (0, 0, 4, 5, 12_340)],
        dtype=LEVEL,
    )
    scores = [line.split(b"\t")[3] for line in bedgraph_lines(levels, ["c"]).splitlines()]
    assert scores == [b"0.5", b"-1", b"-0.0001", b"0", b"1.234"]


def test_a_file_is_complete_or_absent(tmp_path):
    path = tmp_path / "x.bed"
    path.write_bytes(b"old\n")

    def fail():
        with open_output(str(path)) as write:
            write(b"new\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"old\n"
    assert os.listdir(tmp_path) == ["x.bed"]
    with open_output(str(path)) as write:
        write(b"new\n")
    assert path.read_bytes() == b"new\n"
    assert os.listdir(tmp_path) == ["x.bed"]


def test_gz_is_bgzip_with_a_csi_index(tmp_path):
    path = tmp_path / "x.bed.gz"
    far = 600_000_000  # beyond what a .tbi can hold
    with open_output(str(path)) as write:
        write(bed_header() + b"chr1\t5\t9\tr\t10\t.\n")
        write(f"chr1\t{far}\t{far + 5}\tr\t10\t.\n".encode())
    assert sorted(os.listdir(tmp_path)) == ["x.bed.gz", "x.bed.gz.csi"]
    with pysam.TabixFile(str(path), index=f"{path}.csi") as track:
        assert [row.split("\t")[1] for row in track.fetch("chr1", far - 10, far + 10)] == [str(far)]
        assert list(track.header) == ["#chrom\tstart\tend\tname\tscore\tstrand"]


@pytest.mark.skipif(shutil.which("tabix") is None, reason="tabix is not installed")
def test_tabix_reads_it(tmp_path):
    path = tmp_path / "x.bed.gz"
    with open_output(str(path)) as write:
        write(bed_header() + b"chr1\t5\t9\tr\t10\t.\nchr2\t7\t8\tr\t10\t.\n")
    found = subprocess.run(["tabix", path, "chr2:8-8"], capture_output=True, text=True, check=True)
    assert found.stdout == "chr2\t7\t8\tr\t10\t.\n"


def test_an_empty_track_is_a_valid_gz(tmp_path):
    path = tmp_path / "x.bed.gz"
    with open_output(str(path)) as write:
        write(bed_header())
    with pysam.TabixFile(str(path), index=f"{path}.csi") as track:
        assert list(track.contigs) == []


@pytest.mark.parametrize("place", ["missing/x.bed", "folder"])
def test_an_impossible_place_is_one_clear_error(tmp_path, place):
    (tmp_path / "folder").mkdir()
    with pytest.raises(GenoscanError, match=r"folder") as error, open_output(str(tmp_path / place)):
        pass
    assert "\n" not in str(error.value)


def test_a_full_disk_is_one_clear_error(tmp_path):
    """A file-size limit stands in for the full disk: the kernel refuses the bytes beyond it."""
    code = (
        "import resource, signal\n"
        "from genoscan.scanner.errors import GenoscanError\n"
        "from genoscan.scanner.writing.output import open_output\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        f"    with open_output({str(tmp_path / 'x.bed')!r}) as write:\n"
        "        write(b'x' * 100_000)\n"
        "except GenoscanError as error:\n"
        "    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == f"{tmp_path / 'x.bed'}: cannot write: File too large\n"
    assert os.listdir(tmp_path) == []


def test_write_beside_leaves_nothing_else(tmp_path):
    write_beside(tmp_path / "x.json", json.dumps({"a": 1}))
    assert os.listdir(tmp_path) == ["x.json"]


@pytest.mark.parametrize("name", ["x.bed", "x.bed.gz"])
def test_a_track_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch, name):
    done, path = [], tmp_path / name
    sync, replace, unlink = os.fsync, os.replace, Path.unlink

    def synced(descriptor):
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        sync(descriptor)

    def placed(source, target):
        done.append(("place", Path(target).name))
        replace(source, target)

    def removed(one, **options):
        done.append(("remove", one.name))
        unlink(one, **options)

    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "pieces").mkdir()
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", placed)
    with open_output(str(path), tmp_path / "pieces", [tmp_path / "old.json"]) as write:
        write(bed_header() + b"chr1\t5\t9\tr\t10\t.\n")
        monkeypatch.setattr(Path, "unlink", removed)
    partial = f"{name}.partial"
    index = [("sync", f"{partial}.csi")], [("place", f"{name}.csi")]
    if name == "x.bed":
        index = [], []
    assert done[: 4 + 2 * len(index[0])] == [
        *index[0], ("sync", partial), ("remove", "old.json"), *index[1], ("place", name), ("sync", tmp_path.name)
    ]  # fmt: skip


def test_an_error_is_not_hidden_by_one_of_closing(tmp_path):
    """On a full disk closing fails too."""
    code = (
        "import os, resource\n"
        "from genoscan.scanner.errors import GenoscanError\n"
        "from genoscan.scanner.writing.output import open_output\n"
        "for first in (False, True):\n"
        "    try:\n"
        f"        with open_output({str(tmp_path / 'x.bed.gz')!r}) as write:\n"
        "            resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))\n"
        "            write(os.urandom(40_000))\n"
        "            if first:\n"
        "                raise GenoscanError('the first')\n"
        "    except GenoscanError as error:\n"
        "        print(error)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == f"{tmp_path / 'x.bed.gz'}: cannot write: is the disk full?\nthe first\n"
    assert said.stderr == ""
    assert os.listdir(tmp_path) == []


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 3), st.integers(0, 10**12), st.integers(1, 10**12), st.integers(0, 10_000)
        ),
        max_size=20,
    )
)
def test_bed_lines_agree_with_the_definition(rows):
    calls = np.zeros(len(rows), dtype=RUN)
    names, channels = ["chr1", "ä b", "z" * 50], [Channel(0, "x", "+", False), Channel(0, "x", "-", True)]
    channels += [Channel(1, "länger", "+", False), Channel(1, "länger", "-", True)]
    expected = []
    for call, (contig, channel, start, size, score) in zip(calls, rows, strict=True):
        call["contig"], call["channel"], call["start"], call["end"] = contig, channel, start, start + size
        call["scored"], call["total"] = 3, 3 * score
        one = channels[channel]
        bed_score = (score + 5) // 10
        expected.append(f"{names[contig]}\t{start}\t{start + size}\t{one.name}\t{bed_score}\t{one.strand}\n")
    assert bed_lines(calls, names, channels, (0.0, 1.0)).decode() == "".join(expected)
