"""The best calls of a track one by one: where each is, what is said of it, and its bases."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from .charts import bases
from .tracks import Row

LONGEST = 220
"""Bases of a call that are shown."""
Read = Callable[[str, int, int], str]
"""Bases [start, end) of a contig as letters."""
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def call_card(row: Row, said: dict[str, str], read: Read | None) -> str:
    """A call as HTML. said: what follows the strand, by name; read: the genome, or None where it is not at hand."""
    strand = "" if row.strand == "." else f" ({'−' if row.strand == '-' else row.strand})"
    place = f"{row.chrom}:{row.start + 1:,}–{row.end:,}{strand}"
    words = [row.name, f"score {row.score}", bases(row.end - row.start), *_words(said)]
    shown = "" if read is None else _letters(row, said, read)
    return (
        f'<div class="card call"><div class="place">{escape(place)}</div><div class="meter"><i style="width:'
        f'{row.score / 10:.1f}%"></i></div><div class="said">{escape(" · ".join(words))}</div>{shown}</div>'
    )


def _words(said: dict[str, str]) -> list[str]:
    """What is worth saying of a repeat, or of a peak."""
    if "period" in said:
        unit = said.get("sequence", "")
        words = [f"period {said['period']}", f"{said['copyNum']} copies", f"{said['purity']} % pure"]
        return [*words, f"unit {unit if len(unit) <= 24 else f'{unit[:24]}…'}"]
    shown = [name for name in said if name not in ("thickStart", "thickEnd", "itemRgb", "summit")]
    return [f"{name} {said[name]}" for name in shown]


def _letters(row: Row, said: dict[str, str], read: Read) -> str:
    """The call's bases: of a repeat every other copy shaded, of a peak where it starts; of - as that strand reads."""
    start, end = row.start, min(row.end, row.start + LONGEST)
    if row.strand == "-":
        start, end = max(row.start, row.end - LONGEST), row.end
    letters = read(row.chrom, start, end).upper()
    shaded = [_is_shaded(at, row, said) for at in range(start, end)]
    if row.strand == "-":
        letters, shaded = letters.translate(_COMPLEMENT)[::-1], shaded[::-1]
    parts, before = [], None
    for letter, on in zip(letters, shaded, strict=True):
        if on != before:
            parts.append(f"{'</span>' if before is not None else ''}<span{' class=on' if on else ''}>")
            before = on
        parts.append(f"<i class={letter}>{letter}</i>")
    rest = row.end - row.start - len(letters)
    return f'<p class="bases">{"".join(parts)}</span>{f" … {rest:,} more" if rest else ""}</p>'


def _is_shaded(at: int, row: Row, said: dict[str, str]) -> bool:
    if "period" in said:
        return (at - row.start) // max(1, int(said["period"])) % 2 == 0
    if "thickStart" in said:
        return int(said["thickStart"]) <= at < int(said["thickEnd"])
    return False
