"""A sample's methylation on a genome, through a model of reads, to a track of tissues."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .batch import require_apart, require_genome
from .calling.tissues import COLUMNS, RegionTotals, TissueThresholds, called, marker_totals, merged_totals
from .catalogue import find_model
from .errors import GenoscanError, UsageError
from .inference.devices import available_threads
from .inference.session import Model, open_model
from .inference.stitch import LARGEST_SCORE
from .markers import markers_in
from .options import require_methylation
from .progress import say
from .read_likelihoods import RegionReads, region_likelihoods
from .reading.genome import Genome, open_genome
from .reading.methylation.sample import Sample, open_sample
from .reading.regions import parse_regions
from .writing.bed import bed_header
from .writing.output import is_stream, open_output, require_place, write_beside
from .writing.tissue_summary import tissue_summary_json
from .writing.tissues import tissue_lines


@dataclass(frozen=True)
class TissueOptions:
    """How to call tissues; None stands for the card's own. threshold: least probability of a called tissue;
    min_probability: least probability of those listed beside it; min_reads: fewest reads of a region."""

    threshold: float | None = None
    min_probability: float | None = None
    min_reads: int | None = None

    def __post_init__(self):
        for name in ("threshold", "min_probability"):
            value = getattr(self, name)
            if value is not None and not abs(value) <= LARGEST_SCORE:  # NaN is not either
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be a probability")


@dataclass
class TissueCounts:
    """What a scan came to. reads, cpgs: used, and CpGs that these tell of (long reads count once for each window);
    off_markers: reads that tell of CpGs, none of them in a marker; regions: those with reads; calls: lines of the
    track; seconds: wall time."""

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
    quiet: bool = False,
    **options,
) -> TissueCounts:
    """`genoscan scan --methylation`: write a track of tissues to ``output`` (None: standard output), with a JSON
    summary beside a file. ``model``: a path or a bundled name; ``options`` are those of `TissueOptions`.

    Raises `GenoscanError`, one line that names the file, where model, genome and sample do not belong together and
    where no read of the sample can be used.
    """
    settings = TissueOptions(**options)
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
        counts = _write(opened, reading, reads, markers, numbers, within, output, settings, threads, regions)
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


def _write(model, genome, sample, markers, numbers, within, output, settings, threads, regions) -> TissueCounts:
    card, counts, started = model.card, TissueCounts(), time.perf_counter()
    thresholds = TissueThresholds.of(card, settings.threshold, settings.min_probability, settings.min_reads)
    threads = threads or available_threads()
    parts = counts.watched(region_likelihoods(model, genome, sample, markers, within, threads))
    totals: Iterable[RegionTotals]
    totals = merged_totals(parts) if markers is None else [marker_totals(parts, markers, len(card.output.names))]
    stale = [] if is_stream(output) else [Path(f"{output}.json")]
    with open_output(output, None, stale) as write:
        write(bed_header([column.name for column in COLUMNS]))
        for some in totals:
            found = called(some, thresholds)
            counts.regions += int(np.count_nonzero(some.reads))
            counts.calls += len(found.best)
            counts.called_bases += int((found.totals.places["end"] - found.totals.places["start"]).sum())
            write(tissue_lines(found, genome.names, card, numbers, thresholds.listed))
        require_reads(sample, counts, markers)
        genome.require_unchanged()
    counts.seconds = time.perf_counter() - started
    tally = sample.tally
    if tally.unusable_tags:
        _warn(f"{sample.source}: the tags of {tally.unusable_tags:,} reads cannot be used, {tally.first_unusable}")
    if not is_stream(output):
        options = {**asdict(settings), "regions": list(regions), "threads": threads}
        write_beside(
            Path(f"{output}.json"), tissue_summary_json(genome, model, sample, markers, options, thresholds, counts)
        )
    return counts


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
