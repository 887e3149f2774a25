"""The best calls of a track one by one: where each is, what is said of it, its score along its bases, and these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from .charts import bases, curve
from .tracks import Level, Row

ROW, MOST_ROWS = 34, 7
"""Bases in a row, as many as a phone is wide, and rows of a call that are shown."""
Read = Callable[[str, int, int], str]
"""Bases [start, end) of a contig as letters."""
Scores = Callable[[str, int, int, str], Sequence[Level]]
"""Raw scores that lie in [start, end) of a contig, for a strand."""
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def call_card(row: Row, said: dict[str, str], length: int, read: Read | None, scores: Scores | None) -> str:
    """A call as HTML. said: what follows the strand, by name; length: of the contig. read: the genome, and scores: the
    raw scores of the same model, or None where they are not at hand."""
    strand = "" if row.strand == "." else f" ({'−' if row.strand == '-' else row.strand})"
    place = f"{row.chrom}:{row.start + 1:,}–{row.end:,}{strand}"
    words = [("", row.name), ("", bases(row.end - row.start)), *_words(said)]
    listed = "".join(f"<span>{escape(name)} <b>{escape(value)}</b></span>" for name, value in words)
    drawn = ""
    if scores is not None:
        around = max(50, (row.end - row.start) // 2)
        start, end = max(0, row.start - around), min(length, row.end + around)
        drawn = curve(scores(row.chrom, start, end, row.strand), start, end, (row.start, row.end))
    return (
        f'<div class="card call"><div class="head"><span>{escape(place)}</span><span>{row.score}</span></div>'
        f'<div class="meter"><i style="width:{row.score / 10:.1f}%"></i></div><div class="said">{listed}</div>'
        f"{drawn}{'' if read is None else _letters(row, said, read)}</div>"
    )


def _words(said: dict[str, str]) -> list[tuple[str, str]]:
    """What is worth saying of a repeat, a peak or a tissue: nothing that is not known."""
    if "period" in said:
        unit = said.get("sequence", "")
        words = [("period", said["period"]), ("copies", said["copyNum"]), ("purity", f"{said['purity']} %")]
        return [*words, ("unit", unit if len(unit) <= 20 else f"{unit[:20]}…")]
    left_out = {"thickStart", "thickEnd", "itemRgb", "summit"} | {name for name, value in said.items() if value == "."}
    if "secondTissue" in left_out:
        left_out |= {"secondShare", "secondEvidence"}
    if said.get("shuffledPerMb") == "-1":
        left_out.add("shuffledPerMb")
    return [(name, _rounded(value)) for name, value in said.items() if name not in left_out]


def _rounded(value: str) -> str:
    """A number with no more digits than are read; texts, and whole numbers, as they are."""
    try:
        return f"{float(value):.3g}" if "." in value and "e" not in f"{float(value):.3g}" else value
    except ValueError:
        return value


def _letters(row: Row, said: dict[str, str], read: Read) -> str:
    """The call's bases: of a repeat with each copy below the one before, every other shaded; of a peak where it starts.
    Those of - are as that strand reads."""
    rows = list(_rows(row, int(said["period"]) if "period" in said else None))
    shown, rest = rows[:MOST_ROWS], row.end - row.start
    if row.strand == "-":
        rows = [(row.start + row.end - end, row.start + row.end - start, on) for start, end, on in shown]
    else:
        rows = shown
    lines = []
    for start, end, on in rows:
        letters = read(row.chrom, start, end).upper()
        marks = [on or _starts(at, said) for at in range(start, end)]
        if row.strand == "-":
            letters, marks = letters.translate(_COMPLEMENT)[::-1], marks[::-1]
        rest -= len(letters)
        lines.append(_line(letters, marks))
    more = f'<div class="said">… {rest:,} more bases</div>' if rest else ""
    return f'<p class="bases">{"".join(lines)}</p>{more}'


def _rows(row: Row, period: int | None):
    """Start, end and shade of rows of at most `ROW` bases; rows of a repeat hold whole copies, or a copy whole rows."""
    if period is None:
        yield from ((at, min(row.end, at + ROW), False) for at in range(row.start, row.end, ROW))
        return
    together = max(1, ROW // period)
    for number, first in enumerate(range(row.start, row.end, period * together)):
        last = min(row.end, first + period * together)
        parts = -(-period // ROW)
        size = -(-period // parts) if parts > 1 else last - first
        yield from ((at, min(last, at + size), number % 2 == 0) for at in range(first, last, size))


def _starts(at: int, said: dict[str, str]) -> bool:
    return "thickStart" in said and int(said["thickStart"]) <= at < int(said["thickEnd"])


def _line(letters: str, marks: list[bool]) -> str:
    parts, before = [], None
    for letter, on in zip(letters, marks, strict=True):
        if on != before:
            parts.append(f"{'</span>' if before is not None else ''}<span{' class=on' if on else ''}>")
            before = on
        parts.append(f"<i class={letter}>{letter}</i>")
    return f"{''.join(parts)}</span>\n"
