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


def test_how_fast_it_is_without_avx512():
    trf = "TRF 2 7 7 80 10 50 500, first 1 Mb"
    human, centromere = (
        {tool: row.get("mb_per_second") for tool, row in results("repeats_speed_avx2")["genomes"][name].items()}
        for name in ("human", "centromere")
    )
    one, two = "genoscan repeats", "genoscan repeats (2 threads)"
    said = (
        f"{human[one]:.1f} Mb/s on one thread and {human[two]:.1f} on two, in the "
        f"centromere {centromere[one]:.1f} and {centromere[two]:.1f}; longdust "
        f"{human['longdust']:.1f} and {centromere['longdust, first 1 Mb']:.2f}, TRF {human[trf]:.2f} and "
        f"{centromere[trf]:.2f}, tantan `-f3` {human['tantan -f3']:.1f} and {centromere['tantan -f3']:.1f}"
    )
    assert said in text_of("README.md")


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


def test_how_good_proportions_are():
    found, page, readme = results("tissue_mixtures"), text_of("docs/tissue.md"), text_of("README.md")
    for method, one in found["errors"].items():
        errors = " | ".join(f"{one[kind]:.4f}" for kind in ("mae", "mae_present", "mae_absent"))
        assert f"| {method} | {errors} | {one['r2']:.3f} |" in page
    for one in found["detection"]:
        cells = [
            f"{100 * one['rates'][method]['found']:.0f} % ({100 * one['rates'][method]['false_rate']:.0f} %)"
            for method in ("least-squares", "region network", "read network", "likelihood", "bound")
        ]
        assert f"| {one['coverage']:g}x, {one['mixtures']} mixtures | {' | '.join(cells)} |" in page
    for method in found["errors"]:
        limits = [one["rates"][method]["limit"] for one in found["detection"]]
        cells = " | ".join("none" if limit is None else f"{100 * limit:g} %" for limit in limits)
        assert f"| {method} | {cells} |" in page
    errors = [f"{found['errors'][method]['mae']:.4f}" for method in ("likelihood", "read network", "least-squares")]
    assert "{} by likelihood from the atlas, {} by the bundled network, {} by least squares".format(*errors) in readme


def test_how_good_the_model_of_reads_is():
    sets, page = results("tissue_reads")["simulated"]["sets"]["new donors"], text_of("models/tissue.md")
    names = {
        "model": "**model**",
        "exact": "exact posterior",
        "naive_bayes": "naive Bayes on each read's state at its marker",
        "chance": "chance",
    }
    for answers in sets.values():
        for name, said in names.items():
            one = answers[name]
            beyond = f"{100 * one['excess']:.2f} % | {one['divergence']:.4f}" if name != "exact" else "|"
            last = f"{one['calibration']:.3f} | {one['accuracy']:.3f} | {one['top3']:.3f} |"
            assert f"| {said} | {one['log_loss']:.3f} | {beyond} | {last}" in page
    excess = [f"{100 * sets['targets'][name]['excess']:.2f} %" for name in ("model", "naive_bayes")]
    said = "log-loss {} above the exact posterior's, where naive Bayes is {} above".format(*excess)
    assert said in text_of("README.md")
    mixtures = results("tissue_mixtures")["errors"]
    assert f"mean absolute error {mixtures['read network']['mae']:.4f}, R2 {mixtures['read network']['r2']:.3f}" in page


def test_how_real_reads_are_ranked():
    page = text_of("models/tissue.md")
    names = {
        "from random weights": "network, from random weights",
        "pretrained": "network, pretrained encoder",
        "methylation alone": "methylation alone (logistic regression)",
        "mean methylation": "mean methylation",
        "3-mers alone": "3-mers alone (logistic regression)",
    }
    for name, one in results("tissue_reads")["real"]["answers"].items():
        value = f"{one['auroc']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
        assert f"| {names[name]} | {value} | {one['mean_of_regions']:.3f} | {one['worst_region']:.3f} |" in page


def test_what_simulated_reads_are_like():
    rows = {one["sample"]: one for one in results("tissue_mixtures")["off_target"]}
    blood = [one for name, one in rows.items() if name.startswith("simulated Blood") or "Megakaryocytes" in name]
    real = [one for name, one in rows.items() if not name.startswith("simulated")]

    def between(chosen: list[dict], kind: str) -> str:
        return " to ".join(f"{100 * one(row[kind] for row in chosen):.1f}" for one in (min, max)) + " %"

    page = text_of("docs/tissue.md")
    assert f"{between(real, 'unmethylated')} are unmethylated there" in page
    assert f"come to {between(blood, 'unmethylated')}, where the atlas says {between(blood, 'atlas')}" in page
    erythroid = rows["simulated Eryth-prog"]
    told = f"{100 * erythroid['unmethylated']:.1f} %, where it says {100 * erythroid['atlas']:.1f} %"
    assert f"erythroid progenitors to {told}" in page
