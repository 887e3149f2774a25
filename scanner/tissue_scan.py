"""A sample's methylation on a genome, through a model of reads, to a track of tissues."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .batch import require_apart, require_genome
from .calling.tissues import TissueThresholds, called, marker_shares, merged_shares
from .card import Calling
from .catalogue import find_model
from .errors import GenoscanError, UsageError
from .inference.devices import available_threads
from .inference.session import Model, open_model
from .markers import markers_in
from .options import require_methylation
from .progress import say
from .read_likelihoods import RegionReads, region_likelihoods
from .reading.genome import Genome, open_genome
from .reading.methylation.sample import Sample, open_sample
from .reading.regions import merge_intervals, parse_regions
from .writing.formats import FORMATS, files_of, format_of, require_writable
from .writing.output import Write, is_stream, require_place, write_beside
from .writing.target import Target
from .writing.tissue_summary import tissue_summary_json
from .writing.tissues import tissue_lines


@dataclass(frozen=True)
class TissueOptions:
    """How to call tissues; None stands for the card's own.

    - threshold: least share of a called tissue, 0 to 1
    - min_share: least share of those listed beside it
    - min_evidence: least evidence of all these, log10
    - min_reads: fewest reads of a region
    """

    threshold: float | None = None
    min_share: float | None = None
    min_evidence: float | None = None
    min_reads: int | None = None

    def __post_init__(self):
        for name in ("threshold", "min_share"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:  # NaN is not either
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be a share of the reads, from 0 to 1")
        if self.min_evidence is not None and not self.min_evidence >= 0:
            raise UsageError(f"--min-evidence {self.min_evidence}: must be 0 or more")
        if self.min_reads is not None and self.min_reads < 1:
            raise UsageError(f"--min-reads {self.min_reads}: must be at least 1")

    def thresholds(self, calling: Calling) -> TissueThresholds:
        """With the card's where nothing is given; a lower threshold lowers what is listed too."""
        share = calling.threshold if self.threshold is None else self.threshold
        return TissueThresholds(
            share,
            min(calling.extend, share) if self.min_share is None else self.min_share,
            calling.min_evidence if self.min_evidence is None else self.min_evidence,
            calling.min_reads if self.min_reads is None else self.min_reads,
        )


@dataclass
class TissueCounts:
    """What a scan came to.

    - bases: of the markers, or of where reads were looked for
    - reads, cpgs: used, and CpGs that these tell of (long reads count once for each window)
    - windows: those that the model read, alike ones once
    - off_markers: reads that tell of CpGs, none of them in a marker
    - regions: those with reads
    - calls, called_bases: lines of the track, and the bases in them
    - seconds: wall time
    """

    bases: int = 0
    reads: int = 0
    cpgs: int = 0
    windows: int = 0
    off_markers: int = 0
    regions: int = 0
    calls: int = 0
    called_bases: int = 0
    seconds: float = 0.0

    def watched(self, parts: Iterable[tuple[RegionReads, int]]) -> Iterator[RegionReads]:
        """The same parts, counted as they pass."""
        for part, off in parts:
            self.off_markers += off
            self.windows += len(part.counts)
            self.reads += int(part.counts.sum())
            self.cpgs += int((part.counts * part.cpgs).sum())
            yield part


def scan_methylation(
    genome: str,
    model: str,
    sample: str,
    output: str | None = None,
    *,
    regions: Sequence[str] = (),
    device: str = "auto",
    batch_size: int | None = None,
    threads: int | None = None,
    format: str | None = None,
    quiet: bool = False,
    threshold: float | None = None,
    min_share: float | None = None,
    min_evidence: float | None = None,
    min_reads: int | None = None,
) -> TissueCounts:
    """`genoscan scan --methylation`: write a track of tissues to ``output`` (None: standard output), with a JSON
    summary beside a file. ``model``: a path or a bundled name; ``format``: one of calls (None: what the output's name
    says, or BED); the last four are as in `TissueOptions`.

    Raises `GenoscanError`, one line that names the file, where model, genome and sample do not belong together and
    where no read of the sample can be used.
    """
    settings = TissueOptions(threshold, min_share, min_evidence, min_reads)
    format_ = format or format_of(output)
    if FORMATS[format_].levels:
        raise UsageError(f"--format {format_} holds scores of bases, a track of tissues has calls: leave it out")
    require_writable(format_)
    path = str(find_model(model))
    if not is_stream(output):
        require_apart([output], [one for one in (genome, path, sample, *regions) if one != "-"])
        require_place(Path(output))
    require_genome(genome)
    opened = open_model(path, device, batch_size)
    require_methylation(opened.card, path)
    with ExitStack() as stack:
        reading = stack.enter_context(open_genome(genome, warn=_warn))
        markers, numbers, within = _places(opened, reading, regions)
        reads = stack.enter_context(closing(open_sample(sample, reading)))
        files_of(output, opened.card, format_)
        threads = threads or available_threads()
        parts = region_likelihoods(opened, reading, reads, markers, within, threads)
        target = Target(output, opened.card, reading.names, reading.lengths, None, _beside(output))
        thresholds = settings.thresholds(opened.card.calling)
        with FORMATS[format_].writer(target) as write:
            counts = _write(target, parts, markers, numbers, thresholds, write)
            require_reads(reads, counts, markers)
            counts.bases = _bases(reading, markers if markers is not None else within)
            reading.require_unchanged()
        _warn_of_tags(reads)
        if not is_stream(output):
            given = {**asdict(settings), "regions": list(regions), "format": format_, "threads": threads}
            summary = tissue_summary_json(output, reading, opened, reads, markers, given, thresholds, counts)
            write_beside(Path(f"{output}.json"), summary)
    if not quiet:
        chosen = f"{opened.device} (auto)" if device == "auto" else opened.device
        say(
            f"{sample}: {counts.reads:,} reads with {opened.card.name} on {chosen}: {counts.calls:,} of "
            f"{counts.regions:,} regions with reads are called; {counts.seconds:.1f} s"
        )
    return counts


def _warn(text: str) -> None:
    say(f"warning: {text}")


def _places(
    model: Model, genome: Genome, regions: Sequence[str]
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """The markers (INTERVAL) to call and their numbers in the card, or, for a model without, where to read."""
    within = parse_regions(regions, genome.names, genome.lengths, genome.source) if regions else None
    if not model.card.markers:
        return None, None, within
    markers, numbers = markers_in(model.card, genome, _warn)
    if within is not None:
        kept = np.array([_overlaps(one, within) for one in markers], dtype=bool)
        if not kept.any():
            raise UsageError(
                f"the regions hold none of {model.card.name}'s {len(markers):,} markers: {', '.join(regions)}"
            )
        markers, numbers = markers[kept], numbers[kept]
    return markers, numbers, None


def _overlaps(marker: np.void, within: np.ndarray) -> bool:
    same = within["contig"] == marker["contig"]
    return bool((same & (within["start"] < marker["end"]) & (within["end"] > marker["start"])).any())


def _bases(genome: Genome, intervals: np.ndarray | None) -> int:
    """Bases in INTERVAL intervals, each counted once; None: in the genome."""
    if intervals is None:
        return int(genome.lengths.sum())
    merged = merge_intervals(intervals)
    return int((merged["end"] - merged["start"]).sum())


def _beside(output: str | None) -> tuple[Path, ...]:
    """What lies beside a track and speaks of it."""
    return () if is_stream(output) else (Path(f"{output}.json"),)


def _write(
    target: Target,
    parts: Iterable[tuple[RegionReads, int]],
    markers: np.ndarray | None,
    numbers: np.ndarray | None,
    thresholds: TissueThresholds,
    write: Write,
) -> TissueCounts:
    """Call the regions of all parts and write their lines."""
    counts, started = TissueCounts(), time.perf_counter()
    watched = counts.watched(parts)
    for regions in merged_shares(watched) if markers is None else marker_shares(watched, markers):
        calls = called(regions, thresholds)
        counts.regions += len(regions.reads)
        counts.calls += len(calls.best)
        counts.called_bases += int((calls.regions.places["end"] - calls.regions.places["start"]).sum())
        if len(calls.best):
            write(tissue_lines(calls, target.names, target.card, numbers, thresholds))
    counts.seconds = time.perf_counter() - started
    return counts


def _warn_of_tags(sample: Sample) -> None:
    tally = sample.tally
    if tally.unusable_tags:
        _warn(f"{sample.source}: the tags of {tally.unusable_tags:,} reads cannot be used, {tally.first_unusable}")


def require_reads(sample: Sample, counts: TissueCounts, markers: np.ndarray | None) -> None:
    """`GenoscanError` that says what became of the reads, where none could be used."""
    if counts.reads:
        return
    tally, source = sample.tally, sample.source
    places = "the model's markers" if markers is not None else "the regions"
    if not tally.looked_at:
        problem = f"has no reads on {places}: is it of another assembly, or of other places?"
    elif tally.unusable_tags:
        problem = (
            f"the tags of {tally.unusable_tags:,} of {tally.looked_at:,} reads cannot be used, {tally.first_unusable}: "
            "align again with the tags of the whole reads (minimap2 -y -Y), or mend them (modkit repair)"
        )
    elif tally.without_calls:
        problem = f"{tally.without_calls:,} of {tally.looked_at:,} reads on {places} have no tags of methylation"
    elif tally.low_quality == tally.looked_at:
        problem = f"all of its {tally.looked_at:,} reads on {places} are poorly mapped, duplicates or failed"
    elif counts.off_markers:
        problem = f"{counts.off_markers:,} reads tell of CpGs, but none of a CpG in {places}"
    else:
        problem = f"none of its {tally.looked_at:,} reads on {places} tells of a CpG's methylation"
    raise GenoscanError(f"{source}: {problem}")
