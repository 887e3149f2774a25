"""`genoscan report`: one page that says what some scans have found, how fast, with which model, and on what."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path

import numpy as np

from ..scanner.calling.annotations import columns_of
from ..scanner.errors import GenoscanError
from ..scanner.reading.genome import Genome, open_genome
from ..scanner.writing.output import require_place, write_beside
from .charts import bases, ideogram, linear, logarithmic
from .page import card, figures, more, page, pairs_table, table
from .runs import Run
from .statistics import call_statistics, level_statistics
from .top_calls import Read, Scores, call_card
from .tracks import Level, read_calls, read_levels

_SCORE_BIN = 25


def write_report(runs: Sequence[Run], output: Path, top: int, say: Callable[[str], None]) -> None:
    """Write the page of some runs. top: how many calls of each are shown one by one, with their bases where the genome
    is where it was when it was scanned, as it was then; ``say`` hears where it is not. Errors name files."""
    require_place(output)
    with ExitStack() as stack:
        readers: dict[str, Read | None] = {}
        for run in runs:
            source = run.summary["genome"]["path"]
            if source not in readers:
                readers[source] = _reader(run, stack, say)
        sections = [
            _section(number, run, readers[run.summary["genome"]["path"]], _scores(run, runs, stack), top)
            for number, run in enumerate(runs)
        ]
    genomes = list(dict.fromkeys(Path(run.summary["genome"]["path"]).name for run in runs))
    models = list(dict.fromkeys(run.card.name for run in runs))
    title = (
        f"{', '.join(models)} on {', '.join(genomes)}"
        if len(genomes) < 4
        else f"{', '.join(models)} on {len(genomes)} genomes"
    )
    links = "".join(f'<a href="#track-{number}">{escape(run.output.name)}</a>' for number, run in enumerate(runs))
    lead = f"<p>{_described(runs)}</p>" + (f"<nav>{links}</nav>" if len(runs) > 1 else "")
    versions = runs[0].summary["versions"]
    parts = [*([_overview(runs)] if len(runs) > 1 else []), *sections]
    write_beside(output, page(title, lead, parts, f"genoscan {escape(str(versions.get('genoscan', '')))}"))


def _reader(run: Run, stack: ExitStack, say: Callable[[str], None]) -> Read | None:
    """The run's genome, if it is what was scanned."""
    path = run.summary["genome"]["path"]
    try:
        genome: Genome = stack.enter_context(open_genome(path, lambda _: None))
        if genome.digest() != run.summary["genome"]["digest"]:
            raise GenoscanError(f"{path}: has changed since it was scanned")
    except GenoscanError as error:
        say(f"{error}; the report shows no bases")
        return None
    numbers = {name: number for number, name in enumerate(genome.names)}
    letters = np.frombuffer(b"ACGTN", dtype=np.uint8)
    return lambda chrom, start, end: letters[genome.codes(numbers[chrom], start, end)].tobytes().decode()


def _scores(run: Run, runs: Sequence[Run], stack: ExitStack) -> Scores | None:
    """The raw scores that the run's calls were made of, if the bigWig of them is among the runs."""
    same = [one for one in runs if one.format == "bigwig" and run.of_same_scan(one)]
    if not same or run.levels:
        return None
    import pybigtools

    tracks = [
        (channel, stack.enter_context(pybigtools.open(str(path)))) for path, channel in same[0].channel_files().items()
    ]

    def scores(chrom: str, start: int, end: int, strand: str) -> list[Level]:
        track = next((track for channel, track in tracks if channel.strand == strand), None)
        if track is None or chrom not in track.chroms():
            return []
        return [Level(chrom, *one) for one in track.records(chrom, start, end)]

    return scores


def _described(runs: Sequence[Run]) -> str:
    total = sum({run.summary["genome"]["digest"]: run.summary["genome"]["bases"] for run in runs}.values())
    tracks = f"{len(runs)} tracks" if len(runs) > 1 else "One track"
    return f"{tracks} of {bases(total)}."


def _overview(runs: Sequence[Run]) -> str:
    rows = []
    for run in runs:
        counts = run.summary["counts"]
        share = f"{100 * counts['called_bases'] / counts['bases']:.2f} %" if counts["bases"] and not run.levels else ""
        rows.append(
            [run.output.name, f"{run.card.name} {run.card.version}", bases(counts["bases"]), f"{counts['calls']:,}",
             share,
             f"{run.summary['mb_per_second']:.1f}"]
        )  # fmt: skip
    header = ["track", "model", "scanned", "lines", "covered", "Mb/s"]
    return f'<section><div class="card tracks">{table(header, rows, {2, 3, 4, 5})}</div></section>'


def _section(number: int, run: Run, read: Read | None, scores: Scores | None, top: int) -> str:
    body = _levels(run) if run.levels else _calls(run, read, scores, top)
    return (
        f'<section class="track" id="track-{number}" style="--given:rgb({run.card.track.color})">'
        f'<h2>{escape(run.output.name)}</h2><p class="lead">{escape(run.card.description)}</p>{body}'
        f"{more('Model', _model(run))}{more('Provenance', _provenance(run))}</section>"
    )


def _calls(run: Run, read: Read | None, scores: Scores | None, top: int) -> str:
    columns = [column.name for column in columns_of(run.card)]
    found = call_statistics(read_calls(run), run.summary["genome"]["longest_contigs"], columns, top)
    counts = run.summary["counts"]
    share = 100 * counts["called_bases"] / counts["bases"] if counts["bases"] else 0.0
    parts = [
        figures(
            [
                (f"{found.calls:,}", "calls"),
                (f"{share:.2f} %", f"of {bases(counts['bases'])} covered"),
                (bases(found.length_at(0.5)), "median length"),
                (bases(max(found.lengths, default=0)), "longest"),
                *_speed(run),
            ]
        )
    ]
    if not found.calls:
        return parts[0] + '<div class="card">No call reaches the threshold.</div>'
    charts = [
        card("Length", logarithmic(found.lengths, "length in bases", "calls")),
        card("Score", linear(found.scores, _SCORE_BIN, 0, 1000, "score", "calls")),
    ]
    if found.periods:
        charts.append(card("Period", logarithmic(found.periods, "bases of the repeat unit", "calls")))
    parts.append(f'<div class="charts">{"".join(charts)}</div>')
    parts.append(
        card(
            "Along the contigs",
            ideogram(found.density, "Share of bases covered", signed=False),
        )
    )
    if len(found.names) > 1:
        rows = [[name, f"{count:,}"] for name, count in found.names.most_common(12)]
        parts.append(f'<div style="margin-top:12px">{card("Names", table(["name", "calls"], rows, {1}))}</div>')
    lengths = run.summary["genome"]["longest_contigs"]
    cards = "".join(
        call_card(row, dict(zip(columns, row.more, strict=True)), lengths.get(row.chrom, row.end), read, scores)
        for row in found.top
    )
    parts.append(f'<h3 style="margin-top:24px">The {len(found.top)} highest calls</h3><div class="calls">{cards}</div>')
    return "".join(parts)


def _levels(run: Run) -> str:
    low, high = run.card.track.score_range
    step = (high - low) / 200
    files = ((read_levels(path, run.format), channel.strand == "-") for path, channel in run.channel_files().items())
    found = level_statistics(files, run.summary["genome"]["longest_contigs"], step)
    scored = sum(found.bases.values())
    mean = sum(value * count for value, count in found.bases.items()) * step / scored if scored else 0.0
    numbers = [(bases(scored), "scored"), (f"{mean:.4g}", "mean score"), *_speed(run)]
    values = {value * step: count for value, count in found.bases.items()}
    ends = (min([low, *values]), max([high, *values]))
    chart = card("Score", linear(values, (ends[1] - ends[0]) / 40, *ends, "raw score", "bases", powers=True))
    line = card("Along the contigs", ideogram(found.density, "Mean raw score", signed=True))
    return f'{figures(numbers)}<div class="charts">{chart}</div>{line}'


def _speed(run: Run) -> list[tuple[str, str]]:
    return [(f"{run.summary['mb_per_second']:.1f} Mb/s", f"on {run.summary['device']}, {run.summary['workers']}")]


def _model(run: Run) -> str:
    model, said = run.card, run.card.provenance
    metrics = "; ".join(f"{name} {value:.4g}" for name, value in said.metrics.items())
    return pairs_table(
        [
            ("model", f"{model.name} {model.version}"),
            ("task", model.task),
            ("reads", f"{model.input.kind}, windows of {model.window:,} bases, {model.step:,} of them scored"),
            ("scores", f"{', '.join(model.output.names)}, a score every {model.output.bin:,} bases"),
            ("strand", model.strand),
            ("precision", said.precision),
            ("trained on", said.data),
            ("held out", said.held_out),
            ("metrics", metrics),
            ("licence", said.licence),
            ("date", said.date),
        ]
    )


def _provenance(run: Run) -> str:
    summary = run.summary
    genome, counts = summary["genome"], summary["counts"]
    options = {name: value for name, value in summary["options"].items() if value not in (None, [])}
    return pairs_table(
        [
            ("files", ", ".join(summary["files"])),
            ("genome", genome["path"]),
            ("genome's digest", genome["digest"]),
            ("contigs", f"{genome['contigs']:,}, {genome['bases']:,} bases"),
            ("model's SHA-256", summary["model"]["sha256"]),
            ("calling", _listed(summary["calling"])),
            ("options", _listed(options)),
            ("windows", f"{counts['windows']:,} read, {counts['skipped_windows']:,} skipped for unknown bases"),
            ("time", f"{summary['seconds']:,.1f} s on {summary['device']}, {summary['workers']}"),
            ("batch", f"{summary['batch_size']:,}"),
            ("resumed", f"{counts['resumed_bases']:,} bases of earlier runs" if counts["resumed_bases"] else ""),
            ("versions", _listed(summary["versions"])),
        ]
    )  # fmt: skip


def _listed(values: dict) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()
    )
