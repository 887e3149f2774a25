"""The data set behind `genoscan data repeats`: sequences that are tandem repeats and as many that are not.

From a genome: positives are cut out at the loci of a catalogue, negatives from where nothing is masked. Or simulated,
over Markov backgrounds. Either way both classes have the very same lengths within each split, and no sequence has a
relative in another split.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...scanner.errors import GenoscanError, UsageError
from ...scanner.reading.digest import FileDigest
from ...scanner.reading.genome import Genome, open_genome
from ...scanner.reading.letters import FileState
from ...scanner.reading.regions import merge_intervals
from ..whole_files import write_whole
from .balance import Relations, Sequences, described, groups_of, matched_negatives
from .loci import distinct_loci, read_loci
from .negatives import subtract_intervals, unmasked_runs
from .repeats import sample_codes
from .simulate import markov_table
from .simulated_windows import simulated_windows
from .splits import K, assign_splits
from .window_dataset import DESCRIPTION, SPLITS, Window, write_split

Log = Callable[[str], None]

SHORTEST = 26
"""Bases below which the first studies dropped a sequence; two copies of TRF's lowest score of 50 have as many."""
ORDERS = (0, 1, 2, 3, 4, 5)
"""Of the Markov chains of simulated backgrounds."""


RULE = (
    f"sequences at most `distance` bases apart, or whose sets of {K}-mers on either strand have an estimated Jaccard "
    "similarity of `similarity` or more, by chains of such pairs, are one group, and a group is in one split"
)


@dataclass(frozen=True)
class WindowSettings:
    """How a data set is drawn.

    shares: of training, validation and test. longest: longer loci give a random stretch of so many bases. flank: bases
    kept on either side. limit: loci taken at most, at random. distance, similarity: what makes relatives (`Relations`).
    """

    seed: int = 1
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    shortest: int = SHORTEST
    longest: int = 512
    flank: int = 256
    limit: int | None = None
    distance: int = 1000
    similarity: float = 0.3


def build_simulated(out: Path, count: int, genome: str | None, settings: WindowSettings, log: Log) -> dict[str, Any]:
    """Write a data set of ``count`` simulated sequences, over chains fitted on ``genome`` where one is given."""
    tables, inputs = [], {}
    if genome is not None:
        with open_genome(genome, log) as opened:
            codes = sample_codes(opened, 0, int(opened.lengths.sum()))
            tables = [markov_table(codes, order) for order in ORDERS]
            inputs["genome"] = {"path": str(genome), "digest": opened.digest()}
    if count < 2 * len(SPLITS):
        raise UsageError(f"--simulate {count}: too few for three splits of two classes: give 6 or more")
    pairs = np.round(np.cumsum((0.0, *settings.shares)) / sum(settings.shares) * (count // 2)).astype(int)

    def rows(split: int) -> Iterator[Window]:
        for pair in range(pairs[split], pairs[split + 1]):
            yield from simulated_windows(
                settings.seed, pair, tables, settings.shortest, settings.longest, settings.flank
            )

    rule = "each sequence is drawn on its own; a short unit may recur by chance"
    return _write(out, {name: rows(split) for split, name in enumerate(SPLITS)}, inputs, settings, rule, {}, log)


def build_from_genome(
    out: Path,
    genome: str,
    positives: str,
    masked: str | None,
    soft: bool,
    excluded: Sequence[str],
    settings: WindowSettings,
    log: Log,
) -> dict[str, Any]:
    """Write a data set of a genome's loci and of what is not masked in it; returns what dataset.json says.

    masked: FASTA of the same contigs in which repeats are N, or with ``soft`` lower case; the genome itself if None.
    excluded: files of further loci that no negative may touch.
    """
    with ExitStack() as opened:
        reading = opened.enter_context(open_genome(genome, log))
        loci = read_loci(positives, reading)
        known = merge_intervals(np.concatenate([loci, *(read_loci(path, reading) for path in excluded)]))
        runs, mask_digest = _runs(masked or genome, soft, reading, settings.shortest)
        runs = subtract_intervals(runs, known, settings.shortest)
        counts: dict[str, int] = {"records": len(loci)}
        chosen, splits = _positives(reading, loci, settings, counts)
        relations = Relations(settings.distance, settings.similarity)
        generator = np.random.default_rng((settings.seed, 3))
        negatives, owners = matched_negatives(generator, reading, runs, chosen, splits, relations)
        counts["without_negative"] = len(splits) - len(owners)
        if not len(owners):
            raise GenoscanError(
                f"{masked or genome}: no negatives of the positives' lengths: too much of it is masked or excluded"
            )
        chosen, splits = chosen.take(owners).joined(negatives), np.tile(splits[owners], 2)
        labels = np.repeat([1, 0], len(owners))
        inputs = {
            "genome": {"path": str(genome), "digest": reading.digest()},
            "positives": {"path": str(positives), "digest": _digest(positives)},
            "masked": {"path": str(masked or genome), "digest": mask_digest, "soft": soft},
            "excluded": [{"path": str(path), "digest": _digest(path)} for path in excluded],
        }
        groups = groups_of(chosen, relations)
        rows = {
            name: _rows(reading, chosen, labels, groups, splits == split, known, settings)
            for split, name in enumerate(SPLITS)
        }
        return _write(out, rows, inputs, settings, RULE, counts, log)


def _digest(path: str) -> str:
    return FileDigest(str(path), FileState.of(Path(path).absolute())).result()


def _runs(path: str, soft: bool, genome: Genome, shortest: int) -> tuple[np.ndarray, str]:
    """The unmasked runs of a FASTA as INTERVAL of the genome's contigs, and its digest."""
    layout, runs, digest = unmasked_runs(path, soft, shortest)
    if layout.names == genome.names and np.array_equal(layout.lengths, genome.lengths):
        return runs, digest
    numbers = {name: number for number, name in enumerate(genome.names)}
    renumbered = np.full(len(layout.names), -1, dtype=np.int32)
    for number, (name, length) in enumerate(zip(layout.names, layout.lengths.tolist(), strict=True)):
        other = numbers.get(name)
        if other is None or genome.lengths[other] != length:
            problem = "is not a contig" if other is None else f"has {length:,} bases, not {genome.lengths[other]:,} as"
            raise UsageError(f"{path}: '{name}' {problem} of {genome.source}: give a masked copy of the same genome")
        renumbered[number] = other
    runs["contig"] = renumbered[runs["contig"]]
    return runs[np.lexsort((runs["start"], runs["contig"]))], digest


def _positives(
    genome: Genome, loci: np.ndarray, settings: WindowSettings, counts: dict[str, int]
) -> tuple[Sequences, np.ndarray]:
    """The positives that are kept, and the split of each."""
    generator = np.random.default_rng((settings.seed, 1))
    loci = distinct_loci(loci, settings.shortest)
    counts["distinct_loci"] = len(loci)
    if settings.limit is not None and len(loci) > settings.limit:
        loci = loci[np.sort(generator.choice(len(loci), settings.limit, replace=False))]
    spare = np.maximum(loci["end"] - loci["start"] - settings.longest, 0)
    loci["start"] += generator.integers(spare + 1)
    loci["end"] = np.minimum(loci["end"], loci["start"] + settings.longest)
    found, usable = described(genome, loci, negative=False)
    first = np.zeros(len(loci), dtype=bool)
    first[np.unique(found.digests, return_index=True)[1]] = True
    counts["with_unknown_bases"], counts["duplicates"] = int((~usable).sum()), int((usable & ~first).sum())
    found = found.take(usable & first)
    if not len(found.intervals):
        raise GenoscanError(
            f"{genome.source}: none of the loci has {settings.shortest} or more known bases: nothing to learn from"
        )
    groups = groups_of(found, Relations(settings.distance, settings.similarity))
    return found, assign_splits(np.random.default_rng((settings.seed, 2)), groups, settings.shares)


def _rows(
    genome: Genome,
    sequences: Sequences,
    labels: np.ndarray,
    groups: np.ndarray,
    chosen: np.ndarray,
    known: np.ndarray,
    settings: WindowSettings,
) -> Iterator[Window]:
    """The windows of a split, in random order; only one is in memory at a time."""
    order = np.random.default_rng((settings.seed, 4)).permutation(np.flatnonzero(chosen))
    for number in order.tolist():
        contig, start, end = sequences.intervals[number].tolist()
        low, high = max(0, start - settings.flank), min(end + settings.flank, int(genome.lengths[contig]))
        yield Window(
            genome.codes(contig, start, end),
            int(labels[number]),
            genome.names[contig],
            start,
            end,
            int(groups[number]),
            genome.codes(contig, low, start),
            genome.codes(contig, end, high),
            _in_known(known, contig, low, start),
            _in_known(known, contig, end, high),
        )


def _in_known(known: np.ndarray, contig: int, start: int, end: int) -> np.ndarray:
    """bool (end - start,): bases in one of the merged intervals ``known``."""
    inside = np.zeros(end - start, dtype=bool)
    keys = (known["contig"].astype(np.int64) << 40) + known["end"]
    at = int(np.searchsorted(keys, (contig << 40) + start, side="right"))
    while at < len(known) and known[at]["contig"] == contig and known[at]["start"] < end:
        inside[max(0, int(known[at]["start"]) - start) : int(known[at]["end"]) - start] = True
        at += 1
    return inside


def _write(
    out: Path,
    rows: dict[str, Iterator[Window]],
    inputs: dict[str, Any],
    settings: WindowSettings,
    rule: str,
    counts: dict[str, int],
    log: Log,
) -> dict[str, Any]:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is no folder: give another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenoscanError(f"{out}: cannot make the folder: {error.strerror}") from None
    (out / DESCRIPTION).unlink(missing_ok=True)  # while tables are being replaced there is no data set
    splits = {}
    for name, windows in rows.items():
        tally = _Tally()
        write_split(out, name, tally.counted(windows))
        splits[name] = tally.figures()
        log(f"{name}: {splits[name]['positives']:,} repeats and {splits[name]['negatives']:,} others")
    description = {
        "code_version": __version__,
        "settings": asdict(settings),
        "split_rule": rule,
        "inputs": inputs,
        "loci": counts,
        "splits": splits,
    }
    write_whole(out / DESCRIPTION, (json.dumps(description, indent=2) + "\n").encode())
    return description


class _Tally:
    """Counts of the windows that pass by."""

    def __init__(self) -> None:
        self.lengths: tuple[list[int], list[int]] = ([], [])
        self.groups: set[int] = set()

    def counted(self, windows: Iterator[Window]) -> Iterator[Window]:
        for one in windows:
            self.lengths[one.label].append(len(one.codes))
            self.groups.add(one.group)
            yield one

    def figures(self) -> dict[str, Any]:
        lengths = np.array(self.lengths[1] or [0])
        quantiles = np.percentile(lengths, (0, 25, 50, 75, 100)).round().astype(int).tolist()
        return {
            "positives": len(self.lengths[1]),
            "negatives": len(self.lengths[0]),
            "groups": len(self.groups),
            "same_lengths": sorted(self.lengths[0]) == sorted(self.lengths[1]),
            "length_quartiles": quantiles,
        }
