"""Raw scores as bigWig: those of the bedGraph as 32-bit numbers, with an index and summaries for every zoom.

Format: Kent et al., BigWig and BigBed, Bioinformatics 26 (2010), 2204; written by pybigtools.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .big_binary import BIGWIG, write_big_binary
from .output import Write, placed
from .target import Target


@contextmanager
def write_bigwig(target: Target) -> Iterator[Write]:
    """A `Writer`. The lines wait in a file beside the track: a bigWig's contigs are sorted by name."""
    with (
        placed(Path(target.path), target.folder, target.stale) as partial,
        write_big_binary(BIGWIG, target, partial, float) as write,
    ):
        yield write
