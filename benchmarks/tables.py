"""The tables of benchmarks/README.md, from the JSON files in benchmarks/results.

    python benchmarks/tables.py

rewrites what lies between the two markers. Every table says on which machine and when it was measured, as far as its
JSON has it; "committed" stands before a day that is only known from the commit of the file.
"""

from __future__ import annotations

import json
from pathlib import Path

from table_sections import SECTIONS

RESULTS, README = Path(__file__).with_name("results"), Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results: made by tables.py -->", "<!-- end of results -->"


def origin(result: dict) -> str:
    """Where and when a result was measured, in words."""
    machine, cpus = result.get("machine"), result.get("cpus") or result.get("cores")
    if isinstance(machine, dict):
        vectors = " ".join(machine.get("instructions", []))
        words = [machine["processor"] + (f" ({vectors})" if vectors else ""), f"{machine['threads']} threads"]
        words += [one["name"] for one in machine.get("gpus", [])]
    else:
        words = [one for one in (machine, cpus and f"{cpus} CPUs") if one]
    when = result["date"] if "date" in result else f"committed {result['date_committed']}"
    return f"{', '.join(words) or 'machine not recorded'}; {when}"


def tables() -> str:
    """All tables as Markdown. A result that is not there leaves its table out."""
    parts = []
    for name, make in SECTIONS.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        parts.append(f"{make(result)}\n\n<sub>[{path.name}](results/{path.name}): {origin(result)}.</sub>")
    return "\n\n".join(parts)


def with_tables(text: str) -> str:
    """The text of the README with the tables between its markers."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
