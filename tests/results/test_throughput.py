"""What bench prints and draws of rows that are given."""

import io

import matplotlib.image
import pytest
from rich.console import Console

from genoscan.results import throughput_plot
from genoscan.results.throughput_plot import plot_sweep
from genoscan.results.throughput_table import (
    duration,
    failures,
    number,
    recommendations,
    settings_table,
    share,
    stages_table,
)
from genoscan.scanner.throughput.stages import Setting, Throughput
from genoscan.scanner.throughput.sweep import Row

MACHINE = {"processor": "A processor", "threads": 8, "gpus": [{"name": "A GPU"}]}


def row(model, device, batch_size, scan, *, threads=8, workers=1, mb_per_window=0.01, gpu=None):
    found = Throughput(
        model, "1", "fp16" if gpu else "fp32", "0" * 64, batch_size, mb_per_window, 2 * scan, 4 * scan, scan, 2 * scan,
        {"fp32": 1e6}, {"fp32": 1e12}, 0.0123, 512.0, gpu,
    )  # fmt: skip
    return Row(Setting(model, device, workers, threads, batch_size), found)


ROWS = [
    row("a", "cpu", 4, 100.0), row("a", "cpu", 16, 150.0), row("a", "cpu", 16, 40.0, threads=1),
    row("a", "cuda", 64, 9000.0, gpu=3000.0), row("a", "cuda", 256, 10_000.0, gpu=9000.0),
    Row(Setting("a", "cuda", 1, 8, 1024), error="out of device memory"),
    row("a", "cuda", 256, 12_000.0, threads=4, workers=2, gpu=18_000.0),
    row("reads", "cpu", 4, 2000.0, mb_per_window=None),
]  # fmt: skip


def lines(table):
    written = io.StringIO()
    Console(file=written, width=1000).print(table)
    return [line.split() for line in written.getvalue().splitlines()]


def test_a_line_for_each_setting():
    first, *found = lines(settings_table(ROWS))
    assert " ".join(first) == (
        "model precision device workers threads batch windows/s Mb/s of session of matrix rate memory MB GPU MiB "
        "human genome"
    )
    texts = [" ".join(line) for line in found]
    # 150 windows of 10 kb are 1.5 Mb/s; 3,100 Mb take 2,067 s
    assert texts[1] == "a fp32 cpu 1 8 16 150 1.50 50% 1.2% 512 - 34 min 27 s"
    assert texts[5] == "a - cuda 1 8 1024 failed - - - - - -"
    assert texts[6] == "a fp16 cuda 2 4 256 12,000 120 50% 1.2% 512 18,000 26 s"
    assert texts[7] == "reads fp32 cpu 1 8 4 2,000 - 50% 1.2% 512 - -"


def test_columns_without_figures_are_left_out():
    assert "GPU" not in lines(settings_table(ROWS[:3]))[0]


def test_stages_of_one_setting():
    found = [" ".join(line) for line in lines(stages_table(ROWS[6]))]
    assert found[0] == "a (fp16) on cuda, 2 workers of 4 threads, batches of 256 windows/s Mb/s"
    assert found[1:4] == ["bare session 24,000 240", "encoding 48,000 480", "whole scan 12,000 120"]
    assert {"whole / bare session 50%", "whole / bound of stages 50%", "GPU memory 18,000 MiB"} <= set(found)
    of_reads = [" ".join(line) for line in lines(stages_table(ROWS[7]))]
    assert of_reads[3] == "reads to likelihoods 2,000 -"
    assert "human genome" not in " ".join(of_reads)


def test_what_is_recommended_and_what_failed():
    assert recommendations(ROWS) == [
        "fastest: genoscan scan GENOME --model a --device cuda --workers 2 --threads 4 --batch-size 256 -o OUT.bed.gz  "
        "(120 Mb/s, a human genome in 26 s)",
        "fastest: genoscan scan GENOME --model reads --device cpu --threads 8 --batch-size 4 --methylation SAMPLE "
        "-o OUT.bed.gz  (2,000 reads/s)",
    ]
    assert failures(ROWS) == ["a on cuda, 1 x 8 threads, batch 1024: out of device memory"]


def test_numbers_for_people():
    assert [number(one) for one in (0.0123, 9.876, 15.04, 104.2, 12345.6)] == [
        "0.0123",
        "9.88",
        "15.0",
        "104",
        "12,346",
    ]
    assert [share(one) for one in (None, 0.0123, 0.5, 1.094)] == ["-", "1.2%", "50%", "109%"]
    assert [duration(one) for one in (None, 41.2, 59.7, 223, 3599.7, 7500, 172_800 * 2)] == [
        "-", "41 s", "1 min 00 s", "3 min 43 s", "1 h 00 min", "2 h 05 min", "4.0 days",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("device", "dimension", "expected"),
    [
        # batches on all 8 threads; one failed
        ("cpu", "batch_size", {4: 100.0, 16: 150.0}),
        ("cuda", "batch_size", {64: 9000.0, 256: 10_000.0}),
        # at the fastest of them: what two workers did is another line
        ("cpu", "threads", {1: 40.0, 8: 150.0}),
        ("cuda", "threads", {8: 10_000.0}),
        ("cpu", "workers", {1: 150.0}),
        ("cuda", "workers", {1: 10_000.0, 2: 12_000.0}),
    ],
)
def test_lines_of_the_picture(device, dimension, expected):
    group = [one for one in ROWS if (one.setting.model, one.setting.device) == ("a", device)]
    values, rows = throughput_plot._line(group, dimension)
    assert dict(zip(values, (one.found.scan for one in rows), strict=True)) == expected
    assert throughput_plot._line([ROWS[5]], dimension) == ([], [])


@pytest.mark.parametrize("rows", [ROWS, ROWS[7:]], ids=["sweep", "reads"])
def test_a_picture(rows, tmp_path):
    """A panel for every dimension that was swept and one for the stages."""
    plot_sweep(rows, MACHINE, tmp_path / "bench.png")
    height, width = matplotlib.image.imread(tmp_path / "bench.png").shape[:2]
    assert width == pytest.approx(150 * (4.3 * 4 if rows is ROWS else 8.0), abs=2)
    assert height > 500
