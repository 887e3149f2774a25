"""`genoscan demo`: a simulated genome, scanned."""

from __future__ import annotations

from pathlib import Path

import click

from .compiling import compiling_told
from .guard import guarded
from .options import threads_option


@click.command()
@click.option("-o", "--out-dir", default="demo", show_default=True, metavar="DIR", help="Where genome and track go.")
@click.option("--bases", type=click.IntRange(10_000), default=2_000_000, show_default=True, help="Size of the genome.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--no-scan", is_flag=True, help="Only write the genome and its truth.")
@threads_option
@guarded
def demo(out_dir, bases, seed, no_scan, threads):
    """Simulate a small genome with known repeats, scan it, and say how many were found.

    \b
    Example:
      genoscan demo --out-dir demo
    """
    with compiling_told(quiet=False):
        _demo(Path(out_dir), bases, seed, no_scan, threads)


def _demo(folder: Path, bases: int, seed: int, no_scan: bool, threads: int | None) -> None:
    from ..training.data.demo import covered_shares, write_demo

    made = write_demo(folder, bases, seed)
    click.echo(f"genome  {made.genome} ({bases / 1e6:.1f} Mb)\ntruth   {made.truth} ({made.repeats} repeats)")
    if no_scan:
        return
    from ..scanner.batch import Sample, scan_samples

    track = folder / "demo.repeats.bed"
    (row,) = scan_samples([Sample("demo", str(made.genome), ("repeats",))], str(track), threads=threads, quiet=True)
    shares = covered_shares(made.truth, track)
    click.echo(
        f"track   {track} ({row.calls} calls)\n"
        f"found   {(shares >= 0.5).sum()} of {len(shares)} true repeats by half of their bases or more, "
        f"{(shares > 0).sum()} touched\n"
        f"speed   {float(row.mb_per_second):.1f} Mb/s"
    )
