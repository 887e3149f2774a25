"""Figures in the documents are those of the benchmarks' results."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def results(name: str) -> dict:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def text_of(name: str) -> str:
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def test_what_bounds_the_speed():
    bench = results("repeats_speed")["bench"]
    human, centromere = (
        [1000 / bench[f"{name}, 1 threads"][part] for part in ("session", "encoding", "scan")]
        for name in ("human", "centromere")
    )
    rest = [scan - session - encoding for session, encoding, scan in (human, centromere)]
    assert (
        f"the network takes {human[0]:.0f} ns, the spectrum {human[1]:.0f}, all else (windows, calls and what is said "
        f"of them) {rest[0]:.0f} on chr20 and {rest[1]:.0f} in the centromere"
    ) in text_of("README.md")


def test_how_often_units_are_right():
    found = results("repeats_units")
    trf = "TRF 2 7 7 80 10 50 2000"
    rows = re.findall(
        r"\| ([^|]+) \| ([\d,]+) \| period right \| ([\d.]+) % \| ([\d.]+) % \| \| "
        r"\| \| \| consensus right \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \|",
        text_of("docs/repeats.md"),
    )
    kinds = {
        "whose copies determine the unit": "unit determined by the copies",
        "from one unit, no insertions or deletions": "from one unit, no indels",
        "all": "all",
    }
    expected = []
    for said, kind in kinds.items():
        row = found["kinds"][kind]["all"]
        shares = (row["genoscan"]["period"], row[trf]["period"], row["genoscan"]["consensus"], row[trf]["consensus"])
        expected.append(
            (said, f"{row['arrays']:,}", *(f"{100 * one:.1f}" for one in (*shares, row["oracle_consensus"])))
        )
    assert rows == expected


def test_how_heights_of_promoters_are_ranked():
    here, others = results("promoters_track"), results("promoters_track_others")
    rows = [
        " | ".join(
            f"{one['matched']:,} | {one['spearman']:.3f} | {one['average_precision']:.3f}"
            for one in ((found["tools"]["genoscan promoter-ecoli"] if lowest == "all" else found["down to"][lowest])
                        for found in (here, others))
        )
        for lowest in ("all", "-0.9", "-0.6", "-0.46")
    ]  # fmt: skip
    said = re.findall(r"^\| (?:all|-0\.\d+) \| (.+) \|$", (ROOT / "models/promoter-ecoli.md").read_text(), re.M)
    assert said == rows


def test_how_long_promoters_of_a_human_genome_take():
    for name, found in results("promoters_speed")["models"].items():
        speed, minutes = found["megabases_a_second"], found["minutes_for_a_human_genome"]
        said = f"{speed:.2f} Mb/s on two cores, both strands; {minutes:.0f} minutes for a human genome"
        assert said in text_of(f"models/{name}.md")
        (row,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| [{name}]")]
        assert f"a human genome in {minutes:.0f} minutes |" in row
