"""Several genomes and several models in one call: which track goes where, what has been done before, what failed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .card import ModelCard
from .catalogue import find_model
from .errors import GenoscanError, OutputError, UsageError, WorkersLost
from .options import ScanOptions, require_annotations, require_no_methylation
from .progress import progress_bar, readable_bases, say, wants_bar
from .reading.genome import same_genome
from .resume import discard_store, identity_of
from .schedule import Job, OpenJob, Run, job_results, opened_ahead
from .staffing import Staff, hire
from .temporary import sweep
from .tracks import Counts, write_tracks
from .workers import Workers
from .writing.formats import FORMATS, files_of, format_of, require_writable
from .writing.output import is_stream, require_place
from .writing.table import SummaryRow, write_table

_FASTA_ENDINGS = (".gz", ".bgz", ".fasta", ".fa", ".fna")
SUMMARY = "summary.tsv"


@dataclass(frozen=True)
class Sample:
    """A genome and what to do with it; ``models`` are paths or bundled names."""

    name: str
    genome: str
    models: tuple[str, ...]
    regions: tuple[str, ...] = ()


def genome_stem(source: str) -> str:
    """A genome's name for output files: its file name without .fa, .fasta, .fna and .gz."""
    name = "stdin" if source == "-" else Path(source).name
    for ending in _FASTA_ENDINGS:
        name = name.removesuffix(ending)
    return name


def plan_single(sample: Sample, card: ModelCard, output: str | None, format_: str, others: Sequence[str] = ()) -> Job:
    """The job of one genome and one model with its track at ``output``. Nothing is scanned when an input would be
    lost (``others``: those besides the sample's), or there is no place for the track."""
    files = files_of(output, card, format_)
    if is_stream(output):
        return Job(sample.name, sample.genome, (0,), sample.regions, (output,))
    folder = f"{output}.pieces"
    require_apart([output, *files], [*_inputs(sample), *others])
    for path in files:
        require_place(Path(path))
    return Job(sample.name, sample.genome, (0,), sample.regions, (output,), folder)


def plan_folder(
    samples: Sequence[Sample],
    paths: dict[str, int],
    cards: Sequence[ModelCard],
    out_dir: str,
    format_: str,
    others: Sequence[str] = (),
) -> list[Job]:
    """A job a sample, its tracks in ``out_dir``, which is made. ``paths``: the number of each model's file;
    ``others``: inputs besides the samples' (their sheet).

    Nothing is scanned when a file would be lost: when two tracks share one, or one is an input.
    """
    ending = FORMATS[format_].endings[0]
    planned: set[str] = set()
    jobs = []
    for sample in samples:
        numbers = tuple(paths[path] for path in sample.models)
        outputs = tuple(os.path.join(out_dir, f"{sample.name}.{cards[one].name}{ending}") for one in numbers)
        for output, one in zip(outputs, numbers, strict=True):
            files = list(files_of(output, cards[one], format_))
            for path in dict.fromkeys([output, *files]):
                if path in planned:
                    raise UsageError(f"{path}: two of the genomes or models would be written here; name them apart")
                planned.add(path)
            require_apart([output, *files], [*_inputs(sample), *others])
        require_apart([os.path.join(out_dir, SUMMARY)], [*_inputs(sample), *others])
        folder = os.path.join(out_dir, f"{sample.name}.pieces")
        jobs.append(Job(sample.name, sample.genome, numbers, sample.regions, outputs, folder))
    try:
        os.makedirs(out_dir, exist_ok=True)
    except OSError as error:
        raise GenoscanError(f"{out_dir}: cannot make the folder: {error.strerror or error}") from None
    for path in sorted(planned):
        require_place(Path(path))
    return jobs


def _inputs(sample: Sample) -> list[str]:
    return [one for one in (sample.genome, *sample.models, *sample.regions) if one != "-"]


def require_apart(outputs: Sequence[str], inputs: Sequence[str]) -> None:
    """`UsageError` where writing the files of a track or what lies beside them would replace an input."""
    for written in (f"{output}{ending}" for output in outputs for ending in ("", ".json", ".csi")):
        for one in inputs:
            try:
                same = os.path.samefile(written, one)
            except OSError:  # one of them is not there
                continue
            if same:
                raise UsageError(f"{written}: is an input of this scan; name another output")


def require_genome(source: str) -> None:
    """`GenoscanError` when there is no such genome."""
    if source == "-":
        if sys.stdin is None:
            raise GenoscanError("<stdin>: is closed; give a FASTA file")
        return
    try:
        os.stat(source)
    except FileNotFoundError:
        raise GenoscanError(f"{source}: no such file") from None
    except OSError as error:
        raise GenoscanError(f"{source}: cannot be read: {error.strerror or error}") from None


def scan_samples(
    samples: Sequence[Sample],
    output: str | None = None,
    out_dir: str | None = None,
    *,
    sheet: str | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    address: str | None = None,
    gpus_per_worker: float | None = None,
    threads: int | None = None,
    resume: bool = False,
    quiet: bool = False,
    **options,
) -> list[SummaryRow]:
    """`genoscan scan` and `genoscan batch`: every sample with its models, to ``output`` (one track; None: standard
    output) or into ``out_dir``. ``sheet``: the file that the samples are from. ``options`` are those of `ScanOptions`.
    Returns the rows of the summary.

    Errors as for `run_jobs`; and before anything is scanned for what cannot work.
    """
    settings = ScanOptions(**{**options, "format": options.get("format") or format_of(output)})
    require_writable(settings.format)
    paths = {name: str(find_model(name)) for name in dict.fromkeys(name for one in samples for name in one.models)}
    samples = [replace(one, models=tuple(paths[name] for name in one.models)) for one in samples]
    numbers = {path: number for number, path in enumerate(dict.fromkeys(paths.values()))}
    _require_sense(samples, output, out_dir, resume)
    staff = Staff(workers, address, threads, gpus_per_worker)
    with hire(list(numbers), device, batch_size, staff, _warn) as crew:
        cards = [model.card for model in crew.models]
        require_no_methylation(cards)
        require_annotations(cards, settings)
        others = [one for one in (sheet, settings.satellites) if one is not None]
        if out_dir is None:
            jobs = [plan_single(samples[0], cards[0], output, settings.format, others)]
        else:
            jobs = plan_folder(samples, numbers, cards, out_dir, settings.format, others)
        table = None if out_dir is None else Path(out_dir) / SUMMARY
        return run_jobs(jobs, crew, settings, resume=resume, quiet=quiet, auto=device == "auto", table=table)


def _warn(text: str) -> None:
    say(f"warning: {text}")


def _require_sense(samples: Sequence[Sample], output: str | None, out_dir: str | None, resume: bool) -> None:
    """`UsageError` for a call that cannot mean anything."""
    if output is not None and out_dir is not None:
        raise UsageError("give -o for one track or --out-dir for several, not both")
    if out_dir is None and len(samples) * len(samples[0].models) > 1:
        models = _counted(len(samples[0].models), "model")
        raise UsageError(
            f"{_counted(len(samples), 'genome')} and {models}: name a folder for their tracks with --out-dir"
        )
    seen: set[tuple[str, str]] = set()
    for sample in samples:
        if (sample.name, sample.genome) in seen:
            raise UsageError(f"genome '{sample.genome}' is given twice")
        seen.add((sample.name, sample.genome))
    if sum(sample.genome == "-" for sample in samples) > 1:
        raise UsageError("standard input can be read as one genome only")
    if resume and out_dir is None and is_stream(output):
        raise UsageError("--resume needs a file to go on with: name one with -o, or a folder with --out-dir")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}"


def run_jobs(
    jobs: Sequence[Job],
    workers: Workers,
    options: ScanOptions,
    *,
    resume: bool,
    quiet: bool,
    auto: bool,
    table: Path | None,
) -> list[SummaryRow]:
    """Scan all jobs and return a row for each track. One that fails is named, the others go on; then `GenoscanError`
    says which failed (of a single job its own error). ``table``: where the rows go. ``auto``: nobody chose the device.

    What is raised has notes that tell which finished pieces are kept."""
    rows: dict[Job, list[SummaryRow]] = {}
    waiting: list[Job] = []
    failed: list[tuple[Job, GenoscanError]] = []

    def fail(job: Job, error: GenoscanError) -> None:
        failed.append((job, error))
        rows[job] = [
            SummaryRow(
                job.sample, job.source, workers.models[number].card.name, output or "-", status=f"failed: {error}"
            )
            for number, output in zip(job.models, job.outputs, strict=True)
        ]
        if len(jobs) > 1:
            say(f"error: {error}")

    if resume:
        sweep()  # where all is complete nobody else does
    for job in jobs:
        done = _done_before(job, workers, options) if resume else None
        if done is not None:
            rows[job] = done
            if job.folder is not None:
                discard_store(Path(job.folder))
            if not quiet:
                say(f"{job.source}: is complete already")
            continue
        try:
            require_genome(job.source)  # asked before hours of work on others, not after
            waiting.append(job)
        except GenoscanError as error:
            fail(job, error)
    kept: list[str] = []
    opening = opened_ahead(waiting, workers, options, Run(resume, _warn, kept.append))
    try:
        with closing(job_results(opening, workers)) as opened_jobs:
            for job, (opened, results) in zip(waiting, opened_jobs, strict=True):
                if isinstance(opened, GenoscanError):
                    fail(job, opened)
                    continue
                try:
                    rows[job] = _scan_one(opened, results, workers, quiet, auto)
                except (OutputError, WorkersLost):
                    raise
                except GenoscanError as error:
                    fail(job, error)
    except BaseException as error:
        for note in kept:
            error.add_note(note)
        if table is not None:
            with suppress(OutputError):  # the first trouble is the one to tell
                write_table(table, [row for job in jobs for row in rows.get(job, [])])
        raise
    if table is not None:
        write_table(table, [row for job in jobs for row in rows[job]])
    if len(jobs) == 1 and failed:
        for note in kept:
            failed[0][1].add_note(note)
        raise failed[0][1]
    for note in kept:
        say(note)
    if failed:
        listed = ", ".join(job.source for job, _ in failed)
        raise GenoscanError(f"{len(failed)} of {len(jobs)} genomes failed: {listed}; the other tracks are complete")
    return [row for job in jobs for row in rows[job]]


def _done_before(job: Job, workers: Workers, options: ScanOptions) -> list[SummaryRow] | None:
    """What the summaries of a job say that is complete already, with the same genome, models and options; else None."""
    rows = []
    for number, output in zip(job.models, job.outputs, strict=True):
        model = workers.models[number]
        if is_stream(output) or not all(map(os.path.exists, files_of(output, model.card, options.format))):
            return None
        try:
            summary = json.loads(Path(f"{output}.json").read_text(encoding="utf-8"))
            recorded, counts = summary["identity"], summary["counts"]
            identity = identity_of(recorded["genome"], [model], options, job.regions)
            if recorded != json.loads(json.dumps(identity)) or not same_genome(job.source, summary["genome"]):
                return None
            numbers = counts["bases"], counts["calls"], counts["called_bases"], summary["mb_per_second"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        rows.append(SummaryRow.complete(job.sample, job.source, model.card.name, output, *numbers))
    return rows


def _scan_one(opened: OpenJob, results: Iterator, workers: Workers, quiet: bool, auto: bool) -> list[SummaryRow]:
    job = opened.job
    label = " ".join([job.sample, *(workers.models[number].card.name for number in job.models)])
    shown = not quiet and all(wants_bar(output) for output in job.outputs)
    with progress_bar(label, opened.bases, shown=shown) as on_bases:
        all_counts = write_tracks(opened, workers, results, on_bases)
    rows = []
    for number, output, counts in zip(job.models, job.outputs, all_counts, strict=True):
        model = workers.models[number]
        if not quiet:
            device = f"{model.device} (auto)" if auto else model.device
            say(summary_line(opened, model.card.name, device, workers.description, counts))
        numbers = counts.bases, counts.calls, counts.called_bases, counts.mb_per_second
        rows.append(SummaryRow.complete(job.sample, job.source, model.card.name, output, *numbers))
    return rows


def summary_line(opened: OpenJob, model: str, device: str, workers: str, counts: Counts) -> str:
    """One line on what was scanned, where, how much was found and how fast."""
    found = f"{counts.calls:,} calls, {readable_bases(counts.called_bases)}"
    if opened.options.levels:
        found = f"{counts.calls:,} levels"
    resumed = f" ({readable_bases(counts.resumed)} of them before)" if counts.resumed else ""
    return (
        f"{opened.genome.source}: {readable_bases(counts.bases)}{resumed} with {model} on {device}, {workers}: "
        f"{found}; {counts.seconds:.1f} s, {counts.mb_per_second:.1f} Mb/s"
    )
