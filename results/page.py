"""The frame of a report: one page of HTML with its style, nothing fetched, nothing run."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #ffffff; --ink: #1c2126; --soft: #5d6770; --line: #e3e6e8;
  --body: #eef0f1; --a: #2f8f46; --c: #2f6fb7; --g: #b7791f; --t: #c2413b; --tint: 14%; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1c2024; --ink: #e8ebed; --soft: #9aa5ae;
  --line: #2e343a; --body: #262b30; --a: #6fcf86; --c: #7ab4f0; --g: #e3b45c; --t: #f08b84; --tint: 26%; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 64px; }
header p, .note, .lead { color: var(--soft); margin: 4px 0 0; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: 14px; margin: 0 0 10px; color: var(--soft); font-weight: 600; }
section { margin-top: 40px; }
section.track { --accent: var(--given); border-top: 3px solid var(--accent); padding-top: 18px; }
@media (prefers-color-scheme: dark) { section.track { --accent: color-mix(in srgb, var(--given) 70%, white); } }
nav { margin-top: 14px; display: flex; flex-wrap: wrap; gap: 6px 16px; }
a { color: inherit; text-underline-offset: 3px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; min-width: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 10px; margin: 16px 0; }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
.figures b { display: block; font-size: 21px; font-weight: 650; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.figures span { color: var(--soft); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); gap: 12px;
  margin-bottom: 12px; }
.charts > :only-child { max-width: 460px; }
svg.chart { display: block; width: 100%; height: auto; max-width: 420px; margin: 0 auto; }
svg text { font-size: 11px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); } svg .bar { fill: var(--accent); } svg .body { fill: var(--body); }
.contig { display: flex; align-items: center; gap: 10px; margin: 3px 0; }
.contig-name { flex: 0 0 clamp(64px, 10%, 130px); font-size: 12.5px; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; text-align: right; color: var(--soft); }
.contig-bar { flex: 1; min-width: 0; position: relative; }
.contig-bar svg { display: block; height: 26px; border-radius: 6px; }
.ideogram.few .contig-bar svg { height: 64px; }
.scale .contig-bar { height: 18px; } .scale .contig-bar span { position: absolute; font-size: 11px; color: var(--soft);
  transform: translateX(-50%); white-space: nowrap; } .scale .contig-bar span:first-child { transform: none; }
.calls { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); gap: 12px; }
.call { display: flex; flex-direction: column; gap: 8px; }
.head { display: flex; justify-content: space-between; gap: 12px; font-size: 14px; font-weight: 600;
  font-variant-numeric: tabular-nums;  overflow-wrap: anywhere; }
.head span:last-child { white-space: nowrap; } .note { font-size: 13.5px; }
.said { color: var(--soft); font-size: 13px; display: flex; flex-wrap: wrap; gap: 0 12px; }
.said span { min-width: 0; overflow-wrap: anywhere; } .said b { font-weight: 500; color: var(--ink); }
.meter { height: 5px; border-radius: 3px; background: var(--body); overflow: hidden; }
.meter i { display: block; height: 100%; background: var(--accent); }
.bases { font: 12.5px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; margin: 0;
  letter-spacing: 0.04em; white-space: pre; overflow-x: auto; }
.bases .on { background: color-mix(in srgb, var(--accent) var(--tint), transparent); }
.bases .A { color: var(--a); } .bases .C { color: var(--c); } .bases .G { color: var(--g); }
.bases .T { color: var(--t); } .bases i { font-style: normal; }
.curve { display: block; width: 100%; height: 46px; }
.curve path { fill: none; stroke: var(--accent); stroke-width: 1.5;
  vector-effect: non-scaling-stroke; }
.curve .in { fill: color-mix(in srgb, var(--accent) var(--tint), transparent); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.pairs th { width: 1%; padding-right: 20px; } .pairs td { overflow-wrap: anywhere; }
tr:last-child > * { border-bottom: 0; }
details { margin-top: 12px; } summary { cursor: pointer; font-weight: 600; } details > div { margin-top: 12px; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
@media (max-width: 520px) { main { padding: 20px 14px 48px; } h1 { font-size: 22px; } .card { padding: 13px; }
  .figures { grid-template-columns: repeat(2, 1fr); } .figures div:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .pairs th { white-space: normal; padding-right: 12px; }
  .tracks th, .tracks td { padding-right: 8px; font-size: 12.5px; overflow-wrap: anywhere; }
  .tracks :is(th, td):is(:nth-child(2), :nth-child(3)) { display: none; } }
@media print { details:not([open]) > *:not(summary) { display: block; } .card { break-inside: avoid; } }
"""


def page(title: str, lead: str, parts: list[str], foot: str) -> str:
    """The whole page; ``parts``, ``lead`` and ``foot`` are HTML, ``title`` is text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_STYLE}</style></head>\n'
        f"<body><main><header><h1>{escape(title)}</h1>{lead}</header>\n"
        + "\n".join(parts)
        + f"\n<footer>{foot}</footer></main></body></html>\n"
    )


def figures(pairs: list[tuple[str, str]]) -> str:
    """Figures in boxes: (figure, what it is)."""
    boxes = "".join(f"<div><b>{escape(one)}</b><span>{escape(what)}</span></div>" for one, what in pairs)
    return f'<div class="figures">{boxes}</div>'


def card(title: str, body: str) -> str:
    return f'<div class="card"><h3>{escape(title)}</h3>{body}</div>'


def pairs_table(pairs: list[tuple[str, str]]) -> str:
    """A table of names and values, those without a value left out."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs if value)
    return f'<table class="pairs">{rows}</table>'


def table(header: list[str], rows: list[list[str]], numbers: set[int]) -> str:
    """A table; ``numbers``: columns that are aligned as numbers are."""

    def cells(tag: str, values: list[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if column in numbers else ''}>{escape(value)}</{tag}>"
            for column, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells("th", header)}</tr></thead><tbody>{body}</tbody></table></div>'


def more(title: str, body: str) -> str:
    """What is shown when it is asked for."""
    return f"<details><summary>{escape(title)}</summary><div>{body}</div></details>"
